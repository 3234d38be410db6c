// Where the month will end: by the days of the last four weeks, with a range that says how much the days differ.

import { type PicoUsd, scale } from '../money.ts'

export interface Projection {
  readonly usd: PicoUsd
  /** Eight months of ten end between `low` and `high`, where days go on to differ as they did. Never below what is spent. */
  readonly low: PicoUsd
  readonly high: PicoUsd
  /** How many whole days it goes by, at most 28; with none it goes by today alone, and `high` is a guess. */
  readonly days: number
}

export interface MonthSoFar {
  readonly spent: PicoUsd
  /** Of it, today. */
  readonly today: PicoUsd
  /** Of today, in milliseconds. */
  readonly elapsed: number
  /** Of today, in milliseconds. */
  readonly left: number
  /** Whole days of the month after today. */
  readonly daysAfter: number
  /** What each whole day before today cost, yesterday last. */
  readonly history: readonly PicoUsd[]
}

const HOUR = 3_600_000
const WEEK = 7
/** A day of the week is told from the others by two of its kind. */
const TELLS_WEEKDAYS = 2 * WEEK
/** Of the normal distribution: four fifths lie within so many standard deviations. */
const FOUR_FIFTHS = 1.281_551_565_5

/**
 * What is spent, what is left of today, and each day after it as dear as its weekday was on average in the last four
 * weeks; as the average of all days where there are fewer than two weeks of them. The range is that of a sum of
 * independent days around an average that is itself an estimate.
 */
export function project(month: MonthSoFar): Projection {
  const { spent, today, elapsed, left, daysAfter, history } = month
  const days = history.length
  if (days === 0) {
    const day = elapsed + left
    const rest = scale(today, BigInt(Math.round(left + daysAfter * day)), BigInt(Math.round(Math.max(elapsed, HOUR))))
    return { usd: spent + rest, low: spent, high: spent + 2n * rest, days }
  }
  const kinds = days >= TELLS_WEEKDAYS ? WEEK : 1
  /** Today is the day number `days`. */
  const alike = (day: number) => history.filter((_, i) => (day - i) % kinds === 0)
  const meanOf = (day: number, share: [bigint, bigint] = [1n, 1n]) => {
    const costs = alike(day)
    return scale(
      costs.reduce((sum, cost) => sum + cost, 0n),
      share[0],
      share[1] * BigInt(costs.length),
    )
  }
  let rest = meanOf(days, [BigInt(Math.round(left)), BigInt(Math.max(1, Math.round(elapsed + left)))])
  for (let i = 1; i <= daysAfter; i++) rest += meanOf(days + i)
  const usd = spent + rest
  if (days <= kinds) return { usd, low: spent, high: usd + rest, days }
  const off = history.map((cost, i) => Number(cost - meanOf(i)))
  const variance = off.reduce((sum, each) => sum + each * each, 0) / (days - kinds)
  const ahead = daysAfter + left / (elapsed + left)
  const width = BigInt(Math.round(FOUR_FIFTHS * Math.sqrt(variance * ahead * (1 + ahead / days))))
  return { usd, low: usd - width > spent ? usd - width : spent, high: usd + width, days }
}
