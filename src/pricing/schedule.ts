// Which row of a model holds at a moment, and until when: prices have dates, and some have hours.

import type { RowData } from './book-data.ts'

const DAY_MS = 86_400_000

/** A row and the span of time, end excluded, in which it is surely the answer. */
export interface Period {
  readonly row: RowData | undefined
  readonly from: number
  readonly until: number
}

/** The last row that holds at `at`, epoch milliseconds. */
export function periodAt(rows: readonly RowData[], at: number): Period {
  let from = Number.NEGATIVE_INFINITY
  let until = Number.POSITIVE_INFINITY
  const edge = (time: number) => {
    if (time <= at) from = Math.max(from, time)
    else until = Math.min(until, time)
  }
  const midnight = Math.floor(at / DAY_MS) * DAY_MS
  for (const row of rows) {
    if (row.from !== undefined) edge(Date.parse(row.from))
    if (row.hours === undefined && row.days === undefined) continue
    edge(midnight)
    edge(midnight + DAY_MS)
    for (const span of row.hours ?? []) for (const time of timesOf(span)) edge(midnight + time)
  }
  return { row: rows.findLast((row) => holds(row, at)), from, until }
}

function holds({ from, days, hours }: RowData, at: number): boolean {
  if (from !== undefined && at < Date.parse(from)) return false
  const day = Math.floor(at / DAY_MS)
  // The epoch began on a Thursday.
  if (days && !days.includes((((day + 4) % 7) + 7) % 7)) return false
  return hours === undefined || hours.some((span) => isWithin(span, at - day * DAY_MS))
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
