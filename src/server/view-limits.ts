// Every limit of a whole tenant, with what was spent of it.

import type { LimitMode, LimitWindow } from '../errors.ts'
import { spendOf } from '../ledger/spend.ts'
import { windowEnd, windowStart } from '../limits/window.ts'
import { formatUsd } from '../money.ts'
import type { Caller } from './keys.ts'
import type { PlainLimits } from './limits.ts'
import type { ViewLedger } from './view-ledger.ts'

export interface LimitEntry {
  readonly tenant_id: string
  readonly window: LimitWindow
  readonly limit_usd: string
  readonly spent_usd: string
  readonly resets_at: string | null
  readonly mode: LimitMode
}

export async function limitsView(
  limits: Pick<PlainLimits, 'limits' | 'spent'>,
  ledger: ViewLedger,
  { project }: Caller,
  now: number,
): Promise<LimitEntry[]> {
  const stored = await limits.limits()
  const where = project === undefined ? {} : { project: [project] }
  const spent = new Map<LimitWindow, ReadonlyMap<string, bigint>>()
  for (const window of new Set(stored.map((limit) => limit.window))) {
    const tenants = stored.filter((limit) => limit.window === window).map(({ tenantId }) => tenantId)
    spent.set(window, await spendOf(tenants, windowStart(window, now), { limits, views: ledger }, where))
  }
  const entries = stored.map(({ tenantId, window, limit, mode }) => {
    const end = windowEnd(window, now)
    return {
      tenant_id: tenantId,
      window,
      limit_usd: formatUsd(limit),
      spent_usd: formatUsd(spent.get(window)!.get(tenantId) ?? 0n),
      resets_at: end === undefined ? null : new Date(end).toISOString(),
      mode,
    }
  })
  return entries.sort((a, b) => (a.tenant_id < b.tenant_id ? -1 : Number(a.tenant_id > b.tenant_id)))
}
