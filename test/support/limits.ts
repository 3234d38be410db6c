// A limiter over a store that tests share and hold up, with clocks that tests set.

import type { Estimate } from '../../src/limits/estimate.ts'
import { type Limit, ruleOf } from '../../src/limits/limit.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { createLimiter, type Hold, type Limiter } from '../../src/limits/limiter.ts'
import type { LimiterSetup } from '../../src/limits/limiter-setup.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'
import { type Belonging, type LimitTarget, scopeOf } from '../../src/limits/scope.ts'
import { createUnsynced } from '../../src/limits/unsynced.ts'
import type { LimitWarning } from '../../src/limits/warnings.ts'
import { type PicoUsd, parseUsd } from '../../src/money.ts'

export const AT = Date.UTC(2026, 10, 22, 14, 30)
export const usd = (text: string): PicoUsd => parseUsd(text)!

export interface Clock {
  now: number
  /** Milliseconds that only ever rise. */
  monotonic: number
}

export interface Process {
  readonly limiter: Limiter
  readonly warnings: LimitWarning[]
  /** What was told of the store: `down`, `up`, `lost`. */
  readonly states: string[]
  limit(target: LimitTarget, limit: Limit): Promise<void>
  call(estimate: Estimate | string, belonging?: Belonging): Promise<Hold>
  /** What is left, spent and held of a limit, in dollars. */
  standing(target?: LimitTarget, per?: Limit['per']): Promise<string>
}

/** One process; give several the same store and clock. */
export function process(store: LimitStore, clock: Clock, over: Partial<LimiterSetup> = {}): Process {
  const warnings: LimitWarning[] = []
  const states: string[] = []
  const limiter = createLimiter({
    store,
    unsynced: createUnsynced(),
    keep: (work) => void work.catch(() => undefined),
    onWarning: (warning) => warnings.push(warning),
    onStore: (state) => states.push(state),
    now: () => clock.now,
    monotonic: () => clock.monotonic,
    heartbeatMs: 1 << 30,
    ...over,
  })
  return {
    limiter,
    warnings,
    states,
    limit: async (target, limit) => limiter.setLimit(ruleOf(target, limit)),
    async call(estimate, belonging = { tenantId: 'acme' }) {
      const pockets = await limiter.pockets(belonging, clock.now)
      const whole = typeof estimate === 'string' ? { expected: usd(estimate), ceiling: usd(estimate) } : estimate
      return limiter.reserve(pockets, whole, belonging)
    },
    async standing(target = 'acme', per = 'month') {
      const state = await limiter.state(scopeOf(target).scope, per)
      return state ? `${state.remainingUsd} left, ${state.spentUsd} spent, ${state.heldUsd} held` : 'no limit'
    },
  }
}

export function clocks(): Clock {
  return { now: AT, monotonic: 0 }
}

export function memory(clock: Clock): LimitStore {
  return memoryLimitStore({ now: () => clock.now, monotonic: () => clock.monotonic })
}

/** A store behind a wire that a test can cut; `hangs` never answers. */
export function remote(store: LimitStore): LimitStore & { state: 'up' | 'down' | 'hangs'; operations: number } {
  const over = <T>(work: () => T | Promise<T>): Promise<T> => {
    wire.operations++
    if (wire.state === 'hangs') return new Promise(() => undefined)
    return wire.state === 'down' ? Promise.reject(new Error('down')) : Promise.resolve().then(work)
  }
  const wire = {
    state: 'up' as 'up' | 'down' | 'hangs',
    operations: 0,
    setLimit: (rule) => over(() => store.setLimit(rule)),
    removeLimit: (key) => over(() => store.removeLimit(key)),
    changes: (since) => over(() => store.changes(since)),
    accounts: (keys) => over(() => store.accounts(keys)),
    lease: (steps) => over(() => store.lease(steps)),
  } satisfies LimitStore & Record<'state', string> & Record<'operations', number>
  return wire
}
