// What a comparison of models says: sums by target, what could not be compared, and why.

import type { LLMEvent } from '../event.ts'
import type { PicoUsd } from '../money.ts'
import type { PriceBook } from '../pricing/price.ts'
import type { Target } from './target.ts'
import type { TokenBand } from './tokenizers-apart.ts'

/** Sums of the calls that could be compared. */
export interface ComparedSums {
  readonly calls: number
  /** What they cost as they were made. */
  readonly cost: PicoUsd
  /** What they would cost with as many tokens as were counted. */
  readonly there: PicoUsd
  /** The same with the fewest and the most tokens that the other tokenizer makes of them. */
  readonly thereLow: PicoUsd
  readonly thereHigh: PicoUsd
}

export interface ComparedRow extends ComparedSums {
  readonly feature: string | null
  readonly tenant: string | null
}

/** Calls that the target has no price for, and why: they are in no sum. */
export interface NotCompared {
  /** One sentence. */
  readonly why: string
  readonly calls: number
  /** What those of them cost whose cost is known. */
  readonly cost: PicoUsd
}

/** The difference of the tokenizers of the models that were used and the target. */
export interface ComparedModel extends TokenBand {
  readonly provider: string
  readonly model: string
  readonly calls: number
}

export interface ComparedTarget extends Target {
  readonly total: ComparedSums
  /** By feature and tenant, what cost most first. */
  readonly rows: readonly ComparedRow[]
  readonly notCompared: readonly NotCompared[]
  readonly models: readonly ComparedModel[]
  /** Calls from before the target had a price, priced by the rates of today. */
  readonly atTodaysRates: number
  /** Calls priced by the rates of the target's family. */
  readonly guessed: number
}

export interface Comparison {
  /** Calls that were looked at. */
  readonly calls: number
  /** Of those: the usage was estimated, in part or whole. */
  readonly estimated: number
  readonly priceVersion: string
  readonly targets: readonly ComparedTarget[]
}

/** What of an event a comparison looks at. */
export type ComparedEvent = Pick<
  LLMEvent,
  | 'provider'
  | 'model'
  | 'timestamp'
  | 'tenantId'
  | 'feature'
  | 'serviceTier'
  | 'geo'
  | 'priceVariant'
  | 'usage'
  | 'usageSource'
  | 'costUsd'
  | 'calls'
>

export type ComparingBook = Pick<PriceBook, 'version' | 'price' | 'why' | 'search' | 'rows'>

export interface CompareOptions {
  /** `provider/model`, or a model's id alone where one provider has it or its maker is meant. */
  readonly to: readonly string[]
  /** Epoch milliseconds whose rates price calls from before the target had any; now unless told. */
  readonly now?: number | undefined
}

/** Adds up a comparison call by call, so that a ledger of any size can be compared. */
export interface Comparing {
  add(event: ComparedEvent): void
  result(): Comparison
}
