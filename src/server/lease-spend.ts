// The ledger is the record of what was spent: an account begins with what it says, and never stays below it.

import { eventId } from '../event.ts'
import type { Account, LeaseAnswer, LeaseStep, LimitRule, LimitStore } from '../limits/limit-store.ts'
import { fieldsOf, type ScopeField } from '../limits/scope.ts'
import { calendarOf } from '../limits/window.ts'
import { nanoCeil, type PicoUsd } from '../money.ts'
import type { Dimension, Ledger, TotalsRow } from '../sinks/ledger.ts'

export interface LeaseSpend {
  /** Of the project, as the ledger says. */
  ofTenant(tenantId: string, since: number): Promise<PicoUsd>
  /** The steps; one that may open its account tells what the ledger knows to be spent. */
  opening(steps: readonly LeaseStep[]): Promise<readonly LeaseStep[]>
  /** Looks now and then whether the ledger knows of more than the accounts. */
  answered(steps: readonly LeaseStep[], answers: readonly (LeaseAnswer | undefined)[]): void
}

export interface LeaseSpendOptions {
  readonly ledger: Pick<Ledger, 'spent' | 'totals'>
  /** As the project sees it. */
  readonly store: LimitStore
  readonly project: string | undefined
  readonly now: () => number
  readonly failed: (cause: unknown) => void
}

interface Seen {
  /** What the ledger said, and when it was asked. */
  said: { readonly spent: bigint; readonly at: number } | undefined
  isLooking: boolean
  nextLook: number
}

const LOOK_EVERY_MS = 10_000
/** By then whoever holds a lease has told what it spent, whose event may have been here before. */
const TOLD_WITHIN_MS = 10_000
const MOST_REMEMBERED = 100_000
/** Tenants whose sums are asked for each by itself. */
const MOST_ONE_BY_ONE = 20

const DIMENSIONS: Readonly<Record<ScopeField, Dimension | undefined>> = {
  tenant: 'tenant',
  user: 'user',
  feature: 'feature',
  model: 'model',
  session: 'session',
  run: undefined,
}

export function createLeaseSpend({ ledger, store, project, now, failed }: LeaseSpendOptions): LeaseSpend {
  const accounts = new Map<string, Seen>()
  const rules = new Map<string, LimitRule>()
  let revision = 0

  async function learn(): Promise<void> {
    const changes = await store.changes(revision)
    if (changes.revision < revision) rules.clear()
    revision = changes.revision
    for (const rule of changes.rules) rules.set(`${rule.per} ${rule.scope}`, rule)
    for (const { per, scope } of changes.removed) rules.delete(`${per} ${scope}`)
  }

  /** In nano-dollars; `undefined` where that cannot be known: a window that is over, a run of an agent. */
  async function spentIn({ scope, per, windowId }: LeaseStep): Promise<bigint | undefined> {
    const rule = rules.get(`${per} ${scope}`)
    if (!rule) return undefined
    const window = calendarOf(per, rule.settings).at(now())
    if (window.id !== windowId) return undefined
    const { tenants } = rule.settings
    if (tenants) return nanoCeil(await ofTenants(tenants, window.since))
    return ofScope(scope, window.since)
  }

  async function ofTenants(tenants: readonly string[], since: number): Promise<PicoUsd> {
    if (tenants.length > MOST_ONE_BY_ONE) {
      const own = new Set(tenants)
      return sumOf(['tenant'], ([tenantId]) => typeof tenantId === 'string' && own.has(tenantId), since)
    }
    const sums = await Promise.all(tenants.map((tenantId) => ofTenant(tenantId, since)))
    return sums.reduce((sum, one) => sum + one, 0n)
  }

  async function ofScope(scope: string, since: number): Promise<bigint | undefined> {
    const fields = fieldsOf(scope)
    const [[field, value] = ['', '']] = fields
    if (fields.length === 1 && field === 'tenant') return nanoCeil(await ofTenant(value, since))
    const by = fields.flatMap(([name]) => DIMENSIONS[name] ?? [])
    if (by.length < fields.length) return undefined
    const tenantId = fields.find(([name]) => name === 'tenant')?.[1]
    const values = JSON.stringify(fields.map(([, one]) => one))
    return nanoCeil(await sumOf(by, (key) => by.length === 0 || JSON.stringify(key) === values, since, tenantId))
  }

  function ofTenant(tenantId: string, since: number): Promise<PicoUsd> {
    return project === undefined ? ledger.spent(tenantId, since) : sumOf([], () => true, since, tenantId)
  }

  async function sumOf(
    by: readonly Dimension[],
    isMeant: (key: TotalsRow['key']) => boolean,
    since: number,
    tenantId?: string,
  ): Promise<PicoUsd> {
    const dimensions = project === undefined ? by : [...by, 'project' as const]
    const rows = await ledger.totals({ by: dimensions, since, ...(tenantId !== undefined && { tenantId }) })
    const own = rows.filter(({ key }) => {
      const isOwn = project === undefined || key.at(-1) === project
      return isOwn && isMeant(key.slice(0, by.length))
    })
    return own.reduce((sum, { cost }) => sum + cost, 0n)
  }

  async function openingOf(step: LeaseStep): Promise<bigint> {
    const [account] = await store.accounts([step])
    if (isOpen(account) && step.earlier.length === 0) return step.opening
    const spent = await spentIn(step)
    if (spent === undefined) return step.opening
    // What the step itself tells may be in the ledger already; what is not is found there later.
    const missing = spent - (account?.committed ?? 0n) - step.spent
    return missing > step.opening ? missing : step.opening
  }

  function seen(step: LeaseStep): Seen {
    const name = nameOf(step)
    let it = accounts.get(name)
    if (it) return it
    const [oldest] = accounts.size >= MOST_REMEMBERED ? accounts.keys() : []
    if (oldest !== undefined) accounts.delete(oldest)
    it = { said: undefined, isLooking: false, nextLook: now() + LOOK_EVERY_MS }
    accounts.set(name, it)
    return it
  }

  async function look(step: LeaseStep, it: Seen): Promise<void> {
    it.isLooking = true
    const at = now()
    const began = performance.now()
    try {
      await learn()
      const spent = await spentIn(step)
      it.said = spent === undefined ? undefined : { spent, at }
    } catch (cause) {
      failed(cause)
    } finally {
      it.isLooking = false
      // A hundredth of the time at most, however many events there are.
      it.nextLook = at + Math.max(LOOK_EVERY_MS, 100 * (performance.now() - began))
    }
  }

  /** As a lease of its own that is over at once. */
  async function add(step: LeaseStep, spent: bigint): Promise<void> {
    const none = { need: 0n, least: 0n, want: 0n, granted: 0n, returned: 0n, opening: 0n, warned: 0 }
    const { scope, per, windowId, earlier, endsAt } = step
    const leaseId = `ledger ${eventId(now())}`
    const key = { scope, per, windowId, earlier, endsAt, leaseId }
    try {
      await store.lease([{ ...none, ...key, seq: 1, spent, final: true, ttlMs: 0 }])
    } catch (cause) {
      failed(cause)
    }
  }

  return {
    ofTenant,
    async opening(steps) {
      const fresh = steps.filter((step) => !step.ifKnown && !accounts.has(nameOf(step)))
      if (fresh.length === 0) return steps
      await learn()
      const openings = new Map(await Promise.all(fresh.map(async (step) => [step, await openingOf(step)] as const)))
      return steps.map((step) => ({ ...step, opening: openings.get(step) ?? step.opening }))
    },
    answered(steps, answers) {
      const at = now()
      for (const [index, step] of steps.entries()) {
        const answer = answers[index]
        if (!answer) continue
        const it = seen(step)
        if (it.said && at - it.said.at >= TOLD_WITHIN_MS) {
          const { committed, escrow, suspense } = answer.account
          const missing = it.said.spent - committed - escrow - suspense
          it.said = undefined
          if (missing > 0n) void add(step, missing)
        }
        if (!it.said && !it.isLooking && at >= it.nextLook && canBeLookedUp(step)) void look(step, it)
      }
    },
  }
}

/** Of others the ledger has to go through everything, which is done once and not every ten seconds. */
function canBeLookedUp({ scope }: LeaseStep): boolean {
  return scope.startsWith('organization=') || (scope.startsWith('tenant=') && !scope.includes('&'))
}

function isOpen(account: Account | undefined): boolean {
  return account !== undefined && account.committed + account.escrow + account.suspense > 0n
}

function nameOf({ scope, per, windowId }: LeaseStep): string {
  return `${per} ${windowId} ${scope}`
}
