// One process of several that share a limit: `limits.ts` starts it, and it tells what its calls cost.

import { openSync, writeSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createDelivery } from '../src/delivery/delivery.ts'
import { ruleOf } from '../src/limits/limit.ts'
import type { LimitStore } from '../src/limits/limit-store.ts'
import { createLimiter } from '../src/limits/limiter.ts'
import { memoryLimitStore } from '../src/limits/memory-store.ts'
import type { StoreDownPolicy } from '../src/limits/outage.ts'
import { postgresLimitStore } from '../src/limits/postgres-store.ts'
import { redisLimitStore } from '../src/limits/redis-store.ts'
import { sqliteLimitStore } from '../src/limits/sqlite-store.ts'
import { createUnsynced } from '../src/limits/unsynced.ts'
import { type PicoUsd, parseUsd, picoFromNano } from '../src/money.ts'
import { createProblems } from '../src/problems.ts'
import { quantile } from './statistics.ts'

export interface Work {
  readonly kind: 'sqlite' | 'postgres' | 'redis'
  readonly place: string
  /** Where its spool is; and where it writes down what its calls cost. */
  readonly dir: string
  readonly name: string
  readonly seconds: number
  readonly usd: string
  /** As a limiter does it, or as others do: a figure that is asked for every five seconds; a question to the store for each call. */
  readonly how?: 'leases' | 'cached' | 'each call'
  readonly skewMs?: number
  readonly ttlMs?: number
  readonly whenDown?: Exclude<StoreDownPolicy, object>
}

export interface Told {
  readonly calls: number
  readonly refused: number
  readonly operations: number
  readonly p50: number
  readonly p99: number
}

/** `undefined` for a refusal. */
type Settle = (cost: PicoUsd) => void | Promise<void>
type Take = () => Settle | undefined | Promise<Settle | undefined>

const work = JSON.parse(process.argv[2] ?? '{}') as Work
const { kind, place, dir, name, seconds, usd, how = 'leases', skewMs = 0, ttlMs = 30_000, whenDown } = work
const IN_FLIGHT = 25
const MOST = parseUsd('0.02')!
const MOST_NANO = 20_000_000n
const rule = ruleOf('acme', { usd, mode: 'hard', per: 'total' })
const key = { scope: rule.scope, per: rule.per, windowId: 'total', earlier: [] } as const
const call = { tenantId: 'acme' }
const estimate = { expected: MOST, ceiling: MOST }
let operations = 0

function open(): LimitStore {
  if (kind === 'postgres') return postgresLimitStore({ databaseUrl: place })
  // Its own word that it cannot be reached is told by the limiter.
  if (kind === 'redis') return redisLimitStore({ client: new Redis(place).on('error', () => undefined) })
  return sqliteLimitStore({ path: place })
}

const store = open()
const counted: LimitStore = {
  ...store,
  lease(steps) {
    operations++
    return store.lease(steps)
  },
  changes(since) {
    operations++
    return store.changes(since)
  },
}

function byLeases() {
  const problems = createProblems({ onProblem: () => undefined, raiseOnError: false })
  const sink = { name: 'nowhere', send: async () => ({ outcome: 'delivered' }) as const }
  const delivery = createDelivery({
    sinks: [sink],
    problems,
    spool: { dir, opening: () => limiter.opening() },
    isNeeded: () => limiter.hasLeases,
  })
  const limiter = createLimiter({
    store: counted,
    unsynced: createUnsynced(),
    keep: (kept) => void kept.catch(() => undefined),
    now: () => Date.now() + skewMs,
    note: delivery.note,
    ttlMs,
    whenDown,
  })
  return {
    limiter,
    take(): Settle | Promise<Settle> {
      const pockets = limiter.pockets(call, Date.now())
      const settles = (hold: Awaited<ReturnType<typeof limiter.reserve>>): Settle => {
        return (cost) => limiter.settle(hold, cost, Date.now())
      }
      if (pockets instanceof Promise)
        return pockets.then(async (found) => settles(await limiter.reserve(found, estimate, call)))
      const hold = limiter.reserve(pockets, estimate, call)
      return hold instanceof Promise ? hold.then(settles) : settles(hold)
    },
    async close() {
      await limiter.close()
      await delivery.close(0)
    },
  }
}

/** Asks every five seconds, adds up what is spent, and tells it every five seconds or fifty calls. */
function byCache(): { take: Take; close: () => Promise<void> } {
  let left = 0n
  let askedAt = Number.NEGATIVE_INFINITY
  let spent = 0n
  let calls = 0
  let seq = 0
  let telling: Promise<unknown> = Promise.resolve()
  const none = { need: 0n, least: 0n, want: 0n, granted: 0n, returned: 0n, opening: 0n, warned: 0, endsAt: undefined }
  const tell = () => {
    const step = { ...key, ...none, leaseId: name, seq: ++seq, spent: spent / 1000n, final: false, ttlMs: 1 << 30 }
    telling = telling.then(async () => counted.lease([step]))
  }
  const timer = setInterval(tell, 5000)
  return {
    async take() {
      if (performance.now() - askedAt > 5000) {
        askedAt = performance.now()
        operations++
        const [account] = await store.accounts([key])
        left = account!.limitNanoUsd - account!.committed
      }
      if (left <= 0n) return undefined
      return (cost) => {
        spent += cost
        if (++calls % 50 === 0) tell()
      }
    },
    async close() {
      clearInterval(timer)
      tell()
      await telling
    },
  }
}

/** A lease for each call: taken before it, and ended by it. */
function byEachCall(): { take: Take; close: () => Promise<void> } {
  let made = 0
  const none = { granted: 0n, returned: 0n, opening: 0n, warned: 0, endsAt: undefined, ttlMs: 60_000 }
  return {
    async take() {
      const own = { ...key, ...none, leaseId: `${name}-${++made}` }
      const [answer] = await counted.lease([
        { ...own, seq: 1, need: MOST_NANO, least: MOST_NANO, want: MOST_NANO, spent: 0n, final: false },
      ])
      if (answer!.granted === 0n) return undefined
      return async (cost) => {
        const spent = (cost + 999n) / 1000n
        await counted.lease([{ ...own, seq: 2, need: 0n, least: 0n, want: 0n, spent, final: true }])
      }
    },
    close: async () => undefined,
  }
}

/** The code is compiled by its use, as it is in a process that has run for a minute. */
async function warmUp(): Promise<void> {
  const warm = createLimiter({
    store: memoryLimitStore(),
    unsynced: createUnsynced(),
    keep: (kept) => void kept.catch(() => undefined),
    note: () => true,
  })
  await warm.setLimit({ ...rule, limitNanoUsd: picoFromNano(1_000_000_000n) })
  for (let n = 0; n < 20_000; n++) {
    const hold = await warm.reserve(await warm.pockets(call, Date.now()), estimate, call)
    warm.settle(hold, MOST, Date.now())
  }
  await warm.close()
}

const leases = how === 'leases' ? byLeases() : undefined
const { take, close } = leases ?? (how === 'cached' ? byCache() : byEachCall())
const costs = openSync(`${dir}/${name}.costs`, 'a')
const added: number[] = []
let calls = 0
let refused = 0

async function work25(until: number): Promise<void> {
  while (performance.now() < until) {
    const before = performance.now()
    try {
      const taking = take()
      const settle = taking instanceof Promise ? await taking : taking
      if (settle === undefined) throw new Error('refused')
      const took = (performance.now() - before) * 1000
      await pause(50 + Math.random() * 250)
      const cost = (MOST * BigInt(100 + Math.floor(Math.random() * 901))) / 1000n
      // What the provider bills, whether or not we live to settle it.
      writeSync(costs, `${cost}\n`)
      calls++
      const settled = performance.now()
      await settle(cost)
      // At first everybody waits for the first slice.
      if (before > steadyFrom) added.push(took + (how === 'each call' ? (performance.now() - settled) * 1000 : 0))
    } catch {
      refused++
      await pause(20 + Math.random() * 50)
    }
  }
}

await warmUp()
if (leases) {
  await leases.limiter.setLimit(rule)
  await leases.limiter.beat()
} else await store.setLimit(rule)
process.send?.('ready')
const steadyFrom = performance.now() + 1000
const until = steadyFrom - 1000 + seconds * 1000
await Promise.all(Array.from({ length: IN_FLIGHT }, () => work25(until)))
await close()
await store.close?.()
const told: Told = { calls, refused, operations, p50: quantile(added, 0.5), p99: quantile(added, 0.99) }
process.send?.(told, () => process.exit(0))
