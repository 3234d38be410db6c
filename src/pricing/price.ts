// The contract of pricing: usage in, money out.

import type { CostLine } from '../event.ts'
import type { PicoUsd } from '../money.ts'
import type { Usage } from '../usage.ts'

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

/** Dated prices of one version. Belongs to a meter; nothing in it changes after it was made. */
export interface PriceBook {
  /** Names the data, so that an event can be priced again: `genai-prices-0.1.8+overlay-...`. */
  readonly version: string
  /** The exact cost; `undefined` when the model, its tier or one of the buckets used has no known price. */
  price(usage: Usage, query: PriceQuery): Cost | undefined
  /** A cost that the call cannot exceed for these quantities: every input unit at the dearest input rate it could be billed at. */
  ceiling(quantities: { inputTokens: number; outputTokens: number }, query: PriceQuery): PicoUsd | undefined
  /** The most output tokens that a model can produce, where the data knows it. */
  maxOutputTokens(query: PriceQuery): number | undefined
}
