// A process that exits in the middle of its calls leaves an event of each that was sent: real processes, real exits.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { LLMEvent } from 'tallygate'
import { type Emulator, startEmulator } from 'tallygate/emulator'
import { sqliteLedger } from 'tallygate/sinks'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'

const root = join(import.meta.dirname, '../..')
const TEXT = 'one two three four five six seven eight nine ten '.repeat(20)

/** Runs a script with `meter`, `openai`, `chat` and `stream` in a process of its own; gives the events in its ledger. */
async function eventsOf(script: string, emulator: Emulator, options = '{}', exitCode = 0): Promise<LLMEvent[]> {
  using dir = temporaryFolder()
  const code = `
    import { Meter } from 'tallygate'
    import OpenAI from 'openai'
    const meter = new Meter({ hosts: ${JSON.stringify(emulator.hosts)}, flushIntervalMs: 60_000, ...${options} })
    meter.patchAll()
    const baseURL = ${JSON.stringify(emulator.openai.baseURL)}
    const request = { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hello, how are you?' }] }
    const openai = new OpenAI({ apiKey: 'key', baseURL })
    const chat = (client = openai) => meter.forTenant('acme', () => client.chat.completions.create(request))
    const stream = () => meter.forTenant('acme', () => openai.chat.completions.create({ ...request, stream: true }))
    ${script}`
  const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', code], {
    cwd: root,
    env: { ...process.env, TALLYGATE_DIR: dir.path },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [status] = await once(child, 'close')
  expect(status, output).toBe(exitCode)
  await using ledger = Object.assign(sqliteLedger({ path: join(dir.path, 'ledger.db') }), {
    [Symbol.asyncDispose]: () => ledger.close(),
  })
  return await ledger.events()
}

const BROKEN_OFF = 'for await (const _ of await stream()) break'

test.each([
  ['process.exit()', 'process.exit(0)', 0],
  ['an uncaught error', "throw new Error('mine')", 1],
])('a stream that was broken off right before %s is in the ledger, estimated', async (_, exit, code) => {
  await using emulator = await startEmulator()
  emulator.reply({ text: TEXT })
  const [event, ...others] = await eventsOf(`${BROKEN_OFF}; ${exit}`, emulator, '{}', code)
  expect(others).toEqual([])
  expect(event).toMatchObject({
    tenantId: 'acme',
    model: 'gpt-4o',
    usageSource: 'estimated',
    costSource: 'estimated',
    metadata: { stream_end: 'stopped' },
  })
  const { inputTokens, outputTokens } = event!.usageBounds!
  expect(event!.inputTokens).toBeGreaterThan(0)
  expect(event!.inputTokens).toBeGreaterThanOrEqual(inputTokens[0])
  expect(event!.inputTokens).toBeLessThanOrEqual(inputTokens[1])
  expect(event!.outputTokens).toBeGreaterThanOrEqual(outputTokens[0])
  expect(event!.outputTokens).toBeLessThanOrEqual(outputTokens[1])
  expect(Number(event!.costUsd)).toBeGreaterThan(0)
})

test('a stream that is being read when the process exits is in the ledger with what has come', async () => {
  await using emulator = await startEmulator()
  emulator.reply({ text: TEXT })
  const events = await eventsOf('for await (const _ of await stream()) process.exit(0)', emulator)
  expect(events).toMatchObject([
    { tenantId: 'acme', usageSource: 'estimated', error: 'aborted', metadata: { stream_end: 'aborted' } },
  ])
})

test('a stream that nobody has begun to read when the process exits is in the ledger, as long as usual', async () => {
  await using emulator = await startEmulator()
  emulator.reply({ text: TEXT })
  const events = await eventsOf('await stream(); process.exit(0)', emulator)
  expect(events).toMatchObject([{ usageSource: 'estimated', outputTokens: 1000, metadata: { stream_end: 'unread' } }])
})

test('a call that is under way when the process exits is in the ledger, and nothing is made up about it', async () => {
  await using emulator = await startEmulator()
  const [event, ...others] = await eventsOf(
    `const fetch = () => (setImmediate(() => process.exit(0)), new Promise(() => {}))
    await chat(new OpenAI({ apiKey: 'key', baseURL, fetch }))`,
    emulator,
  )
  expect(others).toEqual([])
  expect(event).toMatchObject({
    tenantId: 'acme',
    usageSource: 'absent',
    error: 'aborted',
    attempts: [{ billable: 'unknown' }],
  })
  expect(event).not.toHaveProperty('usage')
  expect(event).not.toHaveProperty('costUsd')
})

test('a call that still waits for its limit when the process exits was never sent, and is no call', async () => {
  await using emulator = await startEmulator()
  const store = `{ limitStore: {
    setLimit() {}, removeLimit() {}, lease() {}, accounts() {},
    changes: () => (setImmediate(() => process.exit(0)), new Promise(() => {})),
  } }`
  expect(await eventsOf('await chat()', emulator, store)).toEqual([])
  expect(emulator.requests).toEqual([])
})

test('a call reported by hand right before process.exit() is in the ledger, with its price', async () => {
  await using emulator = await startEmulator()
  const events = await eventsOf(
    `meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 5, outputTokens: 7, tenantId: 'acme' })
    process.exit(0)`,
    emulator,
  )
  expect(events).toMatchObject([{ tenantId: 'acme', inputTokens: 5, outputTokens: 7, costUsd: '0.0000825' }])
})

test.each([
  ['by itself', BROKEN_OFF, '{}'],
  ['in its own `onEvent`', BROKEN_OFF, '{ onEvent: () => process.exit(0) }'],
  ['while it flushes', `${BROKEN_OFF}; void meter.flush(); setImmediate(() => process.exit(0))`, '{}'],
  ['when it has closed', `${BROKEN_OFF}; await meter.close(); process.exit(0)`, '{}'],
])('a process that exits %s leaves one event of its broken-off stream', async (_, script, options) => {
  await using emulator = await startEmulator()
  emulator.reply({ text: TEXT })
  const events = await eventsOf(script, emulator, options)
  expect(events).toMatchObject([{ tenantId: 'acme', usageSource: 'estimated' }])
})

test('a hundred streams that were broken off at once are all in the ledger', async () => {
  await using emulator = await startEmulator()
  emulator.reply({ text: TEXT, times: 100 })
  const script = `const streams = await Promise.all(Array.from({ length: 100 }, stream))
    for (const one of streams) { const steps = one[Symbol.asyncIterator](); await steps.next(); void steps.return() }
    process.exit(0)`
  const events = await eventsOf(script, emulator)
  expect(new Set(events.map(({ eventId }) => eventId)).size).toBe(100)
  expect(events.every(({ usageSource }) => usageSource === 'estimated')).toBe(true)
})

test('a response in the background that nobody has asked for is in the ledger when the process exits, estimated', async () => {
  await using emulator = await startEmulator()
  const create = "openai.responses.create({ model: 'gpt-4o', input: 'Hello, how are you?', background: true })"
  const [event, ...others] = await eventsOf(`await meter.forTenant('acme', () => ${create}); process.exit(0)`, emulator)
  expect(others).toEqual([])
  expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'responses', usageSource: 'estimated' })
  // The id that its true event has, in whichever process somebody asks: a UUIDv8.
  expect(event!.eventId[14]).toBe('8')
})

test.each([
  ['exits', 'process.exit(0)'],
  ['closes its meter', 'await meter.close(); process.exit(0)'],
])(
  'what calls under way hold of a hard limit is spent when a process %s: one after the other passes no limit',
  async (_, end) => {
    await using emulator = await startEmulator()
    using dir = temporaryFolder()
    // Ten calls of at most 0.00116 dollars each fit into it, and then no other.
    const script = `
    import { Meter } from 'tallygate'
    import OpenAI from 'openai'
    const meter = new Meter({ hosts: ${JSON.stringify(emulator.hosts)}, flushIntervalMs: 60_000 })
    meter.patchAll()
    await meter.setLimit('acme', { usd: 0.0125, mode: 'hard' })
    let sent = 0
    let isOver
    const fetch = () => (++sent === 10 && isOver(), new Promise(() => {}))
    const openai = new OpenAI({ apiKey: 'key', baseURL: ${JSON.stringify(emulator.openai.baseURL)}, fetch })
    const request = { model: 'gpt-4o', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }] }
    const refused = []
    const tenSent = new Promise((resolve) => (isOver = resolve))
    const calls = Array.from({ length: 10 }, () =>
      meter.forTenant('acme', () => openai.chat.completions.create(request)).catch(({ code }) => refused.push(code)))
    await Promise.race([tenSent, Promise.all(calls)])
    process.stdout.write(JSON.stringify({ sent, refused: refused.length }))
    ${end}`
    const runs: { sent: number; refused: number }[] = []
    for (let run = 0; run < 2; run++) {
      const child = spawn(process.execPath, ['--no-warnings', '--input-type=module', '-e', script], {
        cwd: root,
        env: { ...process.env, TALLYGATE_DIR: dir.path },
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      let output = ''
      child.stdout.on('data', (chunk) => (output += chunk))
      await once(child, 'close')
      runs.push(JSON.parse(output))
    }
    expect(runs).toEqual([
      { sent: 10, refused: 0 },
      { sent: 0, refused: 10 },
    ])
  },
)
