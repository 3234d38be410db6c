// The limits of a meter: set, removed, looked at, and there again after a restart.

import type { LimitWindow } from '../errors.ts'
import type { Bequest } from '../limits/bequest.ts'
import { checkWindow, type Limit, type LimitState, ruleOf } from '../limits/limit.ts'
import type { LimitKey, LimitRule } from '../limits/limit-store.ts'
import { createLimiter, type Limiter } from '../limits/limiter.ts'
import { type LimitTarget, scopeOf, tenantIn } from '../limits/scope.ts'
import { costIn, type LimitCheck } from '../limits/standings.ts'
import { inTime } from '../limits/teller.ts'
import { createUnsynced } from '../limits/unsynced.ts'
import { formatUsd, parseDollars, picoFromNano } from '../money.ts'
import type { ResolvedOptions } from '../options.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Ledger } from '../sinks/ledger.ts'
import type { Batch, Delivery, Sink } from '../sinks/sink.ts'
import { checkTenantId, tenantIdFault } from '../tenant.ts'
import { backendOf, limitPlace } from './limit-place.ts'
import { createSpentBefore } from './spent-before.ts'
import type { LimitStats } from './stats.ts'
import { createStoreNews, ourWords } from './store-news.ts'

export interface TenantLimits {
  readonly limiter: Limiter
  set(target: LimitTarget, limit: Limit): Promise<void>
  remove(target: LimitTarget, window: LimitWindow): Promise<void>
  state(target: LimitTarget, window: LimitWindow): Promise<LimitState | undefined>
  states(target: LimitTarget): Promise<LimitState[]>
  check(tenantId: string, question: { readonly estimateUsd?: number | string }): Promise<LimitCheck>
  /** The same sinks; one of them also tells what of our spend has arrived where limits are counted. */
  noting(sinks: readonly Sink[]): Sink[]
  stats(): LimitStats
  /** What is on disk of the leases of this process, when a new segment of its spool begins. */
  opening: Limiter['opening']
  /** A dead process has left this. */
  inherit(bequest: Bequest): void
  /** The process ends: what is free of its leases is the others' again. */
  end(): Promise<void>
  endAtOnce(): void
  readonly hasLeases: boolean
  close(): Promise<void>
}

export interface TenantLimitsSetup {
  readonly options: ResolvedOptions
  readonly ledger: Ledger | undefined
  readonly problems: ProblemReporter
  /** Work that `flush` waits for. */
  readonly keep: (work: Promise<unknown>) => void
  /** Sends what is recorded to the ledger. */
  readonly deliver: () => Promise<void>
  /** Writes into the spool; gives `undefined` for what could not be written. Left out where there is none. */
  readonly note?: ((kind: string, value: unknown) => unknown) | undefined
}

export function createTenantLimits({
  options,
  ledger,
  problems,
  keep,
  deliver,
  note,
}: TenantLimitsSetup): TenantLimits {
  const unsynced = createUnsynced()
  /** Limits set in this run: what an earlier one left must not replace them. */
  const changed = new Set<string>()
  let writing: Promise<void> = Promise.resolve()
  const backend = options.limitStore ? undefined : backendOf(options)
  const news = createStoreNews(problems, options.onLimitWarning)
  const isChanged = (key: LimitKey) => changed.has(nameOf(key))
  const store = options.limitStore ?? limitPlace({ options, backend, ledger, unsynced, problems, news, isChanged })
  const limiter = createLimiter({
    store,
    unsynced,
    opening: backend === undefined ? createSpentBefore({ ledger, unsynced, problems, deliver }) : undefined,
    whenDown: overdraftOf(options.onLimitStoreDown),
    ...(options.limitWarningPercents && { warnAt: options.limitWarningPercents }),
    onWarning: options.onLimitWarning && news.warned,
    onStore: news.storeWent,
    onStrangeZone: news.strangeZone,
    onOverrun: news.overran,
    note,
    onBequest: news.inherited,
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
  if (options.limitStore) news.doubted(options.limitStore, keep)

  function change(
    key: LimitKey,
    inStore: () => void | Promise<void>,
    inLedger: ((to: Ledger) => Promise<void>) | undefined,
  ): Promise<void> {
    changed.add(nameOf(key))
    const before = writing
    let isStored = false
    const made = (async () => {
      await inStore()
      // What is in the memory of this process alone is stored by the ledger only.
      isStored = !store.isPrivate
      // One after the other, or a ledger could keep the first of two changes.
      await before
      if (ledger && inLedger) await inLedger(ledger)
    })()
    writing = made.catch(() => undefined)
    const work = made.catch((cause: unknown) => {
      const said = ourWords(cause)
      const why = said === undefined ? '' : `: ${said}`
      const message = isStored
        ? `The change of a limit of ${whose(key.scope)} holds and is stored; the ledger could not be told of it${why}.`
        : `A limit of ${whose(key.scope)} could not be stored${why}.`
      problems.report({ kind: 'limit', message, cause })
    })
    keep(work)
    // `raiseOnError` may make the report throw; an application that does not wait for us must not end by it.
    work.catch(() => undefined)
    return work
  }

  function noted(sink: Sink): Sink {
    const note = (delivery: Delivery, { events, isBacklog = false }: Batch): Delivery => {
      if (delivery.outcome !== 'delivered') return delivery
      const refused = new Set(delivery.rejected?.map(({ eventId }) => eventId))
      unsynced.delivered(
        refused.size === 0 ? events : events.filter(({ eventId }) => !refused.has(eventId)),
        !isBacklog,
      )
      return delivery
    }
    return {
      name: sink.name,
      ...(sink.isVolatile && { isVolatile: true }),
      ...(sink.largeBatch !== undefined && { largeBatch: sink.largeBatch }),
      send: async (batch, signal) => note(await sink.send(batch, signal), batch),
      ...(sink.sendSync && { sendSync: (batch) => note(sink.sendSync!(batch), batch) }),
      ...(sink.close && { close: () => sink.close!() }),
    }
  }

  return {
    limiter,
    set(target, limit) {
      const rule = ruleOf(target, limit)
      const stored = storedIn(rule)
      return change(rule, () => limiter.setLimit(rule), stored && ((to) => to.putLimit(stored)))
    },
    remove(target, window) {
      const { scope } = scopeOf(target)
      checkWindow(window)
      const key = { scope, per: window }
      const tenantId = tenantOf(scope)
      const inLedger = (from: Ledger) => from.removeLimit(tenantId!, window)
      return change(key, () => limiter.removeLimit(key), tenantId === undefined ? undefined : inLedger)
    },
    async state(target, window) {
      checkWindow(window)
      return limiter.state(scopeOf(target).scope, window)
    },
    // Nobody who cannot be a tenant has a limit.
    states: async (target) => (isScope(target) ? limiter.states(scopeOf(target).scope) : []),
    async check(tenantId, question) {
      checkTenantId(tenantId)
      return limiter.check({ tenantId }, costIn(question))
    },
    noting(sinks) {
      const informs = backend === undefined ? ledger : (sinks.find(({ name }) => name === 'http') ?? sinks[0])
      return sinks.map((sink) => (sink === informs ? noted(sink) : sink))
    },
    stats() {
      const { overrun, ...counts } = limiter.counts
      const { isStoreDown, storeOutages } = limiter
      return { ...counts, overrunUsd: formatUsd(overrun), isStoreDown, storeOutages }
    },
    opening: limiter.opening,
    inherit(bequest) {
      keep(limiter.inherit(bequest))
    },
    end: limiter.end,
    endAtOnce: limiter.endAtOnce,
    get hasLeases() {
      return limiter.hasLeases
    },
    async close() {
      await limiter.close()
      try {
        await inTime(Promise.resolve(store.close?.()), CLOSING_MS)
      } catch (cause) {
        // Of one that does not answer enough was said.
        if (!limiter.isStoreDown) problems.report({ kind: 'limit', message: 'The limit store failed to close.', cause })
      }
    },
  }
}

/** A pool whose server is gone waits for the connection it asked for, and the events are still to be delivered. */
const CLOSING_MS = 1000

/** A ledger keeps the plain limits of tenants. */
function storedIn({ scope, per, limitNanoUsd, mode, settings }: LimitRule) {
  const tenantId = tenantOf(scope)
  if (tenantId === undefined || Object.keys(settings).length > 0) return undefined
  return { tenantId, window: per, limit: picoFromNano(limitNanoUsd), mode }
}

/** Of a limit that is for a whole tenant. */
function tenantOf(scope: string): string | undefined {
  return scope.includes('&') ? undefined : tenantIn(scope)
}

function isScope(target: LimitTarget): boolean {
  return typeof target === 'object' ? target !== null : target === '*' || tenantIdFault(target) === undefined
}

function whose(scope: string): string {
  const tenantId = tenantOf(scope)
  return tenantId === undefined ? decodeURIComponent(scope) : `tenant ${JSON.stringify(tenantId)}`
}

function nameOf({ scope, per }: LimitKey): string {
  return `${per} ${scope}`
}

function overdraftOf(policy: ResolvedOptions['onLimitStoreDown']) {
  return typeof policy === 'object' ? { overdraft: parseDollars(policy.overdraftUsd)! } : policy
}
