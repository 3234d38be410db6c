// The lines of one model on an invoice: by bucket and row of the price book, and what no line of a cost tells.

import type { PicoUsd } from '../money.ts'
import { BUCKETS } from '../usage.ts'
import type { Dialect, Row } from './dialect.ts'
import {
  addQuantities,
  formatQuantity,
  NO_QUANTITY,
  parseQuantity,
  type Quantity,
  timesCalls,
  unitPriceOf,
} from './invoice-quantity.ts'
import type { InvoiceSum } from './invoice-statement.ts'

/**
 * `usage`: a quantity at a price. `whole`: calls whose cost came as one sum, as from a provider that says it itself.
 * `difference`: what the costs of calls are above their own lines. `unpriced`: calls without a known price. `deleted`:
 * calls whose events were deleted for their age.
 */
export type InvoiceLineKind = 'usage' | 'whole' | 'difference' | 'unpriced' | 'deleted'

export interface InvoiceLine {
  readonly kind: InvoiceLineKind
  /** What was used; `null` where `kind` is not `usage`. */
  readonly bucket: string | null
  /** The row of the price book: model, tier and date. */
  readonly rate: string | null
  /** Exact decimal digits. */
  readonly quantity: string
  readonly unit: string
  /** Pico-dollars for one unit, where all of the line has one price: times the quantity it is the cost. */
  readonly unitPrice?: PicoUsd
  /** Pico-dollars; left out where no price is known. */
  readonly cost?: PicoUsd
}

const UNITS: Readonly<Record<string, string>> = {
  'unit.input_characters': 'characters',
  'unit.input_seconds': 'seconds',
  'unit.output_seconds': 'seconds',
  'unit.session_seconds': 'seconds',
  'unit.input_pages': 'pages',
  'unit.input_images': 'images',
  'unit.output_images': 'images',
  'unit.cache_token_hours': 'token-hours',
}

const ORDER = new Map<string, number>(BUCKETS.map((bucket, i) => [bucket, i]))

/** `rows` are those of the statement, of one model; `sum` its sums. All costs together are that of the model. */
export function linesOf(rows: readonly Row[], sum: (name: InvoiceSum) => bigint, dialect: Dialect): InvoiceLine[] {
  const lines = [...alike(rows, ['bucket', 'rate']).values()].map((of) => usageLine(of, dialect))
  lines.sort((a, b) => placeOf(a) - placeOf(b) || compare(keyOf(a), keyOf(b)))
  const none = { bucket: null, rate: null, unit: 'calls' }
  const [whole, wholeCost, unpriced] = [sum('wholeCalls'), sum('wholeCost'), sum('unpriced')]
  if (whole > 0n) lines.push({ kind: 'whole', ...none, quantity: String(whole), cost: wholeCost })
  const told = lines.reduce((total, { cost = 0n }) => total + cost, 0n)
  const rest = sum('cost') - told
  if (rest !== 0n) lines.push({ kind: 'difference', ...none, quantity: '0', cost: rest })
  if (unpriced > 0n) lines.push({ kind: 'unpriced', ...none, quantity: String(unpriced) })
  return lines
}

/** Rows by what they have in these columns. */
export function alike(rows: readonly Row[], columns: readonly string[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const name = JSON.stringify(columns.map((column) => row[column]))
    const group = groups.get(name)
    if (group) group.push(row)
    else groups.set(name, [row])
  }
  return groups
}

function usageLine(rows: readonly Row[], dialect: Dialect): InvoiceLine {
  let quantity = NO_QUANTITY
  let cost = 0n
  const parts = rows.map((row) => {
    const part = { quantity: quantityOf(row, dialect), cost: dialect.sumOf(row, 'cost') ?? 0n }
    quantity = addQuantities(quantity, part.quantity)
    cost += part.cost
    return part
  })
  const price = rows.every((row) => Number(row['is_one']) === 1) ? unitPriceOf(cost, quantity) : undefined
  const isOne = price !== undefined && parts.every((part) => unitPriceOf(part.cost, part.quantity) === price)
  const bucket = rows[0]!['bucket'] as string
  return {
    kind: 'usage',
    bucket,
    rate: rows[0]!['rate'] as string,
    quantity: formatQuantity(quantity),
    unit: UNITS[bucket] ?? (bucket.startsWith('fee.') ? 'times' : 'tokens'),
    ...(isOne && { unitPrice: price }),
    cost,
  }
}

/** A quantity that is no whole number stands in a row of its own, with how many calls have it. */
function quantityOf(row: Row, dialect: Dialect): Quantity {
  const { fraction } = row
  if (typeof fraction === 'string')
    return timesCalls(parseQuantity(fraction), Number(dialect.sumOf(row, 'calls') ?? 0n))
  return { digits: dialect.sumOf(row, 'quantity') ?? 0n, places: 0 }
}

function placeOf({ bucket }: InvoiceLine): number {
  return ORDER.get(bucket ?? '') ?? ORDER.size
}

function keyOf({ bucket, rate }: InvoiceLine): string {
  return `${bucket} ${rate}`
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
