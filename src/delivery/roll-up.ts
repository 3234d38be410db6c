// What `sampleRate` leaves out: summed into one event for each kind of call, so that totals stay exact.

import { eventId, type LLMEvent } from '../event.ts'
import { formatUsd, type PicoUsd, parseUsd } from '../money.ts'
import type { Bucket } from '../usage.ts'

/** A roll-up event holds these of the calls it stands for; all of them are the same. */
const SAME = [
  'tenantId',
  'userId',
  'sessionId',
  'feature',
  'team',
  'project',
  'costCenter',
  'appName',
  'environment',
  'provider',
  'host',
  'model',
  'endpoint',
  'serviceTier',
  'geo',
  'priceVariant',
  'usageSource',
  'costSource',
  'priceVersion',
  'usageFlags',
  'error',
] as const satisfies (keyof LLMEvent)[]

const SUMMED = [
  'inputTokens',
  'outputTokens',
  'totalTokens',
  'cachedTokens',
  'cacheCreationTokens',
  'reasoningTokens',
  'audioInputTokens',
  'cacheMissTokens',
  'inputTextTokens',
  'cachedInputTextTokens',
  'inputImageTokens',
  'cachedInputImageTokens',
  'outputImageTokens',
  'imageCount',
  'characterCount',
  'durationSeconds',
  'durationMs',
] as const satisfies (keyof LLMEvent)[]

interface Sum {
  readonly first: LLMEvent
  calls: number
  cost: PicoUsd | undefined
  resale: PicoUsd | undefined
  readonly usage: Map<Bucket, number>
  readonly numbers: Map<(typeof SUMMED)[number], number>
}

export interface RollUp {
  add(event: LLMEvent): void
  /** Emits what there is, one event for each kind and five minutes, and starts anew. */
  drain(): void
}

export function createRollUp(emit: (event: LLMEvent) => void): RollUp {
  let sums = new Map<string, Sum>()
  return {
    drain() {
      const drained = sums
      sums = new Map()
      for (const sum of drained.values()) emit(eventOf(sum))
    },
    add(event) {
      const key = JSON.stringify([slotOf(event), ...SAME.map((field) => event[field] ?? null)])
      let sum = sums.get(key)
      if (!sum) sums.set(key, (sum = emptySum(event)))
      sum.calls += event.calls ?? 1
      if (event.costUsd !== undefined) sum.cost = (sum.cost ?? 0n) + (parseUsd(event.costUsd) ?? 0n)
      if (event.resaleUsd !== undefined) sum.resale = (sum.resale ?? 0n) + (parseUsd(event.resaleUsd) ?? 0n)
      for (const bucket in event.usage)
        sum.usage.set(bucket as Bucket, (sum.usage.get(bucket as Bucket) ?? 0) + (event.usage[bucket as Bucket] ?? 0))
      for (const field of SUMMED) {
        const value = event[field]
        if (value !== undefined) sum.numbers.set(field, (sum.numbers.get(field) ?? 0) + value)
      }
    },
  }
}

/** Keeps a roll-up inside the hour and day that its calls were made in, by the clocks of all zones, and inside the slot of a rolling limit. */
function slotOf({ timestamp }: LLMEvent): number {
  return Math.floor(Date.parse(timestamp) / 300_000)
}

function emptySum(first: LLMEvent): Sum {
  return { first, calls: 0, cost: undefined, resale: undefined, usage: new Map(), numbers: new Map() }
}

function eventOf({ first, calls, cost, resale, usage, numbers }: Sum): LLMEvent {
  const same = Object.fromEntries(SAME.flatMap((field) => (first[field] === undefined ? [] : [[field, first[field]]])))
  return Object.freeze({
    eventId: eventId(Date.now()),
    timestamp: first.timestamp,
    ...same,
    ...(usage.size > 0 && { usage: Object.fromEntries(usage) }),
    ...Object.fromEntries(numbers),
    ...(cost !== undefined && { costUsd: formatUsd(cost) }),
    ...(resale !== undefined && { resaleUsd: formatUsd(resale) }),
    calls,
  }) as unknown as LLMEvent
}
