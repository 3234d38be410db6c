// What is left between the two sides of each cell, while one reason after the other takes its part of it.

import type { PicoUsd } from '../money.ts'
import type { Cause } from './causes.ts'
import { addQuantity, type BilledCell, type CellKey, type LoggedCell, type Quantities } from './cells.ts'
import type { TokenType } from './statement.ts'
import type { Tally } from './tally.ts'

/** Billed less logged, of what nothing has explained yet. */
export interface Gap extends CellKey {
  requests: number | undefined
  readonly quantities: Quantities
  readonly logged: LoggedCell | undefined
  readonly billed: BilledCell | undefined
}

/** A part of a gap that has a reason. */
export interface Finding {
  readonly cause: Cause
  readonly cell: CellKey
  readonly requests: number | undefined
  readonly quantities: ReadonlyMap<TokenType, number>
  /** Where it is known exactly what they cost. */
  readonly costs?: ReadonlyMap<TokenType, PicoUsd>
  /** The cell whose calls it is of, where it was billed in another one. */
  readonly toward?: CellKey
  /** The ids that it was billed under. */
  readonly who?: string
  /** For a person. */
  readonly note?: string
}

export function gapsOf({ logged, billed }: Pick<Tally, 'logged' | 'billed'>): Map<string, Gap> {
  const gaps = new Map<string, Gap>()
  for (const name of new Set([...logged.keys(), ...billed.keys()])) {
    const [ours, theirs] = [logged.get(name), billed.get(name)]
    const quantities: Quantities = new Map(theirs?.quantities)
    for (const [type, { quantity }] of ours?.amounts ?? []) addQuantity(quantities, type, -quantity)
    const told = theirs === undefined ? undefined : theirs.requests
    const requests = told === undefined ? undefined : told - (ours?.requests ?? 0)
    const { at, scope, model, tier } = (ours ?? theirs)!
    gaps.set(name, { at, scope, model, tier, requests, quantities, logged: ours, billed: theirs })
  }
  countAbsent(gaps)
  return gaps
}

/** A bucket in which a source that counts requests has no row at all had none. */
function countAbsent(gaps: ReadonlyMap<string, Gap>): void {
  const counts = [...gaps.values()].some(({ billed }) => billed?.requests !== undefined)
  if (!counts) return
  for (const gap of gaps.values())
    if (gap.billed === undefined && gap.logged !== undefined && gap.logged.requests > 0)
      gap.requests = -gap.logged.requests
}

/** Takes quantities out of a gap, and gives the finding of them. */
export function take(
  gap: Gap,
  cause: Cause,
  quantities: ReadonlyMap<TokenType, number>,
  more: Omit<Finding, 'cause' | 'cell' | 'quantities' | 'requests'> & { readonly requests?: number } = {},
): Finding {
  const { requests, ...rest } = more
  // They may be the very map that they are taken out of.
  const taken = new Map(quantities)
  for (const [type, quantity] of taken) addQuantity(gap.quantities, type, -quantity)
  if (requests !== undefined && gap.requests !== undefined) gap.requests -= requests
  const { at, scope, model, tier } = gap
  return { cause, cell: { at, scope, model, tier }, requests, quantities: taken, ...rest }
}

export function isEmpty({ quantities, requests }: Gap): boolean {
  return quantities.size === 0 && (requests === undefined || requests === 0)
}

/** Whether `less` fits into `more` in each of its figures, and has any. */
export function covers(more: ReadonlyMap<TokenType, number>, less: ReadonlyMap<TokenType, number>): boolean {
  if (less.size === 0) return false
  for (const [type, quantity] of less) if ((more.get(type) ?? 0) < quantity) return false
  return true
}

export function isOpposite(a: Gap, b: Gap): boolean {
  if (a.quantities.size === 0 || a.quantities.size !== b.quantities.size) return false
  if ((a.requests === undefined) !== (b.requests === undefined)) return false
  if (a.requests !== undefined && a.requests !== -b.requests!) return false
  for (const [type, quantity] of a.quantities) if (b.quantities.get(type) !== -quantity) return false
  return true
}

/** Only what is more than was logged, or only what is less. */
export function partOf(gap: Gap, sign: 1 | -1): Map<TokenType, number> {
  return new Map([...gap.quantities].filter(([, quantity]) => Math.sign(quantity) === sign))
}
