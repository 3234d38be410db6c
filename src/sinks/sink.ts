// The contract of a sink: where batches of events go.

import type { LLMEvent } from '../event.ts'
import type { MeterReport } from './meter-report.ts'

/** Events that travel together. Frozen when made: a retry carries the same bytes under the same id. */
export interface Batch {
  readonly id: string
  /** Read from their JSON when they are asked for, where the spool has them: whoever has enough of `json` saves that. */
  readonly events: readonly LLMEvent[]
  /** Each event's JSON as it is on the wire, where delivery has it already: the spool does. */
  readonly json?: readonly string[]
  /** Recorded by an earlier process, and left in its spool. */
  readonly isBacklog?: boolean
}

/** An event that a sink will never take, with the reason for a person. */
export interface RejectedEvent {
  readonly eventId: string
  readonly reason: string
}

/**
 * What became of a batch. The whole conversation between a sink and delivery:
 * - `delivered`: done; what the sink refused of it for good stands in `rejected`, and how many it held already in
 *   `duplicates`, where it can tell.
 * - `retry`: later, the same batch again; not before `afterMs` where the sink says so.
 * - `too-large`: in halves.
 * - `rejected`: something in it can never be taken; delivery bisects to find out what.
 * - `paused`: keep everything and wait: credentials were refused.
 */
export type Delivery =
  | { readonly outcome: 'delivered'; readonly rejected?: readonly RejectedEvent[]; readonly duplicates?: number }
  | { readonly outcome: 'retry'; readonly error: Error; readonly afterMs?: number }
  | { readonly outcome: 'too-large'; readonly error: Error }
  | { readonly outcome: 'rejected'; readonly error: Error }
  | { readonly outcome: 'paused'; readonly error: Error }

/** Where events go. Made by a factory; what it opens, it opens on the first `send`. */
export interface Sink {
  /** Names the sink in problems and stats: `http`, `sqlite`, `memory`. What is left for it after a crash is found again by it. */
  readonly name: string
  /** What it takes is gone with the process, so that nothing is kept for it on disk. */
  readonly isVolatile?: boolean
  /** How many events it takes at once where more than a batch of them wait; left out, never more than `maxBatchSize`. */
  readonly largeBatch?: number
  /** Takes a batch. Expected failures are values; a throw counts as `retry`. Idempotent by `eventId`. */
  send(batch: Batch, signal: AbortSignal): Promise<Delivery>
  /** Takes a batch without waiting, for the moment of process exit; left out where that cannot be. */
  sendSync?(batch: Batch): Delivery
  /**
   * Keeps what the meter says of itself, beside its events; left out where there is no place for it. Resolves to false
   * where nobody there takes it, and rejects where it could not be kept now. A report that comes twice or late changes
   * nothing.
   */
  report?(report: MeterReport, signal: AbortSignal): Promise<boolean>
  close?(): Promise<void>
}

export function isEmpty(batch: Batch): boolean {
  return (batch.json ?? batch.events).length === 0
}
