// A limit as an application says it, and as it sees where it stands.

import { expected, type LimitWindow, MeterError } from '../errors.ts'
import { formatUsd, PICO_PER_NANO, PICO_PER_USD, type PicoUsd, parseDollars, picoFromNano } from '../money.ts'
import { checkTenantId } from '../tenant.ts'
import type { Account, LimitMode, LimitRule } from './limit-store.ts'
import { LIMIT_WINDOWS, windowEnd } from './window.ts'

/** A limit as `setLimit` takes it. */
export interface Limit {
  /** Dollars, to a billionth; 0 refuses every call that costs something. */
  readonly usd: number | string
  /** The calendar window in UTC that it counts in; default `'month'`. */
  readonly per?: LimitWindow
  /**
   * `'expected'` (default): a call holds what its prompt and the output that its request allows come to, or, where it
   * sets no cap, what such calls came to before; with nothing in flight and money left, a call is always admitted.
   * `'hard'`: every call holds the most that it can cost, so that the limit is not passed, and one that could pass it
   * is refused.
   */
  readonly mode?: LimitMode
}

/** A tenant's limit and where it stands. Sums are exact decimal dollars. */
export interface LimitState {
  readonly window: LimitWindow
  readonly mode: LimitMode
  readonly limitUsd: string
  readonly spentUsd: string
  /** Set aside for calls in flight in this process. */
  readonly heldUsd: string
  /** Never below 0. */
  readonly remainingUsd: string
  /** `undefined` for `total`. */
  readonly resetsAt: Date | undefined
}

const FIELDS: readonly string[] = ['usd', 'per', 'mode'] satisfies (keyof Limit)[]

/** What a store holds in 64 bits of nano-dollars, in whole dollars. */
const MOST_USD = 9_223_372_036n

/** The rule of a limit. Throws MeterError `BAD_INPUT` in one sentence for one that cannot be. */
export function ruleOf(tenantId: string, limit: Limit): LimitRule {
  checkTenantId(tenantId)
  if (typeof limit !== 'object' || limit === null)
    throw new MeterError('BAD_INPUT', expected('limit', 'an object such as `{ usd: 50 }`', limit))
  for (const name of Object.keys(limit))
    if (!FIELDS.includes(name))
      throw new MeterError(
        'BAD_INPUT',
        `There is no field \`${name.slice(0, 40)}\` in a limit; the fields are ${FIELDS.join(', ')}.`,
      )
  const { usd, per = 'month', mode = 'expected' } = limit
  const dollars = parseDollars(usd)
  if (dollars === undefined || dollars < 0n || dollars > MOST_USD * PICO_PER_USD)
    throw new MeterError('BAD_INPUT', expected('usd', `a number of dollars from 0 to ${MOST_USD}`, usd))
  checkWindow(per)
  if (mode !== 'expected' && mode !== 'hard')
    throw new MeterError('BAD_INPUT', expected('mode', "'expected' or 'hard'", mode))
  return { tenantId, window: per, limitNanoUsd: dollars / PICO_PER_NANO, mode }
}

export function checkWindow(window: unknown): void {
  if (!LIMIT_WINDOWS.includes(window as LimitWindow))
    throw new MeterError(
      'BAD_INPUT',
      expected('per', `one of ${LIMIT_WINDOWS.map((name) => `'${name}'`).join(', ')}`, window),
    )
}

export function stateOf(account: Account, held: PicoUsd, now: number): LimitState {
  const limit = picoFromNano(account.limitNanoUsd)
  const spent = picoFromNano(account.committed)
  const ends = windowEnd(account.window, now)
  const left = limit - spent - held
  return {
    window: account.window,
    mode: account.mode,
    limitUsd: formatUsd(limit),
    spentUsd: formatUsd(spent),
    heldUsd: formatUsd(held),
    remainingUsd: formatUsd(left > 0n ? left : 0n),
    resetsAt: ends === undefined ? undefined : new Date(ends),
  }
}
