// The summary: today and this month beside the ones before, and where the month will end; read from the events once.

import { expected, MeterError } from '../errors.ts'
import { calendarOf } from '../limits/window.ts'
import type { TotalsRow } from '../sinks/ledger.ts'
import { SUMS, toTotalsRow } from '../sinks/totals.ts'
import { bucketSql, EARLIEST, LATEST } from './buckets.ts'
import type { Dialect, Row } from './dialect.ts'
import { addTotals } from './groups.ts'
import { sumsSql } from './parts.ts'
import { type Projection, project } from './projection.ts'
import { checkQuery, type Where } from './query.ts'
import { createDraft, type Statement } from './statement.ts'

export interface SummaryOptions {
  /** Epoch milliseconds; the clock's unless told. */
  readonly now?: number | undefined
  /** IANA name, which says when a day and a month begin; `UTC` unless told. */
  readonly timeZone?: string | undefined
  readonly where?: Where | undefined
}

export interface Summary {
  readonly today: TotalsRow
  readonly yesterday: TotalsRow
  /** Yesterday up to this time of day: what `today` can be held against. */
  readonly yesterdayByNow: TotalsRow
  readonly thisMonth: TotalsRow
  readonly lastMonth: TotalsRow
  /** Last month up to as far into it as this one is. */
  readonly lastMonthByNow: TotalsRow
  /** What this month will have cost at its end, in pico-dollars. */
  readonly projected: Projection
}

const HISTORY_DAYS = 28

interface Moments {
  readonly today: number
  readonly tomorrow: number
  readonly yesterday: number
  readonly yesterdayByNow: number
  readonly month: number
  readonly monthEnd: number
  readonly lastMonth: number
  readonly lastMonthByNow: number
  /** When each of the days began that a projection goes by, the oldest first. */
  readonly days: readonly number[]
  /** How many whole days the month has after today. */
  readonly daysAfter: number
}

export interface SummaryPlan {
  readonly now: number
  readonly moments: Moments
  readonly edges: readonly number[]
  readonly where: Where | undefined
}

export function planSummary({ now = Date.now(), timeZone = 'UTC', where }: SummaryOptions): SummaryPlan {
  if (typeof now !== 'number' || !(now >= EARLIEST && now < LATEST))
    throw new MeterError('BAD_INPUT', expected('now', 'a moment in epoch milliseconds', now))
  checkQuery({ where })
  const moments = momentsOf(Math.floor(now), timeZone)
  const { days, daysAfter: _, ...rest } = moments
  const edges = [...new Set([...days, ...Object.values(rest)])].sort((a, b) => a - b)
  return { now, moments, edges: edges.filter((edge) => edge <= moments.tomorrow), where }
}

function momentsOf(now: number, timeZone: string): Moments {
  const [days, months] = [calendarOf('day', { timeZone }), calendarOf('month', { timeZone })]
  const [day, month] = [days.at(now), months.at(now)]
  const yesterday = days.at(day.from - 1)
  const lastMonth = months.at(month.from - 1)
  const history: number[] = []
  for (let at = day.from; history.length < HISTORY_DAYS; at = history[0]!) history.unshift(days.at(at - 1).from)
  let daysAfter = 0
  for (let at = day.until; at < month.until; at = days.at(at).until) daysAfter++
  return {
    today: day.from,
    tomorrow: day.until,
    yesterday: yesterday.from,
    yesterdayByNow: Math.min(yesterday.from + (now - day.from), day.from),
    month: month.from,
    monthEnd: month.until,
    lastMonth: lastMonth.from,
    lastMonthByNow: Math.min(lastMonth.from + (now - month.from), month.from),
    days: history,
    daysAfter,
  }
}

export function summaryStatement(dialect: Dialect, { edges, where }: SummaryPlan): Statement {
  const draft = createDraft(dialect)
  const names = Object.keys(SUMS) as (keyof typeof SUMS)[]
  const sums = sumsSql(draft, SUMS, {
    since: edges[0],
    until: edges.at(-1),
    where,
    keys: [{ sql: dialect.whole(bucketSql('at', edges)), name: 'bucket' }],
    dimensions: [],
    edges,
    names,
  })
  const sql = `WITH sums AS (${sums})
SELECT bucket, ${names.map(dialect.passed).join(', ')} FROM sums`
  return { sql, values: draft.values }
}

export function toSummary(rows: readonly Row[], { now, moments, edges }: SummaryPlan, dialect: Dialect): Summary {
  const at = new Map(rows.map((row) => [edges[Number(row['bucket'])]!, toTotalsRow(row, 0, dialect)]))
  const between = (from: number, until: number) =>
    addTotals(edges.flatMap((edge) => (edge >= from && edge < until ? (at.get(edge) ?? []) : [])))
  const { today, tomorrow, yesterday, month, lastMonth, days } = moments
  const [ofToday, ofMonth] = [between(today, tomorrow), between(month, tomorrow)]
  const history = days.map((day, i) => between(day, days[i + 1] ?? today))
  const begun = history.findIndex(({ calls }) => calls > 0)
  return {
    today: ofToday,
    yesterday: between(yesterday, today),
    yesterdayByNow: between(yesterday, moments.yesterdayByNow),
    thisMonth: ofMonth,
    lastMonth: between(lastMonth, month),
    lastMonthByNow: between(lastMonth, moments.lastMonthByNow),
    projected: project({
      spent: ofMonth.cost,
      today: ofToday.cost,
      elapsed: now - today,
      left: tomorrow - now,
      daysAfter: moments.daysAfter,
      history: begun === -1 ? [] : history.slice(begun).map(({ cost }) => cost),
    }),
  }
}
