// What each call cost in the end: said by the provider, its share of the bill, or, where there is no bill yet, our own figure.

import type { PicoUsd } from '../money.ts'
import { type LoggedCell, nameOf } from './cells.ts'
import type { LoggedCall } from './logged.ts'
import type { Among, Pots } from './pots.ts'
import type { Shape } from './shape.ts'
import type { TokenType } from './statement.ts'

/**
 * `exact`: the provider said it of this very call. `allocated`: its share of what was billed for its bucket. `estimated`:
 * by our price book, since no bill covers it.
 */
export type CostLabel = 'exact' | 'allocated' | 'estimated'

export interface CanonicalCost {
  readonly eventId: string
  readonly tenantId: string | undefined
  readonly at: number
  readonly label: CostLabel
  /** By our price book; `undefined` where it knows no price. */
  readonly logged: PicoUsd | undefined
  /** By the bill; `undefined` where none covers it. */
  readonly billed: PicoUsd | undefined
  /** The best that is known of the two. */
  readonly canonical: PicoUsd | undefined
}

interface Pot {
  readonly money: PicoUsd
  readonly total: bigint
  weight: bigint
  given: PicoUsd
  /** The ledger has nothing of it in this cell: by the number of calls. */
  readonly isByCalls: boolean
  /** The ledger knows what it cost; otherwise by its quantity. */
  readonly isByCost: boolean
}

/** The pots of one cell, by kind of token; those of no kind under an empty name. */
type CellPots = Readonly<Record<Among, Map<TokenType | '', Pot>>>

export interface Allocation {
  /** In any order, each call once: what is over from one call goes to those after it. */
  costOf(call: LoggedCall): CanonicalCost
}

export interface AllocationOptions {
  readonly logged: ReadonlyMap<string, LoggedCell>
  readonly shape: Shape
  readonly pots: Pots
  /** What the statement says of single requests, by their id. */
  readonly joined: ReadonlyMap<string, PicoUsd>
  /** Whether a bill covers the day of a call. */
  isCovered(at: number): boolean
}

/** Quantities may be broken; a millionth of a second is as fine as any. */
const FINE = 1_000_000

export function allocate({ logged, shape, pots, joined, isCovered }: AllocationOptions): Allocation {
  const opened = openPots(logged, pots)

  function billedOf(call: LoggedCall): PicoUsd {
    const own = opened.get(nameOf(shape.loggedKey(call, undefined)))
    let sum = 0n
    let rest = call.cost ?? 0n
    for (const part of call.parts) {
      rest -= part.cost
      const of = shape.isInOwnCell(call, part) ? own : opened.get(nameOf(shape.loggedKey(call, part)))
      const type = shape.typeOf(part.bucket)
      const pot = of?.all.get(type)
      if (pot !== undefined && !pot.isByCalls) sum += draw(pot, part.cost, part.quantity)
      if (own === undefined || call.unsettled === 0) continue
      const twice = own.unsettled.get(type)
      for (let i = 0; i < call.unsettled; i++) if (twice !== undefined) sum += draw(twice, part.cost, part.quantity)
    }
    if (own === undefined) return sum
    const others = own.all.get('')
    if (others !== undefined) sum += draw(others, rest, 0)
    if (!call.isRequest) return sum
    const calls = BigInt(call.calls)
    for (const pot of own.all.values()) if (pot.isByCalls) sum += drawn(pot, calls)
    if (call.usageSource !== 'reported') for (const pot of own.unreported.values()) sum += drawn(pot, calls)
    return sum
  }

  return {
    costOf(call) {
      const { eventId, tenantId, at, cost } = call
      const said = call.responseId === undefined ? undefined : joined.get(call.responseId)
      const exact = said ?? (call.isReported ? cost : undefined)
      if (exact !== undefined)
        return { eventId, tenantId, at, label: 'exact', logged: cost, billed: exact, canonical: exact }
      if (!isCovered(at))
        return { eventId, tenantId, at, label: 'estimated', logged: cost, billed: undefined, canonical: cost }
      const billed = billedOf(call)
      return { eventId, tenantId, at, label: 'allocated', logged: cost, billed, canonical: billed }
    },
  }
}

function draw(pot: Pot, cost: PicoUsd, quantity: number): PicoUsd {
  return drawn(pot, pot.isByCost ? cost : BigInt(Math.round(quantity * FINE)))
}

/** What is left of the money so far, so that the last call takes the rest of it. */
function drawn(pot: Pot, weight: bigint): PicoUsd {
  if (weight === 0n) return 0n
  pot.weight += weight
  const share = (pot.money * pot.weight) / pot.total - pot.given
  pot.given += share
  return share
}

function openPots(logged: ReadonlyMap<string, LoggedCell>, { money }: Pots): Map<string, CellPots> {
  const opened = new Map<string, CellPots>()
  for (const { cell, type, among, pico } of money.values()) {
    const name = nameOf(cell)
    const ours = logged.get(name)
    if (ours === undefined) continue
    let of = opened.get(name)
    if (of === undefined) opened.set(name, (of = { all: new Map(), unreported: new Map(), unsettled: new Map() }))
    const pot = potOf(ours, type, among, pico)
    if (pot.total > 0n) of[among].set(type ?? '', pot)
  }
  return opened
}

function potOf(cell: LoggedCell, type: TokenType | undefined, among: Among, money: PicoUsd): Pot {
  const pot = { money, weight: 0n, given: 0n, isByCalls: false, isByCost: true }
  if (type === undefined) return { ...pot, total: cell.other > 0n ? cell.other : 0n }
  if (among === 'unreported') return { ...pot, isByCalls: true, total: BigInt(cell.unreported.count) }
  const amount = (among === 'unsettled' ? cell.unsettled.amounts : cell.amounts).get(type)
  if (amount === undefined || (amount.quantity === 0 && amount.cost === 0n))
    return { ...pot, isByCalls: true, total: among === 'all' ? BigInt(cell.requests) : 0n }
  if (amount.cost > 0n) return { ...pot, total: amount.cost }
  return { ...pot, isByCost: false, total: BigInt(Math.round(amount.quantity * FINE)) }
}
