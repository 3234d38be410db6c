// The shape of the text in data/price-book.ts. Rates are whole pico-dollars per unit.

import type { Bucket } from '../usage.ts'

/** What a rate can be for: a bucket of usage, or the fee that some providers add to each request. */
export type RateName = Bucket | 'fee.request'

/** The order of the rates in a row. */
export const COLUMNS = [
  'input.text',
  'output.text',
  'input.text.cache_read',
  'input.text.cache_write',
  'input.text.cache_write_1h',
  'fee.web_search',
  'output.reasoning',
  'input.audio',
  'input.audio.cache_read',
  'output.audio',
  'input.image',
  'input.image.cache_read',
  'output.image',
  'input.video',
  'output.video',
  'fee.request',
] as const satisfies readonly RateName[]

/** In the order of `COLUMNS`, short of empty ends; `null` where no rate is published. */
export type RateList = readonly (number | null)[]

/** The prices of a model over a stretch of time. Of the rows that hold at a moment, the last one counts. */
export interface RowData {
  /** The UTC day it holds from, `2026-08-21`; always, where absent. */
  readonly from?: string
  /** Only on these weekdays, 0 is Sunday, in UTC. */
  readonly days?: readonly number[]
  /** Only within these spans, `01:00-04:00` in UTC, the end excluded. */
  readonly hours?: readonly string[]
  readonly rates: RateList
  /** Other rates for the whole request when all of its input is above so many tokens; `null`: not known. Ascending. */
  readonly above?: readonly (readonly [inputTokens: number, rates: RateList | null])[]
}

/** A rule that takes ids which are listed nowhere. */
export interface FamilyRule {
  readonly or?: readonly FamilyRule[]
  readonly and?: readonly FamilyRule[]
  readonly equals?: string
  readonly starts_with?: string
  readonly ends_with?: string
  readonly contains?: string
  readonly regex?: string
}

export interface ModelData {
  /** Every id that is this model, in lower case; the first one names it. */
  readonly ids: readonly string[]
  /** Names a model that has no ids, only a family. */
  readonly name?: string
  /** Any of these takes an unlisted id as one of the family. */
  readonly family?: readonly FamilyRule[]
  /** The standard tier; empty where no price is known. */
  readonly rows: readonly RowData[]
  readonly tiers?: Readonly<Record<string, readonly RowData[]>>
  readonly maxOutputTokens?: number
}

export interface ProviderData {
  /** Providers whose models it serves at their makers' prices. */
  readonly like?: readonly string[]
  readonly models: readonly ModelData[]
}

export interface BookData {
  readonly version: string
  readonly columns: readonly string[]
  readonly providers: Readonly<Record<string, ProviderData>>
}
