// The server under what it cannot take: too much at once, slow clients, bodies that are built to hurt, a ledger that is gone.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createAdmission } from '../../src/server/admission.ts'
import type { IngestOptions } from '../../src/server/ingest.ts'
import { type ListenOptions, serve } from '../../src/server/serve.ts'
import type { Delivery } from '../../src/sinks/sink.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { API_KEY, temporaryFolder } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'

const MIB = 1024 * 1024
let made = 0
const wire = (over: object = {}) => ({
  event_id: `l-${++made}`,
  timestamp: '2026-11-22T09:00:00Z',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'chat.completions',
  usage_source: 'reported',
  ...over,
})
const bodyOf = (...events: unknown[]) => JSON.stringify({ schema_version: 1, batch_id: 'b', events })

/** A server over a ledger whose `send` can be held up; everything else of it is real. */
async function stage(options: Partial<IngestOptions & ListenOptions> = {}) {
  const inner = sqliteLedger({ path: ':memory:' })
  let gate: Promise<void> | undefined
  let open = () => {}
  let sending = 0
  let most = 0
  const ledger: typeof inner = {
    ...inner,
    async send(batch, signal): Promise<Delivery> {
      most = Math.max(most, ++sending)
      try {
        await gate
        return await inner.send(batch, signal)
      } finally {
        sending--
      }
    },
  }
  const server = await serve({ ledger, apiKeys: [API_KEY], onProblem: () => {}, ...options })
  const post = (body: BodyInit, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/v1/ingest`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, ...headers },
      body,
    })
  return {
    server,
    ledger,
    post,
    most: () => most,
    holdUp() {
      gate = new Promise((resolve) => (open = resolve))
    },
    letGo() {
      gate = undefined
      open()
    },
    /** The value of a metric. */
    async metric(name: string): Promise<number> {
      const page = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${API_KEY}` } })
      const line = (await page.text()).split('\n').find((text) => text.startsWith(`${name} `))
      return Number(line?.split(' ')[1])
    },
    async [Symbol.asyncDispose]() {
      open()
      await server.close()
      await ledger.close()
    },
  }
}

test('more requests than it takes are answered with 429 and a time to come back, and all of the others are kept', async () => {
  await using stand = await stage({ maxRequests: 6 })
  stand.holdUp()
  const first = Array.from({ length: 6 }, () => stand.post(bodyOf(wire())))
  await vi.waitUntil(async () => (await stand.metric('tallygate_ingest_in_flight')) === 6, PATIENT)
  const refused = await Promise.all(Array.from({ length: 20 }, () => stand.post(bodyOf(wire()))))
  expect(refused.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual(Array(20).fill([429, '2']))
  expect(await stand.metric('tallygate_ingest_waiting')).toBe(2)
  stand.letGo()
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual(Array(6).fill(200))
  expect(stand.most()).toBe(4)
  expect((await stand.ledger.totals({ by: [] })).map(({ calls }) => calls)).toEqual([6])
  expect(await stand.metric('tallygate_ingest_held_bytes')).toBe(0)
  expect((await stand.post(bodyOf(wire()))).status).toBe(200)
})

test('bodies above what is held at once are answered with 429, declared or not', async () => {
  await using stand = await stage({ maxHeldBytes: 4 * MIB })
  stand.holdUp()
  const large = () => Buffer.from(bodyOf(wire(), ...Array(20).fill({ padding: 'x'.repeat(MIB / 20 - 40) })))
  const first = Array.from({ length: 3 }, () => stand.post(large()))
  await vi.waitUntil(async () => (await stand.metric('tallygate_ingest_held_bytes')) > 2.5 * MIB, PATIENT)
  const answers: number[] = []
  for (let round = 0; round < 10; round++) {
    const streamed = new ReadableStream({
      pull(controller) {
        controller.enqueue(large())
        controller.enqueue(large())
        controller.close()
      },
    })
    const refused = [
      stand.post(Buffer.alloc(2 * MIB, 0x20)),
      fetch(`${stand.server.url}/v1/ingest`, {
        method: 'POST',
        headers: { authorization: `Bearer ${API_KEY}` },
        body: streamed,
        duplex: 'half',
      } as RequestInit),
    ]
    answers.push(...(await Promise.all(refused)).map(({ status }) => status))
    expect(await stand.metric('tallygate_ingest_held_bytes')).toBeLessThanOrEqual(4 * MIB)
  }
  expect(answers).toEqual(Array(20).fill(429))
  stand.letGo()
  expect((await Promise.all(first)).map(({ status }) => status)).toEqual([200, 200, 200])
})

test('a body that is alone is taken up to the largest there may be', async () => {
  await using stand = await stage({ maxHeldBytes: 10 })
  expect((await stand.post(bodyOf(wire()))).status).toBe(200)
})

test('a turn is not given to who has left, or has waited too long', async () => {
  const admission = createAdmission({ maxRequests: 10, maxBytes: 100, maxTurns: 1, maxWaitMs: 20 })
  const never = new AbortController().signal
  const [first, second, third] = [admission.enter(1)!, admission.enter(1)!, admission.enter(1)!]
  expect(await first.turn(never)).toBe(true)
  const leaving = new AbortController()
  const [late, left] = [second.turn(never), third.turn(leaving.signal)]
  leaving.abort()
  expect([await late, await left, admission.waiting]).toEqual([false, false, 0])
  for (const place of [second, third, first, first]) place.leave()
  expect([admission.requests, admission.bytes]).toEqual([0, 0])
  expect(await admission.enter(1)!.turn(AbortSignal.abort())).toBe(false)
  expect(await admission.enter(1)!.turn(never)).toBe(true)
})

test.each<[string, () => Buffer, Record<string, string>, number, RegExp]>([
  ['a bomb of gzip', () => gzipSync(Buffer.alloc(100 * MIB, 0x20)), { 'content-encoding': 'gzip' }, 413, /unpacked/],
  [
    'a bomb of many members',
    () => Buffer.concat(Array(20).fill(gzipSync(Buffer.alloc(MIB, 0x20)))),
    { 'content-encoding': 'gzip' },
    413,
    /unpacked/,
  ],
  ['gzip that ends early', () => gzipSync(bodyOf(wire())).subarray(0, -9), { 'content-encoding': 'gzip' }, 400, /gzip/],
  ['lists in lists', () => Buffer.from('['.repeat(MIB)), {}, 400, /nested too deep/],
  [
    'a field that is nested too deep',
    () => Buffer.from(bodyOf({ ...wire(), later: JSON.parse(`${'{"a":'.repeat(40)}1${'}'.repeat(40)}`) as unknown })),
    {},
    400,
    /nested too deep/,
  ],
  ['a million objects', () => Buffer.from(`[${'{},'.repeat(MIB)}{}]`), {}, 413, /too many objects/],
  ['bytes that are no text', () => Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), {}, 400, /not UTF-8/],
  ['a mark of byte order', () => Buffer.from(`\ufeff${bodyOf(wire())}`), {}, 400, /not JSON/],
])('%s is refused in one sentence', async (_, make, headers, status, sentence) => {
  await using stand = await stage()
  const response = await stand.post(make() as BodyInit, headers)
  expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([
    status,
    expect.stringMatching(sentence),
  ])
  expect((await stand.post(bodyOf(wire()))).status).toBe(200)
})

test('brackets and quotes in texts are no nesting', async () => {
  await using stand = await stage()
  const odd = wire({ user_id: `${'[{"\\'.repeat(50)}`, tags: { '[[[[': '"]]]]"\\' } })
  const response = await stand.post(bodyOf(odd))
  expect(await response.json()).toEqual({ accepted: 1, duplicates: 0, rejected: [] })
})

test('bad events are refused each with its reason, whatever they are, and the good ones beside them are kept', async () => {
  await using stand = await stage()
  const good = [
    wire(),
    wire({ user_id: 'a\u0000b', feature: '\ud800' }),
    wire({ unknown_field: { of: ['a', 'newer'] } }),
  ]
  const bad: [object, string][] = [
    [wire({ event_id: 'a\u0000b' }), '`event_id` to be a string of 1 to 256 characters without control characters'],
    [wire({ event_id: 'a\ud800' }), '`event_id` to be a string of 1 to 256'],
    [wire({ event_id: '' }), '`event_id` to be a string of 1 to 256'],
    [wire({ event_id: 'x'.repeat(257) }), '`event_id` to be a string of 1 to 256'],
    [wire({ tenant_id: 'acme\n' }), '`tenant_id` to be a string of 1 to 256'],
    [wire({ tags: { note: 'x'.repeat(MIB) } }), '`tags.note` to be an object of at most 256 short strings'],
    [wire({ tags: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`t${i}`, 'x'.repeat(1000)])) }), '`tags`'],
    [wire({ schema_version: 2 }), '`schema_version` to be a version from 1 to 1, got `2`'],
    [wire({ cost_usd: '-1' }), '`cost_usd` to be a string of decimal digits'],
    [wire({ input_tokens: -1 }), '`input_tokens` to be a whole number of 0 or more'],
  ]
  const mixed = bad.flatMap(([event], at) => [event, ...(good[at] ? [good[at]] : [])])
  const response = await stand.post(bodyOf(...mixed))
  const answer = (await response.json()) as { accepted: number; rejected: { event_id: string; reason: string }[] }
  expect([response.status, answer.accepted, answer.rejected.length]).toEqual([200, 3, bad.length])
  for (const [at, [event, reason]] of bad.entries()) {
    expect(answer.rejected[at]).toEqual({
      event_id: (event as { event_id: string }).event_id,
      reason: expect.stringContaining(reason),
    })
    expect(answer.rejected[at]!.reason).not.toContain('xxxx')
  }
  expect((await stand.ledger.events()).map(({ eventId }) => eventId).sort()).toEqual(
    good.map(({ event_id }) => event_id).sort(),
  )
})

test('an event that stands twice in a batch, or in two that come at once, counts once', async () => {
  await using stand = await stage()
  const [a, b] = [wire(), wire()]
  const answers = await Promise.all(
    Array.from(
      { length: 8 },
      async () => (await stand.post(bodyOf(a, b, a))).json() as Promise<Record<string, number>>,
    ),
  )
  expect(answers.reduce((sum, { accepted }) => sum + accepted!, 0)).toBe(2)
  expect(answers.reduce((sum, { duplicates }) => sum + duplicates!, 0)).toBe(22)
  expect(await stand.ledger.events()).toHaveLength(2)
})

test('more reasons than a sender reads are answered with 413, so that it sends halves', async () => {
  await using stand = await stage()
  const response = await stand.post(
    bodyOf(wire(), ...Array.from({ length: 400 }, () => ({ event_id: 'x'.repeat(1000) }))),
  )
  expect(response.status).toBe(413)
  const half = await stand.post(bodyOf(wire(), ...Array.from({ length: 200 }, () => ({ event_id: 'x'.repeat(1000) }))))
  expect(((await half.json()) as { rejected: unknown[] }).rejected).toHaveLength(200)
})

/** A connection by hand, and what came over it. */
async function dial(port: number): Promise<{ socket: Socket; received: () => string; gone: Promise<unknown> }> {
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  socket.on('error', () => {})
  const gone = once(socket, 'close')
  await once(socket, 'connect')
  return { socket, received: () => text, gone }
}

test('headers that never end, and bodies that never end, are answered with 408 and cut off', async () => {
  await using stand = await stage({ headersTimeoutMs: 50, requestTimeoutMs: 100 })
  const { port } = stand.server
  const [silent, headers, body] = await Promise.all([dial(port), dial(port), dial(port)])
  headers.socket.write('POST /v1/ingest HTTP/1.1\r\nHost: x\r\nX-One: ')
  body.socket.write(
    `POST /v1/ingest HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${API_KEY}\r\nContent-Length: 100\r\n\r\n{`,
  )
  await Promise.all([headers.gone, body.gone, silent.gone])
  expect(headers.received()).toContain(' 408 ')
  expect(body.received()).toContain(' 408 ')
  // On a machine with too much to do a batch may take longer than that too; its sender comes back.
  await vi.waitUntil(async () => (await stand.post(bodyOf(wire()))).status === 200, PATIENT)
  await vi.waitUntil(async () => (await stand.metric('tallygate_ingest_in_flight')) === 0, PATIENT)
})

test('who has no key is answered before the body has come, and the connection serves on', async () => {
  await using stand = await stage()
  const { socket, received } = await dial(stand.server.port)
  socket.write('POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n')
  await vi.waitUntil(() => received().includes(' 401 '), PATIENT)
  socket.write('x'.repeat(100_000))
  socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await vi.waitUntil(() => received().includes(' 200 '), PATIENT)
  expect(await stand.metric('tallygate_ingest_in_flight')).toBe(0)
})

test('a sender that leaves while its batch waits is passed over', async () => {
  await using stand = await stage()
  stand.holdUp()
  const busy = Array.from({ length: 4 }, () => stand.post(bodyOf(wire())))
  await vi.waitUntil(async () => (await stand.metric('tallygate_ingest_in_flight')) === 4, PATIENT)
  const leaving = new AbortController()
  const left = fetch(`${stand.server.url}/v1/ingest`, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}` },
    body: bodyOf(wire()),
    signal: leaving.signal,
  }).catch(() => 'left')
  await vi.waitUntil(async () => (await stand.metric('tallygate_ingest_waiting')) === 1, PATIENT)
  leaving.abort()
  expect(await left).toBe('left')
  await vi.waitUntil(async () => (await stand.metric('tallygate_ingest_waiting')) === 0, PATIENT)
  stand.letGo()
  await Promise.all(busy)
  expect(await stand.ledger.events()).toHaveLength(4)
})

test('a ledger that is locked: 503, nothing acknowledged; and when it is free again everything is taken', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.limits()
  const said: string[] = []
  await using server = await serve({ ledger, apiKeys: [API_KEY], onProblem: ({ message }) => said.push(message) })
  const post = (...events: unknown[]) =>
    fetch(`${server.url}/v1/ingest`, {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}` },
      body: bodyOf(...events),
    })
  const status = async (path: string) => (await fetch(server.url + path)).status
  expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 200])
  const other = new DatabaseSync(path)
  other.exec('BEGIN IMMEDIATE')
  const events = Array.from({ length: 20 }, () => wire())
  const answers = await Promise.all(events.map((event) => post(event)))
  expect(answers.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual(Array(20).fill([503, '5']))
  expect(said).toEqual([`The ledger at ${path} is being written by another process (SQLite error 5).`])
  expect([await status('/healthz'), await status('/readyz')]).toEqual([200, 503])
  expect(await ledger.events()).toEqual([])
  other.exec('ROLLBACK')
  other.close()
  await vi.waitUntil(async () => (await post(...events)).status === 200, PATIENT)
  expect(await ledger.events()).toHaveLength(20)
  expect([await status('/readyz'), said.length]).toEqual([200, 1])
  await ledger.close()
})

test('no more connections than it takes', async () => {
  await using stand = await stage({ maxConnections: 2 })
  const [first] = await Promise.all([dial(stand.server.port), dial(stand.server.port)])
  const third = connect(stand.server.port, '127.0.0.1').on('error', () => {})
  await once(third, 'close')
  first.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n')
  await vi.waitUntil(() => first.received().includes(' 200 '), PATIENT)
})
