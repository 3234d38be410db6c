// The limits of a meter's tenants: set, removed, looked at, and there again after a restart.

import { type LimitWindow, MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import { httpLimitStore } from '../limits/http-store.ts'
import { checkWindow, type Limit, type LimitState, ruleOf, stateOf } from '../limits/limit.ts'
import type { LimitRule, LimitStore } from '../limits/limit-store.ts'
import { createLimiter, type Limiter } from '../limits/limiter.ts'
import { memoryLimitStore } from '../limits/memory-store.ts'
import { createUnsynced } from '../limits/unsynced.ts'
import { nanoCeil, PICO_PER_NANO, picoFromNano } from '../money.ts'
import type { ResolvedOptions } from '../options.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Ledger } from '../sinks/ledger.ts'
import type { Delivery, Sink } from '../sinks/sink.ts'
import { checkTenantId } from '../tenant.ts'

export interface TenantLimits {
  readonly limiter: Limiter
  set(tenantId: string, limit: Limit): Promise<void>
  remove(tenantId: string, window: LimitWindow): Promise<void>
  states(tenantId: string): Promise<LimitState[]>
  /** The same sinks; one of them also tells what of our spend has arrived where limits are counted. */
  noting(sinks: readonly Sink[]): Sink[]
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
  let writing: Promise<void> = Promise.resolve()
  const backend = backendOf(options)
  const store = options.limitStore ?? (backend === undefined ? memoryLimitStore({ spentSince }) : overHttp(backend))
  const limiter = createLimiter({
    store: ledger && !options.limitStore && backend === undefined ? restoredFirst(ledger) : store,
    unsynced,
    keep: (work) =>
      keep(
        work.catch((cause: unknown) =>
          problems.report(
            { kind: 'limit', message: 'What a call cost could not be told to the limit store.', cause },
            'limit:spend',
          ),
        ),
      ),
  })

  function overHttp(baseUrl: string): LimitStore {
    return httpLimitStore({
      baseUrl,
      apiKey: options.apiKey,
      ttlMs: options.limitCheckCacheTtlMs,
      unsynced,
      onFailure: (cause) => {
        const said = ourWords(cause) ?? 'The limits endpoint did not answer'
        problems.report({ kind: 'limit', message: `${said}; calls go on with what it said last.`, cause }, 'limit:http')
      },
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

  /** What the ledger knows, and what of our own spend it does not know yet, in nano-dollars. */
  function spentSince(tenantId: string, since: number): bigint | Promise<bigint> {
    const beyondAnswer = unsynced.beyondAnswer(tenantId)
    if (!ledger) return nanoCeil(beyondAnswer(since))
    return ledger.spent(tenantId, since).then(
      (known) => nanoCeil(known + beyondAnswer(since)),
      (cause: unknown) => {
        problems.report(
          {
            kind: 'ledger',
            message: 'The spend of earlier runs could not be read from the ledger; limits count from now.',
            cause,
          },
          'ledger:spent',
        )
        return nanoCeil(beyondAnswer(since))
      },
    )
  }

  function change(
    { tenantId, window }: Pick<LimitRule, 'tenantId' | 'window'>,
    inStore: () => void | Promise<void>,
    inLedger: (to: Ledger) => Promise<void>,
  ): Promise<void> {
    changed.add(`${window} ${tenantId}`)
    const before = writing
    const made = (async () => {
      await inStore()
      // One after the other, or a ledger could keep the first of two changes.
      await before
      if (ledger) await inLedger(ledger)
    })()
    writing = made.catch(() => undefined)
    const work = made.catch((cause: unknown) => {
      const said = ourWords(cause)
      const why = said === undefined ? '' : `: ${said}`
      problems.report({
        kind: 'limit',
        message: `A limit of tenant ${JSON.stringify(tenantId)} could not be stored${why}.`,
        cause,
      })
    })
    keep(work)
    // `raiseOnError` may make the report throw; an application that does not wait for us must not end by it.
    work.catch(() => undefined)
    return work
  }

  function noted(sink: Sink): Sink {
    const note = (delivery: Delivery, events: readonly LLMEvent[]): Delivery => {
      if (delivery.outcome !== 'delivered') return delivery
      const refused = new Set(delivery.rejected?.map(({ eventId }) => eventId))
      unsynced.delivered(refused.size === 0 ? events : events.filter(({ eventId }) => !refused.has(eventId)))
      return delivery
    }
    return {
      name: sink.name,
      send: async (batch, signal) => note(await sink.send(batch, signal), batch.events),
      ...(sink.sendSync && { sendSync: (batch) => note(sink.sendSync!(batch), batch.events) }),
      ...(sink.close && { close: () => sink.close!() }),
    }
  }

  return {
    limiter,
    set(tenantId, limit) {
      const rule = ruleOf(tenantId, limit)
      const { window, limitNanoUsd, mode } = rule
      const inStore = () => {
        const stored = store.setLimit(rule)
        limiter.giveBack(tenantId)
        return stored
      }
      return change(rule, inStore, (to) => to.putLimit({ tenantId, window, limit: picoFromNano(limitNanoUsd), mode }))
    },
    remove(tenantId, window) {
      checkTenantId(tenantId)
      checkWindow(window)
      const inStore = () => {
        const forgotten = limiter.forget(tenantId, window)
        return forgotten
          ? forgotten.then(() => store.removeLimit(tenantId, window))
          : store.removeLimit(tenantId, window)
      }
      return change({ tenantId, window }, inStore, (from) => from.removeLimit(tenantId, window))
    },
    async states(tenantId) {
      const now = Date.now()
      const accounts = await limiter.report(tenantId, now)
      return accounts.map((account) => stateOf(account, limiter.heldFor(account), now))
    },
    noting(sinks) {
      const informs = backend === undefined ? ledger : (sinks.find(({ name }) => name === 'http') ?? sinks[0])
      return sinks.map((sink) => (sink === informs ? noted(sink) : sink))
    },
    async close() {
      await limiter.close()
      await store.close?.()
    },
  }
}

/** Errors of ours name the status, or what is wrong with an answer; any other is a connection that failed, and can hold anything. */
function ourWords(cause: unknown): string | undefined {
  return cause instanceof MeterError ? cause.message.replace(/\.$/, '') : undefined
}

/** Where limits are asked over HTTP: `limitsUrl`, or `url` without its `/v1/ingest`. */
function backendOf({ url, limitsUrl }: ResolvedOptions): string | undefined {
  if (limitsUrl !== undefined) return limitsUrl.replace(/\/+$/, '')
  if (url === undefined) return undefined
  const { origin, pathname } = new URL(url)
  return origin + pathname.replace(/\/+$/, '').replace(/\/v1\/ingest$/, '')
}
