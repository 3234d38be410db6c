// Buckets of time: where each begins by the calendar of a zone, and which of them a call falls into, as SQL.

import { MeterError } from '../errors.ts'
import { calendarOf } from '../limits/window.ts'
import type { Step } from './query.ts'

const HOUR = 3_600_000
/** Thirteen years of days, 200 days of hours: more than anybody looks at, and less than anything chokes on. */
export const MOST_BUCKETS = 5000
/** Calendars have no names for what is before the year 1 or after 9998, and no event is there but by mistake. */
export const EARLIEST = -62_135_596_800_000
export const LATEST = 253_370_764_800_000
const SPAN: Readonly<Record<Step, number>> = { hour: HOUR, day: 24 * HOUR, week: 168 * HOUR, month: 720 * HOUR }

/**
 * Where buckets begin and end, from the one that holds `since` to the one that holds the moment before `until`: one more
 * than there are buckets. Hours are counted from the start of the day, so that each is an hour long on the days on which
 * a clock is changed, too. Throws a `MeterError` for more buckets than an answer can have.
 */
export function edgesOf(every: Step, timeZone: string, since: number, until: number): number[] {
  const most = `at most ${MOST_BUCKETS} buckets: give \`since\` and \`until\`, or larger buckets`
  if ((until - since) / SPAN[every] > MOST_BUCKETS)
    throw new MeterError(
      'BAD_INPUT',
      `Expected a series of ${most}, got one of ${Math.ceil((until - since) / SPAN[every])}.`,
    )
  const windows = calendarOf(every === 'hour' ? 'day' : every, { timeZone })
  const edges: number[] = []
  let at = since
  while (at < until) {
    const window = windows.at(at)
    if (every === 'hour') for (let hour = window.from; hour < window.until; hour += HOUR) edges.push(hour)
    else edges.push(window.from)
    at = window.until
  }
  edges.push(at)
  if (every !== 'hour') return edges
  const first = edges.findLastIndex((edge) => edge <= since)
  const last = edges.findIndex((edge) => edge >= until)
  return edges.slice(first, last + 1)
}

/** Consecutive buckets that are as long. */
interface Run {
  readonly from: number
  readonly step: number
  readonly first: number
}

/** The number of the bucket of a time, from 0; `edges` has at least two, and the time lies between the first and the last. */
export function bucketSql(column: string, edges: readonly number[]): string {
  const runs: Run[] = []
  for (let i = 0; i + 1 < edges.length; i++) {
    const step = edges[i + 1]! - edges[i]!
    if (runs.at(-1)?.step !== step) runs.push({ from: edges[i]!, step, first: i })
  }
  return within(column, runs)
}

/** In halves, so that a hundred runs are seven comparisons. */
function within(column: string, runs: readonly Run[]): string {
  const [{ from, step, first }] = runs as readonly [Run]
  if (runs.length === 1) return `(${whole(first)} + (${column} - (${whole(from)})) / ${whole(step)})`
  const middle = Math.ceil(runs.length / 2)
  const [left, right] = [runs.slice(0, middle), runs.slice(middle)]
  return `CASE WHEN ${column} < ${whole(right[0]!.from)} THEN ${within(column, left)} ELSE ${within(column, right)} END`
}

/** Stands in SQL as it is: nothing but digits may. */
function whole(value: number): string {
  if (!Number.isSafeInteger(value)) throw new TypeError(`not a whole number: ${value}`)
  return String(value)
}
