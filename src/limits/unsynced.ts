// What this process has spent that a ledger or a backend does not know of yet.

import type { LLMEvent } from '../event.ts'
import { type PicoUsd, parseUsd } from '../money.ts'

export interface Unsynced {
  /** `at`: when the call was made, epoch milliseconds. */
  recorded(tenantId: string, cost: PicoUsd, at: number): void
  /** `isOurs`: recorded by this process, and not by one before it. */
  delivered(events: readonly LLMEvent[], isOurs?: boolean): void
  /**
   * Call it before somebody is asked what a tenant has spent. What it gives tells, any time later, what of our spend
   * since a moment that answer does not hold; what arrived there meanwhile is counted twice rather than not at all.
   */
  beyondAnswer(tenantId: string): (since: number) => PicoUsd
  /** Tenants of which something is remembered: those with spend on its way, or with an answer that is still in use. */
  readonly size: number
}

interface Spend {
  /** All that has arrived while this is remembered. */
  delivered: PicoUsd
  /** What is still on its way, by the hour in which it was spent: every window begins with an hour. */
  readonly onItsWay: Map<number, PicoUsd>
}

const HOUR = 3_600_000
/** More than a month has: those before count in no window but `total`. */
const HOURS_KEPT = 32 * 24

export function createUnsynced(): Unsynced {
  /** Of tenants with something on its way. */
  const unsettled = new Map<string, Spend>()
  /** Of tenants with an answer in use, which holds on to it: what they spend later must reach that answer too. */
  const asked = new Map<string, WeakRef<Spend>>()
  const forgotten = new FinalizationRegistry<string>((tenantId) => {
    if (asked.get(tenantId)?.deref() === undefined) asked.delete(tenantId)
  })

  function spendOf(tenantId: string): Spend {
    return unsettled.get(tenantId) ?? asked.get(tenantId)?.deref() ?? { delivered: 0n, onItsWay: new Map() }
  }

  function put(tenantId: string, spend: Spend, cost: PicoUsd, at: number): void {
    add(spend.onItsWay, hourOf(at), cost)
    if (spend.onItsWay.size > 0) unsettled.set(tenantId, spend)
    else unsettled.delete(tenantId)
  }

  return {
    recorded(tenantId, cost, at) {
      put(tenantId, spendOf(tenantId), cost, at)
    },
    delivered(events, isOurs = true) {
      for (const { tenantId, costUsd, timestamp } of events) {
        if (tenantId === undefined || costUsd === undefined) continue
        const cost = parseUsd(costUsd) ?? 0n
        const spend = spendOf(tenantId)
        spend.delivered += cost
        if (isOurs) put(tenantId, spend, -cost, Date.parse(timestamp))
      }
    },
    beyondAnswer(tenantId) {
      const spend = spendOf(tenantId)
      if (asked.get(tenantId)?.deref() !== spend) {
        asked.set(tenantId, new WeakRef(spend))
        forgotten.register(spend, tenantId)
      }
      const before = spend.delivered
      return (since) => {
        let sum = spend.delivered - before
        for (const [hour, cost] of spend.onItsWay) if (hour >= since) sum += cost
        return sum
      }
    },
    get size() {
      return new Set([...unsettled.keys(), ...asked.keys()]).size
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
