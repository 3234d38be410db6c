// Responses and Live through the real SDK, against the emulator: what is under way at once, in what order, for whom.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'
import { LimitExceededError } from '../../src/errors.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'
import { heard, openaiFile, type Talking, talking } from '../support/sockets.ts'

type Responses = typeof import('openai/resources/responses/ws')
type Live = { LiveWS: new (client: unknown, options?: object) => LiveConnection }
interface LiveConnection {
  send(event: object): void
  close(): void
  on(event: string, listener: (value: never) => void): unknown
}

const COPIES = [
  ['6.49 esm', '', 'mjs'],
  ['6.49 cjs', '', 'js'],
  ['7.57 esm', 'apps/next', 'mjs'],
  ['7.57 cjs', 'apps/next', 'js'],
] as const

type Copy = readonly [name: string, app: (typeof COPIES)[number][1], format: (typeof COPIES)[number][2]]

/** A store that is somewhere else: every answer takes its time. */
function slowStore(): LimitStore {
  const { setLimit, removeLimit, changes, accounts, lease } = memoryLimitStore()
  return {
    setLimit: async (rule) => setLimit(rule),
    removeLimit: async (key) => removeLimit(key),
    changes: async (since) => changes(since),
    accounts: async (keys) => accounts(keys),
    lease: async (steps) => lease(steps),
  }
}

const ask = (text: string, more: object = {}) =>
  ({ type: 'response.create', model: 'gpt-4o', input: text, max_output_tokens: 200, ...more }) as never

async function opened([, app, format]: Copy, set: Talking, tenant?: string, options: object = {}) {
  const { OpenAI } = await openaiFile<typeof import('openai')>(app, format, 'index')
  const { ResponsesWS } = await openaiFile<Responses>(app, format, 'resources/responses/ws')
  // The root's copies are found on the disk; another application's are handed over.
  if (app === '') set.meter.patch('openai')
  else set.meter.patch('openai', { modules: [ResponsesWS] })
  const client = new OpenAI({ baseURL: set.emulator.openai.baseURL, apiKey: 'key' })
  const make = () => new ResponsesWS(client, options)
  const ws = tenant === undefined ? make() : set.meter.forTenant(tenant, make)
  return { ws, ears: heard(ws), closed: new Promise((resolve) => ws.on('close', resolve as never)) }
}

describe.each(COPIES)('Responses of openai %s', (...copy) => {
  test('a response is one event, equal to the bill, however early it is sent', async () => {
    await using set = await talking()
    const { ws, ears, closed } = await opened(copy, set)
    set.emulator.reply({ text: 'Deep.', cachedTokens: 4, reasoningTokens: 3, webSearches: 1 })
    // Queued by the SDK: the connection is not open yet.
    set.meter.forTenant('acme', () => ws.send(ask('How deep is the sea?', { tools: [{ type: 'web_search' }] })))
    await ears.type('response.completed')
    ws.close()
    await closed
    const [line] = set.emulator.bill().lines
    expect(await set.events()).toMatchObject([
      {
        endpoint: 'responses',
        model: 'gpt-4o',
        tenantId: 'acme',
        stream: true,
        responseId: line?.responseId,
        usageSource: 'reported',
        inputTokens: line?.inputTokens,
        outputTokens: line?.outputTokens,
        usage: { 'input.text.cache_read': 4, 'output.reasoning': 3, 'fee.web_search': 1 },
        costUsd: line?.usd,
        metadata: { max_output_tokens: 200, tools_count: 1, finish_reason: 'completed' },
      },
    ])
    expect(set.problems).toEqual([])
  })

  test('responses on several lanes go to whoever asked for each', async () => {
    await using set = await talking()
    const { ws, ears } = await opened(copy, set)
    for (const tenant of ['ann', 'bob', 'cid'])
      set.meter.forTenant(tenant, () => ws.send(ask(`for ${tenant}`, { stream_id: tenant, model: `gpt-4o-${tenant}` })))
    await ears.type('response.completed', 3)
    const events = await set.events()
    expect(events.map(({ tenantId, model }) => `${tenantId} ${model}`).sort()).toEqual([
      'ann gpt-4o-ann',
      'bob gpt-4o-bob',
      'cid gpt-4o-cid',
    ])
  })

  test('raw frames are gated and metered like messages', async () => {
    await using set = await talking()
    const { ws, ears } = await opened(copy, set)
    ws.sendRaw(JSON.stringify(ask('raw')))
    await ears.type('response.completed')
    await set.meter.setLimit('broke', { usd: 0 })
    set.meter.forTenant('broke', () => ws.sendRaw(JSON.stringify(ask('raw'))))
    expect(ears.errors).toMatchObject([{ code: 'LIMIT_EXCEEDED' }])
    expect(await set.events()).toHaveLength(1)
  })

  test('a refused connection ends its stream with the refusal', async () => {
    await using set = await talking()
    await set.meter.setLimit('broke', { usd: 0 })
    const { ws, closed } = await opened(copy, set, 'broke', { reconnect: { onReconnecting: () => undefined } })
    const seen: unknown[] = []
    for await (const item of ws.stream()) seen.push(item)
    await closed
    const refusal = seen.find((item) => (item as { type: string }).type === 'error') as { error: Error }
    expect(refusal.error).toBeInstanceOf(LimitExceededError)
    expect(seen.filter((item) => (item as { type: string }).type === 'error')).toHaveLength(1)
    expect(set.emulator.requests).toEqual([])
  })

  test('what is sent while a store is asked waits its turn, as it was when it was sent', async () => {
    await using set = await talking({ limitStore: slowStore() })
    await set.meter.setLimit('acme', { usd: 1 })
    await set.meter.setLimit('broke', { usd: 0 })
    const { ws, ears } = await opened(copy, set)
    await new Promise((resolve) => ws.socket.on('open', resolve as never))
    const sent = ask('one') as { input: string }
    set.meter.forTenant('acme', () => ws.send(sent as never))
    sent.input = 'changed'
    set.meter.forTenant('broke', () => ws.send(ask('not sent')))
    set.meter.forTenant('acme', () => ws.send(ask('two')))
    set.meter.forTenant('nobody limits me', () => ws.send(ask('three')))
    await ears.type('response.completed', 3)
    const requests = set.emulator.requests.filter(({ method }) => method === 'SOCKET')
    expect(requests.map(({ body }) => (body as { input: string }).input)).toEqual(['one', 'two', 'three'])
    expect((await set.events()).map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme', 'nobody limits me'])
    expect(ears.errors).toMatchObject([{ code: 'LIMIT_EXCEEDED', tenantId: 'broke' }])
    expect(set.meter.stats()).toMatchObject({ openCalls: 0 })
  })

  test('an error in the middle of a response ends it, and one on another lane is another’s', async () => {
    await using set = await talking()
    const { ws, ears } = await opened(copy, set, 'acme')
    set.emulator.reply(
      { text: 'One two three four.', errorAfterEvents: 6 },
      { status: 429, errorCode: 'rate_limit_exceeded' },
      {},
    )
    ws.send(ask('one', { stream_id: 'a' }))
    ws.send(ask('two', { stream_id: 'b' }))
    ws.send(ask('three', { stream_id: 'c' }))
    await ears.type('response.completed')
    const events = await set.events()
    expect(events).toHaveLength(3)
    expect(events.find(({ usageSource }) => usageSource === 'estimated')).toMatchObject({ error: 'server_error' })
    expect(events.find(({ usageSource }) => usageSource === 'reported')).not.toHaveProperty('error')
    expect(events.find(({ usageSource }) => usageSource === 'absent')).toMatchObject({
      error: 'rate_limit_exceeded',
      attempts: [{ billable: 'no' }],
    })
    expect(set.meter.stats().openCalls).toBe(0)
  })

  test('a connection that is lost and made again goes on being metered', async () => {
    await using set = await talking()
    const reconnect = { onReconnecting: () => undefined, initialDelay: 1, maxDelay: 1 }
    const { ws, ears } = await opened(copy, set, 'acme', { reconnect })
    const back = new Promise((resolve) => ws.on('reconnected', resolve as never))
    set.emulator.reply({ text: 'One two three four.', cutAfterEvents: 5 }, {})
    ws.send(ask('one'))
    await back
    ws.send(ask('two'))
    await ears.type('response.completed')
    expect(await set.events()).toMatchObject([
      { tenantId: 'acme', usageSource: 'estimated', error: 'interrupted' },
      { tenantId: 'acme', usageSource: 'reported' },
    ])
  })
})

const NEXT: readonly Copy[] = [
  ['7.57 esm', 'apps/next', 'mjs'],
  ['7.57 cjs', 'apps/next', 'js'],
]

async function liveOpened([, app, format]: Copy, set: Talking) {
  const { OpenAI } = await openaiFile<typeof import('openai')>(app, format, 'index')
  const { LiveWS } = await openaiFile<Live>(app, format, 'resources/live/ws')
  set.meter.patch('openai', { modules: [LiveWS] })
  const client = new OpenAI({ baseURL: set.emulator.openai.baseURL, apiKey: 'key' })
  const live = set.meter.forTenant('acme', () => new LiveWS(client))
  return { live, ears: heard(live), closed: new Promise((resolve) => live.on('close', resolve as never)) }
}

const START = {
  type: 'session.start',
  session: { model: 'gpt-live-1', delegation: { type: 'responses', model: 'gpt-4o' } },
}
const SOUND = { type: 'session.input_audio.append', audio: Buffer.alloc(48_000 * 2.5).toString('base64') }

describe.each(NEXT)('Live of openai %s', (...copy) => {
  test('a session is one event with its last total of seconds, and what it delegates is another', async () => {
    await using set = await talking()
    const { live, ears, closed } = await liveOpened(copy, set)
    live.send(START)
    await ears.type('session.started')
    for (let i = 0; i < 3; i++) live.send(SOUND)
    await ears.type('session.usage.updated', 3)
    live.send({ type: 'response.create' })
    await ears.until(() =>
      ears.messages.some(({ event }) => (event as { type?: string })?.type === 'response.completed'),
    )
    live.send({ type: 'session.close' })
    await closed
    const [session, delegated] = set.emulator.bill().lines
    expect(session?.quantities).toEqual({ sessionSeconds: 8 })
    const events = await set.events()
    expect(events).toHaveLength(2)
    expect(events[0]).toMatchObject({
      endpoint: 'live.responses',
      model: 'gpt-4o',
      tenantId: 'acme',
      responseId: delegated?.responseId,
      inputTokens: delegated?.inputTokens,
      outputTokens: delegated?.outputTokens,
      costUsd: delegated?.usd,
    })
    expect(events[1]).toMatchObject({
      endpoint: 'live',
      model: 'gpt-live-1',
      tenantId: 'acme',
      responseId: session?.responseId,
      usageSource: 'reported',
      usage: { 'unit.session_seconds': 8 },
      metadata: { finish_reason: 'close_requested' },
    })
  })

  test('a session whose connection is lost is billed for the seconds so far', async () => {
    await using set = await talking()
    const { live, ears, closed } = await liveOpened(copy, set)
    live.send(START)
    await ears.type('session.started')
    live.send(SOUND)
    await ears.type('session.usage.updated')
    live.close()
    await closed
    expect(await set.events()).toMatchObject([
      {
        endpoint: 'live',
        usageSource: 'partial',
        usage: { 'unit.session_seconds': 3 },
      },
    ])
  })
})

test('a process that exits while a response is made has recorded what came of it', async () => {
  await using emulator = await startEmulator()
  emulator.reply({ text: 'A long answer to a short question.', stallAfterEvents: 8 })
  const script = `
    import { writeSync } from 'node:fs'
    import { OpenAI } from 'openai'
    import { ResponsesWS } from 'openai/resources/responses/ws'
    const { Meter } = await import(${JSON.stringify(new URL('../../src/meter.ts', import.meta.url).href)})
    const meter = new Meter({
      sinks: [{ name: 'none', send: async () => {} }],
      hosts: ${JSON.stringify(emulator.hosts)},
      onEvent: ({ tenantId, usageSource, endpoint }) => writeSync(1, JSON.stringify({ tenantId, usageSource, endpoint })),
    })
    meter.patch('openai')
    const ws = new ResponsesWS(new OpenAI({ baseURL: ${JSON.stringify(emulator.openai.baseURL)}, apiKey: 'key' }))
    meter.forTenant('acme', () => ws.send({ type: 'response.create', model: 'gpt-4o', input: 'Hi' }))
    ws.on('response.output_text.delta', () => process.exit(0))
  `
  const child = spawn(
    process.execPath,
    ['--experimental-strip-types', '--no-warnings', '--input-type=module', '-e', script],
    {
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const parts: string[] = []
  child.stdout.on('data', (part) => parts.push(String(part)))
  await once(child, 'close')
  expect(JSON.parse(parts.join(''))).toEqual({ tenantId: 'acme', usageSource: 'estimated', endpoint: 'responses' })
})
