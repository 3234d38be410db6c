// The limits of a meter's tenants: set, removed, looked at, and there again after a restart.

import { expected, type LimitWindow, MeterError } from './errors.ts'
import type { LLMEvent } from './event.ts'
import { httpLimitStore } from './limits/http-store.ts'
import type { Account, LimitStore } from './limits/limit-store.ts'
import { createLimiter, type Limiter } from './limits/limiter.ts'
import { memoryLimitStore } from './limits/memory-store.ts'
import { createUnsynced } from './limits/unsynced.ts'
import { LIMIT_WINDOWS, windowEnd } from './limits/window.ts'
import { formatUsd, nanoCeil, PICO_PER_NANO, type PicoUsd, parseUsd, picoFromNano } from './money.ts'
import type { ResolvedOptions } from './options.ts'
import type { ProblemReporter } from './problems.ts'
import type { Ledger } from './sinks/ledger.ts'
import type { Sink } from './sinks/sink.ts'
import { checkTenantId } from './tenant.ts'

/** A limit as `setLimit` takes it. */
export interface Limit {
  /** Dollars, above 0 or 0 to refuse every call; as a string where it must be exact beyond what a number holds. */
  readonly usd: number | string
  /** The calendar window in UTC that it counts in; default `'month'`. */
  readonly per?: LimitWindow
  /**
   * `'expected'` (default): a call holds the most it can cost when its request caps its output, and else what such calls
   * come to; with nothing in flight and money left, a call is always admitted. `'hard'`: every call holds the most it
   * can cost, so that the limit is never passed, and a request that could pass it is refused.
   */
  readonly mode?: 'expected' | 'hard'
}

/** A tenant's limit and where it stands. Sums are exact decimal dollars. */
export interface LimitState {
  readonly window: LimitWindow
  readonly mode: 'expected' | 'hard'
  readonly limitUsd: string
  readonly spentUsd: string
  /** Set aside for calls in flight in this process. */
  readonly heldUsd: string
  /** Never below 0. */
  readonly remainingUsd: string
  /** `undefined` for `total`. */
  readonly resetsAt: Date | undefined
}

export interface TenantLimits {
  readonly limiter: Limiter
  set(tenantId: string, limit: Limit): Promise<void>
  remove(tenantId: string, window: LimitWindow): Promise<void>
  states(tenantId: string): Promise<LimitState[]>
  /** Spend that was recorded here, on its way to where it is known for good. */
  recorded(event: LLMEvent, cost: PicoUsd): void
  /** Spend that nothing was held for: what an application reports by hand. */
  spent(tenantId: string, cost: PicoUsd, at: number): void
  /** The same sink, which also tells what of our spend has arrived: a backend's figures stand on it. */
  noting(sink: Sink): Sink
  close(): Promise<void>
}

export interface TenantLimitsSetup {
  readonly options: ResolvedOptions
  readonly ledger: Ledger | undefined
  readonly problems: ProblemReporter
  /** Work that `flush` waits for. */
  readonly keep: (work: Promise<unknown>) => void
}

export function createTenantLimits({ options, ledger, problems, keep }: TenantLimitsSetup): TenantLimits {
  const unsynced = createUnsynced()
  /** Limits set in this run: what an earlier one left must not replace them. */
  const changed = new Set<string>()
  const backend = backendOf(options)
  const store = options.limitStore ?? (backend === undefined ? memoryLimitStore({ spentSince }) : overHttp(backend))
  const limiter = createLimiter(ledger && !options.limitStore && backend === undefined ? restoredFirst(ledger) : store)

  function overHttp(baseUrl: string): LimitStore {
    return httpLimitStore({
      baseUrl,
      apiKey: options.apiKey,
      ttlMs: options.limitCheckCacheTtlMs,
      unsynced,
      onFailure: (cause) =>
        problems.report(
          { kind: 'limit', message: 'The limits endpoint did not answer; calls go on with what it said last.', cause },
          'limit:http',
        ),
      onSuccess: () => problems.clear('limit:http'),
    })
  }

  /** The limits that an earlier process left in the ledger are there before the first call is admitted. */
  function restoredFirst(from: Ledger): LimitStore {
    let isRestored = false
    let restoring: Promise<void> | undefined
    const restore = () =>
      (restoring ??= restoreFrom(from).finally(() => {
        isRestored = true
      }))
    return {
      ...store,
      accounts: (tenantId, at) =>
        isRestored ? store.accounts(tenantId, at) : restore().then(() => store.accounts(tenantId, at)),
    }
  }

  async function restoreFrom(from: Ledger): Promise<void> {
    try {
      for (const { tenantId, window, limit, mode } of await from.limits()) {
        if (changed.has(`${window} ${tenantId}`)) continue
        await store.setLimit({ tenantId, window, limitNanoUsd: limit / PICO_PER_NANO, mode })
      }
    } catch (cause) {
      problems.report(
        {
          kind: 'ledger',
          message: 'The limits of earlier runs could not be read from the ledger; only those set in this run hold.',
          cause,
        },
        'ledger:restore',
      )
    }
  }

  /** What the ledger knows plus what is on its way there, in nano-dollars. */
  async function spentSince(tenantId: string, since: number): Promise<bigint> {
    // Read before the ledger is asked: what arrives in between is counted twice rather than not at all.
    const onItsWay = unsynced.onItsWay(tenantId, since)
    if (!ledger) return nanoCeil(onItsWay)
    try {
      return nanoCeil((await ledger.spent(tenantId, since)) + onItsWay)
    } catch (cause) {
      problems.report(
        {
          kind: 'ledger',
          message: 'The spend of earlier runs could not be read from the ledger; limits count from now.',
          cause,
        },
        'ledger:spent',
      )
      return nanoCeil(onItsWay)
    }
  }

  function change(tenantId: string, window: LimitWindow, make: () => Promise<void>): Promise<void> {
    changed.add(`${window} ${tenantId}`)
    const work = make().catch((cause: unknown) =>
      problems.report({
        kind: 'limit',
        message: `A limit of tenant ${JSON.stringify(tenantId)} could not be stored.`,
        cause,
      }),
    )
    keep(work)
    // `raiseOnError` may make the report throw; an application that does not wait for us must not end by it.
    work.catch(() => undefined)
    return work
  }

  return {
    limiter,
    set(tenantId, { usd, per = 'month', mode = 'expected' }) {
      checkTenantId(tenantId)
      const limit = typeof usd === 'number' || typeof usd === 'string' ? parseUsd(usd) : undefined
      if (limit === undefined || limit < 0n)
        throw new MeterError('BAD_INPUT', expected('usd', 'a number of dollars, at least 0', usd))
      checkWindow(per)
      if (mode !== 'expected' && mode !== 'hard')
        throw new MeterError('BAD_INPUT', expected('mode', "'expected' or 'hard'", mode))
      return change(tenantId, per, async () => {
        const stored = store.setLimit({ tenantId, window: per, limitNanoUsd: limit / PICO_PER_NANO, mode })
        limiter.giveBack(tenantId, Date.now())
        await stored
        await ledger?.putLimit({ tenantId, window: per, limit, mode })
      })
    },
    remove(tenantId, per) {
      checkTenantId(tenantId)
      checkWindow(per)
      return change(tenantId, per, async () => {
        await store.removeLimit(tenantId, per)
        await ledger?.removeLimit(tenantId, per)
      })
    },
    async states(tenantId) {
      const now = Date.now()
      const accounts = await limiter.report(tenantId, now)
      return accounts.map((account) => stateOf(account, limiter.heldFor(account), now))
    },
    recorded({ tenantId, timestamp }, cost) {
      if (tenantId !== undefined) unsynced.recorded(tenantId, cost, Date.parse(timestamp))
    },
    spent(tenantId, cost, at) {
      const accounts = limiter.accounts(tenantId, at)
      const spend = (known: readonly Account[]) => limiter.spend(known, cost, at)
      if (accounts instanceof Promise) keep(accounts.then(spend))
      else spend(accounts)
    },
    noting(sink) {
      const note = (delivery: Awaited<ReturnType<Sink['send']>>, events: readonly LLMEvent[]) => {
        if (delivery.outcome === 'delivered') unsynced.delivered(events)
        return delivery
      }
      return {
        name: sink.name,
        send: async (batch, signal) => note(await sink.send(batch, signal), batch.events),
        ...(sink.sendSync && { sendSync: (batch) => note(sink.sendSync!(batch), batch.events) }),
        ...(sink.close && { close: () => sink.close!() }),
      }
    },
    async close() {
      await store.close?.()
    },
  }
}

/** Where limits are asked over HTTP: `limitsUrl`, or `url` without its `/v1/ingest`. */
function backendOf({ url, limitsUrl }: ResolvedOptions): string | undefined {
  return (limitsUrl ?? url?.replace(/\/v1\/ingest\/?$/, ''))?.replace(/\/$/, '')
}

function checkWindow(window: unknown): void {
  if (!LIMIT_WINDOWS.includes(window as LimitWindow))
    throw new MeterError('BAD_INPUT', expected('per', LIMIT_WINDOWS.map((name) => `'${name}'`).join(', '), window))
}

function stateOf(account: Account, held: PicoUsd, now: number): LimitState {
  const limit = picoFromNano(account.limitNanoUsd)
  const spent = picoFromNano(account.committed)
  const ends = windowEnd(account.window, now)
  const left = limit - spent - held
  return {
    window: account.window,
    mode: account.mode,
    limitUsd: formatUsd(limit),
    spentUsd: formatUsd(spent),
    heldUsd: formatUsd(held),
    remainingUsd: formatUsd(left > 0n ? left : 0n),
    resetsAt: ends === undefined ? undefined : new Date(ends),
  }
}
