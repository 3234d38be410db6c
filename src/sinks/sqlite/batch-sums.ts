// What a batch of new events adds to the roll-ups, summed up before it is written: a trigger writes three rows for each
// event, which is more work than the event itself.

import type { DatabaseSync } from 'node:sqlite'
import { MeterError } from '../../errors.ts'
import { type Cell, EVENT_COLUMNS } from '../columns.ts'
import { keysOf, ROLL_UPS, startOf } from '../roll-ups.ts'
import { addSql, SUMMED } from './roll-ups.ts'

export interface BatchSums {
  /** From here to `end`, in one transaction, the trigger leaves new events to us. */
  begin(): void
  /** An event that is new: what replaces one is the triggers' as ever. */
  add(row: readonly Cell[]): void
  end(): void
}

/** What the events of a batch come to that stand in the same row of a roll-up. */
interface Sum {
  readonly start: number
  readonly keys: readonly Cell[]
  readonly figures: Figures
}

/** By the names of `SUMMED`. */
type Figures = ReturnType<typeof noFigures>

function noFigures() {
  return {
    events: 0,
    calls: 0,
    errors: 0,
    unpriced: 0,
    estimated: 0,
    input_tokens_high: 0,
    input_tokens_low: 0,
    cached_tokens_high: 0,
    cached_tokens_low: 0,
    output_tokens_high: 0,
    output_tokens_low: 0,
    cost_high: 0,
    cost_low: 0,
    resale_high: 0,
    resale_low: 0,
    sold: 0,
  }
}

/** By the start of its span, and then by one key after the other: no text of them all is made, or taken for another. */
type Tree = Map<Cell, Tree | Sum>

export function createBatchSums(db: DatabaseSync): BatchSums {
  const mark = db.prepare('INSERT INTO usage_summing (batch) VALUES (1)')
  const unmark = db.prepare('DELETE FROM usage_summing')
  const rollUps = ROLL_UPS.map((rollUp) => ({
    span: rollUp.span,
    places: keysOf(rollUp).map(placeOf),
    statement: db.prepare(addSql(rollUp)),
    tree: new Map() as Tree,
    sums: [] as Sum[],
  }))
  type Table = (typeof rollUps)[number]

  function sumOf({ span, places, tree, sums }: Table, row: readonly Cell[]): Sum {
    const start = startOf(span, row[AT] as number)
    let cell: Cell = start
    let branch = tree
    for (const place of places) {
      let next = branch.get(cell) as Tree | undefined
      if (next === undefined) branch.set(cell, (next = new Map()))
      branch = next
      cell = row[place]!
    }
    let sum = branch.get(cell) as Sum | undefined
    if (sum === undefined) {
      sum = { start, keys: places.map((place) => row[place]!), figures: noFigures() }
      branch.set(cell, sum)
      sums.push(sum)
    }
    return sum
  }

  function forget(): void {
    for (const table of rollUps) {
      table.tree.clear()
      table.sums.length = 0
    }
  }

  return {
    begin() {
      forget()
      mark.run()
    },
    add(row) {
      for (const table of rollUps) addTo(sumOf(table, row).figures, row)
    },
    end() {
      for (const { statement, sums } of rollUps) for (const sum of sums) statement.run(...cellsOf(sum))
      unmark.run()
      forget()
    },
  }
}

/** In a row's cells what `SUMS` says in SQL. */
function addTo(figures: Figures, row: readonly Cell[]): void {
  const calls = (row[CALLS] as number | null) ?? 1
  const usageSource = row[USAGE_SOURCE]
  figures.events++
  figures.calls += calls
  if (row[ERROR] !== null) figures.errors += calls
  if (usageSource === 'partial' || usageSource === 'estimated') figures.estimated += calls
  if (row[COST] === null && hasUsedSomething(row)) figures.unpriced += calls
  if (row[RESALE] !== null) figures.sold++
  put(figures, 'input_tokens_high', 'input_tokens_low', row[INPUT]!)
  put(figures, 'cached_tokens_high', 'cached_tokens_low', row[CACHED]!)
  put(figures, 'output_tokens_high', 'output_tokens_low', row[OUTPUT]!)
  put(figures, 'cost_high', 'cost_low', row[COST]!)
  put(figures, 'resale_high', 'resale_low', row[RESALE]!)
}

/** In two halves, the lower one of 32 bits: two of them may be more together than a `number` holds exactly. */
function put(figures: Figures, upper: keyof Figures, lower: keyof Figures, cell: Cell): void {
  if (cell === null) return
  const high = typeof cell === 'bigint' ? Number(cell >> 32n) : Math.floor((cell as number) / HALF)
  figures[upper] += high
  figures[lower] += typeof cell === 'bigint' ? Number(cell & 0xffff_ffffn) : (cell as number) - high * HALF
}

function hasUsedSomething(row: readonly Cell[]): boolean {
  for (const place of USED) if (((row[place] as number | null) ?? 0) > 0) return true
  return (row[USAGE] ?? '{}') !== '{}'
}

/** For the statement of `addSql`. Throws a `MeterError` where a figure is more than a `number` counts exactly. */
function cellsOf({ start, keys, figures }: Sum): Cell[] {
  const cells: Cell[] = [start, ...keys, ...keys]
  for (const { name } of SUMMED) {
    const figure = figures[name as keyof Figures]
    if (!Number.isSafeInteger(figure))
      throw new MeterError('BAD_INPUT', `The ${name} of a batch are too many to be summed up`)
    cells.push(figure)
  }
  return cells
}

const HALF = 2 ** 32

function placeOf(column: string): number {
  return EVENT_COLUMNS.findIndex(({ name }) => name === column)
}

const AT = placeOf('at')
const CALLS = placeOf('calls')
const ERROR = placeOf('error')
const COST = placeOf('cost_pico')
const RESALE = placeOf('resale_pico')
const USAGE_SOURCE = placeOf('usage_source')
const USAGE = placeOf('usage')
const INPUT = placeOf('input_tokens')
const CACHED = placeOf('cached_tokens')
const OUTPUT = placeOf('output_tokens')
const USED = [
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'image_count',
  'character_count',
  'duration_seconds',
].map(placeOf)
