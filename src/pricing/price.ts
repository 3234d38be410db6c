// The contract of pricing: usage in, money out, and where each rate was read.

import type { CostLine } from '../event.ts'
import type { PicoUsd } from '../money.ts'
import type { Usage } from '../usage.ts'
import type { AgreedPrice } from './agreed-prices.ts'

/** What decides a price besides the usage. */
export interface PriceQuery {
  readonly provider: string
  /** The model that served the call. */
  readonly model: string
  /** When the call was made, epoch milliseconds: prices are dated, and some depend on the hour. */
  readonly at: number
  /** The tier that the answer names, where it names one. */
  readonly serviceTier?: string | undefined
  /** Where it was processed, where that is part of the price: `us`, `eu`. */
  readonly geo?: string | undefined
  /** What a piece is priced by beside its count: size and quality of an image (`1024x1536/high`), resolution of a video (`720p`). */
  readonly variant?: string | undefined
  /** Whose call it is: prices can be agreed for one tenant. */
  readonly tenantId?: string | undefined
}

/** An exact cost: the sum of its lines. */
export interface Cost {
  readonly pico: PicoUsd
  /** `fallback`: no row for this id, the price of the model's family was used. `reported`: the provider said it. */
  readonly source: 'priced' | 'fallback' | 'reported'
  /** None where the provider said only the sum. */
  readonly lines: readonly CostLine[]
}

/** Why there is no price. */
export type PriceGapReason =
  | 'unknown-provider'
  | 'unknown-model'
  /** The model is known, and that it has no price that could be counted. */
  | 'unpriced-model'
  | 'unknown-tier'
  | 'unknown-geo'
  | 'before-first-price'
  /** After its last one, or at a moment that is none. */
  | 'no-price-then'
  /** The prompt is longer than any length whose price was read. */
  | 'unknown-band'
  | 'unknown-bucket'
  /** A quantity that is negative or no number. */
  | 'bad-quantity'

export interface PriceGap {
  readonly reason: PriceGapReason
  /** One sentence that says what is missing, for a person. */
  readonly message: string
  /** Of which model: of a call in which several had a part, the one without a price. */
  readonly model: string
  /** The tier that has none. */
  readonly tier?: string
  /** What has no price or no proper quantity. */
  readonly bucket?: string
}

/** What a call can come to at most, before it is made. */
export interface CallSize {
  /** All input, whatever of it is text, images, sound or cached. */
  readonly inputTokens: number
  /** All output, reasoning included. */
  readonly outputTokens: number
  /** What is billed besides: seconds, pages, images, fees; tokens here come on top of those above. */
  readonly units?: Usage
  /** What the input can hold besides text; everything that the model has a price for, where it is left out. */
  readonly input?: readonly Modality[]
  /** The same of the output. */
  readonly output?: readonly Modality[]
  /**
   * The longest cache write that the request asks for. Left out: any that the model has a price for. What a provider
   * writes unasked (OpenAI since GPT-5.6) counts even with `none`.
   */
  readonly cacheWrites?: 'none' | '5m' | '1h' | undefined
}

export type Modality = 'audio' | 'image' | 'video'

/** A rate as it was published: `usd` dollars for `per` units. */
export interface PublishedRate {
  readonly bucket: string
  /** Exact decimal dollars. */
  readonly usd: string
  readonly per: number
}

/** Where and when something was read. */
export interface Source {
  /** The page; several, with a space between them, where a package names so many. */
  readonly page: string
  /** The day on which it was read, `2026-11-22`. */
  readonly read: string
  readonly note?: string
}

export interface SourcedRate extends PublishedRate, Source {}

/** A row of the book, as a person reads it. */
export interface BookRow extends Source {
  /** What the lines of costs call it. */
  readonly label: string
  /** `fee`: what holds for models whose own rows have no such rate. `agreed`: a price of one's own. */
  readonly kind: 'model' | 'fee' | 'agreed'
  /** `*`: every one. */
  readonly tier: string
  readonly variant?: string
  /** The first moment it holds, `2026-08-21`; always, where absent. */
  readonly from?: string
  /** The last day it holds, included. */
  readonly until?: string
  /** Only on these weekdays, in UTC: `mon`. */
  readonly days?: readonly string[]
  /** Only within these spans, in UTC: `01:00-04:00`. */
  readonly hours?: readonly string[]
  /** Not on the days of this calendar. */
  readonly except?: string
  /** Only for requests with more input tokens than that. */
  readonly above?: number
  /** None where it is known that such a row exists, and not what it says. */
  readonly rates: readonly PublishedRate[]
}

/** What multiplies the token rates of a model, never its fees, in one place. */
export interface BookModifier extends Source {
  readonly geo: string
  /** `11/10`. */
  readonly multiply: string
  readonly from?: string
  readonly until?: string
}

/** All that the book says of a model. */
export interface BookEntry {
  /** Whose rows these are: a maker's, where the provider sells at its prices. */
  readonly provider: string
  readonly model: string
  /** Every id that is this model. */
  readonly ids: readonly string[]
  /** How the id led here. The last two are guesses, and such a cost is `fallback`. */
  readonly found: 'listed' | 'snapshot' | 'maker' | 'family'
  readonly rows: readonly BookRow[]
  readonly modifiers: readonly BookModifier[]
  readonly maxOutputTokens?: number
}

/** Dated prices of one version. Belongs to a meter; nothing in it changes after it was made. */
export interface PriceBook {
  /** Names the data, so that an event can be priced again: `genai-prices-0.1.8+overlay-...`. */
  readonly version: string
  /** The last day on which a page was read for it, `2026-11-22`: how old it is. */
  readonly read: string
  /** The exact cost; `undefined` when the model, its tier or one of the buckets used has no known price. */
  price(usage: Usage, query: PriceQuery): Cost | undefined
  /** Why `price` gives nothing; `undefined` where it gives a cost. */
  why(usage: Usage, query: PriceQuery): PriceGap | undefined
  /** A cost that the call cannot exceed for these quantities: every token at the dearest rate it could be billed at. */
  ceiling(size: CallSize, query: PriceQuery): PicoUsd | undefined
  /** The most output tokens that a model can produce, where the data knows it. */
  maxOutputTokens(query: PriceQuery): number | undefined
  /** The rate behind a line of a cost of this version, from the line's `rate` and `bucket`, and where it was read. */
  rateOf(label: string, bucket: string): SourcedRate | undefined
  /** Everything that the book says of a model. */
  rows(provider: string, model: string): BookEntry | undefined
  /** The models with an id that contains `text`, of every provider or of those whose name it is: `gpt-5`, `openai/gpt-5`. */
  search(text: string): readonly { readonly provider: string; readonly model: string }[]
  /** The same book under prices of one's own; of the rules that match a call, the last one counts. */
  withPrices(rules: readonly AgreedPrice[]): PriceBook
}
