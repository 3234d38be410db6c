// What is looked at while an application runs: `tail` and `top`, the limits it is given, and reports that are drawn again.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Meter } from 'tallygate'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { root } from '../../scripts/entries.mjs'
import { type Running, run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

function application(dir: string) {
  const meter = new Meter({ dir, onProblem: ({ message }) => expect.fail(message) })
  onTestFinished(() => meter.close())
  const call = async (tenantId: string, outputTokens = 100) => {
    meter.trackManually({ provider: 'openai', model: 'gpt-6-sol', tenantId, inputTokens: 1000, outputTokens })
    await meter.flush()
  }
  return { meter, call }
}

function tail(dir: string, ...args: string[]): Running {
  const running = start(dir, ['tail', '--interval', '0.1', '--dir', dir, ...args])
  onTestFinished(() => void running.process.kill('SIGKILL'))
  return running
}

/** Both at once: what is on standard error is said before the output that is waited for. */
async function saidBy(running: Running, pattern: RegExp): Promise<void> {
  let text = ''
  running.process.stderr!.on('data', (more: string) => (text += more))
  await vi.waitFor(() => expect(text).toMatch(pattern), PATIENT)
}

describe('tail', () => {
  test('prints the last events, then each that comes, and ends with Ctrl-C', async () => {
    const dir = folder()
    const { call } = application(dir)
    for (const tenant of ['one', 'two', 'three']) await call(tenant)
    const following = tail(dir, '-n', '2')
    await following.until(/three .*\$0\.0030?\b/)
    await call('four')
    await following.until(/four /)
    following.process.kill('SIGINT')
    const { exitCode, stdout, stderr } = await following.finished
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(stdout.match(/\b(one|two|three|four)\b/g)).toEqual(['two', 'three', 'four'])
  })

  test('as JSON, one object a line, of what was asked for', async () => {
    const dir = folder()
    const { call } = application(dir)
    await call('acme')
    await call('birch')
    const following = tail(dir, '--tenant', 'acme', '--where', 'model=gpt-6-sol', '--json')
    await following.until(/"acme"/)
    await call('birch')
    await call('acme', 7)
    await following.until(/"output_tokens":7\b/)
    following.process.kill('SIGTERM')
    const { exitCode, stdout } = await following.finished
    expect(exitCode).toBe(0)
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((text) => JSON.parse(text) as Record<string, unknown>)
    expect(events).toMatchObject([
      { tenant_id: 'acme', schema_version: 1 },
      { tenant_id: 'acme', output_tokens: 7 },
    ])
  })

  test('waits for a ledger that is not there yet', async () => {
    const dir = join(folder(), 'later')
    mkdirSync(dir)
    const following = tail(dir)
    await saidBy(following, /^There is no ledger at .*ledger\.db yet: waiting for an application to write one\.\n$/)
    const { call } = application(dir)
    await call('acme')
    await following.until(/acme /)
    following.process.kill('SIGINT')
    expect(await following.finished).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/^There is no [^\n]*\n$/),
    })
  })

  test('tries a locked ledger again', async () => {
    const dir = folder()
    const { meter, call } = application(dir)
    await call('acme')
    await meter.close()
    const db = new DatabaseSync(join(dir, 'ledger.db'))
    // Nobody else may even read, which a plain transaction of this journal would let them.
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('BEGIN IMMEDIATE; COMMIT')
    const following = tail(dir)
    await saidBy(following, /is being written by another process \(SQLite error 5\); trying again\.\n$/)
    db.close()
    await following.until(/acme /)
    following.process.kill('SIGINT')
    expect((await following.finished).exitCode).toBe(0)
  })

  test('what can only go wrong ends it with a sentence', async () => {
    const dir = folder()
    const { meter, call } = application(dir)
    await call('acme')
    await meter.close()
    const db = new DatabaseSync(join(dir, 'ledger.db'))
    db.exec('INSERT INTO ledger_version VALUES (999)')
    db.close()
    const { exitCode, stderr } = await tail(dir).finished
    expect([exitCode, stderr]).toEqual([1, expect.stringMatching(/was written by a newer version of tallygate\.\n$/)])
    for (const [args, sentence] of [
      [['-n', 'ten'], '`--last` takes a whole number up to 1000; got "ten".\n'],
      [['--where', 'planet=mars'], expect.stringMatching(/^`--where` cannot tell "planet"/)],
    ] as const)
      expect(await run(dir, ['tail', ...args])).toEqual({ exitCode: 2, stdout: '', stderr: sentence })
  })
})

test('a limit that is set on the command line holds in an application that runs, until it is removed', async () => {
  const dir = folder()
  const { meter, call } = application(dir)
  await meter.setLimit('birch', { usd: 5 })
  await call('acme')
  const isAllowed = async () => (await meter.checkLimit('acme', { estimateUsd: 0.01 })).allowed
  expect(await isAllowed()).toBe(true)
  const set = await run(dir, ['limits', 'set', 'acme', '--usd', '0.005', '--dir', dir])
  expect(set).toMatchObject({
    exitCode: 0,
    stderr: '',
    stdout: expect.stringMatching(/^acme +month +\$0\.0050 +\$0\.003/m),
  })
  await vi.waitFor(async () => expect(await isAllowed()).toBe(false), PATIENT)
  expect((await run(dir, ['limits', '--dir', dir, '--json'])).stdout).toContain('"spent_usd": "0.003"')
  expect(await run(dir, ['limits', 'remove', 'acme', '--dir', dir])).toMatchObject({ exitCode: 0 })
  await vi.waitFor(async () => expect(await isAllowed()).toBe(true), PATIENT)
})

test('top and a watched report print once where nobody looks, and an invoice what a meter recorded', async () => {
  const dir = folder()
  const { call } = application(dir)
  await call('acme')
  const [top, report, invoice] = await Promise.all([
    run(dir, ['top', '--dir', dir]),
    run(dir, ['report', '--watch', '--dir', dir, '--by', 'tenant']),
    run(dir, ['invoice', '--tenant', 'acme', '--month', new Date().toISOString().slice(0, 7), '--dir', dir]),
  ])
  expect(top).toMatchObject({
    exitCode: 0,
    stderr: '',
    stdout: expect.stringMatching(/^acme +\$0\.0030? +\$0\.0030? /m),
  })
  expect(report).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringMatching(/^acme +1 /m) })
  expect(invoice).toMatchObject({ exitCode: 0, stderr: '' })
  expect(invoice.stdout).toMatch(/^\| input text \| 1,000 \| tokens \| \$\d\S* per million \| \$0\.\d+ \|$/m)
  expect(invoice.stdout).toMatch(/^\| \*\*Total\*\* .*\$0\.003\*\* \|$/m)
  for (const args of [['--json'], ['--csv']])
    expect(await run(dir, ['report', '--watch', ...args, '--dir', dir])).toEqual({
      exitCode: 2,
      stdout: '',
      stderr: '`--watch` draws tables: leave out `--json` and `--csv`.\n',
    })
})

/** util-linux's `script` gives a command a terminal; others' has other options. */
const TERMINAL = process.platform === 'linux' && existsSync('/usr/bin/script')

describe.skipIf(!TERMINAL)('on a terminal', () => {
  test.each([
    ['top', ['top'], /tenant +this hour/],
    ['report', ['report', '--watch', '--by', 'tenant'], /tenant +calls/],
  ])('%s is drawn again until Ctrl-C', async (_, args, header) => {
    const dir = folder()
    const { call } = application(dir)
    await call('acme')
    const line = [process.execPath, join(root, 'dist/cli/main.js'), ...args, '--interval', '0.2', '--dir', dir]
    // Ctrl-C reaches the shell as well, and dash would end before it said how the command ended.
    const command = `trap : INT; ${line.map((word) => `'${word}'`).join(' ')}; echo "ended with $?"`
    const child = spawn('/usr/bin/script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more))
    const drawn = (pattern: RegExp) => vi.waitFor(() => expect(text).toMatch(pattern), PATIENT)
    await drawn(header)
    await drawn(/acme/)
    await call('birch')
    await drawn(/birch/)
    // What the terminal makes of Ctrl-C.
    child.stdin.write('\u0003')
    await drawn(/ended with 0/)
    expect(text).toContain('\u001b[?25h')
  })
})
