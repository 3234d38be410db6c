// What meters have said of themselves, and whom limits have refused: added up over the meters that refused them.

import type { LimitWindow } from '../errors.ts'
import { expected, MeterError } from '../errors.ts'
import { fromWireReport, type MeterReport, type RefusedCode, type WireReport } from '../sinks/meter-report.ts'
import type { Dialect, Row } from './dialect.ts'
import { checkCount, checkOneOf, checkQuery, type Query, type Where } from './query.ts'
import { createDraft, type Statement } from './statement.ts'

/** Meters and refusals have no other labels. */
export type ReportedWhere = Pick<Where, 'tenant' | 'project'>

export interface MetersOptions extends Pick<Query, 'since' | 'until'> {
  readonly where?: Pick<Where, 'project'> | undefined
  /** The latest heard of first; 100 unless told. */
  readonly limit?: number | undefined
}

/** The latest report of a meter; its refusals are a question of their own. */
export type KeptMeter = Omit<MeterReport, 'refusals'>

export const REFUSAL_STEPS = ['minute', 'hour', 'day'] as const
export type RefusalStep = (typeof REFUSAL_STEPS)[number]

export interface RefusalsOptions extends Pick<Query, 'since' | 'until'> {
  readonly where?: ReportedWhere | undefined
  /** Calls of one minute, hour or day in UTC are one row; `minute` unless told. */
  readonly every?: RefusalStep | undefined
  /** The newest first, and of one time those with most calls; 100 unless told. */
  readonly limit?: number | undefined
}

/** Calls that one limit has refused to one tenant. */
export interface RefusalsRow {
  /** Where the minute, the hour or the day begins, epoch milliseconds. */
  readonly at: number
  /** `null`: nobody's calls. */
  readonly tenant: string | null
  /** The limit by its canonical name, `tenant=acme&user=u1`; `null` where it was none that refused. */
  readonly scope: string | null
  readonly window: LimitWindow | null
  readonly code: RefusedCode
  readonly calls: number
}

const USUAL_ROWS = 100
const MOST_ROWS = 10_000
const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

export function checkMeters({ since, until, where, limit }: MetersOptions): void {
  checkReported({ since, until, where }, ['project'])
  if (limit !== undefined) checkCount('limit', limit, 1, MOST_ROWS)
}

export function checkRefusals({ since, until, where, every, limit }: RefusalsOptions): void {
  checkReported({ since, until, where }, ['tenant', 'project'])
  if (every !== undefined) checkOneOf('every', every, REFUSAL_STEPS)
  if (limit !== undefined) checkCount('limit', limit, 1, MOST_ROWS)
}

function checkReported(query: Query, known: readonly string[]): void {
  checkQuery(query)
  const other = Object.keys(query.where ?? {}).find((name) => !known.includes(name))
  if (other !== undefined) throw new MeterError('BAD_INPUT', expected('where', `by ${known.join(' or ')} alone`, other))
}

export function metersStatement(dialect: Dialect, options: MetersOptions): Statement {
  const { bind, conditions, values } = createDraft(dialect)
  const narrowed = conditions({ ...options, where: emptyForNone(options.where) })
  const sql = `SELECT project, CAST(report AS text) AS report FROM ${dialect.table('meters')}${narrowed}
  ORDER BY at DESC, meter_id LIMIT ${bind(BigInt(options.limit ?? USUAL_ROWS))}`
  return { sql, values }
}

export function toMeters(rows: readonly Row[]): KeptMeter[] {
  return rows.map((row) => {
    const { refusals: _, ...meter } = fromWireReport(JSON.parse(String(row['report'])) as WireReport)
    return { ...meter, ...(row['project'] !== '' && { project: String(row['project']) }) }
  })
}

export function refusalsStatement(dialect: Dialect, options: RefusalsOptions): Statement {
  const { every = 'minute', limit = USUAL_ROWS } = options
  const { bind, conditions, values } = createDraft(dialect)
  const narrowed = conditions({ ...options, where: emptyForNone(options.where) })
  const time = every === 'minute' ? 'at' : `at - at % ${STEP_MS[every]}`
  const sql = `WITH sums AS (
    SELECT ${time} AS moment, tenant_id, scope, "window", code, sum(calls) AS calls
    FROM ${dialect.table('refusals')}${narrowed} GROUP BY 1, 2, 3, 4, 5
  )
  SELECT ${dialect.whole('moment')} AS at, tenant_id, scope, "window", code, ${dialect.whole('calls')} AS calls
  FROM sums ORDER BY sums.moment DESC, sums.calls DESC, tenant_id, scope, "window", code LIMIT ${bind(BigInt(limit))}`
  return { sql, values }
}

export function toRefusals(rows: readonly Row[]): RefusalsRow[] {
  const textOf = (row: Row, name: string) => (row[name] === '' ? null : String(row[name]))
  return rows.map((row) => ({
    at: Number(row['at']),
    tenant: textOf(row, 'tenant_id'),
    scope: textOf(row, 'scope'),
    window: textOf(row, 'window') as LimitWindow | null,
    code: String(row['code']) as RefusedCode,
    calls: Number(row['calls']),
  }))
}

/** In these tables what is of nobody has the empty text, since it is part of a key. */
function emptyForNone(where: ReportedWhere | undefined): Where {
  const entries = Object.entries(where ?? {}).map(([name, given]) => {
    if (given === undefined) return [name, undefined] as const
    return [name, (typeof given === 'string' || given === null ? [given] : given).map((one) => one ?? '')] as const
  })
  return Object.fromEntries(entries)
}
