// Alerts of spend: an hour of a tenant that is unlike the same hour of the days before.

import type { LedgerViews } from '../ledger/views.ts'
import { formatUsd, type PicoUsd, parseDollars, scale } from '../money.ts'
import type { Alert, AlertRule } from './alert.ts'

export interface AnomalyOptions {
  /** How many times as dear as usual an hour has to be; 3. */
  readonly factor?: number | undefined
  /** And by how many dollars dearer; 5. */
  readonly atLeastUsd?: string | number | undefined
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The days before, and this weekday of the three weeks before those. */
const DAYS_BACK = [1, 2, 3, 4, 5, 6, 7, 14, 21, 28] as const
/** Two days of three hours each: before, nobody can say what is usual. */
const FEWEST_HOURS = 6

/**
 * The hour that runs, and the last whole one, each against what is usual: the second dearest of the same hour and its two
 * neighbours on the seven days before and on the same weekday of the three weeks before those. The second: one outlier of
 * the past is no measure of what is usual. Hours before a tenant's first day do not count.
 */
export function anomalyRule(
  views: Pick<LedgerViews, 'totals' | 'series'>,
  { factor = 3, atLeastUsd = 5 }: AnomalyOptions = {},
): AlertRule {
  const least = parseDollars(atLeastUsd) ?? 0n
  const usual = rememberedUsual(views)

  async function unusual(hour: number): Promise<Alert[]> {
    const { rows } = await views.totals({ by: ['tenant'], since: hour, until: hour + HOUR })
    const alerts: Alert[] = []
    for (const { key, cost } of rows) {
      const tenantId = key[0] ?? null
      // Most tenants, and none of them has to be asked about further.
      if (tenantId === null || cost < least) continue
      const before = await usual(tenantId, hour)
      if (before === undefined || cost - before < least) continue
      if (cost > scale(before, BigInt(Math.round(factor * 1000)), 1000n))
        alerts.push(alertOf(tenantId, hour, cost, before))
    }
    return alerts
  }

  return {
    kind: 'anomaly',
    async check(now) {
      const hour = Math.floor(now / HOUR) * HOUR
      return [...(await unusual(hour)), ...(await unusual(hour - HOUR))]
    },
  }
}

function alertOf(tenantId: string, hour: number, cost: PicoUsd, before: PicoUsd): Alert {
  const at = new Date(hour).toISOString()
  return {
    key: `anomaly:${tenantId}:${at}`,
    kind: 'anomaly',
    severity: 'warning',
    message: `${tenantId} spent $${formatUsd(cost)} in the hour from ${at.slice(0, 16).replace('T', ' ')} UTC; $${formatUsd(before)} is usual at this hour.`,
    tenantId,
    details: { hour: at, spent_usd: formatUsd(cost), usual_usd: formatUsd(before) },
  }
}

/** What is usual does not change within the hour. */
function rememberedUsual(views: Pick<LedgerViews, 'totals' | 'series'>) {
  const known = new Map<string, PicoUsd | undefined>()
  return async (tenantId: string, hour: number): Promise<PicoUsd | undefined> => {
    const name = `${hour} ${tenantId}`
    if (known.has(name)) return known.get(name)
    if (known.size >= MOST_KNOWN) known.clear()
    const found = await usualOf(views, tenantId, hour)
    known.set(name, found)
    return found
  }
}

const MOST_KNOWN = 10_000

async function usualOf(
  views: Pick<LedgerViews, 'totals' | 'series'>,
  tenantId: string,
  hour: number,
): Promise<PicoUsd | undefined> {
  const where = { tenant: tenantId }
  const { rows } = await views.totals({ by: ['day'], where, order: 'key', limit: 1 })
  const firstDay = Date.parse(rows[0]?.key[0] ?? '')
  const hours: PicoUsd[] = []
  for (const days of DAYS_BACK) {
    const since = hour - days * DAY - HOUR
    // The first day itself began at some hour of it.
    if (!(since >= firstDay + DAY)) continue
    const { rows: sums } = await views.series({ every: 'hour', since, until: since + 3 * HOUR, where })
    const costs = sums[0]?.cost ?? []
    for (let i = 0; i < 3; i++) hours.push(costs[i] ?? 0n)
  }
  if (hours.length < FEWEST_HOURS) return undefined
  return hours.sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))[1]
}
