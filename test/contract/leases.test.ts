// Limits over HTTP leases: what travels, what the server takes and refuses, and that its ledger and its accounts agree.

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/event.ts'
import { httpLimitStore } from '../../src/limits/http-store.ts'
import type { LeaseStep, LimitRule, LimitStore } from '../../src/limits/limit-store.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'
import { API_KEY, ingest, type TestIngest } from '../support/ingest.ts'

const AT = Date.UTC(2026, 10, 22, 14, 30)

interface Golden {
  exchanges: { name: string; request: Record<string, unknown>; answer: object }[]
}
const { exchanges } = JSON.parse(
  readFileSync(new URL('../fixtures/wire/leases-v1.json', import.meta.url), 'utf8'),
) as Golden

const acme: LimitRule = {
  scope: 'tenant=acme',
  per: 'month',
  limitNanoUsd: 50_000_000_000n,
  mode: 'hard',
  settings: {},
}
const big: LimitRule = {
  scope: 'organization=big%20one',
  per: 'day',
  limitNanoUsd: 9_007_199_254_740_993n,
  mode: 'clamp',
  settings: { timeZone: 'Asia/Kathmandu', minOutputTokens: 64, anchor: 9, tenants: ['acme', 'globex'] },
}
const rolling: LimitRule = {
  scope: 'tenant=acme&user=u1',
  per: 'hour',
  limitNanoUsd: 2_000_000_000n,
  mode: 'expected',
  settings: { rolling: true },
}

const step = (over: Partial<LeaseStep> = {}): LeaseStep => ({
  scope: 'tenant=acme',
  per: 'month',
  windowId: '2026-11',
  earlier: [],
  leaseId: '019a5c3e-7b00-7c41-9f0a-3d2b1c0e4f5a',
  seq: 1,
  need: 0n,
  least: over.need ?? 0n,
  want: over.need ?? 0n,
  granted: 0n,
  spent: 0n,
  returned: 0n,
  final: false,
  ttlMs: 30_000,
  opening: 0n,
  endsAt: undefined,
  warned: 0,
  ...over,
})

const account = { limitNanoUsd: acme.limitNanoUsd, committed: 1_000_000_000n, escrow: 0n, suspense: 0n, warned: 0 }

/** What the client is asked for each exchange, and what it makes of the answer. */
const CALLS: ((store: LimitStore) => [answer: unknown, expected: unknown])[] = [
  (store) => [store.setLimit(acme), undefined],
  (store) => [store.setLimit(big), undefined],
  (store) => [store.setLimit(rolling), undefined],
  (store) => [store.changes(0), { revision: 3, rules: [acme, big, rolling], removed: [] }],
  (store) => [store.removeLimit(big), undefined],
  (store) => [store.changes(3), { revision: 4, rules: [], removed: [{ scope: big.scope, per: 'day' }] }],
  (store) => [
    store.lease([
      step({ need: 20_000_000n, want: 80_000_000n, opening: 1_000_000_000n, endsAt: 1_796_083_200_000 }),
      step({ scope: 'tenant=globex', leaseId: '019a5c3e-7b00-7c41-9f0a-3d2b1c0e4f5b', need: 1n }),
    ]),
    [{ granted: 80_000_000n, isOver: false, account: { ...account, escrow: 80_000_000n } }, undefined],
  ],
  (store) => [
    store.lease([
      step({
        seq: 2,
        granted: 80_000_000n,
        spent: 30_000_001n,
        returned: 5_000_000n,
        final: true,
        endsAt: 1_796_083_200_000,
        warned: 50,
      }),
    ]),
    [{ granted: 0n, isOver: true, account: { ...account, committed: 1_030_000_001n } }],
  ],
  (store) => [
    store.lease([
      step({
        leaseId: '019a5c3e-7b00-7c41-9f0a-000000000000',
        seq: 9,
        granted: 7n,
        spent: 7n,
        final: true,
        ifKnown: true,
      }),
    ]),
    [undefined],
  ],
  (store) => [
    store.accounts([
      { scope: 'tenant=acme', per: 'month', windowId: '2026-11', earlier: [] },
      { scope: rolling.scope, per: 'hour', windowId: 'b', earlier: ['a'] },
      { scope: 'tenant=nobody', per: 'month', windowId: '2026-11', earlier: [] },
    ]),
    [
      { ...account, committed: 1_030_000_001n, warned: 50 },
      { ...account, limitNanoUsd: 2_000_000_000n, committed: 0n },
      undefined,
    ],
  ],
]

const post = (server: TestIngest, body: unknown, key = API_KEY) =>
  fetch(`${server.base}/v1/leases`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

describe('the golden file of leases', () => {
  test('is what the server answers, in its order', async () => {
    await using server = await ingest({ leases: true, now: () => AT })
    for (const { request, answer, name } of exchanges) {
      const response = await post(server, request)
      expect([name, response.status, await response.json()]).toEqual([name, 200, answer])
    }
  })

  test('is what the client sends, and makes of the answers', async () => {
    await using server = await ingest({ leases: true, now: () => AT })
    const store = httpLimitStore({ url: server.url, apiKey: API_KEY })
    expect(CALLS).toHaveLength(exchanges.length)
    for (const [at, call] of CALLS.entries()) {
      const { request, name } = exchanges[at]!
      const [answer, expected] = call(store)
      expect([name, await answer]).toEqual([name, expected])
      const { text, path, method, headers } = server.received[at]!
      expect([method, path, JSON.parse(text)]).toEqual(['POST', '/v1/leases', request])
      expect(headers.get('authorization')).toBe(`Bearer ${API_KEY}`)
    }
    await store.close?.()
  })

  test('whatever is asked again changes nothing', async () => {
    await using server = await ingest({ leases: true, now: () => AT })
    for (const { request, answer, name } of exchanges) {
      // As after an answer that was lost, several times.
      for (let time = 0; time < 3; time++) {
        const response = await post(server, request)
        const body = (await response.json()) as object
        if (request['op'] !== 'changes') expect([name, body]).toEqual([name, warnedAgain(answer, time)])
      }
    }
    const store = httpLimitStore({ url: server.url, apiKey: API_KEY })
    const [standing] = await store.accounts([step()])
    expect(standing).toMatchObject({ committed: 1_030_000_001n, escrow: 0n })
    await store.close?.()
  })
})

/** The threshold is as it was before the step: the second time, what the first one told. */
function warnedAgain(answer: object, time: number): object {
  if (time === 0 || !('answers' in answer)) return answer
  return JSON.parse(JSON.stringify(answer).replace(/"is_over":true(.*)"warned":0/, '"is_over":true$1"warned":50'))
}

const minimal = { scope: 'tenant=acme', per: 'month', window_id: 'w', lease_id: 'l', seq: 1, ttl_ms: 0 }
const rule = { scope: 'tenant=acme', per: 'month', limit: '1', mode: 'hard' }
const lease = (over: object) => ({ version: 1, op: 'lease', steps: [{ ...minimal, ...over }] })
const set = (over: object) => ({ version: 1, op: 'set', rule: { ...rule, ...over } })

describe('a question that cannot be', () => {
  test.each<[string, unknown, number, string]>([
    ['no JSON', '{', 400, 'The body is not JSON.'],
    ['null', null, 400, 'Expected `version` to be 1.'],
    ['no version', { op: 'changes', since: 0 }, 400, 'Expected `version` to be 1.'],
    ['a later version', { version: 2, op: 'changes' }, 415, 'This server takes versions of leases up to 1.'],
    [
      'no operation',
      { version: 1 },
      400,
      'Expected `op` to be one of changes, set, remove, accounts, lease, got nothing.',
    ],
    ['another one', { version: 1, op: 'drop' }, 400, 'got a string of 4 characters.'],
    ['a revision below 0', { version: 1, op: 'changes', since: -1 }, 400, 'Expected `since` to be a whole number'],
    [
      'no list of steps',
      { version: 1, op: 'lease' },
      400,
      'Expected `steps` to be a list of at most 1000, got nothing.',
    ],
    [
      'more steps than may be',
      { version: 1, op: 'lease', steps: Array.from({ length: 1001 }, (_, i) => ({ ...minimal, lease_id: `l${i}` })) },
      400,
      'Expected `steps` to be a list of at most 1000, got a list of 1001.',
    ],
    [
      'two steps of one lease',
      { version: 1, op: 'lease', steps: [minimal, minimal] },
      400,
      'Expected `steps` to be of different leases: each can take one step at a time.',
    ],
    [
      'a number for a sum',
      lease({ need: 5 }),
      400,
      "Expected `steps.0.need` to be a string of decimal digits, nano-dollars up to '9223372036854775807', got `5`.",
    ],
    ['a sum below 0', lease({ spent: '-1' }), 400, 'Expected `steps.0.spent` to be'],
    ['a sum with a point', lease({ spent: '1.5' }), 400, 'Expected `steps.0.spent` to be'],
    ['a sum that no store holds', lease({ granted: '9223372036854775808' }), 400, 'Expected `steps.0.granted` to be'],
    ['a step before the first', lease({ seq: -1 }), 400, 'Expected `steps.0.seq` to be a whole number from 0 to'],
    [
      'a lease for ever',
      lease({ ttl_ms: 1e9 }),
      400,
      'Expected `steps.0.ttl_ms` to be a whole number from 0 to 86400000',
    ],
    ['a lease with a slash', lease({ lease_id: 'project=x/l' }), 400, 'without control characters and slashes'],
    [
      'the scope of somebody else',
      lease({ scope: 'project=x&tenant=acme' }),
      400,
      'Expected `steps.0.scope` to be the name of a scope',
    ],
    [
      'no such window',
      lease({ per: 'year' }),
      400,
      'Expected `steps.0.per` to be one of hour, day, week, month, total',
    ],
    [
      'a rule without a limit',
      set({ limit: undefined }),
      400,
      'Expected `rule.limit` to be a string of decimal digits',
    ],
    ['a mode that there is none of', set({ mode: 'strict' }), 400, 'Expected `rule.mode` to be one of expected, hard'],
    [
      'a setting that is not known',
      set({ settings: { grace: 1 } }),
      400,
      'Expected `rule.settings` to be an object of no other fields than',
    ],
    ['a time zone that there is none of', set({ settings: { time_zone: 'Mars/Olympus' } }), 400, '`timeZone`'],
    ['an anchor that is no hour', set({ per: 'day', settings: { anchor: 24 } }), 400, '`anchor`'],
    ['a rolling total', set({ per: 'total', settings: { rolling: true } }), 400, 'A rolling limit'],
    ['a cap without the mode for it', set({ settings: { min_output_tokens: 5 } }), 400, '`minOutputTokens`'],
    ['an organization of nobody', set({ scope: 'organization=big' }), 400, '`tenants`'],
    ['a scope in another spelling', set({ scope: 'tenant=a%63me' }), 400, 'Expected `scope` to be the canonical name'],
    [
      'a scope that is not encoded',
      set({ scope: 'tenant=%E0%A4%A' }),
      400,
      'Expected `scope` to be the canonical name',
    ],
    [
      'the removal of no scope',
      { version: 1, op: 'remove', key: { scope: 'tenant=%E0%A4%A', per: 'day' } },
      400,
      'Expected `scope` to be',
    ],
  ])('%s is refused in one sentence', async (_, body, status, sentence) => {
    await using server = await ingest({ leases: true })
    const response = await post(server, body)
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({ error: expect.stringContaining(sentence) })
    const store = server.limitStore!
    expect((await store.changes(0)).rules).toEqual([])
  })

  test('quotes nothing of what came', async () => {
    await using server = await ingest({ leases: true })
    const secret = 'the-secret-word'
    for (const body of [lease({ need: secret }), set({ mode: secret }), lease({ lease_id: `${secret}/` })])
      expect(await (await post(server, body)).text()).not.toContain(secret)
  })

  test('a wrong key, another method, and a server without a limit store', async () => {
    await using server = await ingest({ leases: true })
    await using plain = await ingest()
    const statuses = [
      (await post(server, lease({}), 'wrong')).status,
      (await fetch(`${server.base}/v1/leases`, { method: 'PUT', headers: { authorization: `Bearer ${API_KEY}` } }))
        .status,
      (await post(plain, lease({}))).status,
    ]
    expect(statuses).toEqual([401, 405, 404])
  })
})

test('a GET is the question for all limits', async () => {
  await using server = await ingest({ leases: true })
  await post(server, set({}))
  const headers = { authorization: `Bearer ${API_KEY}` }
  const greeted = await (await fetch(`${server.base}/v1/leases`, { headers })).json()
  expect(greeted).toEqual(await (await post(server, { version: 1, op: 'changes', since: 0 })).json())
  expect((greeted as { rules: unknown[] }).rules).toHaveLength(1)
})

test('a store that fails is a 503, said once in the log of the server and not to strangers', async () => {
  const problems: string[] = []
  let isBroken = true
  const memory = memoryLimitStore()
  const fail = () => {
    throw new Error('disk')
  }
  const store: LimitStore = { ...memory, lease: (steps) => (isBroken ? fail() : memory.lease(steps)) }
  await using server = await ingest({ leases: store, onProblem: ({ message }) => problems.push(message) })
  for (let time = 0; time < 2; time++) {
    const response = await post(server, lease({}))
    expect([response.status, await response.json()]).toEqual([503, { error: 'The limit store is not available.' }])
  }
  expect(problems).toEqual(['The limit store behind the leases failed.'])
  isBroken = false
  expect((await post(server, lease({}))).status).toBe(200)
})

describe('limits of the plain kind', () => {
  test('are the same limits, whichever way they are set and removed', async () => {
    await using server = await ingest({ leases: true })
    const plain = async (method: string, query = '', body?: object) => {
      const headers = { authorization: `Bearer ${API_KEY}` }
      const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
      const answer = await fetch(`${server.base}/v1/limits/acme${query}`, init)
      const { limits } = (await answer.json()) as {
        limits: { window: string; limit_usd: string; settings?: object }[]
      }
      return limits.map(
        ({ window, limit_usd, settings }) => `${window} ${limit_usd}${settings ? ` ${JSON.stringify(settings)}` : ''}`,
      )
    }
    const store = httpLimitStore({ url: server.base, apiKey: API_KEY })
    const rules = async () => (await store.changes(0)).rules.map(({ per, limitNanoUsd }) => `${per} ${limitNanoUsd}`)

    await plain('PUT', '', { usd: 7, per: 'day' })
    expect(await rules()).toEqual(['day 7000000000'])
    await store.setLimit(acme)
    expect(await plain('GET')).toEqual(['day 7', 'month 50'])
    await plain('DELETE', '?per=month')
    expect(await rules()).toEqual(['day 7000000000'])
    await store.removeLimit({ scope: 'tenant=acme', per: 'day' })
    expect(await plain('GET')).toEqual([])
    // One that a plain backend could not keep says so, and is none of the ledger's.
    await store.setLimit(acme)
    await store.setLimit({ ...acme, settings: { timeZone: 'Europe/Berlin' } })
    expect(await plain('GET')).toEqual(['month 50 {"time_zone":"Europe/Berlin"}'])
    expect(await server.ledger.limits()).toEqual([])
    await store.close?.()
  })

  test('that the ledger had before there were leases hold for them too, and those removed since do not come back', async () => {
    await using server = await ingest({ leases: true })
    for (const window of ['day', 'month'] as const)
      await server.ledger.putLimit({ tenantId: 'acme', window, limit: 5_000_000_000_000n, mode: 'hard' })
    await server.limitStore!.setLimit({ ...acme, per: 'day' })
    await server.limitStore!.removeLimit({ scope: 'tenant=acme', per: 'day' })
    const store = httpLimitStore({ url: server.url, apiKey: API_KEY })
    expect((await store.changes(0)).rules).toEqual([{ ...acme, limitNanoUsd: 5_000_000_000n }])
    await store.close?.()
  })
})

const event = (eventId: string, usd: string, over: Partial<LLMEvent> = {}): LLMEvent => ({
  eventId,
  timestamp: new Date(AT).toISOString(),
  tenantId: 'acme',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'responses',
  usageSource: 'reported',
  costUsd: usd,
  ...over,
})

describe('what the ledger knows to be spent', () => {
  async function book() {
    const clock = { now: AT }
    const server = await ingest({
      leases: true,
      now: () => clock.now,
      apiKeys: [API_KEY, { key: 'shop-key', project: 'shop' }],
    })
    const store = httpLimitStore({ url: server.url, apiKey: API_KEY })
    const shop = httpLimitStore({ url: server.url, apiKey: 'shop-key' })
    return {
      clock,
      server,
      store,
      shop,
      spend: async (...events: LLMEvent[]) => {
        const sent = await server.ledger.send({ id: events[0]!.eventId, events }, new AbortController().signal)
        expect(sent.outcome).toBe('delivered')
      },
      ask: async (over: Partial<LeaseStep>, of = store) => (await of.lease([step(over)]))[0],
      async [Symbol.asyncDispose]() {
        await store.close?.()
        await shop.close?.()
        await server[Symbol.asyncDispose]()
      },
    }
  }

  test('is there from the first step on, of whatever scope', async () => {
    await using table = await book()
    await table.spend(
      event('1', '3', { userId: 'u1' }),
      event('2', '4', { feature: 'search', userId: 'u2' }),
      event('3', '5', { tenantId: 'globex', feature: 'search' }),
      event('4', '6', { tenantId: 'other' }),
      event('of last month', '100', { timestamp: '2026-10-31T23:59:59.999Z' }),
    )
    const scopes: [Partial<LimitRule> & { scope: string }, bigint][] = [
      [{ scope: 'tenant=acme' }, 7n],
      [{ scope: 'feature=search' }, 9n],
      [{ scope: 'tenant=acme&user=u1' }, 3n],
      [{ scope: '*' }, 18n],
      [{ scope: 'organization=big', settings: { tenants: ['acme', 'globex'] } }, 12n],
      [
        {
          scope: 'organization=large',
          settings: { tenants: ['globex', ...Array.from({ length: 30 }, (_, i) => `t${i}`)] },
        },
        5n,
      ],
      [{ scope: 'run=r1' }, 0n],
    ]
    for (const [{ scope, settings = {} }, spent] of scopes) {
      await table.store.setLimit({ ...acme, scope, settings })
      const answer = await table.ask({ scope, leaseId: `of ${scope}`, need: 1n })
      expect([scope, answer?.account.committed]).toEqual([scope, spent * 1_000_000_000n])
    }
  })

  test('does not count again what a step tells itself', async () => {
    await using table = await book()
    await table.store.setLimit(acme)
    // A process spent while nobody answered; its event came first.
    await table.spend(event('1', '3'))
    expect(await table.ask({ spent: 3_000_000_000n })).toMatchObject({ account: { committed: 3_000_000_000n } })
  })

  test('of senders without leases counts too, once whoever holds a lease has had the time to tell', async () => {
    await using table = await book()
    await table.store.setLimit(acme)
    await table.ask({ need: 1_000_000_000n })
    await table.spend(event('theirs', '10'))
    let seq = 1
    const committed = async (over: Partial<LeaseStep> = {}) =>
      (await table.ask({ seq: ++seq, granted: 1_000_000_000n, ...over }))!.account.committed
    table.clock.now += 10_000
    expect(await committed()).toBe(0n)
    // Of the 10, one may be the slice that is out.
    await expect
      .poll(async () => {
        table.clock.now += 10_000
        return committed()
      })
      .toBe(9_000_000_000n)
    // It was not: the slice comes back unspent, and the whole sum counts.
    await committed({ returned: 1_000_000_000n, final: true })
    await expect
      .poll(async () => {
        table.clock.now += 10_000
        return (await table.ask({ leaseId: 'another', seq: ++seq }))!.account.committed
      })
      .toBe(10_000_000_000n)
  })

  test('of those that hold leases counts once, however often the ledger is looked at', async () => {
    await using table = await book()
    await table.store.setLimit(acme)
    let spent = 0n
    for (let call = 1; call <= 12; call++) {
      await table.ask({ seq: 2 * call - 1, need: 1_000_000_000n, granted: BigInt(call - 1) * 1_000_000_000n, spent })
      // The event arrives before the lease tells.
      await table.spend(event(String(call), '1'))
      table.clock.now += 7000
      spent += 1_000_000_000n
      const answer = await table.ask({ seq: 2 * call, granted: BigInt(call) * 1_000_000_000n, spent })
      expect(answer!.account).toMatchObject({ committed: spent, escrow: 0n })
    }
  })

  test('of a project counts in the limits of the project only', async () => {
    await using table = await book()
    await table.spend(event('1', '3', { project: 'shop' }), event('2', '4', { project: 'atlas' }), event('3', '5'))
    await table.shop.setLimit(acme)
    const all = {
      scope: 'organization=all',
      settings: { tenants: ['acme', ...Array.from({ length: 30 }, (_, i) => `t${i}`)] },
    }
    await table.shop.setLimit({ ...acme, ...all })
    const answer = await table.ask({ scope: all.scope, leaseId: 'all', need: 1n }, table.shop)
    expect(answer!.account.committed).toBe(3_000_000_000n)
    expect((await table.ask({ need: 1n }, table.shop))!.account.committed).toBe(3_000_000_000n)
    expect(await table.ask({ leaseId: 'no such limit here', need: 1n })).toBeUndefined()
  })
})

describe('a key of a project', () => {
  test('reaches its own limits and leases, and nobody else’s', async () => {
    await using server = await ingest({
      leases: true,
      apiKeys: [API_KEY, { key: 'shop-key', project: 'shop' }, { key: 'atlas-key', project: 'at&l/as' }],
    })
    const [all, shop, atlas] = [API_KEY, 'shop-key', 'atlas-key'].map((apiKey) =>
      httpLimitStore({ url: server.url, apiKey }),
    ) as [LimitStore, LimitStore, LimitStore]
    await all.setLimit({ ...acme, limitNanoUsd: 1n })
    await shop.setLimit({ ...acme, limitNanoUsd: 20n })
    await atlas.setLimit({ ...acme, limitNanoUsd: 30n })
    const limits = async (store: LimitStore) => (await store.changes(0)).rules.map(({ limitNanoUsd }) => limitNanoUsd)
    expect(await Promise.all([all, shop, atlas].map(limits))).toEqual([[1n], [20n], [30n]])
    // The same scope, and the same name of a lease.
    for (const [store, need] of [
      [shop, 15n],
      [atlas, 25n],
    ] as const)
      expect(await store.lease([step({ need })])).toMatchObject([{ granted: need, account: { escrow: need } }])
    expect(await all.lease([step({ need: 2n })])).toMatchObject([{ granted: 0n, account: { escrow: 0n } }])
    await atlas.removeLimit(acme)
    expect(await Promise.all([all, shop, atlas].map(limits))).toEqual([[1n], [20n], []])
    expect(await shop.accounts([step()])).toMatchObject([{ escrow: 15n }])
    const plain = async (key: string, init: RequestInit = {}) => {
      const headers = { authorization: `Bearer ${key}` }
      return (await fetch(`${server.base}/v1/limits/acme`, { ...init, headers })).json()
    }
    const month = (limit_usd: string) => ({ limits: [{ window: 'month', limit_usd, spent_usd: '0' }] })
    expect(await plain('shop-key')).toMatchObject(month('0.00000002'))
    expect(await plain('shop-key', { method: 'PUT', body: '{"usd": 5}' })).toMatchObject(month('5'))
    expect(await plain(API_KEY)).toMatchObject(month('0.000000001'))
    for (const store of [all, shop, atlas]) await store.close?.()
  })
})
