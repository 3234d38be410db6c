// Every limit of a whole tenant, with what was spent of it: one question to the roll-ups for each kind of window.

import type { LimitMode, LimitWindow } from '../errors.ts'
import { windowEnd, windowStart } from '../limits/window.ts'
import { formatUsd, type PicoUsd } from '../money.ts'
import type { StoredLimit } from '../sinks/ledger.ts'
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

/** So many tenants are asked for one by one; above, the spend of all of them is cheaper. */
const MOST_BY_NAME = 50
const MOST_ROWS = 10_000

export async function limitsView(
  limits: Pick<PlainLimits, 'limits' | 'spent'>,
  ledger: ViewLedger,
  { project }: Caller,
  now: number,
): Promise<LimitEntry[]> {
  const stored = await limits.limits()
  const spent = await spentOf(stored, limits, ledger, project, now)
  return stored
    .map(({ tenantId, window, limit, mode }) => {
      const end = windowEnd(window, now)
      return {
        tenant_id: tenantId,
        window,
        limit_usd: formatUsd(limit),
        spent_usd: formatUsd(spent.get(`${window} ${tenantId}`) ?? 0n),
        resets_at: end === undefined ? null : new Date(end).toISOString(),
        mode,
      }
    })
    .sort((a, b) => (a.tenant_id < b.tenant_id ? -1 : Number(a.tenant_id > b.tenant_id)))
}

async function spentOf(
  stored: readonly StoredLimit[],
  limits: Pick<PlainLimits, 'spent'>,
  ledger: ViewLedger,
  project: string | undefined,
  now: number,
): Promise<ReadonlyMap<string, PicoUsd>> {
  const spent = new Map<string, PicoUsd>()
  for (const window of new Set(stored.map((limit) => limit.window))) {
    const tenants = stored.filter((limit) => limit.window === window).map(({ tenantId }) => tenantId)
    if (tenants.length <= MOST_BY_NAME) {
      const sums = tenants.map(async (tenantId) => {
        spent.set(`${window} ${tenantId}`, await limits.spent(tenantId, windowStart(window, now)))
      })
      await Promise.all(sums)
      continue
    }
    const since = windowStart(window, now)
    const where = project === undefined ? {} : { project: [project] }
    for (let offset = 0, isMore = true; isMore; offset += MOST_ROWS) {
      const { rows } = await ledger.totals({ by: ['tenant'], since, where, order: 'key', limit: MOST_ROWS, offset })
      for (const { key, cost } of rows) spent.set(`${window} ${key[0]}`, cost)
      isMore = rows.length === MOST_ROWS
    }
  }
  return spent
}
