// Rows of a report: their order, their sum, and the table they make.

import { formatCount, usdColumn } from '../figures.ts'
import type { Dimension } from '../ledger/query.ts'
import type { TotalsRow } from '../sinks/ledger.ts'
import { type Column, layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { wrap } from './width.ts'

/** Days in their order, everything else by what it cost. */
export function inOrder(by: readonly Dimension[], rows: readonly TotalsRow[]): TotalsRow[] {
  if (by[0] === 'day') return [...rows].sort((a, b) => compare(a.key[0]!, b.key[0]!) || byCost(a, b))
  return [...rows].sort(byCost)
}

function byCost(a: TotalsRow, b: TotalsRow): number {
  return compare(b.cost, a.cost) || b.calls - a.calls
}

function compare<T extends string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export function totalOf(rows: readonly TotalsRow[]): TotalsRow {
  const sum = (field: Exclude<keyof TotalsRow, 'key' | 'cost' | 'resale'>) =>
    rows.reduce((total, row) => total + row[field], 0)
  return {
    key: [],
    calls: sum('calls'),
    errors: sum('errors'),
    unpriced: sum('unpriced'),
    estimated: sum('estimated'),
    inputTokens: sum('inputTokens'),
    cachedTokens: sum('cachedTokens'),
    outputTokens: sum('outputTokens'),
    cost: rows.reduce((total, row) => total + row.cost, 0n),
    ...(hasResale(rows) && { resale: rows.reduce((total, row) => total + (row.resale ?? 0n), 0n) }),
  }
}

/** Whether any of it was sold. */
export function hasResale(rows: readonly TotalsRow[]): boolean {
  return rows.some(({ resale }) => resale !== undefined)
}

/** A day is never cut: half a date says nothing. */
const leastOf = (dimension: Dimension, i: number) => (i === 0 || dimension === 'day' ? 10 : 8)

const FIGURES: readonly Column[] = [
  { title: 'calls' },
  { title: 'errors', dispensable: 1 },
  { title: 'in' },
  { title: 'cached', dispensable: 2 },
  { title: 'out' },
  { title: 'cost' },
  { title: '', gap: 0, align: 'left' },
]
const RESALE: Column = { title: 'resale' }

export interface SpendOptions {
  /** Rows shown; those beyond are added up in one. */
  readonly top: number
  readonly terminal: Terminal
}

/** `rows` in the order in which they are to stand. */
export function printSpend(
  by: readonly Dimension[],
  rows: readonly TotalsRow[],
  { top, terminal }: SpendOptions,
): void {
  const { print, paint, width } = terminal
  const shown = fold(by, rows, top)
  const total = totalOf(rows)
  const usd = usdColumn([...shown, total].map(({ cost }) => cost))
  const columns = [
    ...by.map((dimension, i) => ({ title: titleOf(dimension), least: leastOf(dimension, i) })),
    ...FIGURES,
    ...(total.resale === undefined ? [] : [RESALE]),
  ]
  const sold = usdColumn([...shown, total].map(({ resale = 0n }) => resale))
  const resaleOf = ({ resale }: TotalsRow) =>
    total.resale === undefined ? [] : [resale === undefined ? '' : sold(resale)]
  const cells = [
    ...shown.map((row) => [
      ...row.key.map((name, i) => name ?? `(no ${titleOf(by[i]!)})`),
      ...figuresOf(row, usd),
      ...resaleOf(row),
    ]),
    [...by.map((_, i) => (i === 0 ? 'total' : '')), ...figuresOf(total, usd), ...resaleOf(total)],
  ]
  const table = layOut(columns, cells, width)
  print(paint('dim', table.header))
  for (const line of table.lines.slice(0, -1)) print(line)
  print(paint('bold', table.lines.at(-1)!))
  for (const note of notesOf(total, table.leftOut)) for (const line of wrap(note, width)) print(paint('dim', line))
}

function fold(by: readonly Dimension[], rows: readonly TotalsRow[], top: number): TotalsRow[] {
  // One row that says `1 more` would take the room of the row it hides.
  if (rows.length <= top + 1) return [...rows]
  const isByDay = by[0] === 'day'
  const kept = isByDay ? rows.slice(-top) : rows.slice(0, top)
  const rest = isByDay ? rows.slice(0, -top) : rows.slice(top)
  const key = by.map((_, i) => (i === 0 ? `${formatCount(rest.length)} ${isByDay ? 'older' : 'more'}` : ''))
  const folded = { ...totalOf(rest), key }
  return isByDay ? [folded, ...kept] : [...kept, folded]
}

function figuresOf(row: TotalsRow, usd: (sum: bigint) => string): string[] {
  const { calls, errors, inputTokens, cachedTokens, outputTokens, cost, unpriced, estimated } = row
  const marks = `${estimated > 0 ? '~' : ''}${unpriced > 0 ? '*' : ''}`
  // Nothing that it used has a price: $0.00 would be a lie.
  const sum = cost === 0n && unpriced > 0 ? 'unknown' : usd(cost)
  const counts = [calls, errors, inputTokens, cachedTokens, outputTokens]
  return [...counts.map(formatCount), sum, marks]
}

function notesOf({ estimated, unpriced }: TotalsRow, leftOut: readonly string[]): string[] {
  const notes: string[] = []
  if (estimated > 0)
    notes.push(`~ The usage of ${formatCount(estimated)} ${calls(estimated)} is estimated, in part or whole.`)
  if (unpriced > 0)
    notes.push(
      `* ${formatCount(unpriced)} ${calls(unpriced)} used something without a known price, which is not in the cost.`,
    )
  if (leftOut.length > 0)
    notes.push(`No room for ${leftOut.join(' and ')} in a terminal this narrow: see --csv or --json.`)
  return notes
}

function calls(count: number): string {
  return count === 1 ? 'call' : 'calls'
}

function titleOf(dimension: Dimension): string {
  return dimension.replaceAll('_', ' ')
}
