// What a limiter counts of itself.

import type { PicoUsd } from '../money.ts'
import { isEnforced, isHard } from './estimate.ts'
import type { Part } from './reserve.ts'

export interface LimiterCounts {
  /** Calls that were refused although there was money for what such calls usually come to. */
  falseRefusals: number
  /** Calls that cost more than was held for them. */
  overruns: number
  overrun: PicoUsd
  /** What limits of mode `observe` would have refused. */
  observed: number
  /** Calls whose output cap was lowered. */
  clamped: number
  /** Streams that were ended because there was no money for more of them. */
  endedStreams: number
  /** Calls that went on without money because the store did not answer. */
  allowedWhileDown: number
}

/** What is counted one by one. */
export type Counted = 'observed' | 'clamped' | 'endedStreams' | 'allowedWhileDown'

export function createCounts(): LimiterCounts {
  return {
    falseRefusals: 0,
    overruns: 0,
    overrun: 0n,
    observed: 0,
    clamped: 0,
    endedStreams: 0,
    allowedWhileDown: 0,
  }
}

/** Whether a call under a hard limit has cost more than it could. */
export function countOverrun(counts: LimiterCounts, parts: readonly Part[], cost: PicoUsd): boolean {
  const low = parts.find(({ pocket, estimated }) => isEnforced(pocket.live.rule.mode) && cost > estimated)
  if (!low) return false
  counts.overruns++
  counts.overrun += cost - low.estimated
  return parts.some(({ pocket, estimated }) => isHard(pocket.live.rule.mode) && cost > estimated)
}
