// Adds the shares of all lines up: by reason, by day, by whom.

import type { PicoUsd } from '../money.ts'
import { CAUSES, type Cause, UNATTRIBUTED } from './causes.ts'
import type { Line } from './lines.ts'
import { dayOf, type Rates } from './rates.ts'
import type { CauseLine, CauseTotal, Unattributed, UnitPrice } from './result.ts'

export function causesOf(lines: Iterable<Line>): CauseTotal[] {
  const totals = new Map<Cause, { cost: PicoUsd; places: number; requests: number }>()
  for (const { shares } of lines)
    for (const { cause, cost, requests, quantity } of shares) {
      if (cost === 0n && quantity === 0) continue
      let total = totals.get(cause)
      if (total === undefined) totals.set(cause, (total = { cost: 0n, places: 0, requests: 0 }))
      total.cost += cost
      total.places += 1
      total.requests += requests ?? 0
    }
  return CAUSES.filter((cause) => totals.has(cause)).map((cause) => ({ cause, ...totals.get(cause)! }))
}

export function detailsOf(lines: Iterable<Line>): CauseLine[] {
  const details = new Map<string, CauseLine & { cost: PicoUsd; quantity: number }>()
  for (const line of lines)
    for (const { cause, cost, quantity, model, tier, type, who, note } of line.shares) {
      if (cost === 0n && quantity === 0) continue
      const day = dateOf(line.at)
      const key = [day, cause, model, tier, type, who].join('\u0000')
      const known = details.get(key)
      if (known === undefined)
        details.set(key, {
          day,
          cause,
          model,
          tier,
          type,
          quantity,
          cost,
          ...(who !== undefined && who !== '' && { who }),
          ...(note !== undefined && { note }),
        })
      else details.set(key, { ...known, quantity: known.quantity + quantity, cost: known.cost + cost })
    }
  return [...details.values()].sort(
    (a, b) =>
      a.day.localeCompare(b.day) || CAUSES.indexOf(a.cause) - CAUSES.indexOf(b.cause) || compare(b.cost, a.cost),
  )
}

export function unattributedOf(details: readonly CauseLine[]): Unattributed[] {
  const all = new Map<string, Unattributed>()
  for (const { cause, who, model, cost } of details) {
    if (!UNATTRIBUTED.has(cause)) continue
    const key = [cause, who, model].join('\u0000')
    all.set(key, { cause, who, model, cost: (all.get(key)?.cost ?? 0n) + cost })
  }
  return [...all.values()].sort((a, b) => compare(b.cost, a.cost))
}

export function unitPricesOf(lines: Iterable<Line>, rates: Rates): UnitPrice[] {
  const sums = new Map<string, { line: Line; quantity: number; billed: PicoUsd }>()
  for (const line of lines) {
    const { billed, billedQuantity, model, tier, type } = line
    if (billed === undefined || type === undefined || billedQuantity <= 0 || billed <= 0n) continue
    const key = [model, tier, type].join('\u0000')
    const sum = sums.get(key)
    if (sum === undefined) sums.set(key, { line, quantity: billedQuantity, billed })
    else {
      sum.quantity += billedQuantity
      sum.billed += billed
    }
  }
  return [...sums.values()].map(({ line, quantity, billed }) => {
    const rate = rates.listed(line, line.type!)
    return {
      model: line.model,
      tier: line.tier,
      type: line.type!,
      item: line.item,
      quantity,
      billed,
      perMillion: perMillion(billed, quantity),
      bookPerMillion: rate === undefined ? undefined : perMillion(rate.cost, rate.per),
    }
  })
}

function perMillion(cost: PicoUsd, quantity: number): PicoUsd {
  return (cost * 1_000_000_000_000n) / BigInt(Math.round(quantity * 1_000_000))
}

export function dateOf(at: number): string {
  return new Date(dayOf(at)).toISOString().slice(0, 10)
}

export function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
