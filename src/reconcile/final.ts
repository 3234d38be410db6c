// Which days of a period a source changes no more.

import { expected, MeterError } from '../errors.ts'
import { DAY, type Period, type Statement } from './statement.ts'
import { dateOf } from './summary.ts'

export interface FinalDays {
  readonly period: Period
  /** Days that were asked for, and are not final yet. */
  readonly notFinal: readonly string[]
}

/** Whole days in UTC, from the one that holds `since` to the last one before `until`. */
export function finalDays(
  { usage, cost }: Pick<Statement, 'usage' | 'cost'>,
  { since, until }: Period,
  now: number,
): FinalDays {
  for (const [name, moment] of Object.entries({ since, until }))
    if (!Number.isFinite(moment))
      throw new MeterError('BAD_INPUT', expected(name, 'a moment in epoch milliseconds', moment))
  const first = Math.floor(since / DAY) * DAY
  const last = Math.ceil(until / DAY) * DAY
  if (first >= last) throw new MeterError('BAD_INPUT', 'Expected `until` to be after `since`.')
  const lag = Math.max(usage?.lagMs ?? 0, cost?.lagMs ?? 0)
  // A day is over when it is, and final when its rows have come.
  const end = Math.min(last, Math.max(first, Math.floor((now - lag) / DAY) * DAY))
  const notFinal: string[] = []
  for (let at = end; at < last && at < now; at += DAY) notFinal.push(dateOf(at))
  return { period: { since: first, until: end }, notFinal }
}
