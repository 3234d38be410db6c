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
   * Exact for moments at full five minutes of the last day, and at full hours of the 32 days before; of others it
   * counts from there on.
   */
  beyondAnswer(tenantId: string): (since: number) => PicoUsd
  /** Tenants of which something is remembered: those with spend on its way, or with an answer that is still in use. */
  readonly size: number
}

interface Spend {
  /** All that has arrived while this is remembered. */
  delivered: PicoUsd
  /**
   * What is still on its way, by the five minutes in which it was spent: windows begin with those of a rolling hour, or
   * with a quarter of an hour, by the clocks of all zones.
   */
  readonly recent: Map<number, PicoUsd>
  /** The same of before, by the hour: a month of five minutes would be too much to remember. */
  readonly old: Map<number, PicoUsd>
  oldBefore: number
}

const SLOT = 300_000
const HOUR = 3_600_000
/** More than a day has. */
const SLOTS_KEPT = 25 * 12
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
    return unsettled.get(tenantId) ?? asked.get(tenantId)?.deref() ?? nothing()
  }

  function put(tenantId: string, spend: Spend, cost: PicoUsd, at: number): void {
    add(spend, cost, at)
    if (spend.recent.size + spend.old.size > 0) unsettled.set(tenantId, spend)
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
        for (const [slot, cost] of spend.recent) if (slot >= startOf(since, SLOT)) sum += cost
        for (const [hour, cost] of spend.old) if (hour >= startOf(since, HOUR)) sum += cost
        return sum
      }
    },
    get size() {
      return new Set([...unsettled.keys(), ...asked.keys()]).size
    },
  }
}

function nothing(): Spend {
  return { delivered: 0n, recent: new Map(), old: new Map(), oldBefore: 0 }
}

function startOf(at: number, length: number): number {
  return Math.max(0, Math.floor(at / length) * length)
}

function add(spend: Spend, cost: PicoUsd, at: number): void {
  const { recent, old } = spend
  if (at < spend.oldBefore) sumUp(old, startOf(at, HOUR), cost)
  else sumUp(recent, startOf(at, SLOT), cost)
  if (recent.size > SLOTS_KEPT) {
    const hour = startOf(Math.min(...recent.keys()), HOUR)
    spend.oldBefore = hour + HOUR
    for (const [slot, sum] of recent)
      if (slot < spend.oldBefore) {
        recent.delete(slot)
        sumUp(old, hour, sum)
      }
  }
  if (old.size > HOURS_KEPT) foldOldest(old)
}

function sumUp(sums: Map<number, PicoUsd>, start: number, cost: PicoUsd): void {
  const sum = (sums.get(start) ?? 0n) + cost
  if (sum === 0n) sums.delete(start)
  else sums.set(start, sum)
}

function foldOldest(hours: Map<number, PicoUsd>): void {
  const [oldest, next] = [...hours.keys()].sort((a, b) => a - b)
  if (oldest === undefined || next === undefined) return
  const from = oldest === 0 ? next : oldest
  const cost = hours.get(from) ?? 0n
  hours.delete(from)
  sumUp(hours, 0, cost)
}
