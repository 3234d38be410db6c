// Files of lines, and sinks around sinks: what the conformance suite does not ask of every sink.

import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventId, type LLMEvent } from '../../src/event.ts'
import { jsonlSink } from '../../src/sinks/jsonl.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import type { Batch, Delivery, Sink } from '../../src/sinks/sink.ts'
import { fanOut, filter, map } from '../../src/sinks/wrap.ts'
import { temporaryFolder } from '../support/ingest.ts'

const signal = new AbortController().signal
const AT = Date.UTC(2026, 10, 22)
const event = (over: Partial<LLMEvent> = {}): LLMEvent => ({
  eventId: eventId(AT),
  timestamp: new Date(AT).toISOString(),
  tenantId: 'acme',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'chat.completions',
  usageSource: 'reported',
  ...over,
})
const batch = (...events: LLMEvent[]): Batch => ({ id: 'b', events })

/** A sink that answers as it is told, and delivers when nothing is left to be told. */
function telling(...answers: Delivery[]): Sink & { readonly seen: Batch[] } {
  const seen: Batch[] = []
  return {
    name: 'telling',
    seen,
    async send(one) {
      seen.push(one)
      return answers.shift() ?? { outcome: 'delivered', duplicates: 0 }
    },
  }
}

describe('a file of lines', () => {
  const linesIn = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n')

  test.each([true, false])('holds one wire event a line, with fsync %s', async (fsync) => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'events.jsonl')
    const sink = jsonlSink({ path, fsync })
    await sink.send(batch(event({ tags: { line: 'a\nb\u2028c\0' } }), event()), signal)
    expect(sink.sendSync!(batch(event())).outcome).toBe('delivered')
    await sink.close?.()
    const events = linesIn(path).map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events).toHaveLength(3)
    expect(events[0]).toMatchObject({ schema_version: 1, tenant_id: 'acme', tags: { line: 'a\nb\u2028c\0' } })
  })

  test('writes the lines that the spool has already', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'events.jsonl')
    const sink = jsonlSink({ path })
    await sink.send({ id: 'b', events: [event()], json: ['{"as":"it was"}'] }, signal)
    await sink.close?.()
    expect(linesIn(path)).toEqual(['{"as":"it was"}'])
  })

  test('goes on after a line that broke off', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'events.jsonl')
    appendFileSync(path, '{"whole":1}\n{"torn":')
    const sink = jsonlSink({ path })
    await sink.send(batch(event()), signal)
    await sink.close?.()
    expect(linesIn(path).slice(0, 2)).toEqual(['{"whole":1}', '{"torn":'])
    expect(JSON.parse(linesIn(path)[2]!)).toMatchObject({ tenant_id: 'acme' })
  })

  test('is set aside by size and by day, and loses nothing', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'events.jsonl')
    const sink = jsonlSink({ path, maxBytes: 1000, daily: true })
    for (let i = 0; i < 20; i++) await sink.send(batch(event(), event()), signal)
    expect(readdirSync(folder.path).length).toBeGreaterThan(4)
    const before = readdirSync(folder.path).length
    const yesterday = Date.now() / 1000 - 86_400
    utimesSync(path, yesterday, yesterday)
    await sink.send(batch(event()), signal)
    expect(readdirSync(folder.path)).toHaveLength(before + 1)
    await sink.close?.()
    const all = readdirSync(folder.path).flatMap((name) => linesIn(join(folder.path, name)))
    expect(new Set(all.map((line) => (JSON.parse(line) as { event_id: string }).event_id)).size).toBe(41)
  })

  test('that is deleted or moved is begun anew', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'events.jsonl')
    const sink = jsonlSink({ path })
    await sink.send(batch(event()), signal)
    rmSync(path)
    await sink.send(batch(event(), event()), signal)
    expect(linesIn(path)).toHaveLength(2)
    await sink.close?.()
  })

  test('that cannot be pauses, and says which and why', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'events.jsonl')
    mkdirSync(path)
    const sink = jsonlSink({ path })
    const delivery = await sink.send(batch(event()), signal)
    expect(delivery.outcome === 'paused' && delivery.error.message).toBe(`The file ${path} is a folder (EISDIR)`)
    rmSync(path, { recursive: true })
    expect((await sink.send(batch(event()), signal)).outcome).toBe('delivered')
    await sink.close?.()
  })

  test.skipIf(process.platform !== 'linux')('on a full disk is tried again', async () => {
    const sink = jsonlSink({ path: '/dev/full' })
    const delivery = await sink.send(batch(event()), signal)
    expect(delivery.outcome === 'retry' && delivery.error.message).toBe(
      'The file /dev/full cannot grow: the disk is full (ENOSPC)',
    )
    await sink.close?.()
  })

  test.skipIf(process.getuid?.() === 0)('that is read-only pauses', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'events.jsonl')
    appendFileSync(path, '')
    chmodSync(path, 0o444)
    expect((await jsonlSink({ path }).send(batch(event()), signal)).outcome).toBe('paused')
  })

  test.each([
    [{ path: '' }, 'Expected `path` to be the path of a file, got "".'],
    [{ path: 'a', maxBytes: 0 }, 'Expected `maxBytes` to be a whole number above 0, got `0`.'],
  ])('refuses the options %j', (options, message) => {
    expect(() => jsonlSink(options)).toThrow(message)
  })
})

describe('filter and map', () => {
  test('leave events out, which count as delivered', async () => {
    const inner = memorySink()
    const [a, b] = [event(), event({ tenantId: 'internal' })]
    expect(await filter(inner, ({ tenantId }) => tenantId !== 'internal').send(batch(a, b), signal)).toMatchObject({
      outcome: 'delivered',
    })
    expect(inner.events).toEqual([a])
    const none = telling()
    expect(await filter(none, () => false).send(batch(a, b), signal)).toMatchObject({ outcome: 'delivered' })
    expect(none.seen).toEqual([])
  })

  test('change what is sent and never the id, nor the event that others get', async () => {
    const inner = memorySink()
    const one = event({ userId: 'u' })
    await map(inner, ({ userId: _, ...rest }) => ({ ...rest, eventId: 'mine' })).send(batch(one), signal)
    expect(inner.events).toEqual([{ ...event(), eventId: one.eventId }])
    expect(one.userId).toBe('u')
  })

  test('send the same batch again on a retry, with the lines that are still right', async () => {
    const retry: Delivery = { outcome: 'retry', error: new Error('later') }
    const inner = telling(retry)
    let asked = 0
    const sink = filter(inner, ({ tenantId }) => {
      asked++
      return tenantId === 'acme'
    })
    const sent: Batch = { id: 'b', events: [event(), event({ tenantId: 'x' }), event()], json: ['1', '2', '3'] }
    expect(await sink.send(sent, signal)).toBe(retry)
    await sink.send(sent, signal)
    expect([asked, inner.seen[0] === inner.seen[1], inner.seen[0]!.json]).toEqual([3, true, ['1', '3']])
    const changed = telling()
    await map(changed, (one) => ({ ...one, model: 'm' })).send(sent, signal)
    expect(changed.seen[0]!.json).toBeUndefined()
  })

  test('refuse the event at which they throw, without its words, and pass the others on', async () => {
    const inner = memorySink()
    const [good, bad] = [event(), event({ model: 'bad' })]
    const sink = filter(inner, ({ model }) => {
      if (model === 'bad') throw new Error('a secret')
      return true
    })
    expect(await sink.send(batch(bad, good), signal)).toEqual({
      outcome: 'delivered',
      duplicates: 0,
      rejected: [{ eventId: bad.eventId, reason: '`filter` threw' }],
    })
    expect(inner.events).toEqual([good])
  })

  test('have the name of what they wrap, so that its spool is found again, and close it', async () => {
    let closed = 0
    const sink = map({ ...telling(), close: async () => void closed++ }, (one) => one)
    await sink.close?.()
    expect([sink.name, closed, sink.sendSync]).toEqual(['telling', 1, undefined])
    expect(filter(memorySink(), () => true).isVolatile).toBe(true)
  })

  test('refuse what is no function and no sink', () => {
    expect(() => filter(memorySink(), 5 as never)).toThrow('Expected `keep` to be a function, got `5`.')
    expect(() => map({} as never, (one) => one)).toThrow('Expected `sink` to be a sink, got an object.')
  })
})

describe('fan-out', () => {
  const error = new Error('later')

  test('sends again only to those that have not taken a batch', async () => {
    const [a, b] = [telling(), telling({ outcome: 'retry', error, afterMs: 7 })]
    const sink = fanOut([a, b])
    const sent = batch(event())
    expect(await sink.send(sent, signal)).toEqual({ outcome: 'retry', error, afterMs: 7 })
    expect(await sink.send(sent, signal)).toMatchObject({ outcome: 'delivered' })
    expect([a.seen.length, b.seen.length]).toEqual([1, 2])
  })

  test('gives nothing up that one refuses before every other has it', async () => {
    const [a, b] = [
      telling({ outcome: 'rejected', error }, { outcome: 'rejected', error }),
      telling({ outcome: 'paused', error }),
    ]
    const sink = fanOut([a, b])
    const sent = batch(event())
    expect((await sink.send(sent, signal)).outcome).toBe('paused')
    expect((await sink.send(sent, signal)).outcome).toBe('rejected')
    expect(b.seen).toHaveLength(2)
  })

  test('says who refused an event, and once', async () => {
    const one = event()
    const refusing = () => telling({ outcome: 'delivered', rejected: [{ eventId: one.eventId, reason: 'no' }] })
    expect(await fanOut([refusing(), refusing(), memorySink()]).send(batch(one), signal)).toEqual({
      outcome: 'delivered',
      duplicates: 0,
      rejected: [{ eventId: one.eventId, reason: 'telling: no' }],
    })
  })

  test('takes a throw for a retry, and is without waiting only where all are', async () => {
    const throwing: Sink = { name: 'x', send: () => Promise.reject(error) }
    expect(await fanOut([throwing, memorySink()]).send(batch(event()), signal)).toEqual({ outcome: 'retry', error })
    expect(fanOut([telling(), memorySink()]).sendSync).toBeUndefined()
    expect(fanOut([memorySink(), memorySink()]).sendSync!(batch(event()))).toMatchObject({ outcome: 'delivered' })
    expect(() => fanOut([])).toThrow('Expected `sinks` to be a list of at least one sink')
  })
})
