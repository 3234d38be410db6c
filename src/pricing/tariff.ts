// The rates that hold for a query: found once for a provider, model, tier and stretch of time, then remembered.

import type { RowData } from './book-data.ts'
import type { Found, Lookup } from './lookup.ts'
import type { PriceQuery } from './price.ts'
import { type RateCard, rateCard } from './rate-card.ts'
import { periodAt } from './schedule.ts'
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
}

interface Memo {
  readonly from: number
  readonly until: number
  readonly tariff: Tariff | undefined
}

/** Names come from callers and answers, so what is remembered is bounded: beyond this, all is forgotten and found anew. */
const REMEMBERED = 1000

export function createTariffs(columns: readonly string[], lookup: Lookup): (query: PriceQuery) => Tariff | undefined {
  const memos = new Map<string, Map<string, Map<string, Memo>>>()

  const find = ({ provider, model, serviceTier, at }: PriceQuery): Memo => {
    const found = lookup(provider, model)
    const tier = tierOf(provider, serviceTier)
    const rows = tier === 'standard' ? found?.model.rows : found?.model.tiers?.[tier]
    if (!found || !rows) return { from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY, tariff: undefined }
    const { row, from, until } = periodAt(rows, at)
    return { from, until, tariff: row && { isFallback: found.isFallback, bands: bandsOf(row, found, tier) } }
  }

  const bandsOf = (row: RowData, { provider, model }: Found, tier: string): Band[] => {
    const name = model.ids[0] ?? model.name ?? ''
    const dated = row.from === undefined ? '' : `@${row.from}`
    const timed = row.hours === undefined ? '' : `+${row.hours.join(',')}`
    const label = `${provider}/${name}${tier === 'standard' ? '' : `;${tier}`}${dated}${timed}`
    const card = (list: RowData['rates'], bandLabel: string) =>
      rateCard(list, columns, { row: bandLabel, provider, model: name })
    return [
      { above: -1, card: card(row.rates, label) },
      ...(row.above ?? []).map(([above, list]) => ({
        above,
        card: list ? card(list, `${label}>${above}`) : undefined,
      })),
    ]
  }

  let remembered = 0
  const remember = ({ provider, model, serviceTier = '' }: PriceQuery, memo: Memo) => {
    if (++remembered > REMEMBERED) {
      memos.clear()
      remembered = 0
    }
    let models = memos.get(provider)
    if (!models) memos.set(provider, (models = new Map()))
    let tiers = models.get(model)
    if (!tiers) models.set(model, (tiers = new Map()))
    tiers.set(serviceTier, memo)
  }

  return (query) => {
    const { provider, model, at, serviceTier = '' } = query
    const memo = memos.get(provider)?.get(model)?.get(serviceTier)
    if (memo !== undefined && at >= memo.from && at < memo.until) return memo.tariff
    if (!Number.isFinite(at)) return undefined
    const found = find(query)
    remember(query, found)
    return found.tariff
  }
}
