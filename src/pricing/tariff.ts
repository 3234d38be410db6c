// The rates that hold for a query: found once for a provider, model, tier, place and stretch of time, then remembered.

import { agreedFor, factorOf, type NamedRule } from './agreed-prices.ts'
import { type BookData, isNamed, type RowData, ratesByName } from './book-data.ts'
import { gap } from './gap.ts'
import { bandLabel, feeLabel, nameOf, rowLabel } from './labels.ts'
import { type Found, isFallback, type Lookup } from './lookup.ts'
import type { PriceGap, PriceQuery } from './price.ts'
import { AGREED, type CardOptions, type Published, type RateCard, rateCard } from './rate-card.ts'
import { parseRate } from './rate-text.ts'
import { ONE, parseRational, type Rational } from './rational.ts'
import { type Calendars, firstMoment, lastHolding, type Span, spanAround } from './schedule.ts'
import { tierOf } from './tier.ts'

/** Rates for a whole request whose input is above so many tokens. */
export interface Band {
  readonly above: number
  /** Absent where the band's rates are not known. */
  readonly card: RateCard | undefined
}

export interface Tariff {
  readonly isFallback: boolean
  /** Ascending; the first one takes every request that no other takes. */
  readonly bands: readonly Band[]
  /** Every variant that the model has rows for. */
  readonly variants: readonly string[]
}

/** What holds, or why nothing does. */
export type Answer =
  | { readonly tariff: Tariff; readonly gap?: undefined }
  | { readonly tariff?: undefined; readonly gap: PriceGap }

interface Memo {
  readonly from: number
  readonly until: number
  readonly answer: Answer
}

export type Tariffs = (query: PriceQuery) => Answer

/** Names come from callers and answers, so what is remembered is bounded: beyond this, all is forgotten and found anew. */
const REMEMBERED = 1000
const LONGEST_REMEMBERED = 200
/** Nobody sold calls of models before: https://openai.com/index/openai-api/. Seconds in place of milliseconds fall here. */
const FIRST_MOMENT = Date.UTC(2020, 5, 11)
/** The last moment that a date can name. */
const LAST_MOMENT = 8.64e15

export function createTariffs(data: BookData, lookup: Lookup, rules: readonly NamedRule[]): Tariffs {
  const { columns, providers } = data
  const calendars: Calendars = data.calendars ?? {}
  const memos = new Map<string, Map<string, Map<string, Memo>>>()
  /** Only these have prices of their own: all others share what is remembered. */
  const tenants = new Set(rules.flatMap(({ tenantId }) => tenantId ?? []))

  function find(query: PriceQuery, span: Span): Answer {
    const provider = lookup.providerOf(query.provider) ?? query.provider
    const tier = tierOf(provider, query.serviceTier)
    const geo = placeOf(query.geo)
    const found = lookup(provider, query.model)
    const ids = [...new Set([query.model.toLowerCase(), ...(found?.model.ids ?? [])])]
    const call = { providers: [query.provider, provider], ids, tier, geo, tenantId: query.tenantId }
    const rule = agreedFor(rules, call, span, calendars)
    const place = geo === undefined ? undefined : placeFactor(provider, geo, ids, span)
    const agreed = agreedRates(rule)
    const options: CardOptions = {
      provider: found?.provider ?? provider,
      model: found ? nameOf(found.model) : query.model.toLowerCase(),
      geo: geo !== undefined && place && place !== ONE ? { name: geo, factor: place } : undefined,
      agreed: rule && { name: rule.name, factorOf: (bucket) => factorOf(rule, bucket) },
    }
    const own: Answer | undefined = rule?.rates && {
      tariff: { isFallback: false, bands: [{ above: -1, card: rateCard(agreed, options) }], variants: [] },
    }
    if (!found) return own ?? { gap: gap(lookup.providerOf(provider) ? 'unknown-model' : 'unknown-provider', query) }
    const held = rowsAt(found, tier, query, span)
    if ('reason' in held) return own ?? { gap: held }
    if (geo !== undefined && !place) return own ?? { gap: gap('unknown-geo', query) }
    const bands = bandsOf(held, found, tier).map(({ above, published }) => ({
      above,
      card: published || own ? rateCard(new Map([...(published ?? []), ...agreed]), options) : undefined,
    }))
    return { tariff: { isFallback: isFallback(found), bands, variants: held.variants } }
  }

  interface Held {
    readonly plain: RowData | undefined
    readonly special: RowData | undefined
    readonly fees: ReadonlyMap<string, Published>
    readonly variants: readonly string[]
  }

  function rowsAt(found: Found, tier: string, query: PriceQuery, span: Span): Held | PriceGap {
    const { rows, tiers = {} } = found.model
    if (rows.length === 0 && Object.keys(tiers).length === 0) return gap('unpriced-model', query)
    const tiered = tier === 'standard' ? rows : Object.hasOwn(tiers, tier) ? tiers[tier]! : []
    if (tiered.length === 0) return gap('unknown-tier', query)
    const variant = query.variant?.toLowerCase()
    const plain = lastHolding(
      tiered.filter((row) => row.variant === undefined),
      span,
      calendars,
    )
    const special =
      variant === undefined
        ? undefined
        : lastHolding(
            tiered.filter((row) => row.variant === variant),
            span,
            calendars,
          )
    const variants = [...new Set(tiered.flatMap((row) => row.variant ?? []))]
    if (!plain && !special && !tiered.some((row) => row.variant !== undefined && lastHolding([row], span, calendars)))
      return gap(span.at < firstMoment(tiered) ? 'before-first-price' : 'no-price-then', query)
    return { plain, special, fees: feesAt(found, tier, query, span), variants }
  }

  /** Fees are published once for all tiers: where a row has none, those of the model's standard row, else the provider's. */
  function feesAt(found: Found, tier: string, query: PriceQuery, span: Span): ReadonlyMap<string, Published> {
    const published = new Map<string, Published>()
    const asked = lookup.providerOf(query.provider) ?? query.provider
    for (const provider of new Set([found.provider, asked])) {
      for (const fee of providers[provider]?.fees ?? []) {
        if (!isNamed(fee.models, [...found.model.ids, nameOf(found.model)])) continue
        if (!lastHolding([fee], span, calendars)) continue
        put(published, ratesByName(fee.rates, columns), feeLabel(provider, fee))
      }
    }
    if (tier !== 'standard') {
      const row = lastHolding(
        found.model.rows.filter(({ variant }) => variant === undefined),
        span,
        calendars,
      )
      const fees = row && [...ratesByName(row.rates, columns)].filter(([name]) => name.startsWith('fee.'))
      if (row && fees) put(published, fees, rowLabel(found.provider, nameOf(found.model), 'standard', row))
    }
    return published
  }

  interface PublishedBand {
    readonly above: number
    readonly published: ReadonlyMap<string, Published> | undefined
  }

  /** What is priced by variant adds to, and stands before, what is not. */
  function bandsOf({ plain, special, fees }: Held, { provider, model }: Found, tier: string): PublishedBand[] {
    const rows = [plain, special].filter((row) => row !== undefined)
    const starts = new Set([-1, ...rows.flatMap(({ above = [] }) => above.map(([start]) => start))])
    return [...starts]
      .sort((a, b) => a - b)
      .map((start) => {
        const published = new Map(fees)
        for (const row of rows) {
          const [above, list] = row.above?.findLast(([from]) => from <= start) ?? ([-1, row.rates] as const)
          if (list === null) return { above: start, published: undefined }
          put(published, ratesByName(list, columns), bandLabel(rowLabel(provider, nameOf(model), tier, row), above))
        }
        return { above: start, published }
      })
  }

  /** `undefined` for a place that no price of the provider tells of. */
  function placeFactor(provider: string, geo: string, ids: readonly string[], span: Span): Rational | undefined {
    const modifiers = providers[provider]?.modifiers ?? []
    const ofModel = modifiers.filter(({ models }) => isNamed(models, ids))
    // What costs more in no place that is known costs the same in all of them.
    if (ofModel.length > 0 && !modifiers.some((modifier) => modifier.geo === geo)) return undefined
    const holding = lastHolding(
      ofModel.filter((modifier) => modifier.geo === geo),
      span,
      calendars,
    )
    return holding ? parseRational(holding.multiply) : ONE
  }

  let remembered = 0
  const remember = (query: PriceQuery, key: string, memo: Memo) => {
    if (query.model.length > LONGEST_REMEMBERED || key.length > LONGEST_REMEMBERED) return
    if (++remembered > REMEMBERED) {
      memos.clear()
      remembered = 0
    }
    let models = memos.get(query.provider)
    if (!models) memos.set(query.provider, (models = new Map()))
    let cases = models.get(query.model)
    if (!cases) models.set(query.model, (cases = new Map()))
    cases.set(key, memo)
  }

  const keyOf = ({ serviceTier = '', geo, variant, tenantId }: PriceQuery): string => {
    const tenant = tenantId !== undefined && tenants.has(tenantId) ? tenantId : undefined
    if (geo === undefined && variant === undefined && tenant === undefined) return serviceTier
    return `${serviceTier}\n${geo ?? ''}\n${variant ?? ''}\n${tenant ?? ''}`
  }

  return (query) => {
    const { provider, model, at } = query
    const key = keyOf(query)
    const memo = memos.get(provider)?.get(model)?.get(key)
    if (memo !== undefined && at >= memo.from && at < memo.until) return memo.answer
    if (at < FIRST_MOMENT) return { gap: gap('before-first-price', query) }
    if (!(at <= LAST_MOMENT)) return { gap: gap('no-price-then', query) }
    const span = spanAround(at)
    const answer = find(query, span)
    remember(query, key, { from: span.from, until: span.until, answer })
    return answer
  }
}

function placeOf(geo: string | undefined): string | undefined {
  const place = geo?.toLowerCase()
  return place === '' || place === 'global' ? undefined : place
}

function put(
  published: Map<string, Published>,
  rates: Iterable<readonly [string, Published['rate']]>,
  row: string,
): void {
  for (const [bucket, rate] of rates) published.set(bucket, { rate, row })
}

function agreedRates(rule: NamedRule | undefined): ReadonlyMap<string, Published> {
  const published = new Map<string, Published>()
  for (const [bucket, text] of Object.entries(rule?.rates ?? {})) {
    const rate = parseRate(text, bucket)
    if (rate !== undefined) published.set(bucket, { rate, row: `${AGREED}${rule!.name}` })
  }
  return published
}
