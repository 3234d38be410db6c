// Cells: what was logged and what was billed in one bucket, of one model at one tier, by kind of token.

import type { PicoUsd } from '../money.ts'
import type { TokenType } from './statement.ts'

export interface CellKey {
  /** Where the bucket begins, epoch milliseconds. */
  readonly at: number
  /** The tenant whose ids a row carries, where ids were mapped; else empty. */
  readonly scope: string
  /** Empty where the source does not tell. */
  readonly model: string
  readonly tier: string
}

export function nameOf({ at, scope, model, tier }: CellKey): string {
  return `${at}\u0000${scope}\u0000${model}\u0000${tier}`
}

export interface Amount {
  quantity: number
  cost: PicoUsd
}

export type Amounts = Map<TokenType, Amount>
export type Quantities = Map<TokenType, number>

export function addAmount(amounts: Amounts, type: TokenType, quantity: number, cost: PicoUsd): void {
  const amount = amounts.get(type)
  if (amount === undefined) amounts.set(type, { quantity, cost })
  else {
    amount.quantity += quantity
    amount.cost += cost
  }
}

/** A quantity that comes to nothing is taken out. */
export function addQuantity(quantities: Quantities, type: TokenType, quantity: number): void {
  const sum = (quantities.get(type) ?? 0) + quantity
  if (sum === 0) quantities.delete(type)
  else quantities.set(type, sum)
}

/** Calls of a cell that may explain what it lacks. */
export interface Evidence {
  count: number
  readonly amounts: Amounts
}

export interface LoggedCell extends CellKey {
  requests: number
  readonly amounts: Amounts
  /** Costs that are in no line of a bucket: of a provider that said the sum alone, of a fee for each request. */
  other: PicoUsd
  /** Attempts of which nobody knows whether they were billed. */
  readonly unsettled: Evidence
  /** Calls whose usage the provider did not say. */
  readonly unreported: Evidence
  /** How many of those were counted by us altogether. */
  estimated: number
  /** Calls that failed and used something. */
  readonly failed: Evidence
}

export interface BilledCell extends CellKey {
  /** `undefined` where the source does not say. */
  requests: number | undefined
  readonly quantities: Quantities
  /** By the ids of the provider that a row carries. */
  readonly byScope: Map<string, { requests: number | undefined; readonly quantities: Quantities }>
}

/** A line of the bill: a day's, and as fine as the source tells. */
export interface BillLine extends CellKey {
  /** `undefined` where the line does not say. */
  readonly type: TokenType | undefined
  cost: PicoUsd
  listCost: PicoUsd | undefined
  quantity: number | undefined
  /** How many rows of the statement it is the sum of. */
  rows: number
  /** As the provider writes it, where all rows say the same. */
  item: string | undefined
  readonly byScope: Map<string, PicoUsd>
}

export function createLoggedCell(key: CellKey): LoggedCell {
  const evidence = (): Evidence => ({ count: 0, amounts: new Map() })
  return {
    ...key,
    requests: 0,
    amounts: new Map(),
    other: 0n,
    unsettled: evidence(),
    unreported: evidence(),
    estimated: 0,
    failed: evidence(),
  }
}
