// What a view answers with: JSON, or the same table as CSV. Money is exact decimal digits in both.

import { addTotals } from '../ledger/groups.ts'
import { formatUsd } from '../money.ts'
import type { TotalsRow } from '../sinks/ledger.ts'
import { answer } from './answer.ts'
import { type Cell, csvOf } from './csv.ts'

export interface View {
  readonly body: Readonly<Record<string, unknown>>
  /** Made where it is asked for. */
  readonly table: () => Table
}

export interface Table {
  /** Of the file that it is saved as. */
  readonly name: string
  readonly header: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
}

/** The figures of a row by the names that they have in `tallygate report --json`. */
export function figuresOf(row: TotalsRow) {
  return {
    calls: row.calls,
    errors: row.errors,
    input_tokens: row.inputTokens,
    cached_tokens: row.cachedTokens,
    output_tokens: row.outputTokens,
    cost_usd: formatUsd(row.cost),
    unpriced: row.unpriced,
    estimated: row.estimated,
    resale_usd: row.resale === undefined ? null : formatUsd(row.resale),
  }
}

const FIGURES = Object.keys(figuresOf(addTotals([])))

/** A row with its key under the names that it was grouped by. */
export function rowOf(by: readonly string[], row: TotalsRow): Record<string, number | string | null> {
  return { ...Object.fromEntries(by.map((dimension, i) => [dimension, row.key[i] ?? null])), ...figuresOf(row) }
}

export function totalsTable(name: string, by: readonly string[], rows: readonly TotalsRow[]): Table {
  return {
    name,
    header: [...by, ...FIGURES],
    rows: rows.map((row) => [...by.map((_, i) => row.key[i] ?? null), ...Object.values(figuresOf(row))]),
  }
}

/** A table whose rows are objects: their fields are its columns, and what is no scalar is written as JSON. */
export function tableOf(name: string, header: readonly string[], rows: readonly object[]): Table {
  const cells = rows.map((row) => header.map((column) => cellOf((row as Record<string, unknown>)[column])))
  return { name, header, rows: cells }
}

function cellOf(value: unknown): Cell {
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : (value as Cell)
}

export function show(request: Request, format: 'json' | 'csv' | undefined, { body, table }: View): Response {
  const wantsCsv = format === 'csv' || (format === undefined && asksFor('csv', request))
  if (!wantsCsv) return answer(200, body, { vary: 'accept' })
  const { name, header, rows } = table()
  return new Response(csvOf(header, rows), {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${name}.csv"`,
      'cache-control': 'no-store',
      vary: 'accept',
      'x-content-type-options': 'nosniff',
    },
  })
}

/** Only where it is asked for before anything else. */
export function asksFor(format: 'csv' | 'html', request: Request): boolean {
  return new RegExp(`^\\s*text/${format}\\b`, 'i').test(request.headers.get('accept') ?? '')
}

export function timeOf(at: number | undefined): string | null {
  return at === undefined ? null : new Date(at).toISOString()
}
