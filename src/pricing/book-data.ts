// The shape of the text in data/price-book.ts.

import type { Bucket } from '../usage.ts'

/** What a rate can be for: a bucket of usage, or the fee that some providers add to each request. */
export type RateName = Bucket | 'fee.request'

/** The order of the rates in a row that is a list: the most common ones first. */
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
  'fee.file_search',
  'input.text.cache_write_5m',
  'input.text.cache_write_30m',
  'input.text.cache_write_12h',
  'input.text.tool_use',
  'input.video.cache_read',
  'unit.input_characters',
  'unit.input_seconds',
  'unit.input_pages',
  'unit.input_images',
  'unit.output_images',
  'unit.output_seconds',
  'unit.session_seconds',
  'unit.cache_token_hours',
  'unit.trained_tokens',
  'fee.maps_search',
  'fee.code_session',
  'fee.rerank_search',
  'fee.classification',
] as const satisfies readonly RateName[]

/** Whole pico-dollars for one unit; or, where that is no whole number, dollars for so many units: `"0.05/60"`. */
export type RateData = number | string

/** In the order of `COLUMNS`, short of empty ends and with `null` where no rate is published; or by name, where that is shorter. */
export type RateList = readonly (RateData | null)[] | Readonly<Record<string, RateData>>

/** When something holds. */
export interface TimesData {
  /** The UTC day it holds from, `2026-08-21`, or the moment, `2026-08-21T16:00:00Z`; always, where absent. */
  readonly from?: string
  /** The last UTC day it holds, that day included; or the moment at which it no longer does. */
  readonly until?: string
  /** Only on these weekdays, 0 is Sunday, in UTC. */
  readonly days?: readonly number[]
  /** Only within these spans, `01:00-04:00` in UTC, the end excluded. */
  readonly hours?: readonly string[]
  /** Not on the UTC days of this calendar. */
  readonly except?: string
}

/** The prices of a model over a stretch of time. Of the rows that hold at a moment, the last one counts. */
export interface RowData extends TimesData {
  /** For pieces of this size, quality or resolution alone; adds to the row without one. */
  readonly variant?: string
  readonly rates: RateList
  /** Other rates for the whole request when all of its input is above so many tokens; `null`: not known. Ascending. */
  readonly above?: readonly (readonly [inputTokens: number, rates: RateList | null])[]
  /** Where it was read: a place in `sources`; the provider's, where absent. */
  readonly source?: number
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

/** Names models: `*` is all of them, `gpt-5*` those with an id that begins so, and anything else an id. */
export type ModelPattern = string

/** What holds for models whose own rows have no such rate. */
export interface FeeData extends TimesData {
  readonly models: readonly ModelPattern[]
  readonly rates: RateList
  readonly source: number
}

/**
 * What multiplies the token rates in one place. Models that no modifier of a place names cost there what they cost
 * anywhere; in a place that none names, the price is unknown of models that cost more elsewhere.
 */
export interface ModifierData extends TimesData {
  readonly geo: string
  readonly models: readonly ModelPattern[]
  /** `11/10`. */
  readonly multiply: string
  readonly source: number
}

export interface ProviderData {
  /** Providers whose models it serves at their makers' prices. */
  readonly like?: readonly string[]
  /** Where rows without a source were read. */
  readonly source?: number
  readonly models: readonly ModelData[]
  /** Of those that hold, the last one counts. */
  readonly fees?: readonly FeeData[]
  /** Of those that hold, the last one counts. */
  readonly modifiers?: readonly ModifierData[]
}

export type SourceData = readonly [page: string, read: string, note?: string]

export interface BookData {
  readonly version: string
  /** The last day on which a page was read for it. */
  readonly read?: string
  readonly columns: readonly string[]
  readonly sources?: readonly SourceData[]
  /** UTC days by name, on which rows with that `except` do not hold. */
  readonly calendars?: Readonly<Record<string, readonly string[]>>
  readonly providers: Readonly<Record<string, ProviderData>>
}

/** The rates of a list by name. */
export function ratesByName(list: RateList, columns: readonly string[]): Map<string, RateData> {
  if (!Array.isArray(list)) return new Map(Object.entries(list as Readonly<Record<string, RateData>>))
  const rates = new Map<string, RateData>()
  for (const [at, rate] of (list as readonly (RateData | null)[]).entries())
    if (rate !== null) rates.set(columns[at] ?? '', rate)
  return rates
}

/** Whether a model that has these ids is among those that the patterns name. */
export function isNamed(patterns: readonly ModelPattern[], ids: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? ids.some((id) => id.startsWith(pattern.slice(0, -1))) : ids.includes(pattern),
  )
}
