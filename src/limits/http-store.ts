// Accounts of a plain backend: it answers "limit and spent", cached here, with this process's own money on top.

import { nanoCeil, type PicoUsd } from '../money.ts'
import { escrowOf, grant, type Lease, leaseIn, tell } from './lease.ts'
import type { Account, LeaseStep, LimitRule, LimitStore } from './limit-store.ts'
import { createLimitsClient, type LimitsClientOptions, type RemoteLimit } from './limits-client.ts'
import type { Unsynced } from './unsynced.ts'
import { windowEnd, windowId, windowStart } from './window.ts'

export interface HttpStoreOptions extends LimitsClientOptions {
  /** How long an answer is used, in milliseconds. */
  readonly ttlMs: number
  readonly unsynced: Unsynced
  readonly now?: () => number
  /** Told of a backend that does not answer; calls go on with the last answer, or without a limit. */
  readonly onFailure: (error: Error) => void
  readonly onSuccess?: () => void
}

interface RemoteAccount extends Account {
  committed: bigint
  escrow: bigint
  readonly from: number
  readonly until: number
  /** As the backend said. */
  readonly spentThere: bigint
  /** What of this process's spend the backend did not know when it said so. */
  readonly beyond: (since: number) => PicoUsd
  readonly leases: Map<string, Lease>
}

interface Tenant {
  accounts: readonly RemoteAccount[]
  /** Epoch milliseconds until which `accounts` are used. */
  freshUntil: number
  asking: Promise<void> | undefined
  /** The backend did not answer: it is asked again, but no call waits for it. */
  hasFailed: boolean
  /** Counts the changes of its limits: an answer from before one is no answer. */
  changes: number
  /** The changes under way, one after the other. */
  changing: Promise<unknown>
}

const TENANTS_REMEMBERED = 100_000

/** A limit store over `GET`, `PUT` and `DELETE {base}/v1/limits/{tenant}` of docs/wire.md. */
export function httpLimitStore(options: HttpStoreOptions): LimitStore {
  const { ttlMs, unsynced, now = Date.now } = options
  const client = createLimitsClient(options)
  const tenants = new Map<string, Tenant>()
  /** The last question got no answer: no call waits, for whatever tenant, until one does. */
  let isSilent = false

  function tenantOf(tenantId: string): Tenant {
    let tenant = tenants.get(tenantId)
    if (!tenant) {
      const [oldest] = tenants.size >= TENANTS_REMEMBERED ? tenants.keys() : []
      if (oldest !== undefined) tenants.delete(oldest)
      tenant = {
        accounts: [],
        freshUntil: Number.NEGATIVE_INFINITY,
        asking: undefined,
        hasFailed: false,
        changes: 0,
        changing: Promise.resolve(),
      }
      tenants.set(tenantId, tenant)
    }
    return tenant
  }

  async function ask(tenantId: string, tenant: Tenant): Promise<void> {
    for (let isCurrent = false; !isCurrent; ) {
      await tenant.changing
      const { changes } = tenant
      const beyond = unsynced.beyondAnswer(tenantId)
      try {
        const limits = await client.read(tenantId)
        isCurrent = changes === tenant.changes
        if (isCurrent) take(tenantId, tenant, limits, beyond)
      } catch (error) {
        isCurrent = true
        isSilent = true
        tenant.hasFailed = true
        tenant.freshUntil = now() + ttlMs
        options.onFailure(error as Error)
      }
    }
  }

  function take(
    tenantId: string,
    tenant: Tenant,
    limits: readonly RemoteLimit[],
    beyond: (since: number) => PicoUsd,
  ): void {
    const at = now()
    tenant.accounts = limits.map(({ spentNanoUsd, ...rule }) => {
      const id = windowId(rule.window, at)
      const same = tenant.accounts.find((account) => account.windowId === id)
      return open({ ...rule, tenantId }, at, spentNanoUsd, beyond, same?.leases)
    })
    tenant.freshUntil = Math.min(at + ttlMs, ...tenant.accounts.map(({ until }) => until))
    tenant.hasFailed = false
    isSilent = false
    options.onSuccess?.()
  }

  /** The accounts as of now: what this process spent since the answer is on top of it. */
  function upToDate(tenant: Tenant): readonly RemoteAccount[] {
    const at = now()
    // Only while the backend is silent: the new window begins with nothing but what is spent here.
    if (tenant.accounts.some(({ until }) => at >= until))
      tenant.accounts = tenant.accounts.map((account) =>
        at < account.until ? account : open(account, at, 0n, unsynced.beyondAnswer(account.tenantId)),
      )
    for (const account of tenant.accounts) count(account)
    return tenant.accounts
  }

  function change(tenantId: string, work: () => Promise<void>): Promise<void> {
    const tenant = tenantOf(tenantId)
    tenant.changes++
    tenant.freshUntil = Number.NEGATIVE_INFINITY
    // One after the other, or two changes of one limit could arrive in the other order.
    const done = tenant.changing.then(work)
    tenant.changing = done.catch(() => undefined)
    return done
  }

  /** A limit that the backend could not store holds in this process, until the backend answers what it knows. */
  function holdHere(rule: LimitRule): void {
    const tenant = tenantOf(rule.tenantId)
    const at = now()
    const others = tenant.accounts.filter(({ window }) => window !== rule.window)
    tenant.accounts = [...others, open(rule, at, 0n, unsynced.beyondAnswer(rule.tenantId))]
    tenant.hasFailed = true
    tenant.freshUntil = at + ttlMs
  }

  return {
    setLimit: (rule) =>
      change(rule.tenantId, () =>
        client.write(rule).then(
          () => {
            isSilent = false
          },
          (error: unknown) => {
            holdHere(rule)
            throw error
          },
        ),
      ),
    removeLimit: (tenantId, window) => change(tenantId, () => client.remove(tenantId, window)),
    accounts(tenantId) {
      const tenant = tenantOf(tenantId)
      if (now() < tenant.freshUntil) return upToDate(tenant)
      const asked = (tenant.asking ??= ask(tenantId, tenant).finally(() => {
        tenant.asking = undefined
      }))
      if (!tenant.hasFailed && !isSilent) return asked.then(() => upToDate(tenant))
      asked.catch(() => undefined)
      return upToDate(tenant)
    },
    lease(step: LeaseStep) {
      const id = windowId(step.window, step.at)
      const account = tenants.get(step.tenantId)?.accounts.find((one) => one.windowId === id)
      if (!account) return undefined
      const lease = leaseIn(account.leases, step.leaseId)
      // Its spend is in the backend's figure or among the unsynced: of a lease only what it holds counts here.
      tell(lease, step)
      count(account)
      const granted = grant(lease, step, account.limitNanoUsd - account.committed - account.escrow)
      count(account)
      return { granted, account }
    },
  }
}

function open(
  { tenantId, window, limitNanoUsd, mode }: LimitRule,
  at: number,
  spentThere: bigint,
  beyond: (since: number) => PicoUsd,
  leases: Map<string, Lease> = new Map(),
): RemoteAccount {
  return {
    tenantId,
    window,
    limitNanoUsd,
    mode,
    windowId: windowId(window, at),
    from: windowStart(window, at),
    until: windowEnd(window, at) ?? Number.POSITIVE_INFINITY,
    committed: spentThere,
    escrow: 0n,
    spentThere,
    beyond,
    leases,
  }
}

function count(account: RemoteAccount): void {
  account.committed = account.spentThere + nanoCeil(account.beyond(account.from))
  account.escrow = 0n
  for (const lease of account.leases.values()) account.escrow += escrowOf(lease)
}
