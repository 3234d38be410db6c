// What a meter counts of itself, for `meter.stats()`.

import type { TokenRatio } from '../call/drift.ts'
import type { DeliveryStats } from '../delivery/delivery.ts'
import type { LLMEvent } from '../event.ts'
import type { HostCoverage } from './coverage.ts'
import type { Reports } from './reports.ts'

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
  /** These by kind: `sum`, `subset`, `missing`, `negative`, ... A call can have several. */
  readonly flags: Readonly<Record<string, number>>
  /** Of these: calls left out of delivery by `sampleRate`, and summed into roll-ups instead. */
  readonly sampledOut: number
  /** Calls refused before anything was sent. */
  readonly refused: number
  /** Calls that used something without a known price, by provider and model: `openai gpt-99`; where the model has one, by what has none as well: `openai gpt-4o unknown-tier:flex`. */
  readonly unpriced: Readonly<Record<string, number>>
  /** Calls that have begun and not ended. */
  readonly openCalls: number
  /** Set aside for them under limits, in exact decimal dollars. */
  readonly heldUsd: string
  /** What the limits have done besides refusing. */
  readonly limits: LimitStats
  /** Faults of ours that were swallowed, by kind. */
  readonly problems: Readonly<Record<string, number>>
  /** Of models whose prompts were counted before the call, for a close ceiling: the count over what the provider reported. A step is reported. */
  readonly tokenRatios: Readonly<Record<string, TokenRatio>>
  readonly delivery: DeliveryStats
  /** Billable requests to known hosts, by host: seen on their way out of this process, and of these metered; what is left out on purpose is not counted. Counted from the first `patchAll` or `patch` on. */
  readonly coverage: Readonly<Record<string, HostCoverage>>
}

export interface LimitStats {
  /** Of the refused calls: those for which there was money, had they come to what such calls come to as a rule. */
  readonly falseRefusals: number
  /** Calls that cost more than was held for them; they count in full. */
  readonly overruns: number
  /** By how much, in exact decimal dollars. */
  readonly overrunUsd: string
  /** What limits of mode `observe` would have refused. */
  readonly observed: number
  /** Calls whose output cap a limit of mode `clamp` has lowered. */
  readonly clamped: number
  /** Streams that a limit of mode `stream` has ended. */
  readonly endedStreams: number
  /** Whether the limit store answers, how often it stopped to, and the calls that went on without money meanwhile. */
  readonly isStoreDown: boolean
  readonly storeOutages: number
  readonly allowedWhileDown: number
}

const MODELS_REMEMBERED = 1000
/** An application that reports calls by hand may flag them with anything. */
const KINDS_REMEMBERED = 100

/** Each change is told of to `reports`. */
export function createStats(reports?: Pick<Reports, 'touch' | 'refused'>) {
  const counts = { calls: 0, errors: 0, estimated: 0, flagged: 0, sampledOut: 0, refused: 0 }
  const unpriced = new Map<string, number>()
  const flags = new Map<string, number>()
  return {
    recorded({ calls = 1, error, usageSource, usageFlags }: LLMEvent): void {
      counts.calls += calls
      reports?.touch()
      if (error !== undefined) counts.errors += calls
      if (usageSource === 'estimated' || usageSource === 'partial') counts.estimated += calls
      if (usageFlags === undefined) return
      counts.flagged += calls
      for (const kind of new Set(usageFlags.map(kindOf)))
        if (flags.size < KINDS_REMEMBERED || flags.has(kind)) flags.set(kind, (flags.get(kind) ?? 0) + calls)
    },
    sampledOut({ calls = 1 }: LLMEvent): void {
      counts.sampledOut += calls
    },
    refused(error?: unknown, tenantId?: string): void {
      counts.refused++
      reports?.refused(error, tenantId)
    },
    unpriced(key: string): void {
      if (unpriced.size < MODELS_REMEMBERED || unpriced.has(key)) unpriced.set(key, (unpriced.get(key) ?? 0) + 1)
    },
    snapshot(
      rest: Pick<MeterStats, 'openCalls' | 'tokenRatios' | 'heldUsd' | 'limits' | 'problems' | 'delivery' | 'coverage'>,
    ): MeterStats {
      return { ...counts, flags: Object.fromEntries(flags), unpriced: Object.fromEntries(unpriced), ...rest }
    },
  }
}

/** `sum` of `image_gen.sum:input_tokens`. */
function kindOf(flag: string): string {
  const [kind = ''] = flag.split(':', 1)
  return kind.slice(kind.lastIndexOf('.') + 1)
}
