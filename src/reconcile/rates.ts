// What a token costs us: by the ledger's own lines, and by the price book where the ledger has none.

import { type PicoUsd, scale } from '../money.ts'
import type { PriceBook } from '../pricing/price.ts'
import { BUCKETS } from '../usage.ts'
import type { CellKey, LoggedCell } from './cells.ts'
import type { Shape } from './shape.ts'
import { DAY, type TokenType } from './statement.ts'

/** Pico-dollars for so many units. */
export interface Rate {
  readonly cost: PicoUsd
  readonly per: number
}

export interface Rates {
  /** Of a kind of token on the day of a cell; `undefined` where no price is known. */
  of(cell: CellKey, type: TokenType): Rate | undefined
  /** Of the book alone. */
  listed(cell: CellKey, type: TokenType): Rate | undefined
}

/** Money of a quantity, rounded once. */
export function worthOf({ cost, per }: Rate, quantity: number): PicoUsd {
  if (Number.isInteger(quantity) && Number.isInteger(per)) return scale(cost, BigInt(quantity), BigInt(per))
  // Seconds and hours may be broken: a millionth of a unit is finer than any statement.
  return scale(cost, BigInt(Math.round(quantity * 1_000_000)), BigInt(Math.round(per * 1_000_000)))
}

const SAMPLE = 1000

export function ratesOf(
  provider: string,
  logged: ReadonlyMap<string, LoggedCell>,
  shape: Shape,
  book: Pick<PriceBook, 'price'>,
): Rates {
  const ledger = new Map<string, { cost: PicoUsd; quantity: number }>()
  const name = (day: number | '', model: string, tier: string, type: TokenType) => `${day}|${model}|${tier}|${type}`
  for (const { at, model, tier, amounts } of logged.values())
    for (const [type, { quantity, cost }] of amounts) {
      if (cost === 0n || quantity === 0) continue
      for (const day of [dayOf(at), ''] as const) {
        const key = name(day, model, tier, type)
        const sum = ledger.get(key)
        if (sum === undefined) ledger.set(key, { cost, quantity })
        else {
          sum.cost += cost
          sum.quantity += quantity
        }
      }
    }
  const known = new Map<string, Rate | undefined>()

  function listed({ at, model, tier }: CellKey, type: TokenType): Rate | undefined {
    const key = name(dayOf(at), model, tier, type)
    if (known.has(key)) return known.get(key)
    const buckets = [type, ...BUCKETS.filter((bucket) => bucket !== type && shape.typeOf(bucket) === type)]
    let rate: Rate | undefined
    for (const bucket of buckets) {
      const query = { provider, model, at: dayOf(at), serviceTier: tier === '' ? 'standard' : tier }
      const cost = book.price({ [bucket]: SAMPLE }, query)
      if (cost === undefined || cost.pico === 0n) continue
      rate = { cost: cost.pico, per: SAMPLE }
      break
    }
    known.set(key, rate)
    return rate
  }

  return {
    listed,
    of(cell, type) {
      const { at, model, tier } = cell
      const own = ledger.get(name(dayOf(at), model, tier, type)) ?? ledger.get(name('', model, tier, type))
      return own === undefined ? listed(cell, type) : { cost: own.cost, per: own.quantity }
    },
  }
}

export function dayOf(at: number): number {
  return Math.floor(at / DAY) * DAY
}
