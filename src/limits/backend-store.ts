// Limits of a plain backend: it answers "limit and spent", cached here, with this process's own money on top.

import { MeterError } from '../errors.ts'
import { nanoCeil, type PicoUsd } from '../money.ts'
import { type Books, emptyBooks, takeStep } from './lease.ts'
import type { Account, AccountKey, LeaseStep, LimitRule, LimitStore } from './limit-store.ts'
import { createLimitsClient, type LimitsClientOptions, type RemoteLimit } from './limits-client.ts'
import { fieldsOf, tenantScope } from './scope.ts'
import type { Unsynced } from './unsynced.ts'
import { calendarOf, type Window } from './window.ts'

export interface BackendStoreOptions extends LimitsClientOptions {
  /** How long an answer is used, in milliseconds. */
  readonly ttlMs: number
  readonly unsynced: Unsynced
  readonly now?: () => number
  readonly monotonic?: () => number
  /** Told of a backend that does not answer; calls go on with the last answer, or without a limit. */
  readonly onFailure: (error: Error) => void
  readonly onSuccess?: () => void
}

/** A limit, and its account in the current window. */
interface RemoteAccount {
  readonly rule: LimitRule
  readonly window: Window
  readonly books: Books
  /** As the backend said. */
  readonly spentThere: bigint
  /** What of this process's spend the backend did not know when it said so. */
  readonly beyond: (since: number) => PicoUsd
}

interface Tenant {
  accounts: readonly RemoteAccount[]
  /** Those of `accounts`. */
  rules: readonly LimitRule[]
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
export function backendLimitStore(options: BackendStoreOptions): LimitStore {
  const { ttlMs, unsynced, now = Date.now, monotonic = () => performance.now() } = options
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
        rules: [],
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
    const accounts = limits.map(({ spentNanoUsd, ...limit }) => {
      const rule = { ...limit, scope: tenantScope(tenantId), settings: {} }
      const window = calendarOf(rule.per).at(at)
      const same = tenant.accounts.find((account) => account.rule.per === rule.per && account.window.id === window.id)
      return { rule, window, books: same?.books ?? emptyBooks(0n), spentThere: spentNanoUsd, beyond }
    })
    put(tenant, accounts)
    tenant.freshUntil = Math.min(at + ttlMs, ...accounts.map(({ window }) => window.until))
    tenant.hasFailed = false
    isSilent = false
    options.onSuccess?.()
  }

  function put(tenant: Tenant, accounts: readonly RemoteAccount[]): void {
    tenant.accounts = accounts
    tenant.rules = accounts.map(({ rule }) => rule)
  }

  /** Only while the backend is silent: a new window begins with nothing but what is spent here. */
  function rollOver(tenantId: string, tenant: Tenant): readonly LimitRule[] {
    const at = now()
    if (tenant.accounts.some(({ window }) => at >= window.until))
      tenant.accounts = tenant.accounts.map((account) =>
        at < account.window.until ? account : opened(tenantId, account.rule, at),
      )
    return tenant.rules
  }

  function opened(tenantId: string, rule: LimitRule, at: number): RemoteAccount {
    const window = calendarOf(rule.per).at(at)
    return { rule, window, books: emptyBooks(0n), spentThere: 0n, beyond: unsynced.beyondAnswer(tenantId) }
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
  function holdHere(tenantId: string, rule: LimitRule): void {
    const tenant = tenantOf(tenantId)
    const at = now()
    put(tenant, [...tenant.accounts.filter(({ rule: { per } }) => per !== rule.per), opened(tenantId, rule, at)])
    tenant.hasFailed = true
    tenant.freshUntil = at + ttlMs
  }

  function find({ scope, per, windowId }: Pick<AccountKey, 'scope' | 'per' | 'windowId'>): RemoteAccount | undefined {
    // What it could not store is no limit, and stops nobody.
    const tenant = tenants.get(wholeTenantIn(scope) ?? '')
    const account = tenant?.accounts.find(({ rule, window }) => rule.per === per && window.id === windowId)
    if (account) account.books.committed = account.spentThere + nanoCeil(account.beyond(account.window.since))
    return account
  }

  function step(request: LeaseStep) {
    const account = find(request)
    if (!account || (request.ifKnown && !account.books.leases.has(request.leaseId))) return undefined
    const { books, rule } = account
    // Its spend is in the backend's figure or among the unsynced: of a lease only what it holds counts on top.
    const known = books.leases.get(request.leaseId)?.spent ?? 0n
    if (request.spent > known) books.committed -= request.spent - known
    return takeStep(books, [], request, rule.limitNanoUsd, monotonic())
  }

  return {
    isPrivate: true,
    setLimit(rule) {
      const tenantId = tenantIn(rule.scope)
      if (Object.keys(rule.settings).length > 0)
        throw new MeterError(
          'BAD_INPUT',
          'A backend over HTTP knows calendar windows in UTC only: this limit needs a store of its own.',
        )
      return change(tenantId, () =>
        client.write(tenantId, rule).then(
          () => {
            isSilent = false
          },
          (error: unknown) => {
            holdHere(tenantId, rule)
            throw error
          },
        ),
      )
    },
    removeLimit({ scope, per }) {
      const tenantId = tenantIn(scope)
      return change(tenantId, () => client.remove(tenantId, per))
    },
    changes: () => ({ revision: 0, rules: [], removed: [] }),
    rulesOf(tenantId) {
      const tenant = tenantOf(tenantId)
      if (now() < tenant.freshUntil) return rollOver(tenantId, tenant)
      const asked = (tenant.asking ??= ask(tenantId, tenant).finally(() => {
        tenant.asking = undefined
      }))
      if (!tenant.hasFailed && !isSilent) return asked.then(() => rollOver(tenantId, tenant))
      asked.catch(() => undefined)
      return rollOver(tenantId, tenant)
    },
    accounts: (keys) =>
      keys.map((key): Account | undefined => {
        const account = find(key)
        if (!account) return undefined
        const { committed, escrow, suspense, warned } = account.books
        return { committed, escrow, suspense, warned, limitNanoUsd: account.rule.limitNanoUsd }
      }),
    lease: (steps) => steps.map(step),
  }
}

/** Throws MeterError `BAD_INPUT` for a scope that has no address there. */
function tenantIn(scope: string): string {
  const tenantId = wholeTenantIn(scope)
  if (tenantId !== undefined) return tenantId
  throw new MeterError(
    'BAD_INPUT',
    'A backend over HTTP knows limits of whole tenants only: this limit needs a store of its own.',
  )
}

function wholeTenantIn(scope: string): string | undefined {
  const fields = fieldsOf(scope)
  const [[field, tenantId] = ['', '']] = fields
  return fields.length === 1 && field === 'tenant' ? tenantId : undefined
}
