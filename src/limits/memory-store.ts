// Rules and accounts in this process: for one process, and for tests.

import { type Books, emptyBooks, sumOf, takeStep } from './lease.ts'
import type { AccountKey, LimitKey, LimitRule, LimitStore } from './limit-store.ts'

interface Limit {
  rule: LimitRule
  /** The revision of its last change. */
  revision: number
  isRemoved: boolean
  /** By the names of their windows. */
  readonly windows: Map<string, Books & { readonly endsAt: number | undefined }>
}

export interface MemoryStoreOptions {
  /** Milliseconds that only ever rise: decides when a lease has run out. */
  readonly monotonic?: () => number
  /** Epoch milliseconds: decides what is so old that nobody settles in it any more. */
  readonly now?: () => number
}

/** Calls that were under way when their window ended settle in it long before. */
const FORGET_AFTER_MS = 7 * 24 * 3_600_000

/** A limit store in the process's own memory. */
export function memoryLimitStore(options: MemoryStoreOptions = {}): LimitStore {
  const { monotonic = () => performance.now(), now = Date.now } = options
  const limits = new Map<string, Limit>()
  let revision = 0

  const find = ({ scope, per }: LimitKey): Limit | undefined => {
    const limit = limits.get(nameOf(scope, per))
    return limit?.isRemoved ? undefined : limit
  }

  function booksOf({ windows }: Limit, windowId: string, opening: bigint, endsAt: number | undefined): Books {
    const known = windows.get(windowId)
    if (known) return known
    const forgotten = now() - FORGET_AFTER_MS
    for (const [id, old] of windows) if ((old.endsAt ?? forgotten) < forgotten) windows.delete(id)
    const books = { ...emptyBooks(opening), endsAt }
    windows.set(windowId, books)
    return books
  }

  return {
    setLimit(rule) {
      const name = nameOf(rule.scope, rule.per)
      const limit = limits.get(name)
      if (limit) Object.assign(limit, { rule, revision: ++revision, isRemoved: false })
      else limits.set(name, { rule, revision: ++revision, isRemoved: false, windows: new Map() })
    },
    removeLimit(key) {
      const limit = find(key)
      if (!limit) return
      Object.assign(limit, { revision: ++revision, isRemoved: true })
      limit.windows.clear()
    },
    changes(since) {
      if (since === revision) return { revision, rules: [], removed: [] }
      const changed = [...limits.values()].filter((limit) => limit.revision > since)
      return {
        revision,
        rules: changed.flatMap(({ rule, isRemoved }) => (isRemoved ? [] : rule)),
        removed: changed.flatMap(({ rule, isRemoved }) => (isRemoved ? { scope: rule.scope, per: rule.per } : [])),
      }
    },
    accounts: (keys) =>
      keys.map((key) => {
        const limit = find(key)
        if (!limit) return undefined
        const books = limit.windows.get(key.windowId)
        const sums = sumOf(books, earlierIn(limit, key))
        return { ...sums, limitNanoUsd: limit.rule.limitNanoUsd, warned: books?.warned ?? 0 }
      }),
    lease: (steps) =>
      steps.map((step) => {
        const limit = find(step)
        if (!limit) return undefined
        if (step.ifKnown && !limit.windows.get(step.windowId)?.leases.has(step.leaseId)) return undefined
        const books = booksOf(limit, step.windowId, step.opening, step.endsAt)
        return takeStep(books, earlierIn(limit, step), step, limit.rule.limitNanoUsd, monotonic())
      }),
  }
}

const NONE: Books[] = []

function earlierIn({ windows }: Limit, { earlier }: AccountKey): Books[] {
  return earlier.length === 0 ? NONE : earlier.flatMap((id) => windows.get(id) ?? [])
}

function nameOf(scope: string, per: string): string {
  return `${per} ${scope}`
}
