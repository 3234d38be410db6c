// The conformance suite of sinks: the same promises for each, and a newcomer is one line in `SINKS`.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDelivery } from '../../src/delivery/delivery.ts'
import { eventId, fromWire, type LLMEvent } from '../../src/event.ts'
import { createProblems } from '../../src/problems.ts'
import { httpSink } from '../../src/sinks/http.ts'
import { jsonlSink } from '../../src/sinks/jsonl.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import type { Batch, Sink } from '../../src/sinks/sink.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { fanOut, filter, map } from '../../src/sinks/wrap.ts'
import { ingest, temporaryFolder } from '../support/ingest.ts'
import { LEDGERS, stopServers } from '../support/ledgers.ts'
import { meterReport } from '../support/meter-reports.ts'

interface Bench extends AsyncDisposable {
  readonly sink: Sink
  /** What has arrived where the sink delivers to, oldest first. */
  arrived(): Promise<readonly LLMEvent[]>
}

const SINKS: Record<string, () => Promise<Bench>> = {
  memory: async () => {
    const sink = memorySink()
    return { sink, arrived: async () => sink.events, [Symbol.asyncDispose]: async () => sink.clear() }
  },
  sqlite: async () => {
    const folder = temporaryFolder()
    const sink = sqliteLedger({ path: join(folder.path, 'a', 'b', 'ledger.db') })
    return {
      sink,
      arrived: async () => (await sink.events({ limit: 1e6 })).reverse(),
      async [Symbol.asyncDispose]() {
        await sink.close()
        folder[Symbol.dispose]()
      },
    }
  },
  'sqlite in memory': async () => {
    const sink = sqliteLedger({ path: ':memory:' })
    return { sink, arrived: async () => (await sink.events()).reverse(), [Symbol.asyncDispose]: () => sink.close() }
  },
  postgres: async () => {
    const book = await LEDGERS['PostgreSQL']!.book()
    return {
      sink: book.ledger,
      arrived: async () => (await book.ledger.events({ limit: 1e6 })).reverse(),
      [Symbol.asyncDispose]: () => book[Symbol.asyncDispose](),
    }
  },
  jsonl: async () => {
    const folder = temporaryFolder()
    const path = join(folder.path, 'a', 'b', 'events.jsonl')
    const sink = jsonlSink({ path })
    return {
      sink,
      arrived: async () => counted(linesOf(path)),
      async [Symbol.asyncDispose]() {
        await sink.close?.()
        folder[Symbol.dispose]()
      },
    }
  },
  filter: async () => {
    const sink = memorySink()
    return {
      sink: filter(sink, () => true),
      arrived: async () => sink.events,
      [Symbol.asyncDispose]: async () => sink.clear(),
    }
  },
  map: async () => {
    const ledger = sqliteLedger({ path: ':memory:' })
    return {
      sink: map(ledger, (one) => ({ ...one })),
      arrived: async () => (await ledger.events()).reverse(),
      [Symbol.asyncDispose]: () => ledger.close(),
    }
  },
  'fan-out': async () => {
    const [first, second] = [memorySink(), sqliteLedger({ path: ':memory:' })]
    return {
      sink: fanOut([first, second]),
      async arrived() {
        const events = (await second.events()).reverse()
        expect([...first.events].sort(byId)).toEqual(expect.arrayContaining([...events].sort(byId)))
        return events
      },
      [Symbol.asyncDispose]: () => second.close(),
    }
  },
  ...Object.fromEntries(
    [true, false].map((gzip) => [
      gzip ? 'http' : 'http, plain',
      async (): Promise<Bench> => {
        const server = await ingest()
        const sink = server.sink({ gzip })
        return {
          sink,
          arrived: async () => (await server.ledger.events({ limit: 1e6 })).reverse(),
          async [Symbol.asyncDispose]() {
            await sink.close?.()
            await server[Symbol.asyncDispose]()
          },
        }
      },
    ]),
  ),
}

function linesOf(path: string): LLMEvent[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  expect(lines.pop()).toBe('')
  return lines.map((line) => fromWire(JSON.parse(line)))
}

/** As whoever reads the file has to: the first of an id, or what was reported in the place of its estimate. */
function counted(events: readonly LLMEvent[]): LLMEvent[] {
  const byIds = new Map<string, LLMEvent>()
  for (const one of events) {
    const known = byIds.get(one.eventId)
    if (!known || (known.usageSource === 'estimated' && one.usageSource === 'reported')) byIds.set(one.eventId, one)
  }
  return [...byIds.values()]
}

const byId = (a: LLMEvent, b: LLMEvent) => (a.eventId < b.eventId ? -1 : 1)

const golden = JSON.parse(readFileSync(new URL('../fixtures/wire/v1.json', import.meta.url), 'utf8')) as {
  exchanges: { request: { events: Record<string, unknown>[] } }[]
}
const EVENTS = golden.exchanges[0]!.request.events.map(fromWire)
const signal = new AbortController().signal

let clock = Date.UTC(2026, 10, 22)
function event(over: Partial<LLMEvent> = {}): LLMEvent {
  clock += 1
  return {
    eventId: eventId(clock),
    timestamp: new Date(clock).toISOString(),
    tenantId: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    costUsd: '0.000001',
    ...over,
  }
}

afterAll(stopServers)

let batches = 0
const batch = (...events: LLMEvent[]): Batch => ({ id: `batch-${++batches}`, events })

describe.each(Object.entries(SINKS))('the %s sink', (_, make) => {
  test('delivers a batch, each event once', async () => {
    await using bench = await make()
    const events = [event(), event(), event()]
    expect(await bench.sink.send(batch(...events), signal)).toMatchObject({ outcome: 'delivered' })
    expect(await bench.arrived()).toEqual(events)
  })

  test('keeps every field as it came', async () => {
    await using bench = await make()
    await bench.sink.send(batch(...EVENTS), signal)
    expect(await bench.arrived()).toEqual(EVENTS)
  })

  test('takes the same batch again without counting it twice', async () => {
    await using bench = await make()
    const sent = batch(event(), event())
    for (let times = 0; times < 3; times++)
      expect(await bench.sink.send(sent, signal)).toMatchObject({
        outcome: 'delivered',
        duplicates: times === 0 ? 0 : 2,
      })
    expect(await bench.arrived()).toHaveLength(2)
  })

  test('keeps the first of two events with one id, in one batch or in two', async () => {
    await using bench = await make()
    const first = event({ model: 'first' })
    const again = { ...first, model: 'second' }
    expect(await bench.sink.send(batch(first, again), signal)).toMatchObject({ duplicates: 1 })
    expect(await bench.sink.send(batch(again), signal)).toMatchObject({ duplicates: 1 })
    expect(await bench.arrived()).toEqual([first])
  })

  test('lets what was reported take the place of its estimate, and never the other way round', async () => {
    await using bench = await make()
    const reported = event({ costUsd: '0.000002' })
    const estimate = { ...reported, usageSource: 'estimated' as const, costUsd: '0.000009' }
    expect(await bench.sink.send(batch(estimate), signal)).toMatchObject({ duplicates: 0 })
    expect(await bench.sink.send(batch(reported), signal)).toMatchObject({ duplicates: 0 })
    expect(await bench.sink.send(batch(estimate, reported), signal)).toMatchObject({ duplicates: 2 })
    expect(await bench.arrived()).toEqual([reported])
  })

  test('takes an empty batch', async () => {
    await using bench = await make()
    expect(await bench.sink.send(batch(), signal)).toMatchObject({ outcome: 'delivered' })
    expect(await bench.arrived()).toEqual([])
  })

  test('keeps ids and tags as they are, whatever they look like', async () => {
    await using bench = await make()
    const names = [
      "'; DROP TABLE events; --",
      // Not a mark alone: after a key of one backslash, JSON.parse of Node 24.21 takes the key `"` for another backslash.
      '"quoted"',
      '\\',
      '%',
      '../../etc/passwd',
      '{}',
      '💸',
      'e\u0301',
      '__proto__',
      'NULL',
      '0',
      'x'.repeat(256),
    ]
    const events = names.map((name) =>
      event({
        tenantId: name,
        userId: name,
        feature: name,
        tags: Object.fromEntries([
          [name, name],
          ['__proto__', 'a tag'],
          ['constructor', 1],
          ['', false],
        ]),
      }),
    )
    await bench.sink.send(batch(...events), signal)
    const arrived = await bench.arrived()
    expect(arrived).toEqual(events)
    for (const { tags } of arrived) expect(Object.hasOwn(tags!, '__proto__')).toBe(true)
    expect(({} as Record<string, unknown>)['a tag']).toBeUndefined()
  })

  test('takes a hundred sends at once', async () => {
    await using bench = await make()
    const sent = Array.from({ length: 100 }, () => batch(event(), event()))
    const outcomes = await Promise.all(sent.map((one) => bench.sink.send(one, signal)))
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['delivered']))
    const ids = (await bench.arrived()).map((one) => one.eventId).sort()
    expect(ids).toEqual(sent.flatMap(({ events }) => events.map((one) => one.eventId)).sort())
  })

  test('takes large batches of large events', async () => {
    await using bench = await make()
    const tags = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`tag-${i}`, 'v'.repeat(256)]))
    const events = Array.from({ length: 400 }, () => event({ tags }))
    expect(await bench.sink.send(batch(...events), signal)).toMatchObject({ outcome: 'delivered' })
    expect((await bench.arrived()).length).toBeGreaterThanOrEqual(400)
  })

  test('takes tags of a megabyte, or refuses that event alone', async () => {
    await using bench = await make()
    const huge = event({ tags: { big: 'x'.repeat(1024 * 1024) } })
    const good = [event(), event()]
    const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
    const delivery = createDelivery({ sinks: [bench.sink], problems })
    for (const one of [good[0]!, huge, good[1]!]) delivery.add(one)
    await delivery.flush()
    expect(delivery.stats()).toMatchObject({ queued: 0 })
    const arrived = await bench.arrived()
    const ids = arrived.map((one) => one.eventId)
    for (const one of good) expect(ids).toContain(one.eventId)
    for (const one of arrived) if (one.eventId === huge.eventId) expect(one).toEqual(huge)
  })

  test('never throws: an event that it cannot take is refused, and the others arrive', async () => {
    await using bench = await make()
    const circular: Record<string, unknown> = {}
    circular.self = circular
    const bad = [
      event({ metadata: circular as never }),
      event({ inputTokens: -1 }),
      event({ inputTokens: 1.5 }),
      event({ inputTokens: Number.NaN }),
      event({ costUsd: 'a lot' }),
      event({ costUsd: '99999999' }),
      event({ timestamp: 'yesterday' }),
      event({ model: 5 as never }),
      event({ provider: undefined as never }),
      event({ stream: 'yes' as never }),
    ]
    const good = [event(), event(), event()]
    const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
    const delivery = createDelivery({ sinks: [bench.sink], problems })
    for (const one of [good[0]!, ...bad, good[1]!, good[2]!]) delivery.add(one)
    await delivery.flush()
    const { queued, delivered, rejected } = delivery.stats()
    expect([queued, delivered + rejected]).toEqual([0, bad.length + good.length])
    const ids = (await bench.arrived()).map((one) => one.eventId)
    for (const one of good) expect(ids).toContain(one.eventId)
  })

  test('answers a send that is broken off with an outcome', async () => {
    await using bench = await make()
    const { outcome } = await bench.sink.send(batch(event()), AbortSignal.abort())
    expect(['delivered', 'retry']).toContain(outcome)
  })

  test('can be closed before the first send, twice, and used again', async () => {
    await using bench = await make()
    await bench.sink.close?.()
    await bench.sink.send(batch(event()), signal)
    await bench.sink.close?.()
    await bench.sink.close?.()
    expect(await bench.sink.send(batch(event()), signal)).toMatchObject({ outcome: 'delivered' })
  })

  test('is told what the meter says of itself, where it can be at all, before and after its events', async () => {
    await using bench = await make()
    if (bench.sink.report === undefined) return
    const [first, second] = [meterReport(), meterReport({ sequence: 3 })]
    expect(await bench.sink.report(first, signal)).toBeTypeOf('boolean')
    const one = event()
    await bench.sink.send(batch(one), signal)
    expect(await bench.sink.report(second, signal)).toBe(true)
    expect(await bench.sink.report(second, signal)).toBe(true)
    expect(await bench.arrived()).toEqual([one])
  })

  test('takes batches without waiting, where it can at all', async () => {
    await using bench = await make()
    if (bench.sink.sendSync === undefined) return
    const one = event()
    expect(bench.sink.sendSync(batch(one))).toMatchObject({ outcome: 'delivered', duplicates: 0 })
    expect(await bench.arrived()).toEqual([one])
  })
})

describe('the HTTP sink', () => {
  test('sends the same bytes again, under the same key', async () => {
    await using server = await ingest()
    server.misbehave(
      () => new Response('the body quotes a secret', { status: 503, headers: { 'retry-after': '7' } }),
      () => new Response(null, { status: 429 }),
    )
    const sink = server.sink()
    const one = batch(event(), event())
    expect(await sink.send(one, signal)).toMatchObject({ outcome: 'retry', afterMs: 7000 })
    expect((await sink.send(one, signal)).outcome).toBe('retry')
    expect((await sink.send(one, signal)).outcome).toBe('delivered')
    expect(new Set(server.received.map(({ bytes }) => bytes.toString('base64'))).size).toBe(1)
    expect(new Set(server.received.map(({ headers }) => headers.get('idempotency-key')))).toEqual(new Set([one.id]))
    await sink.close?.()
  })

  test('repeats nothing of an answer in its errors', async () => {
    await using server = await ingest()
    const sink = server.sink({ url: `${server.url}?token=secret` })
    for (const status of [400, 401, 404, 413, 422, 500]) {
      server.misbehave(() => new Response('a secret prompt', { status }))
      const delivery = await sink.send(batch(event()), signal)
      expect(delivery.outcome).not.toBe('delivered')
      if (delivery.outcome !== 'delivered') {
        expect(delivery.error.message).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:\\d+/v1/ingest answered ${status}`))
        expect(delivery.error.message).not.toContain('secret')
      }
    }
    await sink.close?.()
  })

  test('follows no redirect: its key is for one host', async () => {
    await using server = await ingest()
    await using other = await ingest()
    server.misbehave(() => new Response(null, { status: 307, headers: { location: other.url } }))
    const sink = server.sink()
    expect((await sink.send(batch(event()), signal)).outcome).toBe('paused')
    expect(other.received).toHaveLength(0)
    await sink.close?.()
  })

  test.each([
    ['nothing', () => new Response(null, { status: 204 })],
    ['a page', () => new Response('<html>', { status: 200 })],
    ['five megabytes', () => new Response('x'.repeat(5_000_000), { status: 200 })],
    ['JSON of another kind', () => Response.json([1])],
  ])('takes a 2xx with %s for an acceptance', async (_, answer) => {
    await using server = await ingest()
    server.misbehave(answer)
    const sink = server.sink()
    expect(await sink.send(batch(event()), signal)).toEqual({ outcome: 'delivered' })
    await sink.close?.()
  })

  test('keeps its events where a web page answers, whatever its status', async () => {
    await using server = await ingest()
    const page = () => new Response('<html>Sign in', { headers: { 'content-type': 'Text/HTML; charset=utf-8' } })
    server.misbehave(page)
    const sink = server.sink()
    const one = batch(event())
    const delivery = await sink.send(one, signal)
    expect(delivery.outcome === 'paused' && delivery.error.message).toBe(
      `${server.url} answered 200 with a web page: there is no ingest endpoint at this address`,
    )
    expect(await sink.send(one, signal)).toMatchObject({ outcome: 'delivered', duplicates: 0 })
    await sink.close?.()
  })

  test('tries again when nobody answers, when the answer breaks off and when it takes too long', async () => {
    const dead = httpSink({ url: 'http://127.0.0.1:9/v1/ingest', apiKey: 'k' })
    const refused = await dead.send(batch(event()), signal)
    expect(refused).toMatchObject({ outcome: 'retry' })
    expect(refused.outcome === 'retry' && refused.error.message).toBe(
      'http://127.0.0.1:9/v1/ingest could not be reached (ECONNREFUSED)',
    )
    await using server = await ingest()
    server.misbehave(
      () => new Response(new ReadableStream({ start: (controller) => controller.error(new Error('cut')) })),
      () => new Promise(() => {}),
    )
    const sink = server.sink({ timeoutMs: 50 })
    expect((await server.sink().send(batch(event()), signal)).outcome).toBe('retry')
    expect((await sink.send(batch(event()), signal)).outcome).toBe('retry')
    await sink.close?.()
  })

  test.each([
    [{ url: 'not a url', apiKey: 'k' }, 'Expected `url` to be an http or https address, got "not a url".'],
    [{ url: 'ftp://x', apiKey: 'k' }, 'Expected `url` to be an http or https address, got "ftp://x".'],
    [{ url: 'http://x', apiKey: 'two\r\nlines' }, 'Expected `apiKey` to be a string of visible ASCII characters.'],
    [{ url: 'http://x', apiKey: '' }, 'Expected `apiKey` to be a string of visible ASCII characters.'],
  ])('refuses the options %j', (options, message) => {
    expect(() => httpSink(options)).toThrow(message)
  })

  test('sends headers of the user, but not instead of those that describe the body', async () => {
    await using server = await ingest()
    const sink = server.sink({ headers: { 'X-Gateway': 'g', 'Content-Type': 'text/plain', 'Idempotency-Key': 'mine' } })
    await sink.send(batch(event()), signal)
    const { headers } = server.received[0]!
    expect([headers.get('x-gateway'), headers.get('content-type')]).toEqual(['g', 'application/json'])
    expect(headers.get('idempotency-key')).toMatch(/^batch-/)
    await sink.close?.()
  })

  test('goes past a patched fetch and the global dispatcher', async () => {
    await using server = await ingest()
    const { fetch } = globalThis
    globalThis.fetch = () => Promise.reject(new Error('patched'))
    try {
      const sink = server.sink()
      expect((await sink.send(batch(event()), signal)).outcome).toBe('delivered')
      await sink.close?.()
    } finally {
      globalThis.fetch = fetch
    }
  })
})

describe('delivery over HTTP', () => {
  let server: Awaited<ReturnType<typeof ingest>>
  beforeAll(async () => {
    server = await ingest()
  })
  afterAll(() => server[Symbol.asyncDispose]())

  test('loses and doubles nothing when answers are lost after the events were stored', async () => {
    const sink = server.sink()
    const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
    const delivery = createDelivery({ sinks: [sink], problems, maxBatchSize: 10, random: () => 0 })
    const events = Array.from({ length: 200 }, () => event())
    for (const one of events) delivery.add(one)
    // Every other request is stored and then answered as if it had not been.
    for (let i = 0; i < 20; i++)
      server.misbehave(
        async (seen) => {
          const { batch_id, events: wire } = JSON.parse(seen.text) as {
            batch_id: string
            events: Record<string, unknown>[]
          }
          await server.ledger.send({ id: batch_id, events: wire.map(fromWire) }, signal)
          return new Response(null, { status: 502 })
        },
        () => undefined,
      )
    await delivery.close(15_000)
    expect(delivery.stats()).toMatchObject({ queued: 0, delivered: 200, retries: 20, dropped: 0, rejected: 0 })
    expect((await server.ledger.events()).map((one) => one.eventId).sort()).toEqual(
      events.map((one) => one.eventId).sort(),
    )
  })
})
