// Series: sums by bucket of time, each of the values that cost most in a row of its own, read from the events once.

import { SUMS } from '../sinks/totals.ts'
import { bucketSql, edgesOf } from './buckets.ts'
import type { Dialect, Row } from './dialect.ts'
import { IS_USED, sumsSql, wholeSpans } from './parts.ts'
import {
  checkCount,
  checkDimension,
  checkOneOf,
  checkQuery,
  type Dimension,
  type Query,
  type Series,
  type SeriesOptions,
  type SeriesRow,
  STEPS,
} from './query.ts'
import { createDraft, type Statement } from './statement.ts'

const NAMES = ['cost', 'calls', 'inputTokens', 'outputTokens'] as const satisfies (keyof typeof SUMS)[]
export const USUAL_TOP = 8
const MOST_TOP = 50

export function checkSeries({ every, timeZone = 'UTC', by, top = USUAL_TOP, ...query }: SeriesOptions): void {
  checkOneOf('every', every, STEPS)
  if (by !== undefined) checkDimension('by', by)
  checkCount('top', top, 0, MOST_TOP)
  checkQuery(query)
  edgesOf('day', timeZone, 0, 1)
}

/** The first and the last moment of the events of a query; of none the answer is empty. */
export function extentStatement(dialect: Dialect, query: Query): Statement {
  const { conditions, values } = createDraft(dialect)
  // Each by itself: of both at once SQLite reads the whole index.
  const ends = (from: string) => `SELECT (SELECT min(at) FROM ${from}) AS first, (SELECT max(at) FROM ${from}) AS last`
  const parts = [ends(`${dialect.events}${conditions(query)}`)]
  // What was deleted for its age is in a roll-up alone.
  const whole = wholeSpans({ ...query, dimensions: [] })
  if (whole) {
    const isPruned = `at < (SELECT max(before) FROM ${dialect.table('pruned')})`
    const more = conditions({ ...whole.range, where: query.where }, IS_USED, isPruned)
    parts.push(ends(`${dialect.table(whole.rollUp.table)}${more}`))
  }
  const [first, last] = [dialect.whole('min(first)'), dialect.whole('max(last)')]
  return { sql: `SELECT ${first} AS first, ${last} AS last FROM (${parts.join(' UNION ALL ')}) AS ends`, values }
}

export function toExtent([row]: readonly Row[]): { since: number; until: number } | undefined {
  const [first, last] = [row?.['first'], row?.['last']]
  return first === null || first === undefined ? undefined : { since: Number(first), until: Number(last) + 1 }
}

export interface SeriesPlan extends Query {
  /** Where buckets begin, and where the last ends. The query lies between. */
  readonly edges: readonly number[]
  readonly by?: Dimension | undefined
  /** Values with a row of their own. */
  readonly kept?: readonly (string | null)[]
}

export function seriesStatement(dialect: Dialect, { edges, by, kept = [], ...query }: SeriesPlan): Statement {
  const draft = createDraft(dialect)
  const { bind, column, values } = draft
  const keys = [
    { sql: dialect.whole(bucketSql('at', edges)), name: 'bucket' },
    ...(by === undefined ? [] : keyColumns(column(by), kept, bind, dialect)),
  ]
  const dimensions = by === undefined ? [] : [by]
  const sums = sumsSql(draft, SUMS, { ...query, keys, dimensions, edges, names: NAMES })
  const read = [...keys.map(({ name }) => name), ...NAMES.map(dialect.passed)].join(', ')
  return { sql: `WITH sums AS (${sums})\nSELECT ${read} FROM sums`, values }
}

/** The value where it has a row of its own, and whether it is among the others. */
function keyColumns(
  value: string,
  kept: readonly (string | null)[],
  bind: (text: string) => string,
  dialect: Dialect,
): { sql: string; name: string }[] {
  const texts = kept.filter((key) => key !== null).map(bind)
  const isKept = texts.length === 0 ? '1 = 0' : `${value} IN (${texts.join(', ')})`
  const ofNone = kept.includes(null) ? 0 : 1
  return [
    { sql: `CASE WHEN ${isKept} THEN ${value} ELSE ${dialect.none} END`, name: 'key' },
    { sql: `CASE WHEN ${value} IS NULL THEN ${ofNone} WHEN ${isKept} THEN 0 ELSE 1 END`, name: 'is_other' },
  ]
}

export function toSeries(rows: readonly Row[], { edges, by, kept = [] }: SeriesPlan, dialect: Dialect): Series {
  const count = edges.length - 1
  const made = new Map<string, ReturnType<typeof emptyRow>>()
  const rowOf = (key: string | null, isOther: boolean) => {
    const name = isOther ? 'other' : key === null ? 'none' : `=${key}`
    let row = made.get(name)
    if (!row) made.set(name, (row = emptyRow(key, isOther, count)))
    return row
  }
  if (by === undefined) rowOf(null, false)
  for (const key of kept) rowOf(key, false)
  for (const row of rows) {
    const at = Number(row['bucket'])
    const into = rowOf((row['key'] ?? null) as string | null, Number(row['is_other'] ?? 0) === 1)
    const sum = (name: (typeof NAMES)[number]) => dialect.sumOf(row, name) ?? 0n
    into.cost[at] = sum('cost')
    into.calls[at] = Number(sum('calls'))
    into.inputTokens[at] = Number(sum('inputTokens'))
    into.outputTokens[at] = Number(sum('outputTokens'))
  }
  const all = [...made.values()]
  return {
    buckets: edges.slice(0, -1),
    end: edges.at(-1),
    rows: [...all.filter(({ isOther }) => !isOther), ...all.filter(({ isOther }) => isOther)],
  }
}

function emptyRow(key: string | null, isOther: boolean, count: number) {
  const zeros = () => new Array<number>(count).fill(0)
  return {
    key,
    ...(isOther && { isOther: true as const }),
    cost: new Array<bigint>(count).fill(0n),
    calls: zeros(),
    inputTokens: zeros(),
    outputTokens: zeros(),
  } satisfies SeriesRow
}

/** An answer without buckets. */
export const NO_SERIES: Series = { buckets: [], end: undefined, rows: [] }
