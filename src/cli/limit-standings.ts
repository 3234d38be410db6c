// Where limits stand at this moment: what their accounts say, and what the ledger knows besides.

import type { Where } from '../ledger/query.ts'
import type { LedgerViews } from '../ledger/views.ts'
import { firstToFree, slotsOf } from '../limits/comes-back.ts'
import type { AccountKey, LimitKey, LimitRule, LimitStore } from '../limits/limit-store.ts'
import { EVERYTHING, fieldsOf, tenantScope } from '../limits/scope.ts'
import { calendarOf, type Window } from '../limits/window.ts'
import { nanoCeil, PICO_PER_NANO, type PicoUsd, picoFromNano } from '../money.ts'
import type { StoredLimit } from '../sinks/ledger.ts'

export interface Standing {
  readonly rule: LimitRule
  readonly limit: PicoUsd
  readonly spent: PicoUsd
  /** Set aside for calls that are under way, and by processes for their next ones. */
  readonly held: PicoUsd
  /** Never below 0. */
  readonly remaining: PicoUsd
  /** Epoch milliseconds, of a rolling limit when the next piece is free; `undefined` for `total`, and where nothing is out. */
  readonly resetsAt: number | undefined
}

/** So many sums are asked for one by one; above, all of a kind together are cheaper. */
const MOST_ONE_BY_ONE = 50
/** Values of one filter. */
const MOST_VALUES = 1000

/** The rules of a store, and the limits that the ledger had before there was one. */
export async function rulesOf(store: LimitStore | undefined, stored: readonly StoredLimit[]): Promise<LimitRule[]> {
  const { rules, removed } = (await store?.changes(0)) ?? { rules: [], removed: [] }
  const known = new Set([...rules, ...removed].map(nameOf))
  return [...rules, ...stored.map(ruleFrom).filter((rule) => !known.has(nameOf(rule)))]
}

function ruleFrom({ tenantId, window, limit, mode }: StoredLimit): LimitRule {
  return { scope: tenantScope(tenantId), per: window, limitNanoUsd: limit / PICO_PER_NANO, mode, settings: {} }
}

export function nameOf({ scope, per }: LimitKey): string {
  return `${per} ${scope}`
}

/** What is nearest to its end first. */
export async function standingsOf(
  rules: readonly LimitRule[],
  store: LimitStore | undefined,
  views: Pick<LedgerViews, 'totals'>,
  now: number,
): Promise<Standing[]> {
  const windows = rules.map(({ per, settings }) => calendarOf(per, settings).at(now))
  const keys: AccountKey[] = rules.map(({ scope, per }, i) => {
    const { id: windowId, earlier } = windows[i]!
    return { scope, per, windowId, earlier }
  })
  const accounts = await store?.accounts(keys)
  const pieces = await nextPieces(rules, windows, store)
  const asked = rules.map((rule, i) => ({ rule, since: windows[i]!.since }))
  const sums = await spentOf(asked, views)
  const standings = rules.map((rule, i) => {
    const { committed = 0n, escrow = 0n, suspense = 0n } = accounts?.[i] ?? {}
    const inLedger = sums.get(rule) ?? 0n
    // An account is rounded up to the billionth, and hears of what other ways brought into the ledger only later.
    const spent = nanoCeil(inLedger) >= committed ? inLedger : picoFromNano(committed)
    const limit = picoFromNano(rule.limitNanoUsd)
    const held = above(picoFromNano(committed + escrow + suspense), spent)
    const { until, earlier } = windows[i]!
    const ends = until === Number.POSITIVE_INFINITY ? undefined : until
    const resetsAt = earlier.length > 0 ? pieces.get(rule) : ends
    return { rule, limit, spent, held, remaining: above(limit, spent + held), resetsAt }
  })
  return standings.sort((a, b) => shareOf(b) - shareOf(a))
}

/** When of each rolling limit more is free than now. */
async function nextPieces(
  rules: readonly LimitRule[],
  windows: readonly Window[],
  store: LimitStore | undefined,
): Promise<Map<LimitRule, number | undefined>> {
  const pieces = new Map<LimitRule, number | undefined>()
  for (const [i, rule] of rules.entries()) {
    const window = windows[i]!
    if (store === undefined || window.earlier.length === 0) continue
    const slots = slotsOf(rule, window)
    pieces.set(rule, firstToFree(slots, await store.accounts(slots)))
  }
  return pieces
}

export function shareOf({ spent, held, limit }: Standing): number {
  return limit === 0n ? Number.POSITIVE_INFINITY : Number(spent + held) / Number(limit)
}

function above(sum: PicoUsd, other: PicoUsd): PicoUsd {
  return sum > other ? sum - other : 0n
}

interface Asked {
  readonly rule: LimitRule
  readonly since: number
}

/** By rule; none for one that the ledger cannot tell, such as that of a run. */
async function spentOf(asked: readonly Asked[], views: Pick<LedgerViews, 'totals'>): Promise<Map<LimitRule, PicoUsd>> {
  const spent = new Map<LimitRule, PicoUsd>()
  const alike = new Map<string, Asked[]>()
  for (const one of asked) {
    const kind = JSON.stringify([one.since, fieldsOf(one.rule.scope).map(([field]) => field)])
    alike.set(kind, [...(alike.get(kind) ?? []), one])
  }
  for (const group of alike.values()) {
    const by = fieldsOf(group[0]!.rule.scope).map(([field]) => field)
    if (by.includes('run')) continue
    if (by.length === 0 || group.length <= MOST_ONE_BY_ONE) {
      for (const { rule, since } of group) spent.set(rule, await spentUnder(rule, since, views))
      continue
    }
    const { rows } = await views.totals({ by: by as Exclude<(typeof by)[number], 'run'>[], since: group[0]!.since })
    const sums = new Map(rows.map(({ key, cost }) => [JSON.stringify(key), cost]))
    for (const { rule } of group)
      spent.set(rule, sums.get(JSON.stringify(fieldsOf(rule.scope).map(([, value]) => value))) ?? 0n)
  }
  return spent
}

async function spentUnder(
  { scope, settings }: LimitRule,
  since: number,
  views: Pick<LedgerViews, 'totals'>,
): Promise<PicoUsd> {
  const sumOf = async (where: Where) => (await views.totals({ since, where })).total.cost
  const { tenants } = settings
  if (tenants === undefined) return sumOf(scope === EVERYTHING ? {} : Object.fromEntries(fieldsOf(scope)))
  let sum = 0n
  for (let at = 0; at < tenants.length; at += MOST_VALUES)
    sum += await sumOf({ tenant: tenants.slice(at, at + MOST_VALUES) })
  return sum
}
