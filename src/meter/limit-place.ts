// Where the limits of a meter live that was given no store for them, by its options.

import { backendLimitStore } from '../limits/backend-store.ts'
import { embeddedLimitStore } from '../limits/embedded-store.ts'
import { eitherLimitStore } from '../limits/http-choice.ts'
import { createLeasesClient } from '../limits/http-client.ts'
import type { LimitKey, LimitRule, LimitStore } from '../limits/limit-store.ts'
import { memoryLimitStore } from '../limits/memory-store.ts'
import { tenantScope } from '../limits/scope.ts'
import type { Unsynced } from '../limits/unsynced.ts'
import { PICO_PER_NANO } from '../money.ts'
import type { ResolvedOptions } from '../options.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Ledger } from '../sinks/ledger.ts'
import { ourWords, type StoreNews } from './store-news.ts'

export interface LimitPlaceSetup {
  readonly options: ResolvedOptions
  readonly backend: string | undefined
  readonly ledger: Ledger | undefined
  readonly unsynced: Unsynced
  readonly problems: ProblemReporter
  readonly news: StoreNews
  /** By this run: what an earlier one left must not replace it. */
  readonly isChanged: (key: LimitKey) => boolean
}

export function limitPlace(setup: LimitPlaceSetup): LimitStore {
  const { options, backend, ledger, problems, news } = setup
  if (backend !== undefined) return overHttp(backend, setup)
  const { sinks, databaseUrl, dir } = options
  if (sinks || !ledger) return inMemory(setup)
  if (databaseUrl !== undefined) return inDatabase(databaseUrl)
  // Beside the embedded ledger: for all processes of the folder.
  return embeddedLimitStore({
    path: `${dir}/limits.db`,
    ledgerPath: `${dir}/ledger.db`,
    inLedger: () => limitsIn(ledger, problems),
    onMemory: news.inMemory,
  })
}

/** Beside the ledger there: for all processes that write into it. Loaded with its first use, as the ledger is. */
function inDatabase(databaseUrl: string): LimitStore {
  let loading: Promise<LimitStore> | undefined
  let identity: string | undefined
  const loaded = () =>
    (loading ??= import('../limits/postgres-store.ts').then(({ postgresLimitStore }) => {
      const store = postgresLimitStore({ databaseUrl })
      identity = store.identity
      return store
    }))
  return {
    get identity() {
      return identity
    },
    setLimit: async (rule) => (await loaded()).setLimit(rule),
    removeLimit: async (key) => (await loaded()).removeLimit(key),
    changes: async (since) => (await loaded()).changes(since),
    accounts: async (keys) => (await loaded()).accounts(keys),
    lease: async (steps) => (await loaded()).lease(steps),
    doubts: async () => (await loaded()).doubts?.(),
    close: async () => (await loading)?.close?.(),
  }
}

function inMemory({ ledger, problems, isChanged }: LimitPlaceSetup): LimitStore {
  const memory: LimitStore = { ...memoryLimitStore(), isPrivate: true }
  if (!ledger) return memory
  // The limits that an earlier process left in the ledger are there before the first call is admitted.
  let restoring: Promise<void> | undefined
  let isRestored = false
  const restore = async (): Promise<void> => {
    try {
      for (const rule of (await limitsIn(ledger, problems)) ?? []) if (!isChanged(rule)) await memory.setLimit(rule)
    } finally {
      isRestored = true
    }
  }
  return {
    ...memory,
    changes: (since) =>
      isRestored ? memory.changes(since) : (restoring ??= restore()).then(() => memory.changes(since)),
  }
}

async function limitsIn(ledger: Ledger, problems: ProblemReporter): Promise<LimitRule[] | undefined> {
  try {
    const limits = await ledger.limits()
    return limits.map(({ tenantId, window, limit, mode }) => ({
      scope: tenantScope(tenantId),
      per: window,
      limitNanoUsd: limit / PICO_PER_NANO,
      mode,
      settings: {},
    }))
  } catch (cause) {
    problems.report(
      {
        kind: 'ledger',
        message: 'The limits of earlier runs could not be read from the ledger; only those set in this run hold.',
        cause,
      },
      'ledger:restore',
    )
    return undefined
  }
}

function overHttp(baseUrl: string, { options, unsynced, problems }: LimitPlaceSetup): LimitStore {
  const { apiKey } = options
  const plain = backendLimitStore({
    baseUrl,
    apiKey,
    ttlMs: options.limitCheckCacheTtlMs,
    unsynced,
    onFailure: (cause) => {
      const said = ourWords(cause) ?? 'The limits endpoint did not answer'
      problems.report({ kind: 'limit', message: `${said}; calls go on with what it said last.`, cause }, 'limit:http')
    },
    onSuccess: () => problems.clear('limit:http'),
  })
  return eitherLimitStore({ client: createLeasesClient({ baseUrl, apiKey }), plain })
}

/** Where limits are asked over HTTP: `limitsUrl`, or `url` without its `/v1/ingest`. */
export function backendOf({ url, limitsUrl }: ResolvedOptions): string | undefined {
  if (limitsUrl !== undefined) return limitsUrl.replace(/\/+$/, '')
  if (url === undefined) return undefined
  const { origin, pathname } = new URL(url)
  return origin + pathname.replace(/\/+$/, '').replace(/\/v1\/ingest$/, '')
}
