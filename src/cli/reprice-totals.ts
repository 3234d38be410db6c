// What pricing again comes to, by model, and the table of it.

import type { LLMEvent } from '../event.ts'
import { formatCount, usdColumn } from '../figures.ts'
import { type PicoUsd, parseUsd } from '../money.ts'
import type { KeptPrice, Repriced } from '../reprice.ts'
import { type Column, layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { wrap } from './width.ts'

export interface RepriceRow {
  readonly provider: string
  readonly model: string
  calls: number
  changed: number
  /** Had no cost, and have one now. */
  newlyPriced: number
  /** How many had a cost, and have one: of none of them a sum would be no more than a zero. */
  pricedBefore: number
  pricedAfter: number
  before: PicoUsd
  after: PicoUsd
}

export interface RepriceTotals {
  add(event: LLMEvent, repriced: Repriced): void
  /** What changed most first. */
  readonly rows: readonly RepriceRow[]
  readonly total: RepriceRow
  /** Calls that keep what they have, by the reason. */
  readonly kept: Readonly<Record<KeptPrice, number>>
}

export function createRepriceTotals(): RepriceTotals {
  const rows = new Map<string, RepriceRow>()
  const total = emptyRow('', '')
  const kept = { reported: 0, 'no-usage': 0, 'rolled-up': 0, unpriced: 0 }
  return {
    add({ provider, model, calls = 1 }, { before, after, changed, kept: reason }) {
      const name = `${provider} ${model}`
      let row = rows.get(name)
      if (!row) rows.set(name, (row = emptyRow(provider, model)))
      if (reason !== undefined) kept[reason] += calls
      for (const sum of [row, total]) {
        sum.calls += calls
        if (changed) sum.changed += calls
        if (changed && before.costUsd === undefined) sum.newlyPriced += calls
        if (before.costUsd !== undefined) sum.pricedBefore += calls
        if (after.costUsd !== undefined) sum.pricedAfter += calls
        sum.before += picoOf(before.costUsd)
        sum.after += picoOf(after.costUsd)
      }
    },
    get rows() {
      return [...rows.values()].sort((a, b) => compare(moved(b), moved(a)) || compare(b.after, a.after))
    },
    total,
    kept,
  }
}

function emptyRow(provider: string, model: string): RepriceRow {
  return {
    provider,
    model,
    calls: 0,
    changed: 0,
    newlyPriced: 0,
    pricedBefore: 0,
    pricedAfter: 0,
    before: 0n,
    after: 0n,
  }
}

function picoOf(costUsd: string | undefined): PicoUsd {
  return costUsd === undefined ? 0n : parseUsd(costUsd)!
}

function moved({ before, after }: RepriceRow): PicoUsd {
  return after > before ? after - before : before - after
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}

const COLUMNS: readonly Column[] = [
  { title: 'model', least: 12 },
  { title: 'calls' },
  { title: 'changed' },
  { title: 'before' },
  { title: 'after' },
  { title: 'difference', dispensable: 1 },
]

const KEPT: Readonly<Record<KeptPrice, string>> = {
  reported: 'cost what their provider reported',
  'rolled-up': 'stand in events of several calls, which cannot be priced apart',
  unpriced: 'have no price in this book and keep what they have',
  'no-usage': 'used nothing that is known',
}

export function printRepricing(totals: RepriceTotals, isApplied: boolean, terminal: Terminal): void {
  const { print, paint, width } = terminal
  const { rows, total, kept } = totals
  if (total.calls === 0) {
    print('No calls.')
    return
  }
  const all = [...rows, total]
  const usd = usdColumn(all.flatMap(({ before, after }) => [before, after, moved({ before, after } as RepriceRow)]))
  const cells = all.map((row) => {
    const sign = row.after > row.before ? '+' : row.after < row.before ? '-' : ''
    return [
      row === total ? 'total' : `${row.provider}/${row.model}`,
      formatCount(row.calls),
      formatCount(row.changed),
      row.pricedBefore === 0 ? 'unknown' : usd(row.before),
      row.pricedAfter === 0 ? 'unknown' : usd(row.after),
      row.pricedBefore + row.pricedAfter === 0 ? 'unknown' : `${sign}${usd(moved(row))}`,
    ]
  })
  const table = layOut(COLUMNS, cells, width)
  print(paint('dim', table.header))
  for (const line of table.lines.slice(0, -1)) print(line)
  print(paint('bold', table.lines.at(-1)!))
  const notes = Object.entries(KEPT)
    .filter(([reason]) => kept[reason as KeptPrice] > 0)
    .map(([reason, words]) => `${formatCount(kept[reason as KeptPrice])} of them ${words}.`)
  for (const note of notes) for (const line of wrap(note, width)) print(paint('dim', line))
  print()
  print(lastLine(total.changed, isApplied))
}

function lastLine(changed: number, isApplied: boolean): string {
  if (changed === 0) return 'Nothing has changed.'
  if (isApplied) return 'Written. What these calls cost before is in the table `repricings`.'
  return 'Nothing was written: `--apply` does that.'
}
