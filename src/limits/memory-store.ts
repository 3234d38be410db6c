// Accounts in this process: for one process, and for tests.

import type { LimitWindow } from '../errors.ts'
import { escrowOf, grant, type Lease, leaseIn, tell } from './lease.ts'
import type { Account, LeaseAnswer, LeaseStep, LimitRule, LimitStore } from './limit-store.ts'
import { windowEnd, windowId, windowStart } from './window.ts'

interface LiveAccount extends Account {
  committed: bigint
  escrow: bigint
  /** Epoch milliseconds, `until` not included. */
  readonly from: number
  readonly until: number
  readonly leases: Map<string, Lease>
}

interface Tenant {
  readonly rules: Map<LimitWindow, LimitRule>
  /** By the names of their windows: the current ones, and those before them, in which calls under way still settle. */
  readonly accounts: Map<string, LiveAccount>
  /** One an account of `rules`, as last asked for: the answer while all their windows last. */
  current: readonly LiveAccount[] | undefined
}

type MaybePromise<T> = T | Promise<T>

export interface MemoryStoreOptions {
  /** What a tenant has spent since a moment (epoch milliseconds), in nano-dollars: asked once per account, so that a limit holds after a restart. */
  readonly spentSince?: (tenantId: string, since: number) => MaybePromise<bigint>
}

const NONE: readonly LiveAccount[] = []

/** A limit store in the process's own memory. */
export function memoryLimitStore({ spentSince = () => 0n }: MemoryStoreOptions = {}): LimitStore {
  const tenants = new Map<string, Tenant>()

  function accountsOf(tenant: Tenant, at: number): MaybePromise<readonly LiveAccount[]> {
    const { current, rules } = tenant
    if (current?.every(({ from, until }) => at >= from && at < until)) return current
    const opened = [...rules.values()].map((rule) => accountOf(tenant, rule, at))
    // The rules may have changed while it was asked what was spent: they are looked at again.
    const waiting = opened.filter((one) => one instanceof Promise)
    if (waiting.length > 0) return Promise.all(waiting).then(() => accountsOf(tenant, at))
    tenant.current = opened as LiveAccount[]
    return tenant.current
  }

  function accountOf(tenant: Tenant, { tenantId, window }: LimitRule, at: number): MaybePromise<LiveAccount> {
    const known = tenant.accounts.get(windowId(window, at))
    if (known) return known
    const spent = spentSince(tenantId, windowStart(window, at))
    return spent instanceof Promise
      ? spent.then((sum) => opened(tenant, tenantId, window, at, sum))
      : opened(tenant, tenantId, window, at, spent)
  }

  /** Of two calls that waited for the same account, the first has opened it. */
  function opened({ rules, accounts }: Tenant, tenantId: string, window: LimitWindow, at: number, spent: bigint) {
    const name = windowId(window, at)
    const known = accounts.get(name)
    if (known) return known
    const account: LiveAccount = {
      ...(rules.get(window) ?? { tenantId, window, limitNanoUsd: 0n, mode: 'expected' }),
      windowId: name,
      committed: spent,
      escrow: 0n,
      from: windowStart(window, at),
      until: windowEnd(window, at) ?? Number.POSITIVE_INFINITY,
      leases: new Map(),
    }
    for (const [id, other] of accounts) if (other.window === window && other.until < account.from) accounts.delete(id)
    if (rules.has(window)) accounts.set(name, account)
    return account
  }

  function step(accounts: readonly LiveAccount[], request: LeaseStep): LeaseAnswer | undefined {
    const account = accounts.find((one) => one.window === request.window)
    if (!account) return undefined
    const lease = leaseIn(account.leases, request.leaseId)
    account.escrow -= escrowOf(lease)
    account.committed += tell(lease, request)
    const free = account.limitNanoUsd - account.committed - account.escrow - escrowOf(lease)
    const granted = grant(lease, request, free)
    account.escrow += escrowOf(lease)
    return { granted, account }
  }

  return {
    setLimit(rule) {
      let tenant = tenants.get(rule.tenantId)
      if (!tenant) tenants.set(rule.tenantId, (tenant = { rules: new Map(), accounts: new Map(), current: undefined }))
      tenant.rules.set(rule.window, rule)
      tenant.current = undefined
      for (const account of tenant.accounts.values()) if (account.window === rule.window) Object.assign(account, rule)
    },
    removeLimit(tenantId, window) {
      const tenant = tenants.get(tenantId)
      if (!tenant) return
      tenant.rules.delete(window)
      tenant.current = undefined
      for (const [id, account] of tenant.accounts) if (account.window === window) tenant.accounts.delete(id)
    },
    accounts(tenantId, at) {
      const tenant = tenants.get(tenantId)
      return tenant ? accountsOf(tenant, at) : NONE
    },
    lease(request) {
      const tenant = tenants.get(request.tenantId)
      if (!tenant) return undefined
      const accounts = accountsOf(tenant, request.at)
      return accounts instanceof Promise ? accounts.then((list) => step(list, request)) : step(accounts, request)
    },
  }
}
