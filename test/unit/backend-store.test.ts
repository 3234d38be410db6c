// The limit store over a plain backend: what is cached, what is counted on top, and what happens when nobody answers.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/event.ts'
import { type BackendStoreOptions, backendLimitStore } from '../../src/limits/backend-store.ts'
import type { LeaseStep, LimitRule } from '../../src/limits/limit-store.ts'
import { tenantScope } from '../../src/limits/scope.ts'
import { createUnsynced } from '../../src/limits/unsynced.ts'
import { calendarOf } from '../../src/limits/window.ts'
import { formatUsd, picoFromNano } from '../../src/money.ts'
import { currentPayer, runAs } from '../../src/tenant.ts'

const HOUR = 3_600_000
const AT = Date.UTC(2026, 10, 22, 14, 30)

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void

interface Asked {
  readonly line: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

const json = (response: ServerResponse, body: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const limits = (...entries: object[]) => ({ tenant_id: 'acme', limits: entries })
const month = (limit: string | number, spent: string | number, over: object = {}) => ({
  window: 'month',
  limit_usd: limit,
  spent_usd: spent,
  ...over,
})

/** A backend that answers as told, and never by itself updates what was spent. */
async function backend(answer: Answer, over: Partial<BackendStoreOptions> = {}) {
  const asked: Asked[] = []
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body })
    table.answer(request, response, body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const unsynced = createUnsynced()
  const failures: Error[] = []
  const clock = { now: AT }
  const store = backendLimitStore({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey: 'key',
    ttlMs: 5000,
    unsynced,
    now: () => clock.now,
    onFailure: (error) => failures.push(error),
    ...over,
  })
  const table = {
    answer,
    asked,
    clock,
    failures,
    store,
    unsynced,
    lines: () => asked.map(({ line }) => line),
    /** What is known now, without waiting for anybody. */
    known(rules: readonly LimitRule[]) {
      const keys = rules.map(({ scope, per }) => ({
        scope,
        per,
        windowId: calendarOf(per).at(clock.now).id,
        earlier: [],
      }))
      const accounts = store.accounts(keys) as readonly object[]
      return rules.map((rule, at) => ({ ...rule, ...keys[at], ...accounts[at] }))
    },
    accounts: async (tenantId = 'acme') => table.known(await store.rulesOf!(tenantId)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return table
}

const rule = (limitNanoUsd: bigint, { tenantId = 'acme', ...over }: Partial<LimitRule> & { tenantId?: string } = {}) =>
  ({
    scope: tenantScope(tenantId),
    per: 'month',
    limitNanoUsd,
    mode: 'expected',
    settings: {},
    ...over,
  }) satisfies LimitRule

const step = (over: Partial<LeaseStep>): LeaseStep => ({
  scope: 'tenant=acme',
  per: 'month',
  windowId: '2026-11',
  earlier: [],
  leaseId: 'l',
  seq: 1,
  need: 0n,
  least: over.need ?? 0n,
  want: over.need ?? 0n,
  granted: 0n,
  spent: 0n,
  returned: 0n,
  final: false,
  ttlMs: 1 << 30,
  opening: 0n,
  endsAt: undefined,
  warned: 0,
  ...over,
})

const event = (nano: bigint, at: number): LLMEvent => ({
  eventId: 'e',
  timestamp: new Date(at).toISOString(),
  tenantId: 'acme',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'chat.completions',
  usageSource: 'reported',
  costUsd: formatUsd(picoFromNano(nano)),
})

describe('what is asked', () => {
  test('a limit in a time zone is none of UTC', async () => {
    const zoned = month(5, 1, { settings: { time_zone: 'Europe/Vienna' } })
    await using table = await backend((_, response) => json(response, limits(zoned, { ...month(7, 1), window: 'day' })))
    expect(await table.accounts()).toMatchObject([{ per: 'day', limitNanoUsd: 7_000_000_000n }])
  })

  test('the limits of a tenant, under its key, once while the answer is fresh', async () => {
    await using table = await backend((_, response) => json(response, limits(month('50', '12.0375'))))
    const [first, second] = await Promise.all([table.accounts(), table.accounts()])
    expect(first).toMatchObject([
      { scope: 'tenant=acme', windowId: '2026-11', limitNanoUsd: 50_000_000_000n, committed: 12_037_500_000n },
    ])
    expect(second).toEqual(first)
    table.clock.now += 4999
    expect(table.store.rulesOf!('acme')).not.toBeInstanceOf(Promise)
    expect(table.lines()).toEqual(['GET /v1/limits/acme'])
    expect(table.asked[0]!.headers.authorization).toBe('Bearer key')
    table.clock.now += 1
    await table.accounts()
    expect(table.asked).toHaveLength(2)
  })

  test('every call asks where nothing is to be cached', async () => {
    await using table = await backend((_, response) => json(response, limits(month('50', '1'))), { ttlMs: 0 })
    for (let call = 0; call < 3; call++) await table.accounts()
    expect(table.asked).toHaveLength(3)
  })

  test('in nobody’s name: our own requests are never billed to who happens to cause them', async () => {
    const payers: unknown[] = []
    const note = () => payers.push(currentPayer().tenantId)
    await using table = await backend((_, response) => json(response, limits()))
    subscribe('undici:request:create', note)
    try {
      await runAs('acme', undefined, table.accounts, () => {})
    } finally {
      unsubscribe('undici:request:create', note)
    }
    expect(payers).toEqual([undefined])
  })

  test('no key is sent where there is none', async () => {
    await using table = await backend((_, response) => json(response, limits()), { apiKey: undefined })
    await table.accounts()
    expect(table.asked[0]!.headers.authorization).toBeUndefined()
  })

  test('a backend that knows no limits has none for anybody', async () => {
    await using table = await backend((_, response) => json(response, { error: 'what?' }, 404))
    expect(await table.accounts()).toEqual([])
    expect(table.failures).toEqual([])
  })

  test('JSON numbers are dollars too, and a window that is said twice counts once', async () => {
    await using table = await backend((_, response) =>
      json(response, limits(month(0.1 + 0.2, 1e-7), month('9', '0'), month('5', '0', { window: 'day', mode: 'hard' }))),
    )
    expect(await table.accounts()).toMatchObject([
      { per: 'month', limitNanoUsd: 300_000_000n, committed: 100n, mode: 'expected' },
      { per: 'day', limitNanoUsd: 5_000_000_000n, mode: 'hard' },
    ])
  })

  test('the window ends before the answer is stale: the next one is asked for at once', async () => {
    await using table = await backend((_, response) => json(response, limits(month('50', '1', { window: 'hour' }))), {
      ttlMs: 10 * HOUR,
    })
    await table.accounts()
    table.clock.now = AT + HOUR
    expect(await table.accounts()).toMatchObject([{ windowId: '2026-11-22T15' }])
    expect(table.asked).toHaveLength(2)
  })
})

describe('what is counted on top', () => {
  test('what was spent here and has not arrived there, even if the backend never counts it', async () => {
    await using table = await backend((_, response) => json(response, limits(month('50', '12'))))
    table.unsynced.recorded('acme', picoFromNano(7n), AT)
    expect(await table.accounts()).toMatchObject([{ committed: 12_000_000_007n }])
    table.unsynced.recorded('acme', picoFromNano(5n), AT)
    expect(await table.accounts()).toMatchObject([{ committed: 12_000_000_012n }])
    // It has arrived, but after the answer.
    table.unsynced.delivered([event(12n, AT)])
    expect(await table.accounts()).toMatchObject([{ committed: 12_000_000_012n }])
    table.clock.now += 5000
    expect(await table.accounts()).toMatchObject([{ committed: 12_000_000_000n }])
  })

  test('what calls in flight hold, over a new answer too', async () => {
    await using table = await backend((_, response) => json(response, limits(month('50', '12'))))
    await table.accounts()
    expect(table.store.lease([step({ need: 30n })])).toMatchObject([{ granted: 30n }])
    table.clock.now += 5000
    expect(await table.accounts()).toMatchObject([{ escrow: 30n }])
    table.unsynced.recorded('acme', picoFromNano(20n), AT)
    expect(await table.store.lease([step({ seq: 2, spent: 20n })])).toMatchObject([
      { account: { committed: 12_000_000_020n, escrow: 10n } },
    ])
  })
})

describe('a change', () => {
  test('is written exactly, and the cached answer is dropped', async () => {
    await using table = await backend((request, response) =>
      json(response, request.method === 'GET' ? limits(month('50', '1')) : {}),
    )
    await table.accounts()
    await table.store.setLimit(rule(9_007_199_254_740_993n, { mode: 'hard' }))
    await table.accounts()
    await table.store.removeLimit({ scope: 'tenant=acme', per: 'day' })
    await table.accounts()
    expect(table.lines()).toEqual([
      'GET /v1/limits/acme',
      'PUT /v1/limits/acme',
      'GET /v1/limits/acme',
      'DELETE /v1/limits/acme?per=day',
      'GET /v1/limits/acme',
    ])
    expect(JSON.parse(table.asked[1]!.body)).toEqual({ usd: '9007199.254740993', per: 'month', mode: 'hard' })
  })

  test('holds from the next call on: a call waits for it, and an answer from before it is none', async () => {
    let limit = '50'
    let release: (() => void) | undefined
    await using table = await backend((request, response, body) => {
      if (request.method === 'PUT') limit = (JSON.parse(body) as { usd: string }).usd
      const answer = JSON.stringify(limits(month(limit, '1')))
      const send = () => response.writeHead(200).end(answer)
      // The first question is answered only after the change, with what was true before it.
      if (table.asked.length === 1) release = send
      else send()
    })
    const early = table.accounts()
    await expect.poll(() => release).toBeDefined()
    const changed = table.store.setLimit(rule(7_000_000_000n))
    await changed
    release!()
    expect(await early).toMatchObject([{ limitNanoUsd: 7_000_000_000n }])
    expect(await table.accounts()).toMatchObject([{ limitNanoUsd: 7_000_000_000n }])
    expect(table.lines()).toEqual(['GET /v1/limits/acme', 'PUT /v1/limits/acme', 'GET /v1/limits/acme'])
  })

  test('that is still under way is waited for by the calls after it', async () => {
    let release: (() => void) | undefined
    await using table = await backend((request, response) => {
      if (request.method === 'PUT') release = () => json(response, {})
      else json(response, limits(month('7', '1')))
    })
    const changed = table.store.setLimit(rule(7_000_000_000n))
    const asked = table.accounts()
    await expect.poll(() => release).toBeDefined()
    expect(table.lines()).toEqual(['PUT /v1/limits/acme'])
    release!()
    expect(await asked).toMatchObject([{ limitNanoUsd: 7_000_000_000n }])
    await changed
    expect(table.lines()).toEqual(['PUT /v1/limits/acme', 'GET /v1/limits/acme'])
  })

  test('follows the one before it, however slow that is', async () => {
    let release: (() => void) | undefined
    await using table = await backend((_, response) => {
      const send = () => json(response, {})
      if (table.asked.length === 1) release = send
      else send()
    })
    const both = [table.store.setLimit(rule(1n)), table.store.setLimit(rule(2n))]
    await expect.poll(() => release).toBeDefined()
    expect(table.asked).toHaveLength(1)
    release!()
    for (const one of both) await one
    expect(table.asked.map(({ body }) => (JSON.parse(body) as { usd: string }).usd)).toEqual([
      '0.000000001',
      '0.000000002',
    ])
  })

  test('that the backend refuses is an error that names its status', async () => {
    await using table = await backend((_, response) => json(response, {}, 403))
    await expect(table.store.setLimit(rule(1n))).rejects.toMatchObject({
      code: 'DELIVERY_REJECTED',
      message: 'The limits endpoint answered PUT with status 403: the API key was refused.',
    })
    await expect(table.store.removeLimit({ scope: 'tenant=acme', per: 'month' })).rejects.toThrow(
      'DELETE with status 403',
    )
  })

  test.each(['.', '..'])(
    'of a tenant called %j is not sent, since no address names it, and holds here',
    async (tenantId) => {
      await using table = await backend((_, response) => json(response, limits()))
      await expect(table.store.setLimit(rule(1n, { tenantId }))).rejects.toMatchObject({ code: 'BAD_INPUT' })
      expect(await table.accounts(tenantId)).toMatchObject([{ limitNanoUsd: 1n, committed: 0n }])
      expect(table.asked).toEqual([])
    },
  )

  test('a limit that the backend could not store holds here, until the backend answers what it knows', async () => {
    let isDown = true
    await using table = await backend(
      (_, response) => (isDown ? response.destroy() : json(response, limits(month('50', '1')))),
      { ttlMs: 0 },
    )
    await expect(table.store.setLimit(rule(7n))).rejects.toThrow()
    expect(await table.accounts()).toMatchObject([{ limitNanoUsd: 7n, committed: 0n }])
    isDown = false
    await table.accounts()
    await expect.poll(() => table.accounts()).toMatchObject([{ limitNanoUsd: 50_000_000_000n }])
  })

  test('a backend that is silent for one tenant is not waited for by the next', async () => {
    await using table = await backend(() => {}, { ttlMs: 60_000 })
    await expect(table.store.setLimit(rule(7n))).rejects.toThrow()
    const silent = table.store.rulesOf!('first')
    expect(silent).toBeInstanceOf(Promise)
    expect(await silent).toEqual([])
    expect(table.store.rulesOf!('second')).toEqual([])
  })
})

describe('a backend that fails', () => {
  const broken: [string, Answer, said?: string][] = [
    ['answers 500', (_, response) => json(response, {}, 500), 'The limits endpoint answered GET with status 500.'],
    [
      'answers 401',
      (_, response) => json(response, {}, 401),
      'The limits endpoint answered GET with status 401: the API key was refused.',
    ],
    [
      'answers 403',
      (_, response) => json(response, {}, 403),
      'The limits endpoint answered GET with status 403: the API key was refused.',
    ],
    ['redirects', (_, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()],
    [
      'answers HTML',
      (_, response) => response.writeHead(200).end('<!doctype html>'),
      'The limits endpoint answered with something that is no JSON.',
    ],
    ['answers null', (_, response) => json(response, null)],
    ['answers no list', (_, response) => json(response, { limits: {} })],
    ['lists null', (_, response) => json(response, { limits: [null] })],
    ['knows another window', (_, response) => json(response, limits(month('1', '0', { window: 'year' })))],
    ['has no limit', (_, response) => json(response, limits({ window: 'month', spent_usd: '0' }))],
    ['spent nothing we can read', (_, response) => json(response, limits(month('1', 'a lot')))],
    ['hangs up', (_, response) => response.destroy()],
  ]
  test.each(broken)('%s: calls go on without a limit, and one report is made', async (_, answer, said) => {
    await using table = await backend(answer)
    expect(await table.accounts()).toEqual([])
    expect(await table.accounts()).toEqual([])
    expect(table.failures).toHaveLength(1)
    expect(table.failures[0]).toBeInstanceOf(Error)
    if (said !== undefined) expect(table.failures[0]!.message).toBe(said)
    expect(table.asked).toHaveLength(1)
  })

  test('calls go on with what it said last, and do not wait for it again', async () => {
    let successes = 0
    await using table = await backend((_, response) => json(response, limits(month('50', '12'))), {
      onSuccess: () => void successes++,
    })
    await table.accounts()
    table.answer = (_, response) => response.destroy()
    table.clock.now += 5000
    table.unsynced.recorded('acme', picoFromNano(9n), AT)
    expect(await table.accounts()).toMatchObject([{ committed: 12_000_000_009n }])
    expect(table.failures).toHaveLength(1)
    // The next one is asked behind the back of the call, which goes on at once.
    table.clock.now += 5000
    let release: (() => void) | undefined
    table.answer = (_, response) => {
      release = () => json(response, limits(month('50', '20')))
    }
    expect(table.known(table.store.rulesOf!('acme') as LimitRule[])).toMatchObject([{ committed: 12_000_000_009n }])
    await expect.poll(() => release).toBeDefined()
    release!()
    await expect.poll(() => successes).toBe(2)
    expect(table.known(table.store.rulesOf!('acme') as LimitRule[])).toMatchObject([{ committed: 20_000_000_009n }])
  })

  test('a new window begins with what is spent here, though nobody answers', async () => {
    await using table = await backend((_, response) =>
      json(response, limits(month('50', '50', { window: 'hour' }), month('90', '60'))),
    )
    table.unsynced.recorded('acme', picoFromNano(5n), AT)
    await table.accounts()
    table.answer = (_, response) => response.destroy()
    table.clock.now = AT + HOUR
    table.unsynced.recorded('acme', picoFromNano(3n), table.clock.now)
    expect(await table.accounts()).toMatchObject([
      { windowId: '2026-11-22T15', limitNanoUsd: 50_000_000_000n, committed: 3n },
      { windowId: '2026-11', committed: 60_000_000_008n },
    ])
  })

  test('is not asked on every call where nothing is cached', async () => {
    await using table = await backend((_, response) => response.destroy(), { ttlMs: 0 })
    await table.accounts()
    for (let call = 0; call < 5; call++) expect(table.store.rulesOf!('acme')).toEqual([])
    await expect.poll(() => table.failures.length).toBe(2)
    expect(table.asked).toHaveLength(2)
  })
})

test('nothing is leased to a tenant that was never asked for', async () => {
  await using table = await backend((_, response) => json(response, limits(month('50', '0'))))
  expect(table.store.lease([step({ need: 1n })])).toEqual([undefined])
  await table.accounts()
  expect(table.store.lease([step({ need: 1n, windowId: '2027-01' })])).toEqual([undefined])
})

test.each([
  ['a feature', { scope: 'feature=search' }, 'A backend over HTTP knows limits of whole tenants only'],
  ['a user', { scope: 'tenant=acme&user=u1' }, 'A backend over HTTP knows limits of whole tenants only'],
  ['everything', { scope: '*' }, 'A backend over HTTP knows limits of whole tenants only'],
  [
    'another zone',
    { settings: { timeZone: 'Europe/Berlin' } },
    'A backend over HTTP knows calendar windows in UTC only',
  ],
  ['the last day', { settings: { rolling: true } }, 'A backend over HTTP knows calendar windows in UTC only'],
] as const)('a limit of %s has no address there', async (_, over, message) => {
  await using table = await backend((_, response) => json(response, limits()))
  expect(() => table.store.setLimit(rule(1n, over))).toThrow(message)
  expect(table.asked).toEqual([])
})
