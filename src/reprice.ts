// The price of a call that is over, from its event alone: for calls reported by hand, and for pricing anew by a better book.

import { costOf, costSourceOf, gapOf } from './call/record.ts'
import type { CostLine, CostSource, LLMEvent } from './event.ts'
import { formatUsd } from './money.ts'
import type { Cost, PriceBook, PriceGap, PriceQuery } from './pricing/price.ts'
import type { Usage } from './usage.ts'
import { MAX_EVENT_PICO } from './wire-fields.ts'

/** What an event says of its cost. */
export interface EventPrice {
  /** Exact decimal dollars; absent where no price is known. */
  readonly costUsd?: string
  readonly costSource?: CostSource
  readonly priceVersion?: string
}

/**
 * Why an event keeps the cost that it has: the provider said it; it used nothing that is known; it stands for several
 * calls, whose prices can depend on the length of each; this book has no price for it.
 */
export type KeptPrice = 'reported' | 'no-usage' | 'rolled-up' | 'unpriced'

export interface Repriced {
  readonly eventId: string
  readonly before: EventPrice
  /** The same as before where the event keeps its cost. */
  readonly after: EventPrice
  /** Those of the cost afterwards. */
  readonly lines: readonly CostLine[]
  /** Of the book that was asked. */
  readonly priceVersion: string
  /** The cost, or where it comes from, is another one. */
  readonly changed: boolean
  /** The price is that of the model's family; `costSource` says so too, unless the usage was estimated. */
  readonly isFallback: boolean
  readonly kept?: KeptPrice
}

/** What of an event decides its price. */
export type PricedEvent = Pick<
  LLMEvent,
  'provider' | 'model' | 'timestamp' | 'tenantId' | 'serviceTier' | 'geo' | 'priceVariant' | 'usage' | 'usageByModel'
>

/** A price book, or what `loadPrices` gives. */
export type EventPricer = Pick<PriceBook, 'version' | 'price' | 'why'>

/** What the book says of an event; `undefined` where it used nothing that is known. */
export function costOfEvent(
  book: EventPricer,
  event: PricedEvent,
): { readonly cost?: Cost; readonly gap?: PriceGap | undefined } | undefined {
  const { usage, usageByModel = {}, provider, model, timestamp, serviceTier, geo, priceVariant, tenantId } = event
  if (!usage) return undefined
  const [own = [model, usage] as const, ...others] = Object.entries<Usage>(usageByModel)
  const query: PriceQuery = {
    provider,
    model: own[0],
    at: Date.parse(timestamp),
    serviceTier,
    geo,
    variant: priceVariant,
    tenantId,
  }
  const reading = { others: others.map(([other, used]) => ({ model: other, usage: used })) }
  const cost = costOf(book, own[1], reading, query)
  return cost ? { cost } : { gap: gapOf(book, own[1], reading, query) }
}

/** One event by another book: what it costs now, and whether that is something else. Changes nothing. */
export function repriceEvent(event: LLMEvent, book: EventPricer): Repriced {
  const before = priceOf(event)
  const keep = (kept: KeptPrice): Repriced => ({
    eventId: event.eventId,
    before,
    after: before,
    lines: event.costLines ?? [],
    priceVersion: book.version,
    changed: false,
    isFallback: event.metadata?.['price_fallback'] === true,
    kept,
  })
  if (event.costSource === 'reported') return keep('reported')
  if ((event.calls ?? 1) > 1) return keep('rolled-up')
  const priced = costOfEvent(book, event)
  if (!priced) return keep('no-usage')
  const { cost } = priced
  if (!cost || cost.pico > MAX_EVENT_PICO) return keep('unpriced')
  const costUsd = formatUsd(cost.pico)
  const costSource = costSourceOf(cost, event.usageSource)
  return {
    eventId: event.eventId,
    before,
    after: { costUsd, costSource, priceVersion: book.version },
    lines: cost.lines,
    priceVersion: book.version,
    changed: costUsd !== before.costUsd || costSource !== before.costSource,
    isFallback: cost.source === 'fallback',
  }
}

/**
 * Prices recorded events again, each from its own usage, provider, model, tier, place and time. What a provider reported
 * stays, and so does the cost of an event for which the book has no price. A resale price is not touched.
 *
 * @example
 * const events = await sqliteLedger({ path: '.tallygate/ledger.db' }).events()
 * for (const { eventId, before, after, changed } of repriceEvents(events, await loadPrices()))
 *   if (changed) console.log(eventId, before.costUsd, after.costUsd)
 */
export function repriceEvents(events: Iterable<LLMEvent>, book: EventPricer): Repriced[] {
  return Array.from(events, (event) => repriceEvent(event, book))
}

/** The event with the cost that it has now. */
export function withPrice(event: LLMEvent, { after, lines, changed, isFallback }: Repriced): LLMEvent {
  if (!changed) return event
  const { costLines: _, metadata, ...rest } = event
  const { unpriced: _gap, price_fallback: _guess, ...others } = metadata ?? {}
  const notes = { ...others, ...(isFallback && { price_fallback: true }) }
  return {
    ...rest,
    ...after,
    ...(lines.length > 0 && { costLines: lines }),
    ...(Object.keys(notes).length > 0 && { metadata: notes }),
  }
}

function priceOf({ costUsd, costSource, priceVersion }: LLMEvent): EventPrice {
  return {
    ...(costUsd !== undefined && { costUsd }),
    ...(costSource !== undefined && { costSource }),
    ...(priceVersion !== undefined && { priceVersion }),
  }
}
