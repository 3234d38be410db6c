// What tenants have spent since a moment: how limits are told, on a page and in alerts.

import type { PicoUsd } from '../money.ts'
import type { Ledger } from '../sinks/ledger.ts'
import type { Where } from './query.ts'
import type { LedgerViews } from './views.ts'

export interface SpendSources {
  readonly limits: Pick<Ledger, 'spent'>
  readonly views: Pick<LedgerViews, 'totals'>
}

/** So many tenants are asked for one by one, so many at once in one question. */
const MOST_BY_NAME = 50
const MOST_AT_ONCE = 1000

/** By tenant; one without a call may be missing. `where` narrows what is counted of many, as a key of one project does. */
export async function spendOf(
  tenants: readonly string[],
  since: number,
  { limits, views }: SpendSources,
  where: Where = {},
): Promise<ReadonlyMap<string, PicoUsd>> {
  const spent = new Map<string, PicoUsd>()
  if (tenants.length <= MOST_BY_NAME) {
    const sums = tenants.map(async (tenant) => spent.set(tenant, await limits.spent(tenant, since)))
    await Promise.all(sums)
    return spent
  }
  // By their names, which an index finds: the sums of all days of five thousand tenants take half a second.
  for (let from = 0; from < tenants.length; from += MOST_AT_ONCE) {
    const tenant = tenants.slice(from, from + MOST_AT_ONCE)
    const { rows } = await views.totals({ by: ['tenant'], since, where: { ...where, tenant }, order: 'key' })
    for (const { key, cost } of rows) spent.set(key[0]!, cost)
  }
  return spent
}
