// The demo from its first line to its last: the scenes, the report, and the comparison with the provider's bill.

import { join } from 'node:path'
import { startEmulator } from '../emulator/index.ts'
import { formatCount, roundedTo } from '../figures.ts'
import { type LLMEvent, Meter } from '../index.ts'
import { parseUsd } from '../money.ts'
import { type Setting, Stop } from './command.ts'
import { load, SDKS } from './demo-assistants.ts'
import { compare, printComparison } from './demo-bill.ts'
import { openBooks } from './demo-books.ts'
import { type Scene, type Stage, scenes } from './demo-scenes.ts'
import { folderOf, ledgerIn, shown } from './place.ts'
import { printReport } from './report.ts'
import type { Terminal } from './terminal.ts'
import { cut, padEnd, padStart, wrap } from './width.ts'

/** Resolves to the exit code: 1 where a scene failed or the bill says something else. */
export async function showDemo(dir: string | undefined, { terminal, env }: Setting): Promise<number> {
  const { print, paint } = terminal
  const folder = join(folderOf(dir, env), 'demo')
  forgetSettings(env)
  print(paint('bold', 'tallygate demo'))
  print('Real SDKs, three tenants, a pretended provider on loopback: no key, no network.')
  print()
  const warn = (sentence: string) => {
    for (const line of wrap(sentence, terminal.width)) print(paint('yellow', line))
  }

  await using emulator = await startEmulator()
  const assistants = SDKS.flatMap((sdk) => {
    const loading = load(sdk)
    if ('loaded' in loading) return [sdk.connect(loading.loaded, emulator)]
    warn(loading.reason)
    return []
  })
  const [first, ...others] = assistants
  if (first === undefined) throw new Stop(1, 'The demo needs at least one of them: install it and try again.')

  const books = await openBooks(folder, warn)
  const events: LLMEvent[] = []
  await using meter = new Meter({
    hosts: emulator.hosts,
    sinks: [books.sink],
    onEvent: (event) => void events.push(event),
    onProblem: ({ message }) => warn(message),
  })
  for (const line of wrap(`patched  ${patchedBy(meter)}`, terminal.width)) print(line)
  print(`ledger   ${books.isFile ? shown(ledgerIn(folder)) : 'in memory'}`)
  let isWell = true
  for (const [i, scene] of scenes([first, ...others]).entries()) {
    print()
    print(paint('bold', `${i + 1}  ${scene.title}`))
    const isPlayed = await play(scene, { meter, emulator }, terminal, () => events.splice(0))
    isWell &&= isPlayed
  }
  await meter.close()
  await emulator.until(() => emulator.requests.every((request) => request.ended))

  print()
  print(paint('bold', 'What the ledger says'))
  await printReport(books, { now: Date.now(), terminal })
  print()
  print(paint('bold', "Beside the provider's own bill"))
  const comparison = compare(await books.events(), emulator.bill())
  printComparison(comparison, terminal)
  await books.close()
  print()
  printNext(books.isFile ? shown(folder) : undefined, terminal)
  return isWell && comparison.disputed.length === 0 ? 0 : 1
}

/** The demo's own settings hold, and no real key, endpoint or proxy of whoever runs it. */
function forgetSettings(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(env))
    if (/^(TALLYGATE|OPENAI|ANTHROPIC|GOOGLE|GEMINI)_/.test(name)) Reflect.deleteProperty(env, name)
}

function patchedBy(meter: Meter): string {
  const { sdks } = meter.patchAll()
  const names = SDKS.map(({ sdk, packageName }) => {
    const copies = sdks.find((report) => report.sdk === sdk)?.copies.filter(({ isPatched }) => isPatched) ?? []
    // The application's own come first; copies that other packages bring are patched as well, and play no part here.
    return copies[0] ? [`${packageName} ${copies[0].version}`] : []
  })
  return names.flat().join(', ')
}

/** Whether it went as it should. */
async function play(
  scene: Scene,
  stage: Stage,
  { print, paint }: Terminal,
  takeEvents: () => LLMEvent[],
): Promise<boolean> {
  let said: readonly string[]
  let isWell = true
  try {
    said = await scene.play(stage)
  } catch (error) {
    isWell = false
    said = [paint('red', `This went wrong: ${(error as Error).message}`)]
  }
  await stage.meter.flush()
  for (const event of takeEvents()) print(`   ${paint('dim', lineOf(event))}`)
  for (const line of said) print(`   ${line}`)
  return isWell
}

function lineOf(event: LLMEvent): string {
  const { model, stream, attempts = [], inputTokens = 0, outputTokens = 0, costUsd, usageSource } = event
  const isEstimated = usageSource === 'partial' || usageSource === 'estimated'
  const what = [
    model,
    stream && 'streamed',
    attempts.length > 1 && `${attempts.length} attempts`,
    isEstimated && 'broken off',
  ]
  const cost = costUsd === undefined ? 'no price' : roundedTo(6, parseUsd(costUsd)!)
  return [
    padEnd(cut(what.filter(Boolean).join(', '), 41), 41),
    `${padStart(formatCount(inputTokens), 6)} in`,
    `${padStart(formatCount(outputTokens), 6)} out`,
    `${padStart(cost, 9)}${isEstimated ? '~' : ''}`,
  ].join(' ')
}

function printNext(folder: string | undefined, { print, paint }: Terminal): void {
  print(paint('bold', 'Look further'))
  if (folder !== undefined)
    for (const options of ['--by feature,model', '--tenant harbor-books --json'])
      print(`  npx tallygate report --dir ${folder} ${options}`)
  print('  npx tallygate --help')
  print('In your app, before its first call: const meter = new Meter(); meter.patchAll()')
}
