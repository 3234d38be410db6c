// `GET /v1/usage`: one tenant's own usage, to be shown to that tenant.

import { MeterError } from '../errors.ts'
import { windowStart } from '../limits/window.ts'
import { formatUsd } from '../money.ts'
import type { TotalsRow } from '../sinks/ledger.ts'
import { tenantIdFault } from '../tenant.ts'
import { refusal } from './answer.ts'
import type { Caller } from './keys.ts'
import { type PlainLimits, standingOf } from './limits.ts'
import type { ViewLedger } from './view-ledger.ts'
import type { QueryReader } from './view-query.ts'
import { tableOf, timeOf, type View } from './view-rows.ts'

export interface UsageOptions {
  readonly ledger: ViewLedger
  readonly limits: PlainLimits
  readonly caller: Caller
  readonly query: QueryReader
  readonly now: number
}

const MOST_ROWS = 1000
const PARTS = ['model', 'feature', 'user', 'day'] as const

/**
 * Where the ledger holds what was charged (the option `markup`), amounts are that and never what the calls cost: the
 * difference is the operator's own business.
 */
export async function usageOf({ ledger, limits, caller, query, now }: UsageOptions): Promise<View | Response> {
  const asked = query.text('tenant')
  if (caller.tenant !== undefined && asked !== undefined && asked !== caller.tenant)
    return refusal(403, 'This key sees no other tenant than its own.')
  const tenant = caller.tenant ?? asked
  if (tenant === undefined) throw new MeterError('BAD_INPUT', 'Say whose usage it is about: `?tenant=<id>`.')
  const fault = tenantIdFault(tenant)
  if (fault !== undefined) throw new MeterError('BAD_INPUT', fault)
  const range = { since: windowStart('month', now), ...query.range() }
  const where = { tenant: [tenant], ...(caller.project !== undefined && { project: [caller.project] }) }
  const { total } = await ledger.totals({ ...range, where })
  const isCharged = total.resale !== undefined
  const amount = (row: TotalsRow) => formatUsd(isCharged ? (row.resale ?? 0n) : row.cost)
  const rowOf = (row: TotalsRow) => ({
    calls: row.calls,
    errors: row.errors,
    input_tokens: row.inputTokens,
    cached_tokens: row.cachedTokens,
    output_tokens: row.outputTokens,
    usd: amount(row),
  })
  const parts = await Promise.all(
    PARTS.map(async (by) => {
      const order = by === 'day' ? ('key' as const) : ('cost' as const)
      const { rows } = await ledger.totals({ ...range, where, by: [by], order, limit: MOST_ROWS })
      return [by, rows.map((row) => ({ [by]: row.key[0] ?? null, ...rowOf(row) }))] as const
    }),
  )
  const { model, feature, user, day } = Object.fromEntries(parts)
  const body = {
    tenant_id: tenant,
    since: timeOf(range.since),
    until: timeOf('until' in range ? range.until : undefined),
    amounts: isCharged ? 'charged' : 'cost',
    total: rowOf(total),
    by_day: day,
    by_model: model,
    by_feature: feature,
    by_user: user,
    limits: await standings(limits, tenant, isCharged, now),
  }
  return { body, table: () => tableOf('usage', ['day', ...Object.keys(rowOf(total))], day ?? []) }
}

/** Limits count what calls cost: with a markup, how full they are is said without the sums. */
async function standings(limits: PlainLimits, tenant: string, isCharged: boolean, now: number) {
  const own = (await limits.limits()).filter(({ tenantId }) => tenantId === tenant)
  return Promise.all(
    own.map(async (one) => {
      const { limit, window } = one
      const { since, told } = standingOf(one, now)
      const spent = await limits.spent(tenant, since)
      const percent = limit === 0n ? 100 : Number((spent * 1000n) / limit) / 10
      const { resets_at } = told
      if (isCharged) return { window, used_percent: percent, resets_at }
      return { window, used_percent: percent, limit_usd: formatUsd(limit), spent_usd: formatUsd(spent), resets_at }
    }),
  )
}
