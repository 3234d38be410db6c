// Accounts of a plain backend: it answers "limit and spent", cached here, with this process's own money on top.

import { type LimitWindow, MeterError } from '../errors.ts'
import { nanoCeil, type PicoUsd, parseUsd } from '../money.ts'
import { runAsNobody } from '../tenant.ts'
import type { Account, LeaseStep, LimitRule, LimitStore } from './limit-store.ts'
import type { Unsynced } from './unsynced.ts'
import { LIMIT_WINDOWS, windowId } from './window.ts'

export interface HttpStoreOptions {
  /** `url` without its `/v1/ingest`. */
  readonly baseUrl: string
  readonly apiKey?: string | undefined
  /** How long an answer is used, in milliseconds. */
  readonly ttlMs: number
  readonly unsynced: Unsynced
  readonly now?: () => number
  /** Told of a backend that does not answer; calls go on with the last answer, or without a limit. */
  readonly onFailure: (error: Error) => void
  readonly onSuccess?: () => void
}

const TIMEOUT_MS = 5000

interface Answer {
  readonly accounts: readonly RemoteAccount[]
  readonly at: number
}

/** What this process took of an account, as its last step told. */
interface Lease {
  granted: bigint
  spent: bigint
  returned: bigint
}

interface RemoteAccount extends Account {
  committed: bigint
  escrow: bigint
  /** What this process had delivered when it asked: spend recorded above it is not in the backend's figure. */
  readonly deliveredThen: PicoUsd
  readonly spentThere: bigint
  readonly leases: Map<string, Lease>
}

/** A limit store over `GET` and `PUT {base}/v1/limits/{tenant}` of docs/wire.md. */
export function httpLimitStore(options: HttpStoreOptions): LimitStore {
  const { ttlMs, unsynced, now = Date.now } = options
  const answers = new Map<string, Answer>()
  const asking = new Map<string, Promise<readonly RemoteAccount[]>>()

  function current(tenantId: string): readonly RemoteAccount[] | Promise<readonly RemoteAccount[]> {
    const answer = answers.get(tenantId)
    if (answer && now() - answer.at < ttlMs) return answer.accounts.map(withLocalSpend)
    let asked = asking.get(tenantId)
    if (!asked) {
      asked = ask(tenantId).finally(() => asking.delete(tenantId))
      asking.set(tenantId, asked)
    }
    return asked.then((accounts) => accounts.map(withLocalSpend))
  }

  /** The backend's figure plus what was recorded here since and may not have reached it. */
  function withLocalSpend(account: RemoteAccount): RemoteAccount {
    const here = unsynced.recordedTotal(account.tenantId) - account.deliveredThen
    account.committed = account.spentThere + nanoCeil(here)
    account.escrow = escrowOf(account)
    return account
  }

  async function ask(tenantId: string): Promise<readonly RemoteAccount[]> {
    const deliveredThen = unsynced.deliveredTotal(tenantId)
    const before = answers.get(tenantId)
    try {
      const body = await call('GET', tenantId)
      const accounts = parseAccounts(tenantId, body, now()).map((account): RemoteAccount => {
        const same = before?.accounts.find((one) => one.window === account.window && one.windowId === account.windowId)
        return { ...account, deliveredThen, spentThere: account.committed, leases: same?.leases ?? new Map() }
      })
      remember(tenantId, accounts)
      options.onSuccess?.()
      return accounts
    } catch (error) {
      options.onFailure(error as Error)
      // The old answer is asked for again only after the next interval, so that a dead backend is not asked on every call.
      const accounts = before?.accounts ?? []
      remember(tenantId, accounts)
      return accounts
    }
  }

  function remember(tenantId: string, accounts: readonly RemoteAccount[]): void {
    if (answers.size >= 100_000) answers.clear()
    answers.set(tenantId, { accounts, at: now() })
  }

  async function call(method: 'GET' | 'PUT' | 'DELETE', tenantId: string, body?: object, query = ''): Promise<unknown> {
    const { request } = await import('undici')
    const response = await runAsNobody(() =>
      request(`${options.baseUrl}/v1/limits/${encodeURIComponent(tenantId)}${query}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(options.apiKey !== undefined && { authorization: `Bearer ${options.apiKey}` }),
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
      }),
    )
    // A backend without limits has none for anybody.
    if (response.statusCode === 404 && method === 'GET') {
      await response.body.dump()
      return { limits: [] }
    }
    if (response.statusCode < 200 || response.statusCode >= 300) {
      await response.body.dump()
      throw new MeterError(
        'DELIVERY_REJECTED',
        `The limits endpoint answered ${method} with status ${response.statusCode}.`,
      )
    }
    const text = await response.body.text()
    return method === 'GET' ? JSON.parse(text) : undefined
  }

  return {
    async setLimit(rule: LimitRule) {
      answers.delete(rule.tenantId)
      await call('PUT', rule.tenantId, { usd: usdOf(rule.limitNanoUsd), per: rule.window, mode: rule.mode })
      answers.delete(rule.tenantId)
    },
    async removeLimit(tenantId, window) {
      answers.delete(tenantId)
      await call('DELETE', tenantId, undefined, `?per=${window}`)
      answers.delete(tenantId)
    },
    accounts: (tenantId) => current(tenantId),
    lease(step) {
      const accounts = current(step.tenantId)
      return accounts instanceof Promise
        ? accounts.then((list) => answerLease(list, step))
        : answerLease(accounts, step)
    },
  }
}

/** Spend is counted by `withLocalSpend`: of a lease only what it still holds matters here. */
function answerLease(accounts: readonly RemoteAccount[], step: LeaseStep) {
  const account = accounts.find((one) => one.window === step.window)
  if (!account) return undefined
  let lease = account.leases.get(step.leaseId)
  if (!lease) account.leases.set(step.leaseId, (lease = { granted: 0n, spent: 0n, returned: 0n }))
  lease.spent = step.spent
  lease.returned = step.returned
  account.escrow = escrowOf(account)
  const free = account.limitNanoUsd - account.committed - account.escrow
  const granted = step.need > 0n && free >= step.need ? step.need : 0n
  lease.granted += granted
  account.escrow += granted
  return { granted, account }
}

function escrowOf(account: RemoteAccount): bigint {
  let escrow = 0n
  for (const { granted, spent, returned } of account.leases.values()) {
    const rest = granted - spent - returned
    if (rest > 0n) escrow += rest
  }
  return escrow
}

function usdOf(nano: bigint): number {
  return Number(nano) / 1e9
}

function parseAccounts(tenantId: string, body: unknown, at: number): Account[] {
  const list = (body as { limits?: unknown } | null)?.limits
  if (!Array.isArray(list)) throw new MeterError('BAD_INPUT', 'The limits endpoint answered without a list `limits`.')
  const accounts: Account[] = []
  for (const entry of list as Record<string, unknown>[]) {
    const window = entry['window'] as LimitWindow
    const limit = parseUsd(String(entry['limit_usd']))
    const spent = parseUsd(String(entry['spent_usd']))
    if (!LIMIT_WINDOWS.includes(window) || limit === undefined || spent === undefined)
      throw new MeterError(
        'BAD_INPUT',
        'The limits endpoint answered with a limit that has no `window`, `limit_usd` or `spent_usd`.',
      )
    accounts.push({
      tenantId,
      window,
      windowId: windowId(window, at),
      limitNanoUsd: limit / 1000n,
      mode: entry['mode'] === 'hard' ? 'hard' : 'expected',
      committed: nanoCeil(spent),
      escrow: 0n,
    })
  }
  return accounts
}
