// What this process has spent that a ledger or a backend does not know of yet.

import type { LLMEvent } from '../event.ts'
import { type PicoUsd, parseUsd } from '../money.ts'

export interface Unsynced {
  /** `at`: when the call was made, epoch milliseconds. */
  recorded(tenantId: string, cost: PicoUsd, at: number): void
  delivered(events: readonly LLMEvent[]): void
  /**
   * Call it before somebody is asked what a tenant has spent. What it gives tells, any time later, what of our spend
   * since a moment that answer does not hold; what arrived there meanwhile is counted twice rather than not at all.
   */
  beyondAnswer(tenantId: string): (since: number) => PicoUsd
}

interface Spend {
  /** All that has arrived so far. */
  delivered: PicoUsd
  /** What is still on its way, by the hour in which it was spent: every window begins with an hour. */
  readonly onItsWay: Map<number, PicoUsd>
}

const HOUR = 3_600_000
/** More than a month has: those before count in no window but `total`. */
const HOURS_KEPT = 32 * 24

export function createUnsynced(): Unsynced {
  const tenants = new Map<string, Spend>()

  function spendOf(tenantId: string): Spend {
    let spend = tenants.get(tenantId)
    if (!spend) tenants.set(tenantId, (spend = { delivered: 0n, onItsWay: new Map() }))
    return spend
  }

  return {
    recorded(tenantId, cost, at) {
      add(spendOf(tenantId).onItsWay, hourOf(at), cost)
    },
    delivered(events) {
      for (const { tenantId, costUsd, timestamp } of events) {
        if (tenantId === undefined || costUsd === undefined) continue
        const cost = parseUsd(costUsd) ?? 0n
        const spend = spendOf(tenantId)
        spend.delivered += cost
        add(spend.onItsWay, hourOf(Date.parse(timestamp)), -cost)
      }
    },
    beyondAnswer(tenantId) {
      const spend = spendOf(tenantId)
      const before = spend.delivered
      return (since) => {
        let sum = spend.delivered - before
        for (const [hour, cost] of spend.onItsWay) if (hour >= since) sum += cost
        return sum
      }
    },
  }
}

function hourOf(at: number): number {
  return Math.max(0, Math.floor(at / HOUR) * HOUR)
}

function add(hours: Map<number, PicoUsd>, hour: number, cost: PicoUsd): void {
  const sum = (hours.get(hour) ?? 0n) + cost
  if (sum === 0n) hours.delete(hour)
  else hours.set(hour, sum)
  if (hours.size > HOURS_KEPT) foldOldest(hours)
}

function foldOldest(hours: Map<number, PicoUsd>): void {
  const [oldest, next] = [...hours.keys()].sort((a, b) => a - b)
  if (oldest === undefined || next === undefined) return
  const [from, into] = oldest === 0 ? [next, 0] : [oldest, 0]
  const cost = hours.get(from) ?? 0n
  hours.delete(from)
  hours.set(into, (hours.get(into) ?? 0n) + cost)
}
