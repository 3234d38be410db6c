// What a reconciliation says.

import type { PicoUsd } from '../money.ts'
import type { Status } from '../sinks/reconciliations.ts'
import type { Cause } from './causes.ts'
import type { TokenType } from './statement.ts'

export type { Status }

/** One reason, over the whole period. The costs of all of them are the difference, to the pico-dollar. */
export interface CauseTotal {
  readonly cause: Cause
  /** Billed less logged. */
  readonly cost: PicoUsd
  /** How many places it was found in. */
  readonly places: number
  /** Requests, where they were counted. */
  readonly requests: number
}

/** One reason on one day for one model. */
export interface CauseLine {
  readonly day: string
  readonly cause: Cause
  readonly model: string
  readonly tier: string
  readonly type: TokenType | undefined
  readonly quantity: number
  readonly cost: PicoUsd
  readonly who?: string
  readonly note?: string
}

/** Volume and price of one kind of token of one model, apart. */
export interface DriftRow {
  readonly model: string
  readonly type: TokenType | undefined
  readonly loggedQuantity: number
  /** `undefined` where the bill says money alone. */
  readonly billedQuantity: number | undefined
  /** Millionths: logged less billed, of what was billed; `undefined` where nothing was billed. */
  readonly volume: number | undefined
  readonly logged: PicoUsd
  /** What was billed, at our prices. */
  readonly expected: PicoUsd
  readonly billed: PicoUsd
  /** Millionths: at our prices less billed, of what was billed. */
  readonly price: number | undefined
  readonly status: Status
}

/** What a line of the bill costs a million of, beside our book. */
export interface UnitPrice {
  readonly model: string
  readonly tier: string
  readonly type: TokenType
  /** As the provider writes it. */
  readonly item: string | undefined
  readonly quantity: number
  readonly billed: PicoUsd
  /** Pico-dollars for a million. */
  readonly perMillion: PicoUsd
  readonly bookPerMillion: PicoUsd | undefined
}

/** Billed, and in no log. */
export interface Unattributed {
  readonly cause: Cause
  readonly who: string | undefined
  readonly model: string
  readonly cost: PicoUsd
}

/** One way to count the same period. */
export interface SideTotal {
  readonly requests: number | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly cost: PicoUsd | undefined
}

export interface Sides {
  /** What the answers said: the ledger. */
  readonly answers: SideTotal
  /** What the usage API counted, at our prices. */
  readonly usage: SideTotal | undefined
  /** What is billed. */
  readonly bill: SideTotal | undefined
  /** Of each two that do not agree, one sentence. */
  readonly disagreements: readonly string[]
}

export interface CostShares {
  readonly exact: PicoUsd
  readonly allocated: PicoUsd
  readonly estimated: PicoUsd
}

export interface Reconciliation {
  readonly source: string
  readonly provider: string
  /** Epoch milliseconds, whole days in UTC. */
  readonly since: number
  readonly until: number
  /** Days that the source may still change, which were left out. */
  readonly notFinal: readonly string[]
  readonly calls: number
  readonly billed: PicoUsd
  readonly logged: PicoUsd
  /** Billed less logged: the sum of `causes`. */
  readonly difference: PicoUsd
  readonly causes: readonly CauseTotal[]
  readonly details: readonly CauseLine[]
  readonly drift: readonly DriftRow[]
  readonly unitPrices: readonly UnitPrice[]
  readonly unattributed: readonly Unattributed[]
  /** What of the bill is of no call in the ledger, as it was billed: with `canonical` it is the whole bill. */
  readonly unattributedBilled: PicoUsd
  /** Logged, and not billed. */
  readonly notBilled: PicoUsd
  readonly sides: Sides
  /** What the calls cost in the end, by how it is known. */
  readonly canonical: CostShares
  /** Models of the ledger without a price, with their calls. */
  readonly unpriced: readonly { readonly model: string; readonly calls: number }[]
  readonly status: Status
  /** From when on drift is measured anew, and why. */
  readonly baseline?: { readonly day: string; readonly reason: string }
  readonly cannotTell: readonly string[]
}
