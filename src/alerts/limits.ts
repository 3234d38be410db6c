// Alerts of limits: a share of one is spent.

import { spendOf } from '../ledger/spend.ts'
import type { LedgerViews } from '../ledger/views.ts'
import type { LimitRule, LimitStore } from '../limits/limit-store.ts'
import { EVERYTHING, targetOf, tenantIn, tenantScope } from '../limits/scope.ts'
import { calendarOf, type Window } from '../limits/window.ts'
import { formatUsd, PICO_PER_NANO, type PicoUsd, picoFromNano } from '../money.ts'
import type { Ledger } from '../sinks/ledger.ts'
import type { Alert, AlertRule } from './alert.ts'

export interface LimitAlertOptions {
  /** Shares of a limit, in per cent; 80 and 100. */
  readonly at?: readonly number[] | undefined
}

export interface LimitSources {
  /** The limits of tenants, and what they have spent. */
  readonly ledger: Pick<Ledger, 'limits' | 'spent'>
  readonly views: Pick<LedgerViews, 'totals'>
  /** All other limits: of users, features, organisations. */
  readonly limitStore?: Pick<LimitStore, 'changes' | 'accounts'> | undefined
}

interface Standing {
  readonly rule: LimitRule
  readonly window: Window
  readonly limit: PicoUsd
  readonly spent: PicoUsd
}

export function limitRule(sources: LimitSources, { at = [80, 100] }: LimitAlertOptions = {}): AlertRule {
  return {
    kind: 'limit',
    async check(now) {
      const plain = await ofTenants(sources, now)
      const told = new Set(plain.map(({ rule }) => `${rule.per} ${rule.scope}`))
      const others = await ofStore(sources.limitStore, now, told)
      return [...plain, ...others].flatMap((standing) =>
        at.filter((share) => isReached(standing, share)).map((share) => alertOf(standing, share)),
      )
    },
  }
}

function isReached({ limit, spent }: Standing, share: number): boolean {
  return spent > 0n && spent * 10_000n >= limit * BigInt(Math.round(share * 100))
}

function alertOf({ rule, window, limit, spent }: Standing, share: number): Alert {
  const { scope, per, mode } = rule
  const tenantId = tenantIn(scope)
  const of = per === 'total' ? 'in total' : `a ${per}`
  const isRolling = window.earlier.length > 0
  return {
    // The window is a part of it: the next one is told of anew. One that rolls has a new one every few minutes.
    key: `limit:${scope}:${per}:${isRolling ? 'rolling' : window.id}:${share}`,
    kind: 'limit',
    severity: share >= 100 ? 'critical' : 'warning',
    message: `${inWords(scope)} spent $${formatUsd(spent)} of the limit of $${formatUsd(limit)} ${of}: ${share} % is reached.`,
    ...(tenantId !== undefined && { tenantId }),
    details: {
      scope,
      window: per,
      mode,
      share_percent: share,
      limit_usd: formatUsd(limit),
      spent_usd: formatUsd(spent),
      ...(!isRolling && window.endsAt !== undefined && { resets_at: new Date(window.endsAt).toISOString() }),
    },
  }
}

/** `acme`, `feature search of acme`, `organization big`, `acme in project web`: a server keeps limits of a project's keys apart. */
function inWords(scope: string): string {
  const [, project, own] = /^project=([^&]*)&(.*)$/s.exec(scope) ?? []
  if (own !== undefined) return `${inWords(own)} in project ${decodeURIComponent(project!)}`
  const target = targetOf(scope)
  if (typeof target === 'string') return target === EVERYTHING ? 'Everything' : target
  const { tenant, ...others } = target as Readonly<Record<string, string>>
  const words = Object.entries(others).map(([field, value]) => `${field} ${value}`)
  return [...(words.length > 0 ? [words.join(', ')] : []), ...(tenant === undefined ? [] : [tenant])].join(' of ')
}

async function ofTenants({ ledger, views }: LimitSources, now: number): Promise<Standing[]> {
  const standings: Standing[] = []
  const stored = await ledger.limits()
  for (const per of new Set(stored.map(({ window }) => window))) {
    const window = calendarOf(per).at(now)
    const limits = stored.filter((limit) => limit.window === per)
    const tenants = limits.map(({ tenantId }) => tenantId)
    const sums = await spendOf(tenants, window.from, { limits: ledger, views })
    for (const { tenantId, limit, mode } of limits) {
      const spent = sums.get(tenantId) ?? 0n
      const rule = { scope: tenantScope(tenantId), per, limitNanoUsd: limit / PICO_PER_NANO, mode, settings: {} }
      standings.push({ rule, window, limit, spent })
    }
  }
  return standings
}

async function ofStore(store: LimitSources['limitStore'], now: number, told: ReadonlySet<string>): Promise<Standing[]> {
  const { rules } = (await store?.changes(0)) ?? { rules: [] }
  const others = rules.filter(
    ({ scope, per, settings }) => Object.keys(settings).length > 0 || !told.has(`${per} ${scope}`),
  )
  const windows = others.map(({ per, settings }) => calendarOf(per, settings).at(now))
  const keys = others.map(({ scope, per }, i) => ({
    scope,
    per,
    windowId: windows[i]!.id,
    earlier: windows[i]!.earlier,
  }))
  const accounts = keys.length === 0 ? [] : await store!.accounts(keys)
  return others.flatMap((rule, i) => {
    const account = accounts[i]
    if (!account) return []
    return [
      { rule, window: windows[i]!, limit: picoFromNano(account.limitNanoUsd), spent: picoFromNano(account.committed) },
    ]
  })
}
