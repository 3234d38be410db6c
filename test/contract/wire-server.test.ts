// The ingest server against whatever a network can send it.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { eventId, type LLMEvent } from '../../src/event.ts'
import { createIngest } from '../../src/server/ingest.ts'
import { listen, serve } from '../../src/server/serve.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'

const signal = new AbortController().signal
let made = 0

function event(over: Partial<LLMEvent> & { at: number }): LLMEvent {
  const { at, ...rest } = over
  return {
    eventId: eventId(at + ++made),
    timestamp: new Date(at).toISOString(),
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    ...rest,
  }
}

function memoryLedger() {
  const ledger = sqliteLedger({ path: ':memory:' })
  const put = (...events: LLMEvent[]) => ledger.send({ id: 'b', events }, signal)
  return { ledger, put, [Symbol.asyncDispose]: () => ledger.close() }
}

describe('the ingest server', () => {
  const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/json' }
  const wire = (over: object = {}) => ({
    event_id: `w-${++made}`,
    timestamp: '2026-11-22T09:00:00Z',
    tenant_id: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usage_source: 'reported',
    ...over,
  })
  const body = (...events: unknown[]) => JSON.stringify({ schema_version: 1, batch_id: 'b', events })

  test.each([
    [undefined],
    ['Bearer wrong'],
    ['Bearer '],
    [`Basic ${API_KEY}`],
    [`Bearer ${API_KEY} more`],
    [`Bearer ${API_KEY}x`],
    [API_KEY],
  ])('lets nobody in with the authorization %j', async (authorization) => {
    await using server = await ingest()
    for (const path of ['/v1/ingest', '/v1/limits/acme']) {
      const response = await fetch(server.base + path, {
        headers: authorization === undefined ? {} : { authorization },
      })
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
    }
    expect((await fetch(`${server.base}/healthz`)).status).toBe(200)
  })

  test('takes any of its keys, and none is no server', async () => {
    await using book = memoryLedger()
    await using server = await serve({ ledger: book.ledger, apiKeys: ['a', 'b'] })
    for (const [key, status] of [
      ['a', 200],
      ['b', 200],
      ['c', 401],
    ] as const) {
      const response = await fetch(`${server.url}/v1/limits/x`, { headers: { authorization: `Bearer ${key}` } })
      expect(response.status).toBe(status)
    }
    for (const apiKeys of [[], undefined as never, 'k' as never])
      expect(() => createIngest({ ledger: book.ledger, apiKeys })).toThrow(
        'Expected `apiKeys` to be a list of at least one key.',
      )
  })

  test.each<[string, string | Buffer, Record<string, string>, number, RegExp]>([
    ['text', 'hello', {}, 400, /The body is not JSON/],
    ['nothing', '', {}, 400, /The body is not JSON/],
    ['a list', '[]', {}, 400, /Expected `body` to be an object, got a list of 0/],
    ['no events', '{"schema_version":1,"batch_id":"b"}', {}, 400, /Expected `events` to be an array, got nothing/],
    ['no batch id', '{"schema_version":1,"events":[]}', {}, 400, /Expected `batch_id` to be/],
    ['a newer version', '{"schema_version":2,"batch_id":"b","events":[]}', {}, 415, /schema versions up to 1/],
    ['no gzip', '{}', { 'content-encoding': 'gzip' }, 400, /The body is not gzip/],
    ['another encoding', '{}', { 'content-encoding': 'br' }, 415, /gzip/],
    [
      'too many events',
      JSON.stringify({ schema_version: 1, batch_id: 'b', events: Array(10_001).fill(0) }),
      {},
      413,
      /10000 events/,
    ],
    ['too many bytes', Buffer.alloc(9 * 1024 * 1024, 0x20), {}, 413, /8388608 bytes/],
  ])('refuses %s with one sentence', async (_, payload, more, status, sentence) => {
    await using server = await ingest()
    const response = await fetch(server.url, {
      method: 'POST',
      headers: { ...headers, ...more },
      body: payload as BodyInit,
    })
    expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([
      status,
      expect.stringMatching(sentence),
    ])
  })

  test('unpacks no bomb', async () => {
    const { gzipSync } = await import('node:zlib')
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024))
    await using book = memoryLedger()
    await using server = await serve({ ledger: book.ledger, apiKeys: [API_KEY] })
    const before = process.memoryUsage().arrayBuffers
    const response = await fetch(`${server.url}/v1/ingest`, {
      method: 'POST',
      headers: { ...headers, 'content-encoding': 'gzip' },
      body: bomb as BodyInit,
    })
    expect(response.status).toBe(413)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024)
  })

  test('stops reading a body without a length that goes on too long', async () => {
    await using book = memoryLedger()
    await using server = await serve({ ledger: book.ledger, apiKeys: [API_KEY], maxBodyBytes: 1000 })
    let sent = 0
    const endless = new ReadableStream({
      pull(controller) {
        sent += 1000
        controller.enqueue(new Uint8Array(1000))
      },
    })
    const response = await fetch(`${server.url}/v1/ingest`, {
      method: 'POST',
      headers,
      body: endless,
      duplex: 'half',
    } as RequestInit).catch(() => undefined)
    expect(response?.status ?? 413).toBe(413)
    expect(sent).toBeLessThan(50_000_000)
  })

  test('refuses bad events alone, and explains only so many of them', async () => {
    await using server = await ingest()
    const events = [
      wire(),
      ...Array.from({ length: 150 }, () => wire({ model: 5 })),
      null,
      { event_id: 'x'.repeat(300) },
      wire(),
    ]
    const response = await fetch(server.url, { method: 'POST', headers, body: body(...events) })
    const answer = (await response.json()) as {
      accepted: number
      duplicates: number
      rejected: { event_id: string | null; reason: string }[]
    }
    expect([answer.accepted, answer.duplicates, answer.rejected.length]).toEqual([2, 0, 152])
    expect(answer.rejected[0]!.reason).toBe('Expected `model` to be a string of at most 1024 characters, got `5`.')
    expect(answer.rejected[120]!.reason).toBe('This is no event of the wire.')
    expect(answer.rejected.slice(-2).map(({ event_id }) => event_id)).toEqual([null, 'x'.repeat(300)])
  })

  test('tells its own log what is wrong with the ledger, and strangers to come back', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    writeFileSync(path, 'no database, but long enough to look at it\n'.repeat(50))
    const said: string[] = []
    const handler = createIngest({
      ledger: sqliteLedger({ path }),
      apiKeys: [API_KEY],
      onProblem: ({ message }) => said.push(message),
    })
    for (const request of [
      new Request('http://x/v1/ingest', { method: 'POST', headers, body: body(wire()) }),
      new Request('http://x/v1/limits/acme', { headers }),
    ]) {
      const response = await handler(request)
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
      expect(await response.json()).toEqual({ error: 'The ledger is not available.' })
    }
    expect(said).toEqual([`The ledger at ${path} is no SQLite file (SQLite error 26).`])
  })

  test('sets, shows and removes limits', async () => {
    await using book = memoryLedger()
    const now = Date.UTC(2026, 10, 18, 14, 30)
    const handler = createIngest({ ledger: book.ledger, apiKeys: [API_KEY], now: () => now })
    const call = async (method: string, path: string, payload?: unknown) => {
      const response = await handler(
        new Request(`http://x${path}`, {
          method,
          headers,
          ...(payload === undefined ? {} : { body: JSON.stringify(payload) }),
        }),
      )
      return { status: response.status, body: (await response.json()) as unknown }
    }
    const tenant = "/v1/limits/a%2Fb%20'x'"
    await book.put(
      ...[0, 0.1, 20, 60, 200].map((hoursAgo) =>
        event({ tenantId: "a/b 'x'", at: now - hoursAgo * 3_600_000, costUsd: '0.000000000001' }),
      ),
    )
    expect(await call('GET', tenant)).toEqual({ status: 200, body: { tenant_id: "a/b 'x'", limits: [] } })
    for (const [payload, window] of [
      [{ usd: '12.5', per: 'hour', mode: 'hard' }, 'hour'],
      [{ usd: 1e-7, per: 'day' }, 'day'],
      [{ usd: 3, per: 'week' }, 'week'],
      [{ usd: '50' }, 'month'],
      [{ usd: '0', per: 'total' }, 'total'],
    ] as const)
      expect(JSON.stringify((await call('PUT', tenant, payload)).body)).toContain(window)
    expect(await call('GET', tenant)).toEqual({
      status: 200,
      body: {
        tenant_id: "a/b 'x'",
        limits: [
          {
            window: 'day',
            limit_usd: '0.0000001',
            spent_usd: '0.000000000002',
            resets_at: '2026-11-19T00:00:00.000Z',
            mode: 'expected',
          },
          {
            window: 'hour',
            limit_usd: '12.5',
            spent_usd: '0.000000000002',
            resets_at: '2026-11-18T15:00:00.000Z',
            mode: 'hard',
          },
          {
            window: 'month',
            limit_usd: '50',
            spent_usd: '0.000000000005',
            resets_at: '2026-12-01T00:00:00.000Z',
            mode: 'expected',
          },
          { window: 'total', limit_usd: '0', spent_usd: '0.000000000005', resets_at: null, mode: 'expected' },
          {
            window: 'week',
            limit_usd: '3',
            spent_usd: '0.000000000004',
            resets_at: '2026-11-23T00:00:00.000Z',
            mode: 'expected',
          },
        ],
      },
    })
    expect((await call('DELETE', `${tenant}?per=hour`)).status).toBe(200)
    expect((await book.ledger.limits()).map(({ window }) => window)).toEqual(['day', 'month', 'total', 'week'])
  })

  test.each<[string, string, unknown, number]>([
    ['PUT', '/v1/limits/acme', {}, 400],
    ['PUT', '/v1/limits/acme', [], 400],
    ['PUT', '/v1/limits/acme', { usd: -1 }, 400],
    ['PUT', '/v1/limits/acme', { usd: 'fifty' }, 400],
    ['PUT', '/v1/limits/acme', { usd: '0.0000000000001' }, 400],
    ['PUT', '/v1/limits/acme', { usd: '0.0000000001' }, 400],
    ['PUT', '/v1/limits/acme', { usd: '1e99' }, 400],
    ['PUT', '/v1/limits/acme', { usd: '9223372036.000000001' }, 400],
    ['PUT', '/v1/limits/acme', { usd: 1, time_zone: 'Mars/B' }, 400],
    ['PUT', '/v1/limits/acme', { usd: 1, per: 'year' }, 400],
    ['PUT', '/v1/limits/acme', { usd: 1, mode: 'strict' }, 400],
    ['DELETE', '/v1/limits/acme?per=year', undefined, 400],
    ['GET', '/v1/limits/', undefined, 400],
    ['GET', '/v1/limits/%00', undefined, 400],
    ['GET', '/v1/limits/%E0%A4%A', undefined, 400],
    ['GET', `/v1/limits/${'x'.repeat(257)}`, undefined, 400],
    ['POST', '/v1/limits/acme', {}, 405],
    ['GET', '/v1/ingest', undefined, 405],
    ['POST', '/healthz', {}, 405],
    ['GET', '/v1/other', undefined, 404],
    ['GET', '/', undefined, 404],
  ])('answers %s %s %j with %i and one sentence', async (method, path, payload, status) => {
    await using server = await ingest()
    const response = await fetch(server.base + path, {
      method,
      headers,
      ...(payload === undefined ? {} : { body: JSON.stringify(payload) }),
    })
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^[^\n]+\.$/) })
  })

  test('closes with what is under way answered', async () => {
    let arrived!: () => void
    let release!: () => void
    const isHere = new Promise<void>((resolve) => (arrived = resolve))
    const isDue = new Promise<void>((resolve) => (release = resolve))
    const server = await listen(async () => {
      arrived()
      await isDue
      return Response.json({ ok: true })
    })
    const answer = fetch(server.url)
    await isHere
    const closed = server.close()
    expect(server.close()).toBe(closed)
    release()
    const response = await answer
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close'])
    await closed
    await expect(fetch(server.url)).rejects.toThrow()
  })

  test('does not wait for ever for a request that hangs', async () => {
    let arrived!: () => void
    const isHere = new Promise<void>((resolve) => (arrived = resolve))
    const hang = () => {
      arrived()
      return new Promise<Response>(() => {})
    }
    const server = await listen(hang, { graceMs: 10 })
    const answer = fetch(server.url).catch((error: unknown) => error)
    await isHere
    await server.close()
    expect(await answer).toBeInstanceOf(Error)
  })

  test('says that its port is taken', async () => {
    await using book = memoryLedger()
    await using server = await serve({ ledger: book.ledger, apiKeys: [API_KEY] })
    await expect(serve({ ledger: book.ledger, apiKeys: [API_KEY], port: server.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })
})
