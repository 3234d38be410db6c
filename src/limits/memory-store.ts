// Accounts in this process: for one process, and for tests.

import type { LimitWindow } from '../errors.ts'
import type { Account, LeaseAnswer, LeaseStep, LimitRule, LimitStore } from './limit-store.ts'
import { windowId, windowStart } from './window.ts'

interface Lease {
  granted: bigint
  spent: bigint
  returned: bigint
  seq: number
  lastGrant: bigint
}

interface LiveAccount extends Account {
  committed: bigint
  escrow: bigint
  readonly leases: Map<string, Lease>
}

type MaybePromise<T> = T | Promise<T>

export interface MemoryStoreOptions {
  /** What a tenant has spent since a moment (epoch milliseconds), in nano-dollars: asked once per account, so that a limit holds after a restart. */
  readonly spentSince?: (tenantId: string, since: number) => MaybePromise<bigint>
}

/** A limit store in the process's own memory. */
export function memoryLimitStore({ spentSince = () => 0n }: MemoryStoreOptions = {}): LimitStore {
  const rules = new Map<string, Map<LimitWindow, LimitRule>>()
  const open = new Map<string, LiveAccount[]>()
  const NONE: readonly Account[] = []

  /** The accounts of the windows that hold `at`, opened where a window has just begun. */
  function current(tenantId: string, at: number): MaybePromise<readonly LiveAccount[]> {
    const own = rules.get(tenantId)
    const known = open.get(tenantId)
    if (
      known &&
      known.length === own?.size &&
      known.every((account) => account.windowId === windowId(account.window, at))
    )
      return known
    const opening = [...(own?.values() ?? [])].map((rule) => {
      const id = windowId(rule.window, at)
      const same = known?.find((account) => account.window === rule.window && account.windowId === id)
      if (same) return same
      const committed = spentSince(tenantId, windowStart(rule.window, at))
      const account = (sum: bigint): LiveAccount => ({
        ...rule,
        windowId: id,
        committed: sum,
        escrow: 0n,
        leases: new Map(),
      })
      return committed instanceof Promise ? committed.then(account) : account(committed)
    })
    const keep = (accounts: LiveAccount[]): LiveAccount[] => {
      // Another call may have opened the same windows while this one waited: the first one opened is the account.
      const now = open.get(tenantId)
      const list = accounts.map(
        (account) =>
          now?.find((other) => other.window === account.window && other.windowId === account.windowId) ?? account,
      )
      open.set(tenantId, list)
      return list
    }
    return opening.some((one) => one instanceof Promise)
      ? Promise.all(opening).then(keep)
      : keep(opening as LiveAccount[])
  }

  function step(accounts: readonly LiveAccount[], request: LeaseStep): LeaseAnswer | undefined {
    const account = accounts.find((one) => one.window === request.window)
    if (!account) return undefined
    let lease = account.leases.get(request.leaseId)
    if (!lease)
      account.leases.set(request.leaseId, (lease = { granted: 0n, spent: 0n, returned: 0n, seq: 0, lastGrant: 0n }))
    const before = escrowOf(lease)
    if (request.spent > lease.spent) {
      account.committed += request.spent - lease.spent
      lease.spent = request.spent
    }
    if (request.returned > lease.returned) lease.returned = request.returned
    account.escrow += escrowOf(lease) - before
    if (request.seq > lease.seq) {
      const free = account.limitNanoUsd - account.committed - account.escrow
      lease.seq = request.seq
      lease.lastGrant = request.need > 0n && free >= request.need ? (free < request.want ? free : request.want) : 0n
      lease.granted += lease.lastGrant
      account.escrow += lease.lastGrant
    }
    if (request.final) {
      account.escrow -= escrowOf(lease)
      account.leases.delete(request.leaseId)
    }
    return { granted: lease.lastGrant, account }
  }

  return {
    setLimit(rule) {
      let own = rules.get(rule.tenantId)
      if (!own) rules.set(rule.tenantId, (own = new Map()))
      own.set(rule.window, rule)
      const account = open.get(rule.tenantId)?.find((one) => one.window === rule.window)
      if (account) Object.assign(account, rule)
    },
    removeLimit(tenantId, window) {
      const own = rules.get(tenantId)
      own?.delete(window)
      if (own?.size === 0) rules.delete(tenantId)
      const left = open.get(tenantId)?.filter((account) => account.window !== window)
      if (left?.length) open.set(tenantId, left)
      else open.delete(tenantId)
    },
    accounts(tenantId, at) {
      return rules.has(tenantId) ? current(tenantId, at) : NONE
    },
    lease(request) {
      if (!rules.has(request.tenantId)) return undefined
      const accounts = current(request.tenantId, request.at)
      return accounts instanceof Promise ? accounts.then((list) => step(list, request)) : step(accounts, request)
    },
  }
}

/** What a lease still holds of its account; a lease that spent more than it was granted holds nothing. */
function escrowOf(lease: Lease): bigint {
  const rest = lease.granted - lease.spent - lease.returned
  return rest > 0n ? rest : 0n
}
