// A reconciliation as JSON: every digit, money as decimal texts.

import { formatUsd } from '../money.ts'
import type { Reconciliation, SideTotal } from './result.ts'

/**
 * Plain data, in snake_case, for another program.
 *
 * @example
 * import { csvStatement, reconcile } from 'tallygate/reconcile'
 * const statement = csvStatement({ path: 'november.csv', provider: 'openai' })
 * const month = { since: Date.UTC(2026, 10, 1), until: Date.UTC(2026, 11, 1) }
 * const result = await reconcile({ ledger: { path: 'ledger.db' }, statement, ...month })
 * console.log(JSON.stringify(toJson(result), null, 2))
 */
export function toJson(result: Reconciliation): Record<string, unknown> {
  const usd = (pico: bigint | undefined) => (pico === undefined ? null : formatUsd(pico))
  const side = (one: SideTotal | undefined) =>
    one === undefined
      ? null
      : {
          requests: one.requests ?? null,
          input_tokens: one.inputTokens ?? null,
          output_tokens: one.outputTokens ?? null,
          usd: usd(one.cost),
        }
  return {
    source: result.source,
    provider: result.provider,
    since: new Date(result.since).toISOString(),
    until: new Date(result.until).toISOString(),
    not_final: result.notFinal,
    status: result.status,
    calls: result.calls,
    billed_usd: usd(result.billed),
    logged_usd: usd(result.logged),
    difference_usd: usd(result.difference),
    causes: result.causes.map(({ cost, ...rest }) => ({ ...rest, usd: usd(cost) })),
    details: result.details.map(({ cost, type, ...rest }) => ({ ...rest, token_type: type ?? null, usd: usd(cost) })),
    drift: result.drift.map((row) => ({
      model: row.model,
      token_type: row.type ?? null,
      logged_quantity: row.loggedQuantity,
      billed_quantity: row.billedQuantity ?? null,
      volume_ppm: row.volume ?? null,
      logged_usd: usd(row.logged),
      expected_usd: usd(row.expected),
      billed_usd: usd(row.billed),
      price_ppm: row.price ?? null,
      status: row.status,
    })),
    unit_prices: result.unitPrices.map((row) => ({
      item: row.item ?? null,
      model: row.model,
      tier: row.tier,
      token_type: row.type,
      quantity: row.quantity,
      billed_usd: usd(row.billed),
      usd_per_million: usd(row.perMillion),
      book_usd_per_million: usd(row.bookPerMillion),
    })),
    unattributed: result.unattributed.map(({ cost, who, ...rest }) => ({ ...rest, who: who ?? null, usd: usd(cost) })),
    unattributed_billed_usd: usd(result.unattributedBilled),
    not_billed_usd: usd(result.notBilled),
    sides: {
      answers: side(result.sides.answers),
      usage: side(result.sides.usage),
      bill: side(result.sides.bill),
      disagreements: result.sides.disagreements,
    },
    canonical: {
      exact_usd: usd(result.canonical.exact),
      allocated_usd: usd(result.canonical.allocated),
      estimated_usd: usd(result.canonical.estimated),
    },
    unpriced: result.unpriced,
    baseline: result.baseline ?? null,
    cannot_tell: result.cannotTell,
  }
}
