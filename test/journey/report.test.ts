// "npx tallygate report": what an application's meter wrote, read by another process.

import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Meter } from 'tallygate'
import { describe, expect, onTestFinished, test } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { run } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

/** An application that metered three calls in `dir` and is still running. */
async function application(dir: string) {
  const meter = new Meter({ dir, onProblem: ({ message }) => expect.fail(message) })
  onTestFinished(() => meter.close())
  const call = { provider: 'openai', inputTokens: 1000, outputTokens: 100 } as const
  meter.trackManually({ ...call, model: 'gpt-6-sol', tenantId: 'acme', feature: 'search' })
  meter.trackManually({ ...call, model: 'gpt-6-luna', tenantId: 'acme', feature: 'chat' })
  meter.trackManually({ ...call, model: 'no-such-model', tenantId: '株式会社 & co' })
  await meter.setLimit('acme', { usd: 50 })
  await meter.flush()
  return meter
}

describe('a ledger that a meter wrote', () => {
  test('in the working directory, by tenant and by model, while the application runs', async () => {
    const cwd = folder()
    await application(join(cwd, '.tallygate'))
    const { exitCode, stdout, stderr } = await run(cwd, ['report'])
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout.replace(/ +\d+ (d|h|min)( \d+ (h|min))?$/m, '  soon')).toMatchInlineSnapshot(`
      ".tallygate/ledger.db, all time

      tenant         calls  errors     in  cached  out     cost
      acme               2       0  2,000       0  200  $0.0032
      株式会社 & co      1       0  1,000       0  100  unknown*
      total              3       0  3,000       0  300  $0.0032*
      * 1 call used something without a known price, which is not in the cost.

      model          calls  errors     in  cached  out       cost
      gpt-6-sol          1       0  1,000       0  100  $0.003000
      gpt-6-luna         1       0  1,000       0  100  $0.000150
      no-such-model      1       0  1,000       0  100    unknown*
      total              3       0  3,000       0  300  $0.003150*
      * 1 call used something without a known price, which is not in the cost.

      limit of  per     limit    spent  remaining  resets in
      acme      month  $50.00  $0.0032     $50.00  soon
      "
    `)
  })

  test('in a folder that --dir or TALLYGATE_DIR names', async () => {
    const dir = folder()
    await application(dir)
    const named = await run(folder(), ['report', '--dir', dir, '--csv'])
    const inEnvironment = await run(folder(), ['report', '--csv'], { TALLYGATE_DIR: dir })
    expect(named.exitCode).toBe(0)
    expect(inEnvironment).toEqual(named)
    expect(named.stdout.split('\r\n').slice(1)).toEqual([
      'acme,2,0,2000,0,200,0.00315,0,0',
      '株式会社 & co,1,0,1000,0,100,0,1,0',
      '',
    ])
  })

  test('as JSON, of one tenant, by feature', async () => {
    const dir = folder()
    await application(dir)
    const { stdout } = await run(folder(), [
      'report',
      '--dir',
      dir,
      '--json',
      '--by',
      'feature',
      '--tenant',
      'acme',
      '--since',
      '1h',
    ])
    const { rows, total, limits } = JSON.parse(stdout) as Record<string, unknown>
    expect(rows).toMatchObject([
      { feature: 'search', cost_usd: '0.003' },
      { feature: 'chat', cost_usd: '0.00015' },
    ])
    expect(total).toMatchObject({ calls: 2, cost_usd: '0.00315' })
    expect(limits).toMatchObject([{ tenant: 'acme', limit_usd: '50', spent_usd: '0.00315', remaining_usd: '49.99685' }])
  })

  test('asked for another time, it has nothing', async () => {
    const dir = folder()
    await application(dir)
    const { exitCode, stdout } = await run(folder(), ['report', '--dir', dir, '--by', 'model', '--until', '7d'])
    expect([exitCode, stdout.split('\n').at(-2)]).toEqual([0, 'No calls.'])
  })

  test('a reader who has seen enough ends it quietly', async () => {
    const dir = folder()
    await application(dir)
    const command = `"$NODE" "$MAIN" report --dir "$DIR" --json | head -n 1; echo "\${PIPESTATUS[0]}"`
    const env = { ...process.env, NODE: process.execPath, MAIN: join(root, 'dist/cli/main.js'), DIR: dir }
    const { stdout, stderr } = await promisify(execFile)('bash', ['-c', command], { env })
    expect([stdout, stderr]).toEqual(['{\n0\n', ''])
  })
})

describe('what goes wrong is one sentence', () => {
  test.each([
    [
      'no ledger',
      ['report'],
      1,
      /^There is no ledger at .*\.tallygate\/ledger\.db: an app with `new Meter\(\)` writes one .*\n$/,
    ],
    ['an unknown command', ['repot'], 2, /^There is no command `repot`; did you mean `report`\?\n$/],
    [
      'an unknown option',
      ['report', '--tennant', 'acme'],
      2,
      /^`report` has no option `--tennant`; did you mean `--tenant`\?\n$/,
    ],
    ['both forms at once', ['report', '--csv', '--json'], 2, /^Give either `--json` or `--csv`\.\n$/],
  ])('%s', async (_, args, exitCode, sentence) => {
    const finished = await run(folder(), args)
    expect(finished).toEqual({ exitCode, stdout: '', stderr: expect.stringMatching(sentence) })
  })

  test('a file that is no ledger', async () => {
    const dir = folder()
    writeFileSync(join(dir, 'ledger.db'), 'not a database, but long enough to look at')
    const { exitCode, stdout, stderr } = await run(folder(), ['report', '--dir', dir])
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/^The ledger at .* is no SQLite file .*\n$/)
  })

  test('a folder in place of the ledger', async () => {
    const dir = folder()
    mkdirSync(join(dir, 'ledger.db'))
    const { exitCode, stderr } = await run(folder(), ['report', '--dir', dir])
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^The ledger at .*\n$/)
  })
})

test('help and version', async () => {
  const cwd = folder()
  const { version } = (await import('../../package.json', { with: { type: 'json' } })).default
  expect(await run(cwd, ['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  const overview = await run(cwd, [])
  expect(overview).toMatchObject({ exitCode: 0, stderr: '' })
  for (const args of [['--help'], ['-h'], ['help']]) expect(await run(cwd, args)).toEqual(overview)
  for (const name of ['report', 'serve', 'demo']) {
    expect(overview.stdout).toContain(`  ${name} `)
    const help = await run(cwd, [name, '--help'])
    expect(help).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringContaining(`Usage: tallygate ${name}`) })
    expect(await run(cwd, ['help', name])).toEqual(help)
  }
})
