// A month that was made up: what the application logged, what each provider served, and what is wrong with it.

import { type BillRow, billOf, type House, type Served } from './counter.ts'
import { dice } from './dice.ts'
import { type Planted, plant, type Trick } from './faults.ts'
import { type Note, traffic } from './traffic.ts'

export interface MonthOptions {
  readonly seed: number
  /** Midnight in UTC. */
  readonly start: number
  readonly days: number
  readonly calls: number
  readonly tricks: readonly Trick[]
}

export interface Month {
  readonly seed: number
  readonly start: number
  readonly end: number
  /** What a ledger has of it; without costs. */
  readonly notes: readonly Note[]
  readonly served: readonly Served[]
  readonly planted: readonly Planted[]
  bill(house: House): BillRow[]
}

export function makeMonth({ seed, start, days, calls, tricks }: MonthOptions): Month {
  const throws = dice(seed)
  const plot = plant(traffic({ dice: throws, start, days, calls }), { dice: throws, start, days, tricks })
  const served = plot.pairs.flatMap((pair) => pair.served)
  return {
    seed,
    start,
    end: start + days * 86_400_000,
    notes: plot.pairs.flatMap(({ note }) => (note === undefined ? [] : [note])),
    served,
    planted: plot.planted,
    bill: (house) => billOf(house, served, plot.surprises),
  }
}
