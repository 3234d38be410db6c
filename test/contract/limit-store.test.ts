import { join } from 'node:path'
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { createClient } from 'redis'
import { afterAll, describe, expect, test } from 'vitest'
import type { LimitWindow } from '../../src/errors.ts'
import { backendLimitStore } from '../../src/limits/backend-store.ts'
import { httpLimitStore } from '../../src/limits/http-store.ts'
import type { AccountKey, LeaseStep, LimitRule, LimitStore } from '../../src/limits/limit-store.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'
import { LIMIT_TABLES } from '../../src/limits/postgres-schema.ts'
import { postgresLimitStore } from '../../src/limits/postgres-store.ts'
import { redisLimitStore } from '../../src/limits/redis-store.ts'
import { tenantScope } from '../../src/limits/scope.ts'
import { sqliteLimitStore } from '../../src/limits/sqlite-store.ts'
import { createUnsynced } from '../../src/limits/unsynced.ts'
import { calendarOf, ROLLING } from '../../src/limits/window.ts'
import { picoFromNano } from '../../src/money.ts'
import { postgres } from '../../src/postgres/client.ts'
import { migrate, SCHEMA, versionOf } from '../../src/postgres/migrate.ts'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'
import { process, usd } from '../support/limits.ts'
import { type Service, startPostgres, startRedis } from '../support/services.ts'

const AT = Date.UTC(2026, 10, 22, 14, 30)

interface Subject extends AsyncDisposable {
  readonly store: LimitStore
  /** What the process that holds the leases spent, in nano-dollars, where a store learns of it beside them. */
  spent?(tenantId: string, nano: bigint): void
}

interface Kind {
  readonly open: () => Promise<Subject>
  /** Knows limits of tenants only, and what they have spent as the backend says: no rolling windows, no opening sums. */
  readonly isPlain?: true
}

const services = new AsyncDisposableStack()
afterAll(() => services.disposeAsync())
const running = new Map<unknown, Promise<Service>>()
const once = (start: () => Promise<Service>): Promise<Service> => {
  let service = running.get(start)
  if (!service) running.set(start, (service = start().then((it) => services.use(it))))
  return service
}

const STORES: Record<string, Kind> = {
  memory: { open: async () => ({ store: memoryLimitStore({ now: () => AT }), async [Symbol.asyncDispose]() {} }) },
  sqlite: {
    async open() {
      const folder = temporaryFolder()
      const store = sqliteLimitStore({ path: join(folder.path, 'limits.db') })
      return {
        store,
        async [Symbol.asyncDispose]() {
          await store.close?.()
          folder[Symbol.dispose]()
        },
      }
    },
  },
  postgres: {
    async open() {
      const { url } = await once(startPostgres)
      const pool = new Pool({ connectionString: url, max: 4 })
      await pool.query('DROP SCHEMA IF EXISTS tallygate CASCADE')
      return { store: postgresLimitStore({ pool }), [Symbol.asyncDispose]: () => pool.end() }
    },
  },
  'redis by ioredis': {
    async open() {
      const client = new Redis((await once(startRedis)).url)
      await client.flushall()
      return {
        store: redisLimitStore({ client }),
        async [Symbol.asyncDispose]() {
          await client.quit()
        },
      }
    },
  },
  'redis by redis': {
    async open() {
      const client = createClient({ url: (await once(startRedis)).url })
      await client.connect()
      await client.flushAll()
      return {
        store: redisLimitStore({ client, prefix: 'app' }),
        async [Symbol.asyncDispose]() {
          await client.close()
        },
      }
    },
  },
  'leases over http': {
    async open() {
      const server = await ingest({ leases: true })
      const store = httpLimitStore({ url: server.url, apiKey: API_KEY })
      return {
        store,
        async [Symbol.asyncDispose]() {
          await store.close?.()
          await server[Symbol.asyncDispose]()
        },
      }
    },
  },
  'a backend over http': {
    isPlain: true,
    async open() {
      const backend = await ingest()
      const unsynced = createUnsynced()
      const store = backendLimitStore({
        baseUrl: backend.base,
        apiKey: API_KEY,
        ttlMs: 5000,
        unsynced,
        now: () => AT,
        onFailure: (error) => {
          throw error
        },
      })
      return {
        store,
        spent: (tenantId, nano) => unsynced.recorded(tenantId, picoFromNano(nano), AT),
        [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
      }
    },
  },
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

type Told = Partial<Omit<LeaseStep, 'scope'>> & { tenantId?: string }

const keyOf = (tenantId = 'acme', per: LimitWindow = 'month'): AccountKey => ({
  scope: tenantScope(tenantId),
  per,
  windowId: calendarOf(per).at(AT).id,
  earlier: [],
})

const step = ({ tenantId, per, ...over }: Told): LeaseStep => ({
  ...keyOf(tenantId, per),
  leaseId: 'lease-1',
  seq: 1,
  need: 0n,
  least: over.need ?? 0n,
  want: over.need ?? 0n,
  granted: 0n,
  spent: 0n,
  returned: 0n,
  final: false,
  ttlMs: 60_000,
  opening: 0n,
  endsAt: calendarOf(per ?? 'month').at(AT).endsAt,
  warned: 0,
  ...over,
})

describe.each(Object.entries(STORES))('%s', (_, { open, isPlain = false }) => {
  async function opened(...rules: (LimitRule & { tenantId?: string })[]) {
    const subject = await open()
    const { store } = subject
    for (const one of rules) await store.setLimit(one)
    const know = async (tenantId: string) => void (await store.rulesOf?.(tenantId))
    const standing = async (tenantId = 'acme', per: LimitWindow = 'month') => {
      await know(tenantId)
      const [account] = await store.accounts([keyOf(tenantId, per)])
      return account && { committed: account.committed, escrow: account.escrow, limit: account.limitNanoUsd }
    }
    const answer = async (over: Told) => (await store.lease([step(over)]))[0]
    /** A step of a process that has newly spent `more`. */
    const tell = async (over: Told, more = 0n) => {
      subject.spent?.(over.tenantId ?? 'acme', more)
      return (await answer(over))?.granted
    }
    await know('acme')
    return { store, standing, tell, answer, know, [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose]() }
  }

  test('a tenant without a limit has no account and is leased nothing', async () => {
    await using subject = await opened()
    expect(await subject.standing()).toBeUndefined()
    expect(await subject.answer({ need: 1n })).toBeUndefined()
  })

  test('a limit is an account of its window', async () => {
    await using subject = await opened(rule(50_000_000_000n, { mode: 'hard' }))
    expect(await subject.standing()).toEqual({ limit: 50_000_000_000n, committed: 0n, escrow: 0n })
    expect(await subject.answer({ per: 'day', need: 1n })).toBeUndefined()
  })

  test.skipIf(isPlain)('rules are told with all that they say, and each change once', async () => {
    const settings = { timeZone: 'Asia/Kathmandu', anchor: 15, tenants: ['a', 'b/ü 🐋'] }
    await using subject = await opened(rule(7n, { mode: 'clamp', settings }), rule(9n, { per: 'day' }))
    const { store } = subject
    const all = await store.changes(0)
    expect(all.rules).toEqual([rule(7n, { mode: 'clamp', settings }), rule(9n, { per: 'day' })])
    expect(await store.changes(all.revision)).toEqual({ revision: all.revision, rules: [], removed: [] })
    await store.setLimit(rule(8n))
    await store.removeLimit({ scope: 'tenant=acme', per: 'day' })
    const then = await store.changes(all.revision)
    expect(then.revision).toBeGreaterThan(all.revision)
    expect(then).toMatchObject({ rules: [rule(8n)], removed: [{ scope: 'tenant=acme', per: 'day' }] })
    await store.setLimit(rule(10n, { per: 'day' }))
    expect(await store.changes(then.revision)).toMatchObject({ rules: [rule(10n, { per: 'day' })], removed: [] })
    expect((await store.changes(0)).rules).toHaveLength(2)
  })

  test('a tenant has one account a window, and money of one is not money of another', async () => {
    await using subject = await opened(rule(100n), rule(90n, { per: 'day' }), rule(900n, { per: 'total' }))
    expect(await subject.tell({ per: 'day', leaseId: 'l-2', need: 20n })).toBe(20n)
    expect(await subject.standing('acme', 'day')).toMatchObject({ escrow: 20n })
    expect(await subject.standing()).toMatchObject({ escrow: 0n })
  })

  test('a limit that is set again keeps what was spent', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 60n })
    await subject.tell({ seq: 2, spent: 40n }, 40n)
    await subject.store.setLimit(rule(200n, { mode: 'hard' }))
    expect(await subject.standing()).toEqual({ limit: 200n, committed: 40n, escrow: 20n })
  })

  test('a limit that is removed is gone, and the others stay', async () => {
    await using subject = await opened(rule(100n), rule(30n, { per: 'day' }))
    const { store } = subject
    await subject.tell({ need: 60n })
    await store.removeLimit({ scope: 'tenant=acme', per: 'month' })
    expect(await subject.standing()).toBeUndefined()
    expect(await subject.standing('acme', 'day')).toMatchObject({ limit: 30n })
    expect(await subject.tell({ need: 1n })).toBeUndefined()
    await store.removeLimit({ scope: 'tenant=acme', per: 'month' })
    await store.removeLimit({ scope: 'tenant=nobody', per: 'day' })
    // Set again, it begins anew.
    await store.setLimit(rule(100n))
    expect(await subject.standing()).toMatchObject({ committed: 0n, escrow: 0n })
  })

  test('a step is granted what it wants while there is plenty, and what it needs while that is there', async () => {
    await using subject = await opened(rule(1000n))
    expect(await subject.tell({ need: 10n, want: 60n })).toBe(60n)
    // Half of what is left, for the one that asks.
    expect(await subject.tell({ seq: 2, need: 10n, want: 900n })).toBe(470n)
    // A quarter each for two.
    expect(await subject.tell({ leaseId: 'lease-2', need: 10n, want: 900n })).toBe(117n)
    expect(await subject.tell({ seq: 3, need: 354n })).toBe(0n)
    expect(await subject.tell({ seq: 4, need: 353n })).toBe(353n)
    expect(await subject.tell({ seq: 5, need: 1n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 0n, escrow: 1000n })
  })

  test('where not even the need is left, all that is left is granted from the least on that would do', async () => {
    await using subject = await opened(rule(100n))
    expect(await subject.tell({ need: 150n, least: 101n, want: 300n })).toBe(0n)
    expect(await subject.tell({ seq: 2, need: 150n, least: 100n, want: 300n })).toBe(100n)
    expect(await subject.tell({ seq: 3, need: 150n, least: 1n })).toBe(0n)
  })

  test('a step that is repeated gets its answer again and nothing more', async () => {
    await using subject = await opened(rule(100n))
    for (let time = 0; time < 3; time++) expect(await subject.tell({ need: 30n })).toBe(30n)
    expect(await subject.standing()).toMatchObject({ escrow: 30n })
  })

  test('a double that arrives after a later step changes nothing', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 30n })
    await subject.tell({ seq: 2, spent: 20n, returned: 5n }, 20n)
    await subject.tell({ seq: 3, spent: 20n, returned: 5n, need: 7n })
    expect(await subject.tell({ need: 30n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 12n })
  })

  test('a step that is lost is made up for by the next', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 50n })
    // Steps 2 to 8 never arrived.
    await subject.tell({ seq: 9, spent: 35n, returned: 10n }, 35n)
    expect(await subject.standing()).toMatchObject({ committed: 35n, escrow: 5n })
  })

  test('what was spent beyond a grant is committed, and the next grant covers it first', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 10n })
    await subject.tell({ seq: 2, spent: 25n }, 25n)
    expect(await subject.standing()).toMatchObject({ committed: 25n, escrow: 0n })
    // 15 of the 40 are spent already: what is taken anew is 25.
    expect(await subject.tell({ seq: 3, spent: 25n, need: 40n })).toBe(40n)
    expect(await subject.standing()).toMatchObject({ committed: 25n, escrow: 25n })
    expect(await subject.tell({ leaseId: 'lease-2', need: 51n })).toBe(0n)
    expect(await subject.tell({ leaseId: 'lease-2', seq: 2, need: 50n })).toBe(50n)
  })

  test('an account that is past its limit grants nothing', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ spent: 130n }, 130n)
    // One more than the lease has overspent is the least that would be of use.
    expect(await subject.tell({ seq: 2, spent: 130n, need: 131n })).toBe(0n)
    expect(await subject.tell({ leaseId: 'lease-2', need: 1n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 130n, escrow: 0n })
  })

  test('what a lease has left goes back when it ends, and a late double of it does not bring it back', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 60n })
    await subject.tell({ seq: 2, spent: 20n, final: true }, 20n)
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 0n })
    await subject.tell({ need: 60n })
    await subject.tell({ seq: 2, spent: 20n, final: true })
    expect(await subject.tell({ seq: 3, spent: 20n, need: 1n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 0n })
    expect(await subject.tell({ leaseId: 'lease-2', need: 80n })).toBe(80n)
  })

  test('a limit of nothing grants nothing', async () => {
    await using subject = await opened(rule(0n))
    expect(await subject.tell({ need: 1n })).toBe(0n)
  })

  test.each([
    ['__proto__'],
    ['constructor'],
    ['a/b?c=d#e'],
    ['%2e%2e'],
    ['ünïcødé 🐋'],
    [' '],
    ['with 256 characters', 'x'.repeat(256)],
  ])('a tenant may be called %j', async (name, tenantId = name) => {
    await using subject = await opened(rule(100n, { tenantId }), rule(7n, { tenantId: 'other' }))
    await subject.know(tenantId)
    expect(await subject.tell({ tenantId, need: 40n })).toBe(40n)
    expect(await subject.standing(tenantId)).toMatchObject({ escrow: 40n })
    expect(await subject.standing('other')).toMatchObject({ escrow: 0n, limit: 7n })
  })

  test('a lease that nobody renews is charged and not refunded, and is its holder’s again when that comes back', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 60n, ttlMs: 0 })
    const other = await subject.answer({ leaseId: 'lease-2', need: 41n })
    expect(other).toMatchObject({ granted: 0n, account: { escrow: 0n, suspense: 60n } })
    // It was frozen, or cut off, and has spent some of it meanwhile.
    await subject.tell({ seq: 2, spent: 25n }, 25n)
    expect(await subject.standing()).toMatchObject({ committed: 25n, escrow: 35n })
    expect(await subject.tell({ leaseId: 'lease-2', seq: 2, need: 40n })).toBe(40n)
  })

  test('a dead process is settled for by whoever knows what it spent; should it live after all, it gets nothing more', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 60n, ttlMs: 0 })
    await subject.tell({ seq: 2, spent: 30n, final: true }, 30n)
    expect(await subject.standing()).toMatchObject({ committed: 30n, escrow: 0n })
    const late = await subject.answer({ seq: 3, spent: 45n, need: 5n })
    expect(late).toMatchObject({ granted: 0n, isOver: true })
  })

  test.skipIf(isPlain)('in the name of a dead process nothing is said of a lease that is not known', async () => {
    await using subject = await opened(rule(100n))
    expect(await subject.answer({ leaseId: 'other', seq: 1, spent: 30n, final: true, ifKnown: true })).toBeUndefined()
    await subject.tell({ need: 60n })
    const answers = await subject.store.lease([
      step({ leaseId: 'gone', seq: 1, spent: 30n, final: true, ifKnown: true }),
      step({ leaseId: 'lease-1', seq: 1, spent: 25n, final: true, ifKnown: true }),
    ])
    expect(answers).toMatchObject([undefined, { isOver: true }])
    expect(await subject.standing()).toMatchObject({ committed: 25n, escrow: 0n })
    await subject.store.lease([step({ leaseId: 'lease-1', seq: 1, spent: 20n, final: true, ifKnown: true })])
    expect(await subject.standing()).toMatchObject({ committed: 25n, escrow: 0n })
  })

  test.skipIf(isPlain)('late spend of a lease that is over is still committed', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 60n, ttlMs: 0 })
    await subject.tell({ seq: 2, spent: 30n, final: true })
    await subject.tell({ seq: 3, spent: 45n })
    expect(await subject.standing()).toMatchObject({ committed: 45n, escrow: 0n })
  })

  test.skipIf(isPlain)('a store that has lost a lease takes it back as its holder knows it', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ leaseId: 'lost', seq: 7, granted: 50n, spent: 20n, returned: 5n })
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 25n })
    await subject.tell({ leaseId: 'lost', seq: 8, granted: 50n, spent: 20n, returned: 5n, final: true })
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 0n })
  })

  test.skipIf(isPlain)(
    'what was spent before an account was opened counts once, as whoever opened it knew it',
    async () => {
      await using subject = await opened(rule(100n))
      expect(await subject.tell({ opening: 40n, need: 61n })).toBe(0n)
      expect(await subject.tell({ leaseId: 'lease-2', opening: 70n, need: 60n })).toBe(60n)
      expect(await subject.standing()).toMatchObject({ committed: 40n, escrow: 60n })
    },
  )

  test('a threshold is told of by the first that reaches it', async () => {
    await using subject = await opened(rule(100n))
    expect(await subject.answer({ need: 90n })).toMatchObject({ account: { warned: 0 } })
    expect(await subject.answer({ seq: 2, warned: 50 })).toMatchObject({ account: { warned: 0 } })
    expect(await subject.answer({ leaseId: 'lease-2', warned: 50 })).toMatchObject({ account: { warned: 50 } })
    expect(await subject.answer({ leaseId: 'lease-2', seq: 2, warned: 80 })).toMatchObject({ account: { warned: 50 } })
  })

  test.skipIf(isPlain)('a rolling window counts the slots before it', async () => {
    await using subject = await opened(rule(100n, { per: 'hour', settings: { rolling: true } }))
    const slot = (n: number, earlier: number[]): Told => ({
      per: 'hour',
      windowId: `slot-${n}`,
      earlier: earlier.map((one) => `slot-${one}`),
      leaseId: `of slot ${n}`,
    })
    await subject.tell({ ...slot(1, []), need: 60n })
    await subject.tell({ ...slot(1, []), seq: 2, spent: 45n })
    expect(await subject.tell({ ...slot(2, [1]), need: 41n })).toBe(0n)
    expect(await subject.answer({ ...slot(2, [1]), seq: 2, need: 40n })).toMatchObject({
      granted: 40n,
      account: { committed: 45n, escrow: 55n },
    })
    expect(await subject.tell({ ...slot(3, [2, 1]), need: 1n })).toBe(0n)
    expect(await subject.tell({ ...slot(4, [3, 2]), need: 60n })).toBe(60n)
  })

  test.skipIf(isPlain)(
    'two processes whose clocks differ by 1.5 s over the boundary of a slot spend a rolling hard limit once',
    async () => {
      await using subject = await opened()
      for (const [per, { slot }] of Object.entries(ROLLING) as [keyof typeof ROLLING, { slot: number }][]) {
        const boundary = Math.ceil(AT / slot) * slot
        for (const apart of [750, -750]) {
          const tenantId = `${per} ${apart}`
          const settings = { rolling: true } as const
          await subject.store.setLimit(rule(10_000_000_000n, { tenantId, per, mode: 'hard', settings }))
          const [one, two] = [boundary - apart, boundary + apart].map((now) =>
            process(subject.store, { now, monotonic: 0 }),
          )
          one!.limiter.settle(await one!.call('10', { tenantId }), usd('10'), boundary - apart)
          await one!.limiter.beat()
          await expect(two!.call('0.01', { tenantId })).rejects.toMatchObject({ spentUsd: '10' })
          expect(await two!.standing(tenantId, per)).toBe('0 left, 10 spent, 0 held')
        }
      }
    },
  )

  test.skipIf(isPlain)('what is granted in one slot at the same moment as in the next is granted once', async () => {
    const calendar = calendarOf('hour', { rolling: true })
    const [before, after] = [calendar.at(AT - 1), calendar.at(AT)]
    const tenants = Array.from({ length: 40 }, (_, n) => `at-once-${n}`)
    await using subject = await opened(
      ...tenants.map((tenantId) => rule(100n, { tenantId, per: 'hour', settings: { rolling: true } })),
    )
    for (const tenantId of tenants) {
      const granted = await Promise.all(
        [before, after].map(({ id: windowId, earlier }) =>
          subject.tell({ tenantId, per: 'hour', windowId, earlier, leaseId: `${tenantId} ${windowId}`, need: 60n }),
        ),
      )
      expect(granted.filter((nano) => nano === 60n)).toHaveLength(1)
    }
  })

  test('several steps are taken at once, and answered in their order', async () => {
    await using subject = await opened(rule(100n, { tenantId: 'b' }), rule(100n, { tenantId: 'a' }))
    await subject.know('a')
    await subject.know('b')
    const answers = await subject.store.lease([
      step({ tenantId: 'b', leaseId: 'l-b', need: 1n }),
      step({ tenantId: 'nobody', leaseId: 'l-n', need: 2n }),
      step({ tenantId: 'a', leaseId: 'l-a', need: 3n }),
      step({ tenantId: 'b', leaseId: 'l-c', need: 4n }),
    ])
    expect(answers.map((one) => one?.granted)).toEqual([1n, undefined, 3n, 4n])
    expect(await subject.standing('b')).toMatchObject({ escrow: 5n })
    expect(await subject.store.lease([])).toEqual([])
  })

  test('sums are exact where a number is not', async () => {
    await using subject = await opened(rule(9_007_199_254_740_991n))
    expect(await subject.tell({ need: 9_007_199_254_740_990n })).toBe(9_007_199_254_740_990n)
    await subject.tell({ seq: 2, spent: 9_007_199_254_740_989n }, 9_007_199_254_740_989n)
    expect(await subject.standing()).toEqual({
      limit: 9_007_199_254_740_991n,
      committed: 9_007_199_254_740_989n,
      escrow: 1n,
    })
  })

  test('whatever is asked, told, lost, doubled and late: committed and escrow never pass the limit', async () => {
    const amount = fc.bigInt({ min: 1n, max: 400n })
    const action = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('spend' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('return' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('repeat' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('lose' as const), lease: fc.nat(2), amount }),
    )
    await using subject = await opened()
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 30 }),
        fc.bigInt({ min: 0n, max: 1000n }),
        async (actions, limit) => {
          const tenantId = `tenant-${++run}`
          await subject.store.setLimit(rule(limit, { tenantId }))
          await subject.know(tenantId)
          const leases = [0, 1, 2].map((number) => ({
            leaseId: `${tenantId} ${number}`,
            granted: 0n,
            spent: 0n,
            told: 0n,
            returned: 0n,
            sent: [] as { step: Told; granted: bigint | undefined }[],
            seq: 0,
          }))
          for (const { kind, lease: number, amount } of actions) {
            const lease = leases[number]!
            const free = lease.granted - lease.spent - lease.returned
            if (kind === 'spend' && amount <= free) lease.spent += amount
            else if (kind === 'return' && amount <= free) lease.returned += amount
            else if (kind === 'lose') lease.seq++
            else if (kind === 'repeat' && lease.sent.length > 0) {
              const at = Number(amount) % lease.sent.length
              const { step: again, granted } = lease.sent[at]!
              const isLast = at === lease.sent.length - 1 && again.seq === lease.seq
              const answer = await subject.tell(again)
              if (isLast) expect(answer).toBe(granted)
              else if (again.seq !== lease.sent.at(-1)!.step.seq) expect(answer).toBe(0n)
            } else if (kind === 'ask') {
              const { leaseId, spent, returned } = lease
              const request = { leaseId, tenantId, seq: ++lease.seq, need: amount, spent, returned }
              const granted = await subject.tell(request, spent - lease.told)
              expect([0n, amount]).toContain(granted)
              lease.told = spent
              lease.granted += granted!
              lease.sent.push({ step: request, granted })
            }
            const standing = await subject.standing(tenantId)
            expect(standing!.committed).toBe(leases.reduce((sum, { told }) => sum + told, 0n))
            expect(standing!.committed + standing!.escrow).toBeLessThanOrEqual(limit)
          }
          for (const lease of leases) {
            const { leaseId, spent, returned } = lease
            await subject.tell(
              { leaseId, tenantId, seq: ++lease.seq, spent, returned, final: true },
              spent - lease.told,
            )
          }
          const committed = leases.reduce((sum, { spent }) => sum + spent, 0n)
          expect(await subject.standing(tenantId)).toEqual({ limit, committed, escrow: 0n })
        },
      ),
      { numRuns: 100 },
    )
  })
})

test('limits in PostgreSQL that an earlier version has made go on after `migrate`, however often it is run', async () => {
  await using subject = await STORES['postgres']!.open()
  const { url } = await once(startPostgres)
  const db = postgres({ databaseUrl: url })
  await migrate(db, { ...LIMIT_TABLES, steps: LIMIT_TABLES.steps.slice(0, 2) }, SCHEMA)
  await subject.store.setLimit(rule(100n))
  expect(await subject.store.lease([step({ need: 60n })])).toMatchObject([{ granted: 60n }])
  for (let run = 0; run < 2; run++) await migrate(db, LIMIT_TABLES, SCHEMA)
  expect(await versionOf(db, 'limits', SCHEMA)).toEqual({ version: LIMIT_TABLES.steps.length, needs: 1 })
  expect(
    await subject.store.lease([step({ leaseId: 'lease-2', need: 41n }), step({ seq: 2, spent: 20n })]),
  ).toMatchObject([{ granted: 0n }, { account: { committed: 20n, escrow: 40n } }])
  await db.close()
})
