// A word that is said in prompts, answers, tools, errors, headers and keys leaves the application by no door of ours.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sqliteLedger } from 'tallygate/sinks'
import { expect, test } from 'vitest'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'

const SECRET = 'Xylophagous42'
/** 18 calls, each with 17 answers, and aborted. One more event is tracked by hand, to spend a limit; the refused have none. */
const CALLS = 18 * 18

interface Run {
  readonly output: string
  readonly debug: string
  readonly code: number | null
}

async function run(env: Record<string, string>): Promise<Run> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../support/secret-app.ts')], {
    env: { ...process.env, SECRET, ...env },
  })
  let output = ''
  let debug = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (debug += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { output, debug, code }
}

function expectSilence(what: string, bytes: Buffer | string): void {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1')
  const at = text.search(new RegExp(`${SECRET}|${SECRET.split('').join('\\0')}`, 'i'))
  const around = at < 0 ? '' : text.slice(Math.max(0, at - 200), at + 200)
  expect(around, what).toBe('')
}

/** The word was said and heard, so that its absence means something. */
function expectSaid({ output, debug, code }: Run): void {
  expect(code, debug.slice(-2000)).toBe(0)
  expect(output).toMatch(/said (\d{3}) times, refused 18/)
  expect(Number(/said (\d+) times/.exec(output)![1])).toBeGreaterThanOrEqual(CALLS)
  expect(debug.match(/^tallygate acme \| .*$/gm)).toHaveLength(CALLS)
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

test.each([
  ['closed', {}, ['ledger.db']],
  ['left abruptly', { LEAVE: 'abruptly' }, ['ledger.db', 'ledger.db-wal']],
])('not into the embedded ledger, nor into what is printed: %s', async (_, env, names) => {
  using folder = temporaryFolder()
  const ran = await run({ TALLYGATE_DIR: folder.path, ...env })
  expectSaid(ran)
  expectSilence('standard output', ran.output)
  expectSilence('standard error', ran.debug)
  const written = files(folder.path)
  expect(written.map((file) => file.slice(folder.path.length + 1))).toEqual(expect.arrayContaining(names))
  for (const file of written) expectSilence(file, readFileSync(file))
  await using ledger = disposable(sqliteLedger({ path: join(folder.path, 'ledger.db') }))
  expect(await ledger.events({ limit: 1e6 })).toHaveLength(CALLS + 1)
})

test('not into the spool of a process whose sink is down', async () => {
  using folder = temporaryFolder()
  const ran = await run({ TALLYGATE_DIR: folder.path, SINK_DOWN: 'yes', LEAVE: 'abruptly' })
  expectSaid(ran)
  expectSilence('standard output', ran.output)
  const written = files(join(folder.path, 'spool'))
  for (const file of written) expectSilence(file, readFileSync(file))
  const lines = written.flatMap((file) => readFileSync(file, 'utf8').split('\n'))
  expect(lines.filter((line) => / event \{/.test(line))).toHaveLength(CALLS + 1)
})

test('not to an ingest endpoint, nor into the warnings of the process', async () => {
  await using server = await ingest()
  using folder = temporaryFolder()
  // Some deliveries fail, so that `onFlushError` has something to say.
  server.misbehave(
    () => new Response('', { status: 503 }),
    () => new Response('<html>', { status: 200 }),
  )
  const ran = await run({ INGEST_URL: server.url, API_KEY, TALLYGATE_DIR: folder.path, QUIET: 'yes' })
  expectSaid(ran)
  expectSilence('standard output', ran.output)
  expectSilence('standard error', ran.debug)
  expect(ran.debug).toContain('TallygateWarning')
  for (const { bytes, text, headers } of server.received) {
    expectSilence('a body', text)
    expectSilence('packed bytes', bytes)
    expectSilence('headers', JSON.stringify([...headers]))
  }
  expect(await server.ledger.events({ limit: 1e6 })).not.toEqual([])
})

function disposable<T extends { close(): Promise<void> }>(it: T): T & AsyncDisposable {
  return Object.assign(it, { [Symbol.asyncDispose]: () => it.close() })
}
