// Bills beside the ledger, day by day: what `tallygate reconcile` has written, read without comparing anything anew.

import { expected, MeterError } from '../errors.ts'
import { RECONCILIATIONS, STATUSES, type Status } from '../sinks/reconciliations.ts'
import { EARLIEST, LATEST } from './buckets.ts'
import { type Dialect, POSTGRES_DIALECT, type Row } from './dialect.ts'
import { checkCount, checkQuery } from './query.ts'
import { createDraft, type Statement } from './statement.ts'

export interface ReconciliationsOptions {
  /** Epoch milliseconds: from the day in UTC that holds it. */
  readonly since?: number | undefined
  /** Epoch milliseconds: to the day in UTC that holds the moment before it. */
  readonly until?: number | undefined
  /** `openai`, `csv`: all of them unless told. */
  readonly source?: string | undefined
  /** So many days of each source, the newest; all unless told. */
  readonly latest?: number | undefined
}

/** A day of a source that was compared; money in pico-dollars. */
export interface ReconciledDay {
  /** Who said what was billed: `openai`, `focus`. */
  readonly source: string
  readonly provider: string
  /** In UTC: `2026-11-21`. */
  readonly day: string
  /** Of this day by itself; `undefined` where it was compared by a version that did not keep it. */
  readonly status: Status | undefined
  /** By the bill; of a source without costs, its usage at our prices. */
  readonly billed: bigint
  readonly logged: bigint
  /** Billed less logged: the sum of `causes`. */
  readonly difference: bigint
  /** As `tallygate/reconcile` names them, the largest sum first, whatever its sign. */
  readonly causes: readonly { readonly cause: string; readonly cost: bigint }[]
  /** When it was compared, epoch milliseconds. */
  readonly comparedAt: number
}

export function checkReconciliations({ since, until, source, latest }: ReconciliationsOptions): void {
  checkQuery({ since, until })
  if (source !== undefined && typeof source !== 'string')
    throw new MeterError('BAD_INPUT', expected('source', 'the name of a source', source))
  if (latest !== undefined) checkCount('latest', latest, 1, MOST_DAYS)
}

const MOST_DAYS = 10_000
const DAY = 86_400_000

/** Whether there is the table at all. */
export function isReconciledStatement(dialect: Dialect): Statement {
  const table = dialect.table(RECONCILIATIONS)
  const sql =
    dialect === POSTGRES_DIALECT
      ? `SELECT 1 AS found WHERE to_regclass('${table}') IS NOT NULL`
      : `SELECT 1 AS found FROM sqlite_schema WHERE name = '${table}'`
  return { sql, values: [] }
}

/**
 * Sources and days are found by leaps in the key, newest day first: behind each of them lie a row for each call, and no
 * one of those is read.
 */
export function reconciliationsStatement(dialect: Dialect, options: ReconciliationsOptions): Statement {
  const { since = EARLIEST, until = LATEST, source, latest = MOST_DAYS } = options
  const { bind, values } = createDraft(dialect)
  const table = dialect.table(RECONCILIATIONS)
  const from = bind(dateOf(since))
  const to = bind(dateOf(until - 1))
  const most = dialect.integer(bind(BigInt(latest)))
  const next = 'SELECT min(known.source) FROM'
  const sources =
    source === undefined
      ? `${next} ${table} AS known UNION ALL
    SELECT (${next} ${table} AS known WHERE known.source > sources.source) FROM sources WHERE sources.source IS NOT NULL`
      : `SELECT CAST(${bind(source)} AS text)`
  const newest = (of: string, before: string) => `(SELECT max(known.day) FROM ${table} AS known
      WHERE known.source = ${of}.source AND known.day >= ${from} AND known.day ${before} AND known.result = 'day')`
  const sums = [dialect.sum('known.logged_pico', 'logged'), dialect.sum('known.billed_pico', 'billed')].join(', ')
  const sql = `WITH RECURSIVE sources(source) AS (
    ${sources}
  ), days(source, day, n) AS (
    SELECT sources.source, ${newest('sources', `<= ${to}`)}, 1 FROM sources WHERE sources.source IS NOT NULL UNION ALL
    SELECT days.source, ${newest('days', '< days.day')}, days.n + 1 FROM days WHERE days.day IS NOT NULL AND days.n < ${most}
  ), sums AS (
    SELECT known.source, known.day, known.provider, known.result,
      CASE WHEN known.result = 'line' THEN NULL ELSE known.label END AS label,
      max(known.reconciled_at) AS compared_at, ${sums}
    FROM days JOIN ${table} AS known
      ON known.source = days.source AND known.day = days.day AND known.result IN ('day', 'line', 'cause')
    GROUP BY 1, 2, 3, 4, 5
  )
  SELECT source, day, provider, result, label, ${dialect.whole('compared_at')} AS compared_at,
    ${dialect.passed('logged')}, ${dialect.passed('billed')} FROM sums`
  return { sql, values }
}

export function toReconciliations(rows: readonly Row[], dialect: Dialect): ReconciledDay[] {
  const byDay = new Map<string, Row[]>()
  for (const row of rows) {
    const name = JSON.stringify([row['source'], row['day']])
    const of = byDay.get(name)
    if (of === undefined) byDay.set(name, [row])
    else of.push(row)
  }
  const days = [...byDay.values()].map((of) => toDay(of, dialect))
  return days.sort((a, b) => inOrder(b.day, a.day) || inOrder(a.source, b.source))
}

function toDay(rows: readonly Row[], dialect: Dialect): ReconciledDay {
  const day = rows.find((row) => row['result'] === 'day')!
  const lines = rows.find((row) => row['result'] === 'line') ?? {}
  const causes = rows
    .filter((row) => row['result'] === 'cause')
    .map((row) => ({ cause: String(row['label']), cost: dialect.sumOf(row, 'billed') ?? 0n }))
    .sort((a, b) => inOrder(sizeOf(b.cost), sizeOf(a.cost)) || inOrder(a.cause, b.cause))
  const logged = dialect.sumOf(lines, 'logged') ?? 0n
  const explained = causes.reduce((sum, { cost }) => sum + cost, 0n)
  const billed = dialect.sumOf(lines, 'billed') ?? logged + explained
  return {
    source: String(day['source']),
    provider: String(day['provider']),
    day: String(day['day']),
    status: STATUSES.find((status) => status === day['label']),
    billed,
    logged,
    difference: billed - logged,
    causes,
    comparedAt: Number(day['compared_at']),
  }
}

function dateOf(at: number): string {
  const within = Math.min(Math.max(at, EARLIEST), LATEST)
  return new Date(Math.floor(within / DAY) * DAY).toISOString().slice(0, 10)
}

function sizeOf(sum: bigint): bigint {
  return sum < 0n ? -sum : sum
}

function inOrder<T extends bigint | string>(a: T, b: T): number {
  return a < b ? -1 : Number(a > b)
}
