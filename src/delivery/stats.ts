// What delivery counts of itself.

import type { LaneState } from './health.ts'

export interface LaneStats {
  /** Neither delivered nor given up. */
  readonly queued: number
  /** Epoch milliseconds: since when the oldest of them waits, to a second; absent where none does. */
  readonly queuedSince?: number
  readonly delivered: number
  /** Given up because the queue was full. */
  readonly dropped: number
  /** Refused by the sink for good. */
  readonly rejected: number
  /** Sends that failed and that are repeated. */
  readonly retries: number
  readonly state: LaneState
}

export interface SpoolStats {
  /** On disk now: of this process, and of dead ones that it has taken over. */
  readonly bytes: number
  /** Spools of dead processes that were taken over. */
  readonly adopted: number
  /** Lines that were never finished, and lines that could not be read. */
  readonly torn: number
  readonly corrupt: number
  /** `down`: writing fails, and events are in memory only. */
  readonly state: 'ok' | 'full' | 'down'
}

export function sumOf(sinks: Readonly<Record<string, LaneStats>>, late: number): Omit<LaneStats, 'state'> {
  const sums = { queued: 0, delivered: 0, dropped: late, rejected: 0, retries: 0 }
  for (const stats of Object.values(sinks))
    for (const count of Object.keys(sums) as (keyof typeof sums)[]) sums[count] += stats[count]
  const since = Object.values(sinks).flatMap(({ queuedSince }) => queuedSince ?? [])
  return { ...sums, ...(since.length > 0 && { queuedSince: Math.min(...since) }) }
}
