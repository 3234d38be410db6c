// What this process has spent that a ledger or a backend does not know of yet.

import type { LLMEvent } from '../event.ts'
import { type PicoUsd, parseUsd } from '../money.ts'

/** Running totals by tenant: what was recorded here, and how much of it has been delivered. */
export interface Unsynced {
  /** `at`: when the call was made, epoch milliseconds. */
  recorded(tenantId: string, cost: PicoUsd, at: number): void
  delivered(events: readonly LLMEvent[]): void
  /** Delivered so far: read it before asking a backend what it knows. */
  deliveredTotal(tenantId: string): PicoUsd
  recordedTotal(tenantId: string): PicoUsd
  /** Recorded and not delivered yet; 0 when all of it was spent before `since`. */
  onItsWay(tenantId: string, since: number): PicoUsd
}

export function createUnsynced(): Unsynced {
  const totals = new Map<string, { recorded: PicoUsd; delivered: PicoUsd; lastAt: number }>()
  return {
    recorded(tenantId, cost, at) {
      const total = totals.get(tenantId)
      if (total) {
        total.recorded += cost
        if (at > total.lastAt) total.lastAt = at
      } else totals.set(tenantId, { recorded: cost, delivered: 0n, lastAt: at })
    },
    delivered(events) {
      for (const { tenantId, costUsd } of events) {
        const total = tenantId === undefined || costUsd === undefined ? undefined : totals.get(tenantId)
        if (total) total.delivered += parseUsd(costUsd!) ?? 0n
      }
    },
    deliveredTotal: (tenantId) => totals.get(tenantId)?.delivered ?? 0n,
    recordedTotal: (tenantId) => totals.get(tenantId)?.recorded ?? 0n,
    onItsWay(tenantId, since) {
      const total = totals.get(tenantId)
      return total && total.lastAt >= since ? total.recorded - total.delivered : 0n
    },
  }
}
