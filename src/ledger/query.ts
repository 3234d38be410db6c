// What a ledger can be asked, and the check that a question is one: names come from closed lists, and the rest are values.

import { expected, MeterError } from '../errors.ts'
import { type Dimension as ColumnDimension, DIMENSIONS, type TotalsRow } from '../sinks/ledger.ts'

/** What can be grouped by and asked for; `tag:plan` is the tag `plan`. */
export type Dimension = ColumnDimension | `tag:${string}`

/** By dimension, what an event must have: one value, one of several, or `null` for none. A day is one in UTC, `2026-11-22`. */
export type Where = { readonly [D in Dimension]?: string | null | readonly (string | null)[] | undefined }

export interface Query {
  /** Epoch milliseconds, inclusive. */
  readonly since?: number | undefined
  /** Epoch milliseconds, not included. */
  readonly until?: number | undefined
  readonly where?: Where | undefined
}

export const ORDERS = ['cost', 'calls', 'input_tokens', 'output_tokens', 'key'] as const
/** The largest first; `key`: by the bytes of the values, those without one first. */
export type Order = (typeof ORDERS)[number]

export interface TotalsOptions extends Query {
  /** Nothing: one row, the sum of all. */
  readonly by?: readonly Dimension[] | undefined
  /** `cost` unless told. */
  readonly order?: Order | undefined
  /** Rows of the answer; all of them unless told. */
  readonly limit?: number | undefined
  readonly offset?: number | undefined
}

export interface Totals {
  readonly rows: readonly TotalsRow[]
  /** Of all groups, and not only of those in `rows`. */
  readonly total: TotalsRow
  /** How many groups there are. */
  readonly count: number
}

export const STEPS = ['hour', 'day', 'week', 'month'] as const
export type Step = (typeof STEPS)[number]

export interface SeriesOptions extends Query {
  readonly every: Step
  /** IANA name; `UTC` unless told. */
  readonly timeZone?: string | undefined
  readonly by?: Dimension | undefined
  /** With `by`: so many values have a row of their own, those that cost most; the others are one. 8 unless told. */
  readonly top?: number | undefined
}

export interface SeriesRow {
  /** `null` for what has no value, for what is `isOther`, and without `by`. */
  readonly key: string | null
  /** All values that have no row of their own. */
  readonly isOther?: true
  /** Pico-dollars, one for each bucket. */
  readonly cost: readonly bigint[]
  readonly calls: readonly number[]
  readonly inputTokens: readonly number[]
  readonly outputTokens: readonly number[]
}

export interface Series {
  /** When each bucket begins, epoch milliseconds. The first may begin before `since`, and has what is after it. */
  readonly buckets: readonly number[]
  /** When the last bucket ends; `undefined` where there are none. */
  readonly end: number | undefined
  /** What cost most first, and what is `isOther` last. */
  readonly rows: readonly SeriesRow[]
}

export const MEASURES = ['duration_ms', 'time_to_first_token_ms', 'cost'] as const
export type Measure = (typeof MEASURES)[number]

export interface PercentilesOptions<M extends Measure = Measure> extends Query {
  readonly of: M
  readonly by?: Dimension | undefined
  /** Groups, those with most calls first; 100 unless told. */
  readonly limit?: number | undefined
  /**
   * Look at so many calls only, spread evenly over all of them, where there are more than five times as many; all unless
   * told. Of 10,000, a hundred lie beyond the 99th percentile, give or take ten.
   */
  readonly sample?: number | undefined
}

/** The value at or below which so many of a hundred calls are: always one that a call had. */
export interface PercentilesRow<T = number> {
  readonly key: string | null
  /** Calls that have the value at all; where it is a sample, those of the sample. */
  readonly calls: number
  readonly isSample?: true
  readonly p50: T
  readonly p90: T
  readonly p95: T
  readonly p99: T
}

const MOST_DIMENSIONS = 20
const MOST_VALUES = 1000
const LONGEST_TAG = 1024

export function checkQuery({ since, until, where }: Query): void {
  for (const [name, moment] of Object.entries({ since, until }))
    if (moment !== undefined && (typeof moment !== 'number' || Number.isNaN(moment)))
      throw new MeterError('BAD_INPUT', expected(name, 'a moment in epoch milliseconds', moment))
  if (where === undefined) return
  if (typeof where !== 'object' || where === null || Array.isArray(where))
    throw new MeterError('BAD_INPUT', expected('where', 'an object of dimensions and their values', where))
  for (const [name, given] of Object.entries(where)) {
    checkDimension('where', name)
    if (given === undefined) continue
    const values: readonly unknown[] = Array.isArray(given) ? given : [given]
    if (values.length > MOST_VALUES)
      throw new MeterError('BAD_INPUT', `Expected \`where.${name}\` to have at most ${MOST_VALUES} values.`)
    for (const value of values)
      if (value !== null && typeof value !== 'string')
        throw new MeterError('BAD_INPUT', expected(`where.${name}`, 'a string, null, or a list of them', value))
  }
}

export function checkBy(by: readonly unknown[]): void {
  if (!Array.isArray(by)) throw new MeterError('BAD_INPUT', expected('by', 'a list of dimensions', by))
  if (by.length > MOST_DIMENSIONS)
    throw new MeterError('BAD_INPUT', `Expected \`by\` to have at most ${MOST_DIMENSIONS} dimensions.`)
  for (const name of by) checkDimension('by', name)
}

export function checkDimension(where: string, name: unknown): asserts name is Dimension {
  if (typeof name === 'string' && (DIMENSIONS as readonly string[]).includes(name)) return
  if (typeof name === 'string' && name.startsWith('tag:') && name.length > 4 && name.length <= LONGEST_TAG) return
  throw new MeterError('BAD_INPUT', expected(where, `one of ${DIMENSIONS.join(', ')} or tag:<name>`, name))
}

export function checkOneOf<T extends string>(name: string, value: unknown, list: readonly T[]): asserts value is T {
  if (!list.includes(value as T)) throw new MeterError('BAD_INPUT', expected(name, `one of ${list.join(', ')}`, value))
}

export function checkCount(name: string, value: unknown, least: number, most: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least || (value as number) > most)
    throw new MeterError('BAD_INPUT', expected(name, `a whole number from ${least} to ${most}`, value))
}
