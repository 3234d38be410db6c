// What an address of the views is: the parameters that it takes, and how it answers.

import type { Query } from '../ledger/query.ts'
import type { ChangeLog } from './changes.ts'
import type { Caller } from './keys.ts'
import type { PlainLimits } from './limits.ts'
import type { ViewLedger } from './view-ledger.ts'
import type { QueryReader } from './view-query.ts'
import { timeOf, type View } from './view-rows.ts'

export interface ViewsOptions {
  readonly ledger: ViewLedger
  /** The limits that a caller sees. */
  readonly limitsOf: (caller: Caller) => PlainLimits
  /** What the server says of itself. */
  readonly health: () => Promise<Readonly<Record<string, unknown>>>
  /** Who changed what; without it there is no such address. */
  readonly changes?: ChangeLog | undefined
  readonly now: () => number
}

export interface Asked {
  readonly query: QueryReader
  readonly caller: Caller
  /** The range and the labels that are asked for, within what the caller may see. */
  readonly over: () => Query
}

export interface Address {
  readonly takes: readonly string[]
  view(asked: Asked): Promise<View>
}

export type Addresses = Readonly<Record<string, (options: ViewsOptions) => Address>>

export function toldRange({ since, until }: Query) {
  return { since: timeOf(since), until: timeOf(until) }
}
