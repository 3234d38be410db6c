// The lines of the bill beside what the ledger says of them, and what each reason is worth in each.

import type { PicoUsd } from '../money.ts'
import type { Cause } from './causes.ts'
import type { CellKey } from './cells.ts'
import type { Finding } from './gaps.ts'
import { type Rate, type Rates, worthOf } from './rates.ts'
import type { LineKey, Shape } from './shape.ts'
import type { TokenType } from './statement.ts'
import { lineName, type Tally } from './tally.ts'

/** A part of the difference, with its reason. */
export interface Share {
  readonly cause: Cause
  readonly cost: PicoUsd
  readonly requests: number | undefined
  readonly quantity: number
  readonly model: string
  readonly tier: string
  readonly type: TokenType | undefined
  readonly who?: string
  readonly note?: string
}

/** By tier: of a line that does not tell tiers apart, what is in it. */
export type ByTier = Map<string, { readonly cell: CellKey; quantity: number; value: PicoUsd }>

export interface Line extends LineKey {
  /** `undefined` where the source has no costs. */
  billed: PicoUsd | undefined
  logged: PicoUsd
  loggedQuantity: number
  /** By usage rows, or by the line itself. */
  billedQuantity: number
  /** Whether any of them says a quantity. */
  isCounted: boolean
  listCost: PicoUsd | undefined
  rows: number
  item: string | undefined
  who: string | undefined
  readonly shares: Share[]
  readonly byTier: ByTier
  /** The ledger has something of it. */
  isLogged: boolean
}

export function linesOf(tally: Tally, shape: Shape, findings: readonly Finding[], rates: Rates): Map<string, Line> {
  const lines = new Map<string, Line>()

  function lineAt(key: LineKey): Line {
    const name = lineName(key)
    let line = lines.get(name)
    if (line === undefined) {
      line = {
        ...key,
        billed: shape.hasCost ? 0n : undefined,
        logged: 0n,
        loggedQuantity: 0,
        billedQuantity: 0,
        isCounted: false,
        listCost: undefined,
        rows: 0,
        item: undefined,
        who: undefined,
        shares: [],
        byTier: new Map(),
        isLogged: false,
      }
      lines.set(name, line)
    }
    return line
  }

  for (const row of tally.lines.values()) {
    const line = lineAt(row)
    line.billed = row.cost
    line.listCost = row.listCost
    line.rows = row.rows
    line.item = row.item
    line.who = row.byScope.size === 1 ? [...row.byScope.keys()][0] : undefined
    if (row.quantity === undefined) continue
    line.billedQuantity = row.quantity
    line.isCounted = true
  }
  for (const cell of tally.logged.values()) {
    for (const [type, { quantity, cost }] of cell.amounts) {
      const line = lineAt(shape.lineKey(cell, type))
      line.logged += cost
      line.loggedQuantity += quantity
      line.isLogged = true
      addTier(line, cell, quantity, cost)
    }
    if (cell.other === 0n) continue
    const line = lineAt(shape.lineKey(cell, undefined))
    line.logged += cell.other
    line.isLogged = true
  }
  if (shape.hasUsage)
    for (const cell of tally.billed.values())
      for (const [type, quantity] of cell.quantities) {
        const line = lineAt(shape.lineKey(cell, type))
        const row = tally.lines.get(lineName(line))
        if (row?.quantity !== undefined) continue
        line.billedQuantity += quantity
        line.isCounted = true
      }
  for (const finding of findings) {
    // Of one kind of token alone: a request that used three is one request.
    let { requests } = finding
    for (const [type, quantity] of finding.quantities) {
      const line = lineAt(shape.lineKey(finding.cell, type))
      const exact = finding.costs?.get(type)
      const rate = rates.of(finding.cell, type) ?? ownRate(line)
      const cost = exact ?? (rate === undefined ? 0n : worthOf(rate, quantity))
      const { who, note, cause } = finding
      const { model, tier } = finding.cell
      line.shares.push({
        cause,
        cost,
        requests,
        quantity,
        model,
        tier,
        type,
        ...(who !== undefined && { who }),
        ...(note !== undefined && { note }),
      })
      requests = undefined
      addTier(line, finding.cell, quantity, cost)
    }
  }
  return lines
}

/** Of what our book does not know, the bill says the price itself. */
function ownRate({ billed = 0n, billedQuantity }: Line): Rate | undefined {
  return billed > 0n && billedQuantity > 0 ? { cost: billed, per: billedQuantity } : undefined
}

function addTier(line: Line, cell: CellKey, quantity: number, value: PicoUsd): void {
  const part = line.byTier.get(cell.tier)
  if (part === undefined) line.byTier.set(cell.tier, { cell, quantity, value })
  else {
    part.quantity += quantity
    part.value += value
  }
}

/** What was billed, at our prices. */
export function expectedOf(line: Line): PicoUsd {
  return line.shares.reduce((sum, { cost }) => sum + cost, line.logged)
}
