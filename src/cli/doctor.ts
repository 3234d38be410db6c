// `tallygate doctor`: what `patchAll()` reaches of the SDKs that an application has, and what to do about the rest.

import { existsSync, statSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import type { DoctorReport, SdkDiagnosis } from '../meter/doctor.ts'
import { DIR, defineCommand, type Options, Stop } from './command.ts'
import { folderOf, ledgerIn, shown } from './place.ts'
import { type Cell, type Column, layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { wrap } from './width.ts'

const OPTIONS = {
  app: { type: 'string', value: 'folder', help: 'Where the app is. Default: the current folder' },
  json: { type: 'boolean', help: 'Everything that was found, for programs.' },
  dir: DIR,
} as const satisfies Options

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'Which copies of the SDKs patchAll() reaches, and what to do about the others.',
  about: [
    'Loads each copy of an SDK that an app in this folder resolves, and those that its packages bring along, patches it and undoes that. Nothing is called and nothing is written. What a running app sends past its meter, that app says itself: `meter.doctor()` and `meter.stats().coverage`.',
    'The exit code is 1 where some copy could not be patched.',
  ],
  options: OPTIONS,
  examples: ['tallygate doctor', 'tallygate doctor --app services/api', 'tallygate doctor --json'],
  async run({ app = '.', json, dir }, { terminal, env }) {
    const folder = resolve(app)
    if (!existsSync(folder) || !statSync(folder).isDirectory()) throw new Stop(1, `There is no folder ${folder}.`)
    const { examine } = await import('../meter/doctor.ts')
    const report = examine(folder)
    const ledger = ledgerIn(folderOf(dir, env))
    if (json) terminal.write(`${JSON.stringify({ app: folder, ledger: resolve(ledger), ...report }, undefined, 2)}\n`)
    else printDiagnosis(report, folder, ledger, terminal)
    return report.sdks.some(({ copies }) => copies.some(({ isPatched }) => !isPatched)) ? 1 : 0
  },
})

const COLUMNS: readonly Column[] = [
  { title: 'SDK', least: 6 },
  { title: 'version', align: 'left' },
  { title: 'build', align: 'left', dispensable: 1 },
  { title: 'patched', align: 'left' },
  { title: 'tried', align: 'left' },
  { title: 'where', least: 12 },
]

function printDiagnosis(
  { node, sdks, advice }: DoctorReport,
  folder: string,
  ledger: string,
  terminal: Terminal,
): void {
  const { print, paint, width } = terminal
  print(paint('dim', `${shown(folder)}, Node ${node}`))
  print()
  const rows = sdks.flatMap((sdk) => rowsOf(sdk, folder, terminal))
  if (rows.length === 0) print('None of the SDKs that have a patch is installed here.')
  else {
    const table = layOut(COLUMNS, rows, width)
    print(paint('dim', table.header))
    for (const line of table.lines) print(line)
  }
  const missing = sdks.filter(({ copies }) => copies.length === 0).map(({ packageName }) => packageName)
  const notes = [
    ...(rows.length > 0 && missing.length > 0 ? [`Not installed: ${missing.join(', ')}.`] : []),
    ...advice,
    `The ledger is ${shown(ledger)}${existsSync(ledger) ? '' : ', which is not there yet'}.`,
  ]
  for (const note of notes) {
    print()
    for (const line of wrap(note, width)) print(line)
  }
}

function rowsOf(
  { packageName, copies }: SdkDiagnosis,
  folder: string,
  { paint }: Terminal,
): (readonly (Cell | string)[])[] {
  return copies.map(({ path, format, version, isPatched, support }) => [
    packageName,
    version ?? 'unknown',
    format,
    isPatched
      ? { text: 'yes', paint: (text) => paint('green', text) }
      : { text: 'no', paint: (text) => paint('red', text) },
    support === 'tested' ? 'yes' : support,
    placeOf(path, folder),
  ])
}

/** The package that brings the copy along, where it is not the application's own. */
function placeOf(path: string | undefined, folder: string): string {
  if (path === undefined) return 'given'
  const parts = path.split(/[\\/]node_modules[\\/]/)
  const owner = parts.length > 2 ? parts.at(-2)! : undefined
  if (owner === undefined) return relative(folder, parts[0]!) === '' ? 'the app' : shown(parts[0]!)
  return `in ${owner.replaceAll('\\', '/')}`
}
