// What a meter counts of itself, for `meter.stats()`.

import type { DeliveryStats } from '../delivery/delivery.ts'
import type { LLMEvent } from '../event.ts'
import type { HostCoverage } from './coverage.ts'

/** Counts since the meter was made. */
export interface MeterStats {
  /** Calls that ended and have an event. */
  readonly calls: number
  /** Of these: calls that failed or broke off. */
  readonly errors: number
  /** Of these: calls whose usage was estimated in part or whole. */
  readonly estimated: number
  /** Of these: calls whose provider's own numbers contradict each other. */
  readonly flagged: number
  /** Of these: calls left out of delivery by `sampleRate`, and summed into roll-ups instead. */
  readonly sampledOut: number
  /** Calls refused before anything was sent. */
  readonly refused: number
  /** Calls that used something without a known price, by provider and model. */
  readonly unpriced: Readonly<Record<string, number>>
  /** Calls that have begun and not ended. */
  readonly openCalls: number
  /** Set aside for them under limits, in exact decimal dollars. */
  readonly heldUsd: string
  /** Faults of ours that were swallowed, by kind. */
  readonly problems: Readonly<Record<string, number>>
  readonly delivery: DeliveryStats
  /** Billable requests to known hosts, by host: seen on their way out of this process, and of these metered. Counted from the first `patchAll` or `patch` on. */
  readonly coverage: Readonly<Record<string, HostCoverage>>
}

const MODELS_REMEMBERED = 1000

export function createStats() {
  const counts = { calls: 0, errors: 0, estimated: 0, flagged: 0, sampledOut: 0, refused: 0 }
  const unpriced = new Map<string, number>()
  return {
    recorded({ calls = 1, error, usageSource, usageFlags }: LLMEvent): void {
      counts.calls += calls
      if (error !== undefined) counts.errors += calls
      if (usageSource === 'estimated' || usageSource === 'partial') counts.estimated += calls
      if (usageFlags !== undefined) counts.flagged += calls
    },
    sampledOut({ calls = 1 }: LLMEvent): void {
      counts.sampledOut += calls
    },
    refused(): void {
      counts.refused++
    },
    unpriced(provider: string, model: string): void {
      const key = `${provider} ${model}`
      if (unpriced.size < MODELS_REMEMBERED || unpriced.has(key)) unpriced.set(key, (unpriced.get(key) ?? 0) + 1)
    },
    snapshot(rest: Pick<MeterStats, 'openCalls' | 'heldUsd' | 'problems' | 'delivery' | 'coverage'>): MeterStats {
      return { ...counts, unpriced: Object.fromEntries(unpriced), ...rest }
    },
  }
}
