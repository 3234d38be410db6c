// `tallygate/pricing`: what an answer of the past has cost, by the same way that the meter goes.

import { costOf, costSourceOf, queryOf } from './call/record.ts'
import { expected, MeterError } from './errors.ts'
import type { CostSource } from './event.ts'
import { formatUsd } from './money.ts'
import { bookUnder } from './pricing/book-under.ts'
import type { OwnPrice } from './pricing/own-price.ts'
import type { PriceBook, PriceGap, PriceQuery } from './pricing/price.ts'
import { loadBookData, loadPriceBook } from './pricing/price-book.ts'
import { ownPrices, type PriceFile } from './pricing/price-file.ts'
import { answerOf } from './pricing-api/answer.ts'
import { isBatchEndpoint, modelIn, routeFor, sellerOf } from './pricing-api/endpoints.ts'
import { checked } from './pricing-api/input.ts'
import { linesOf, type PriceLine } from './pricing-api/lines.ts'
import { readPast } from './pricing-api/read.ts'
import { isTierUnconfirmed } from './pricing-api/tiers.ts'
import { isObject } from './providers/counts.ts'
import type { Json, Reading } from './providers/provider.ts'
import type { Usage, UsageSource } from './usage.ts'

export { compareModels } from './audit/compare.ts'
export type {
  ComparedEvent,
  ComparedModel,
  ComparedRow,
  ComparedSums,
  ComparedTarget,
  CompareOptions,
  Comparison,
  NotCompared,
} from './audit/comparison.ts'
export type { TokenBand } from './audit/tokenizers-apart.ts'
export type { CostSource } from './event.ts'
export type { PicoUsd } from './money.ts'
export type { AgreedPrice } from './pricing/agreed-prices.ts'
export type { OwnPrice } from './pricing/own-price.ts'
export type { BookEntry, BookModifier, BookRow, PriceGap, PriceGapReason, PublishedRate } from './pricing/price.ts'
export type { PriceFile } from './pricing/price-file.ts'
export type { PriceLine } from './pricing-api/lines.ts'
export { type EventPrice, type KeptPrice, type Repriced, repriceEvents } from './reprice.ts'
export type { Bucket, Usage, UsageSource } from './usage.ts'

/** What {@link priceResponse} takes: an answer, and what is known of the call that it was given to. */
export interface ResponseToPrice {
  /** `openai`, `anthropic`, `google`, `azure`, `aws`, `openrouter`, ...; may be left out where `host` tells. */
  readonly provider?: string | undefined
  /** As on our events (`chat.completions`, `messages`), or as a path; left out, the answer shows what it is. */
  readonly endpoint?: string | undefined
  /** The model that was asked for. The one that the answer names, which served it, comes first. */
  readonly model?: string | undefined
  /** The body that was sent: some answers (speech, images, videos) say nothing of what decides their price. */
  readonly request?: object | undefined
  /**
   * The provider's answer as it came: its body, the chunks of its stream, the text of either, one line of a batch's
   * results, or its usage alone.
   */
  readonly response: unknown
  /** When the call was made: a `Date`, ISO 8601 (without a zone it is UTC), or epoch milliseconds. Default: now. */
  readonly at?: Date | string | number | undefined
  /** Host or base URL of the call: `eu.api.openai.com` has prices of its own. */
  readonly host?: string | undefined
  /** It was made in a batch; the line of a batch's results says so by itself. */
  readonly batch?: boolean | undefined
  /** Whose call it was, for prices that were agreed for one tenant. */
  readonly tenantId?: string | undefined
}

/** What {@link priceResponse} gives. */
export interface PricedResponse {
  /** Exact decimal dollars; left out where the cost is not known, which is never 0. */
  readonly costUsd?: string
  readonly costSource: CostSource
  /** What the cost is the sum of; empty where there is none. */
  readonly lines: readonly PriceLine[]
  readonly provider: string
  readonly endpoint: string
  /** The model that served the call. */
  readonly model: string
  readonly serviceTier?: string
  readonly geo?: string
  readonly variant?: string
  /** Disjoint quantities by bucket; those of other models that had a part in the call are in the lines alone. */
  readonly usage?: Usage
  readonly usageSource: UsageSource
  /** Names the prices: with it, a line can be looked up years later. */
  readonly priceVersion: string
  /** What in the answer cannot be right, or is missing: `sum:total_tokens`, `missing:usage`, ... Empty for most.
   * `tier:unconfirmed`: the request asked for a tier, and the answer does not say whether it was served at it. */
  readonly flags: readonly string[]
  /** The provider's own figures, where `flags` says that they cannot all be right, and those that have no bucket. */
  readonly reported?: Readonly<Record<string, number>>
  /** Why there is no cost, in one sentence. */
  readonly unpriced?: string
}

/** Prices that are in memory: what {@link loadPrices} gives. */
export interface Prices {
  /** Names the price book: `genai-prices-0.1.8+overlay-...`. */
  readonly version: string
  /** As the function of that name, at once. */
  priceResponse(answer: ResponseToPrice): PricedResponse
  /** Every row that the book has of a model, with its source; `undefined` for a model that it does not know. */
  rows: PriceBook['rows']
  /** Models whose id contains the text. */
  search: PriceBook['search']
  /** The exact cost of a usage in our buckets; `undefined` where it is not known. */
  price: PriceBook['price']
  /** Why it is not. */
  why: PriceBook['why']
}

export interface PriceOptions {
  /** Prices of your own, over those of the book: the path of a price file, what stands in one, or a list; of several that match a call, the last one counts. */
  readonly prices?: string | PriceFile | readonly OwnPrice[] | undefined
}

/**
 * What an answer has cost: exact, or plainly not known. Rejects with MeterError `BAD_INPUT` in one sentence where what
 * is given is no answer.
 *
 * @example
 * const { costUsd } = await priceResponse({
 *   provider: 'openai',
 *   endpoint: 'chat.completions',
 *   response: { model: 'gpt-4o', usage: { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 } },
 *   at: '2026-11-18T12:00:00Z',
 * }) // '0.0035'
 */
export async function priceResponse(answer: ResponseToPrice): Promise<PricedResponse> {
  return (await loadPrices()).priceResponse(answer)
}

/**
 * Reads the price book once, for many answers.
 *
 * @example
 * const prices = await loadPrices({ prices: [{ provider: 'openai', multiply: '0.9' }] })
 * for (const response of [{ usage: { prompt_tokens: 10, completion_tokens: 2 } }])
 *   console.log(prices.priceResponse({ provider: 'openai', model: 'gpt-4o', response }).costUsd)
 */
export async function loadPrices({ prices }: PriceOptions = {}): Promise<Prices> {
  const own = prices === undefined ? await loadPriceBook() : bookUnder(ownPrices(prices), await loadBookData())
  return {
    version: own.version,
    priceResponse: (answer) => priced(own, answer),
    rows: own.rows,
    search: own.search,
    price: own.price,
    why: own.why,
  }
}

function priced(book: PriceBook, input: ResponseToPrice): PricedResponse {
  const given = checked(input)
  const answer = answerOf(given.response)
  const provider = sellerOf(given.provider, given.host)
  const request = bodyOf(given.request)
  const model = given.model ?? (typeof request['model'] === 'string' ? request['model'] : modelIn(given.endpoint ?? ''))
  const served = answer.objects.find((object) => typeof object['model'] === 'string')?.['model'] as string | undefined
  const route = routeFor(provider, given.endpoint, served ?? model ?? '', answer.objects)
  const past = readPast(route, answer, request, model)
  const { facts, usageSource } = past
  const isBatch = given.batch ?? (answer.isBatch || (given.endpoint !== undefined && isBatchEndpoint(given.endpoint)))
  const reading: Reading = isBatch ? { ...past.reading, serviceTier: 'batch' } : past.reading
  const query = queryOf({ provider, host: given.host, facts, reading, at: given.at }, given.tenantId)
  const { usage, costUsd } = reading
  // A part that was not reported would make the cost too low.
  const isWhole = usage !== undefined && (usageSource !== 'partial' || costUsd !== undefined)
  const cost = isWhole ? costOf(book, usage, reading, query) : undefined
  return {
    ...(cost && { costUsd: formatUsd(cost.pico) }),
    costSource: costSourceOf(cost, usageSource),
    lines: cost ? linesOf(book, cost) : [],
    provider,
    endpoint: route.endpoint,
    model: query.model,
    ...defined({ serviceTier: reading.serviceTier, geo: query.geo, variant: reading.variant, usage }),
    usageSource,
    priceVersion: book.version,
    flags: [...flagsOf(reading), ...(isTierUnconfirmed(provider, request, reading) ? ['tier:unconfirmed'] : [])],
    ...(reading.reported && { reported: reading.reported }),
    ...(!cost && { unpriced: whyNot(book, reading, query, isWhole) }),
  }
}

function flagsOf({ usage, flags = [], isPartial }: Reading): readonly string[] {
  if (usage === undefined && !flags.some((flag) => flag.startsWith('missing:'))) return [...flags, 'missing:usage']
  return isPartial && flags.length === 0 ? ['partial'] : flags
}

function whyNot(book: PriceBook, reading: Reading, query: PriceQuery, isWhole: boolean): string {
  const { usage, others = [] } = reading
  if (usage === undefined) return 'The answer does not say what it used.'
  if (!isWhole) return 'The answer says only a part of what it used.'
  const gaps = [{ usage, model: query.model }, ...others].map((part) =>
    book.why(part.usage, { ...query, model: part.model }),
  )
  return gaps.find((gap): gap is PriceGap => gap !== undefined)?.message ?? 'No price is known for it.'
}

function bodyOf(request: unknown): Json {
  if (request === undefined || request === null) return {}
  if (isObject(request)) return request
  throw new MeterError('BAD_INPUT', expected('request', 'the body that was sent, as an object', request))
}

function defined<T extends object>(fields: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: NonNullable<T[Name]>
  }
}
