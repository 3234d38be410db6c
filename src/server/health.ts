// What the server says of itself to whoever looks after it: since when it runs, what went wrong, how fresh the ledger is.

import type { Problem } from '../problems.ts'
import type { Metrics } from './metrics.ts'
import type { ViewLedger } from './view-ledger.ts'

export interface HealthOptions {
  readonly ledger: Pick<ViewLedger, 'events'>
  readonly isReady: () => Promise<boolean>
  readonly metrics: Pick<Metrics, 'counts'>
  readonly version: string | undefined
  readonly now: () => number
  /** What whoever runs the server knows besides. */
  readonly more?: (() => Promise<Readonly<Record<string, unknown>>>) | undefined
}

export interface Health {
  /** Remembers a problem. */
  note(problem: Problem): void
  view(): Promise<Record<string, unknown>>
}

const MOST_PROBLEMS = 50

export function createHealth({ ledger, isReady, metrics, version, now, more }: HealthOptions): Health {
  const startedAt = now()
  const problems: { readonly at: string; readonly kind: string; readonly message: string }[] = []
  return {
    note({ kind, message }) {
      problems.unshift({ at: new Date(now()).toISOString(), kind, message })
      problems.length = Math.min(problems.length, MOST_PROBLEMS)
    },
    async view() {
      const [ready, { events }, rest] = await Promise.all([isReady(), ledger.events({ limit: 1 }), more?.()])
      const newest = events[0]
      return {
        ready,
        version: version ?? null,
        node: process.version,
        started_at: new Date(startedAt).toISOString(),
        memory_bytes: process.memoryUsage.rss(),
        newest_event_at: newest?.timestamp ?? null,
        // Of the newest call that was priced by the book, which says when the book was made.
        price_version: newest?.priceVersion ?? null,
        events: { ...metrics.counts },
        problems: [...problems],
        ...rest,
      }
    },
  }
}
