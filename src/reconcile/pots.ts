// The money of each line, divided over the cells whose calls it is for; what is of no call of ours stays apart.

import type { PicoUsd } from '../money.ts'
import { UNATTRIBUTED } from './causes.ts'
import { type CellKey, nameOf } from './cells.ts'
import type { Finding } from './gaps.ts'
import type { Line } from './lines.ts'
import { type Rates, worthOf } from './rates.ts'
import type { Shape } from './shape.ts'
import type { TokenType } from './statement.ts'
import { lineName, type Tally } from './tally.ts'

/** Which calls of a cell it is for. */
export type Among = 'all' | 'unreported' | 'unsettled'

export interface Pots {
  /** By cell, kind of token and calls: what of the bill is theirs. */
  readonly money: ReadonlyMap<string, PotMoney>
  /** What of the bill is of no call in the ledger. */
  readonly unattributed: PicoUsd
}

export interface PotMoney extends Target {
  pico: PicoUsd
}

interface Target {
  readonly cell: CellKey
  readonly type: TokenType | undefined
  readonly among: Among
}

interface Piece {
  readonly target: Target | undefined
  readonly weight: bigint
}

function nameOfPot({ cell, type, among }: Target): string {
  return `${nameOf(cell)}\u0000${type ?? ''}\u0000${among}`
}

export function potsOf(
  tally: Tally,
  shape: Shape,
  lines: ReadonlyMap<string, Line>,
  findings: readonly Finding[],
  rates: Rates,
): Pots {
  const money = new Map<string, PotMoney>()
  let unattributed = 0n
  const pieces = piecesOf(tally, shape, findings, rates)
  for (const [lineId, line] of lines) {
    const { billed = 0n } = line
    if (billed === 0n) continue
    const own = pieces.get(lineId) ?? byLedger(tally, shape, lineId)
    let [total, sum, given] = [0n, 0n, 0n]
    for (const { weight } of own) total += weight
    if (total === 0n) {
      unattributed += billed
      continue
    }
    for (const { target, weight } of own) {
      sum += weight
      // What is left of the sum so far: rounded by itself each share would leave a remainder.
      const share = (billed * sum) / total - given
      given += share
      if (target === undefined) unattributed += share
      else {
        const name = nameOfPot(target)
        const pot = money.get(name)
        if (pot === undefined) money.set(name, { ...target, pico: share })
        else pot.pico += share
      }
    }
  }
  return { money, unattributed }
}

function piecesOf(
  { logged, billed }: Tally,
  shape: Shape,
  findings: readonly Finding[],
  rates: Rates,
): Map<string, Piece[]> {
  const pieces = new Map<string, Piece[]>()
  const add = (cell: CellKey, type: TokenType, quantity: number, target: Target | undefined) => {
    if (quantity <= 0) return
    const name = lineName(shape.lineKey(cell, type))
    const rate = rates.of(cell, type)
    const weight = rate === undefined ? BigInt(Math.round(quantity)) : worthOf(rate, quantity)
    const list = pieces.get(name)
    if (list === undefined) pieces.set(name, [{ target, weight }])
    else list.push({ target, weight })
  }
  const left = new Map<string, Map<TokenType, number>>()
  for (const [name, { quantities }] of billed) left.set(name, new Map(quantities))
  for (const { cause, cell, quantities, toward } of findings) {
    const of = left.get(nameOf(cell))
    for (const [type, quantity] of quantities) {
      if (quantity <= 0 || of === undefined) continue
      of.set(type, (of.get(type) ?? 0) - quantity)
      const isNobodys = UNATTRIBUTED.has(cause)
      add(cell, type, quantity, isNobodys ? undefined : targetOf(toward ?? cell, type, cause))
    }
  }
  for (const [name, of] of left) {
    const cell = billed.get(name)!
    for (const [type, quantity] of of) add(cell, type, quantity, targetOf(cell, type, undefined))
  }

  function targetOf(cell: CellKey, type: TokenType, cause: Finding['cause'] | undefined): Target | undefined {
    const calls = logged.get(nameOf(cell))
    if (calls === undefined) return undefined
    if (cause === 'streams-without-usage' && calls.unreported.count > 0) return { cell, type, among: 'unreported' }
    if (cause === 'retries' && calls.unsettled.amounts.size > 0) return { cell, type, among: 'unsettled' }
    return calls.amounts.size > 0 || calls.requests > 0 ? { cell, type, among: 'all' } : undefined
  }
  return pieces
}

/** A line without a quantity: by what the ledger says that its calls cost. */
function byLedger({ logged }: Tally, shape: Shape, name: string): Piece[] {
  const pieces: Piece[] = []
  for (const cell of logged.values()) {
    for (const [type, { cost }] of cell.amounts)
      if (cost > 0n && lineName(shape.lineKey(cell, type)) === name)
        pieces.push({ target: { cell, type, among: 'all' }, weight: cost })
    if (cell.other > 0n && lineName(shape.lineKey(cell, undefined)) === name)
      pieces.push({ target: { cell, type: undefined, among: 'all' }, weight: cell.other })
  }
  return pieces
}
