// One process of several that share a limit: `limits.bench.ts` starts it, and it tells what its calls cost.

import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { ruleOf } from '../src/limits/limit.ts'
import type { LimitStore } from '../src/limits/limit-store.ts'
import { createLimiter } from '../src/limits/limiter.ts'
import { postgresLimitStore } from '../src/limits/postgres-store.ts'
import { redisLimitStore } from '../src/limits/redis-store.ts'
import { sqliteLimitStore } from '../src/limits/sqlite-store.ts'
import { createUnsynced } from '../src/limits/unsynced.ts'
import { parseUsd } from '../src/money.ts'

const [kind = 'sqlite', place = '', seconds = '10', skewMs = '0', usd = '10'] = process.argv.slice(2)

let operations = 0
/** The cost of every question, not of every call. */
function counted(store: LimitStore): LimitStore {
  return {
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
}

function open(): LimitStore {
  if (kind === 'postgres') return postgresLimitStore({ databaseUrl: place })
  return kind === 'redis' ? redisLimitStore({ client: new Redis(place) }) : sqliteLimitStore({ path: place })
}

const limiter = createLimiter({
  store: counted(open()),
  unsynced: createUnsynced(),
  keep: (work) => void work.catch(() => undefined),
  now: () => Date.now() + Number(skewMs),
})
const call = { tenantId: 'acme' }
const estimate = { expected: parseUsd('0.02')!, ceiling: parseUsd('0.02')! }
const added: number[] = []
let spent = 0n
let calls = 0
let refused = 0

async function work(until: number): Promise<void> {
  while (performance.now() < until) {
    const before = performance.now()
    try {
      const pockets = limiter.pockets(call, Date.now())
      const found = pockets instanceof Promise ? await pockets : pockets
      const holding = limiter.reserve(found, estimate, call)
      const hold = holding instanceof Promise ? await holding : holding
      added.push((performance.now() - before) * 1000)
      await pause(50 + Math.random() * 250)
      const cost = (parseUsd('0.02')! * BigInt(100 + Math.floor(Math.random() * 901))) / 1000n
      spent += cost
      calls++
      process.send?.({ spent: String(cost) })
      limiter.settle(hold, cost, Date.now())
    } catch {
      refused++
      await pause(20 + Math.random() * 50)
    }
  }
}

await limiter.setLimit(ruleOf('acme', { usd, mode: 'hard', per: 'total' }))
await limiter.beat()
const until = performance.now() + Number(seconds) * 1000
await Promise.all(Array.from({ length: 25 }, () => work(until)))
added.sort((a, b) => a - b)
const quantile = (q: number) => added[Math.floor((added.length - 1) * q)] ?? 0
await limiter.close()
process.send?.({
  calls,
  refused,
  operations,
  total: String(spent),
  p50: quantile(0.5),
  p99: quantile(0.99),
  counts: limiter.counts.falseRefusals,
})
process.disconnect?.()
setTimeout(() => process.exit(0), 200).unref()
