// Which row holds at a moment, and until when: prices have dates, and some have hours and holidays.

import type { BookData, TimesData } from './book-data.ts'

const DAY_MS = 86_400_000

export type Calendars = NonNullable<BookData['calendars']>

/** The span of time around a moment, end excluded, in which an answer surely stays the same. Narrowed by all that is asked. */
export interface Span {
  readonly at: number
  from: number
  until: number
}

export function spanAround(at: number): Span {
  return { at, from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY }
}

/** The last of `rows` that holds at the moment of `span`. */
export function lastHolding<Row extends TimesData>(
  rows: readonly Row[],
  span: Span,
  calendars: Calendars,
): Row | undefined {
  for (const row of rows) narrow(span, row)
  return rows.findLast((row) => holds(row, span.at, calendars))
}

/** The first moment at which any of them holds, were there no hours. */
export function firstMoment(rows: readonly TimesData[]): number {
  return Math.min(...rows.map(({ from }) => (from === undefined ? Number.NEGATIVE_INFINITY : Date.parse(from))))
}

function narrow(span: Span, { from, until, days, hours, except }: TimesData): void {
  if (from !== undefined) edge(span, Date.parse(from))
  if (until !== undefined) edge(span, endOf(until))
  if (hours === undefined && days === undefined && except === undefined) return
  const midnight = Math.floor(span.at / DAY_MS) * DAY_MS
  edge(span, midnight)
  edge(span, midnight + DAY_MS)
  for (const hour of hours ?? []) for (const time of timesOf(hour)) edge(span, midnight + time)
}

function edge(span: Span, time: number): void {
  if (time <= span.at) span.from = Math.max(span.from, time)
  else span.until = Math.min(span.until, time)
}

function holds({ from, until, days, hours, except }: TimesData, at: number, calendars: Calendars): boolean {
  if (from !== undefined && at < Date.parse(from)) return false
  if (until !== undefined && at >= endOf(until)) return false
  const day = Math.floor(at / DAY_MS)
  // The epoch began on a Thursday.
  if (days && !days.includes((((day + 4) % 7) + 7) % 7)) return false
  if (except !== undefined && calendars[except]?.includes(new Date(day * DAY_MS).toISOString().slice(0, 10)))
    return false
  return hours === undefined || hours.some((span) => isWithin(span, at - day * DAY_MS))
}

/** A day ends with it, a moment at once. */
function endOf(until: string): number {
  return Date.parse(until) + (until.includes('T') ? 0 : DAY_MS)
}

function isWithin(span: string, time: number): boolean {
  const [start, end] = timesOf(span)
  return start <= end ? time >= start && time < end : time >= start || time < end
}

function timesOf(span: string): readonly [start: number, end: number] {
  return [timeOf(span.slice(0, 5)), timeOf(span.slice(6))]
}

function timeOf(clock: string): number {
  return (Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3))) * 60_000
}
