// 100,000 tenants with limits in one process: what it takes to admit a call, and what a tenant takes of the memory.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ruleOf } from '../src/limits/limit.ts'
import type { LimitStore } from '../src/limits/limit-store.ts'
import { createLimiter } from '../src/limits/limiter.ts'
import { memoryLimitStore } from '../src/limits/memory-store.ts'
import { sqliteLimitStore } from '../src/limits/sqlite-store.ts'
import { createUnsynced } from '../src/limits/unsynced.ts'
import { parseUsd } from '../src/money.ts'
import { report } from './report.ts'
import { quantile } from './statistics.ts'

const TENANTS = 100_000

export async function tenants(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
  const rows: string[][] = []
  for (const [name, store] of [
    ['memory', memoryLimitStore()],
    ['sqlite', sqliteLimitStore({ path: join(dir, 'limits.db') })],
  ] as const)
    rows.push(await measure(name, store))
  rmSync(dir, { recursive: true, force: true })
  report({
    title: '100,000 tenants with a limit each in one process',
    columns: ['store', 'admit, p50 / p99', 'settle', 'admit the first call of each', 'memory a tenant, with its limit'],
    rows,
    notes: ['Without the spool, whose note before each call `limits.ts` has in it: p50 of `leases`.'],
  })
}

async function measure(name: string, store: LimitStore): Promise<string[]> {
  const before = heap()
  const limiter = createLimiter({
    store,
    unsynced: createUnsynced(),
    keep: () => undefined,
    heartbeatMs: 1 << 30,
    ttlMs: 1 << 30,
  })
  for (let n = 0; n < TENANTS; n++) await limiter.setLimit(ruleOf(`tenant-${n}`, { usd: 100, mode: 'hard' }))
  const cost = parseUsd('0.01')!
  const estimate = { expected: cost, ceiling: cost }
  const calls = Array.from({ length: TENANTS }, (_, n) => ({ tenantId: `tenant-${n}` }))
  const now = Date.now()
  async function round(): Promise<{ admit: Float64Array; settle: Float64Array }> {
    const admit = new Float64Array(TENANTS)
    const settle = new Float64Array(TENANTS)
    for (let n = 0; n < TENANTS; n++) {
      const call = calls[(n * 7919) % TENANTS]!
      const from = performance.now()
      const pockets = limiter.pockets(call, now)
      const found = pockets instanceof Promise ? await pockets : pockets
      const taken = limiter.reserve(found, estimate, call)
      const hold = taken instanceof Promise ? await taken : taken
      const admitted = performance.now()
      limiter.settle(hold, cost, now)
      admit[n] = (admitted - from) * 1000
      settle[n] = (performance.now() - admitted) * 1000
    }
    return { admit, settle }
  }
  const first = await round()
  // Slices grow with use.
  for (let n = 0; n < 3; n++) await round()
  const { admit, settle } = await round()
  const bytes = (heap() - before) / TENANTS
  const figures = (took: Float64Array) => `${quantile(took, 0.5).toFixed(2)} / ${quantile(took, 0.99).toFixed(1)} us`
  return [name, figures(admit), figures(settle), figures(first.admit), `${Math.round(bytes)} bytes`]
}

function heap(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
