// Whom limits have refused, by the minute: running totals, which are kept until a ledger has them.

import { LimitExceededError, MeterError } from '../errors.ts'
import type { RefusedCalls, RefusedCode } from '../sinks/meter-report.ts'

export interface Refusals {
  /** A call was refused by this error. */
  add(error: unknown, tenantId: string | undefined): void
  /** What no ledger is known to have in full. */
  untold(): RefusedCalls[]
  /** These are kept: what has not grown since, and grows no more, is forgotten. */
  told(refusals: readonly RefusedCalls[]): void
}

interface Count {
  readonly of: Omit<RefusedCalls, 'calls'>
  calls: number
  told: number
}

const MINUTE_MS = 60_000
/** Minutes, tenants and limits that are told apart; an application can refuse any number of them. */
const MOST = 1000
/** Further minutes whose others are told apart from those of other minutes. */
const MOST_OTHERS = 60
/** A scope names up to six things of 256 characters. Its kind says enough of a longer one. */
const LONGEST_SCOPE = 512

export function createRefusals(now: () => number = Date.now): Refusals {
  const counts = new Map<string, Count>()
  /** Never goes back: what was forgotten of a minute must not begin at 1 again. */
  let minute = 0
  let others: Count | undefined

  function thisMinute(): number {
    minute = Math.max(minute, Math.floor(now() / MINUTE_MS) * MINUTE_MS)
    return minute
  }

  function countOf(of: Omit<RefusedCalls, 'calls'>): Count {
    const key = keyOf(of)
    const known = counts.get(key)
    if (known !== undefined) return known
    const isOther = of.code === 'OTHERS'
    if (!isOther && counts.size >= MOST)
      return countOf({ at: of.at, tenantId: null, scope: null, window: null, code: 'OTHERS' })
    if (isOther && others !== undefined && counts.size >= MOST + MOST_OTHERS && counts.has(keyOf(others.of)))
      return others
    const count = { of, calls: 0, told: 0 }
    counts.set(key, count)
    if (isOther) others = count
    return count
  }

  return {
    add(error, tenantId) {
      countOf({ at: thisMinute(), tenantId: tenantId ?? null, ...limitIn(error) }).calls++
    },
    untold: () => [...counts.values()].flatMap(({ of, calls, told }) => (calls > told ? { ...of, calls } : [])),
    told(refusals) {
      for (const one of refusals) {
        const count = counts.get(keyOf(one))
        if (count !== undefined) count.told = Math.max(count.told, one.calls)
      }
      const current = thisMinute()
      for (const [key, { of, calls, told }] of counts) if (told === calls && of.at < current) counts.delete(key)
    },
  }
}

function keyOf({ at, tenantId, scope, window, code }: Omit<RefusedCalls, 'calls'>): string {
  return JSON.stringify([at, tenantId, scope, window, code])
}

function limitIn(error: unknown): Pick<RefusedCalls, 'scope' | 'window' | 'code'> {
  const code = (error instanceof MeterError ? error.code : 'LIMIT_EXCEEDED') as RefusedCode
  if (!(error instanceof LimitExceededError)) return { scope: null, window: null, code }
  const { limitOf, scope, window } = error
  const named = limitOf !== undefined && limitOf.length <= LONGEST_SCOPE ? limitOf : scope
  return { scope: named ?? null, window: window ?? null, code }
}
