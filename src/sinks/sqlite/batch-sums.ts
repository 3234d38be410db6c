// What a batch of new events adds to the roll-ups, summed up before it is written: a trigger writes three rows for each
// event, which is more work than the event itself.

import type { DatabaseSync } from 'node:sqlite'
import { type Cell, EVENT_COLUMNS } from '../columns.ts'
import { keysOf, ROLL_UPS, startOf } from '../roll-ups.ts'
import { addSql } from './roll-ups.ts'

export interface BatchSums {
  /** From here to `end`, in one transaction, the trigger leaves new events to us. */
  begin(): void
  /** An event that is new: what replaces one is the triggers' as ever. */
  add(row: readonly Cell[]): void
  end(): void
}

/** The figures of `FIGURES`, of the events of a batch that stand in the same row of a roll-up. */
interface Sum {
  readonly start: number
  readonly keys: readonly Cell[]
  events: number
  calls: number
  errors: number
  unpriced: number
  estimated: number
  sold: number
  readonly input: Halves
  readonly cached: Halves
  readonly output: Halves
  readonly cost: Halves
  readonly resale: Halves
}

/** The lower one of 32 bits: two counts of tokens may already be more together than a `number` holds exactly. */
interface Halves {
  high: number
  low: number
}

/** By the start of its span, and then by one key after the other: no text of them all is made, or taken for another. */
type Tree = Map<Cell, Tree | Sum>

export function createBatchSums(db: DatabaseSync): BatchSums {
  const mark = db.prepare('INSERT INTO summing (batch) VALUES (1)')
  const unmark = db.prepare('DELETE FROM summing')
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
      const keys = places.map((place) => row[place]!)
      branch.set(cell, (sum = newSum(start, keys)))
      sums.push(sum)
    }
    return sum
  }

  return {
    begin() {
      for (const table of rollUps) {
        table.tree.clear()
        table.sums.length = 0
      }
      mark.run()
    },
    add(row) {
      for (const table of rollUps) addTo(sumOf(table, row), row)
    },
    end() {
      for (const { statement, sums } of rollUps) for (const sum of sums) statement.run(...cellsOf(sum))
      unmark.run()
    },
  }
}

function newSum(start: number, keys: readonly Cell[]): Sum {
  const counts = { events: 0, calls: 0, errors: 0, unpriced: 0, estimated: 0, sold: 0 }
  const tokens = { input: newHalves(), cached: newHalves(), output: newHalves() }
  return { start, keys, ...counts, ...tokens, cost: newHalves(), resale: newHalves() }
}

const newHalves = (): Halves => ({ high: 0, low: 0 })

/** In a row's cells what `SUMS` says in SQL. */
function addTo(sum: Sum, row: readonly Cell[]): void {
  const calls = (row[CALLS] as number | null) ?? 1
  const usageSource = row[USAGE_SOURCE]
  sum.events++
  sum.calls += calls
  if (row[ERROR] !== null) sum.errors += calls
  if (usageSource === 'partial' || usageSource === 'estimated') sum.estimated += calls
  if (row[COST] === null && hasUsedSomething(row)) sum.unpriced += calls
  if (row[RESALE] !== null) sum.sold++
  put(sum.input, row[INPUT]!)
  put(sum.cached, row[CACHED]!)
  put(sum.output, row[OUTPUT]!)
  put(sum.cost, row[COST]!)
  put(sum.resale, row[RESALE]!)
}

function put(into: Halves, cell: Cell): void {
  if (cell === null) return
  const high = typeof cell === 'bigint' ? Number(cell >> 32n) : Math.floor((cell as number) / HALF)
  into.high += high
  into.low += typeof cell === 'bigint' ? Number(cell & 0xffff_ffffn) : (cell as number) - high * HALF
}

function hasUsedSomething(row: readonly Cell[]): boolean {
  for (const place of USED) if (((row[place] as number | null) ?? 0) > 0) return true
  return (row[USAGE] ?? '{}') !== '{}'
}

/** In the order of the statement of `addSql`. */
function cellsOf({ start, keys, input, cached, output, cost, resale, ...counts }: Sum): Cell[] {
  const { events, calls, errors, unpriced, estimated, sold } = counts
  const halves = [input, cached, output, cost, resale].flatMap(({ high, low }) => [high, low])
  return [start, ...keys, ...keys, events, calls, errors, unpriced, estimated, ...halves, sold]
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
