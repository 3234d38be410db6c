// Every limit of a whole tenant, with what was spent of it.

import type { LimitMode, LimitWindow } from '../errors.ts'
import { spendOf } from '../ledger/spend.ts'
import { formatUsd } from '../money.ts'
import type { Caller } from './keys.ts'
import { type PlainLimits, standingOf } from './limits.ts'
import type { ViewLedger } from './view-ledger.ts'

export interface LimitEntry {
  readonly tenant_id: string
  readonly window: LimitWindow
  readonly limit_usd: string
  readonly spent_usd: string
  readonly resets_at: string | null
  readonly mode: LimitMode
  /** As over leases; only where it has any. */
  readonly settings?: object
}

export async function limitsView(
  limits: Pick<PlainLimits, 'limits' | 'spent'>,
  ledger: ViewLedger,
  { project }: Caller,
  now: number,
): Promise<LimitEntry[]> {
  const stored = await limits.limits()
  const where = project === undefined ? {} : { project: [project] }
  const standings = stored.map((limit) => ({ tenantId: limit.tenantId, ...standingOf(limit, now) }))
  const spent = new Map<number, ReadonlyMap<string, bigint>>()
  for (const since of new Set(standings.map((standing) => standing.since))) {
    const tenants = standings.filter((standing) => standing.since === since).map(({ tenantId }) => tenantId)
    spent.set(since, await spendOf([...new Set(tenants)], since, { limits, views: ledger }, where))
  }
  const entries = standings.map(({ tenantId, since, told }) => ({
    tenant_id: tenantId,
    ...told,
    spent_usd: formatUsd(spent.get(since)!.get(tenantId) ?? 0n),
  }))
  return entries.sort((a, b) => (a.tenant_id < b.tenant_id ? -1 : Number(a.tenant_id > b.tenant_id)))
}
