// What a lane is asked to do, and with what: one sink's queue and the loop that empties it.

import type { DeadLetters } from './dead-letters.ts'
import type { Teller } from './health.ts'
import type { Entry, Queue, Source } from './queue.ts'
import type { LaneStats } from './stats.ts'
import type { FlushFailure } from './teller.ts'

export interface LaneOptions extends Teller {
  readonly name: string
  /** Makes the queue; `dropped` is told of what it gives up. */
  readonly queue: (dropped: (count: number) => void) => Queue
  readonly maxBatchSize: number
  /** Also that where more wait; never fewer. */
  readonly largeBatch: number
  readonly maxBatchBytes: number
  readonly maxQueueSize: number
  readonly deadLetters: DeadLetters | undefined
  readonly sendTimeoutMs: number
  readonly random: () => number
  /** Tells of a failed send; never throws. */
  readonly failed: (error: Error, failure: FlushFailure) => void
}

export interface Lane {
  readonly stats: LaneStats
  readonly name: string
  push(entry: Entry): void
  /** A full batch waits and nothing is under way. */
  readonly isReady: boolean
  /** Takes batches from here too, in turns with its own queue; its first empty one is its end. */
  addBacklog(source: Source): void
  /**
   * Resolves when nothing of earlier processes is left, or an attempt has failed; with `until` (of `performance.now()`)
   * only when no retry can come before it. The lane is at its end then.
   */
  drainBacklog(until?: number): Promise<void>
  /** Entries in memory, those under way among them, oldest first. */
  held(): Iterable<Entry>
  /** Sends full batches, with `all` whatever is queued. Does nothing while the sink is left alone. */
  start(all: boolean): void
  /** See `Delivery.flush`. `urgent`: even before the time that the sink asked for. */
  flush(urgent: boolean): Promise<void>
  /** Resolves when the queue is empty, or when no retry can come before `until` (of `performance.now()`). */
  drain(until: number): Promise<void>
  /** Hands what is queued to a sink that takes it without waiting, until a moment of `performance.now()`. */
  drainSync(until: number): void
  /** Breaks off the send in flight; its batch is kept, and not tried again until somebody asks for it. */
  abort(why: string): void
  stop(why: string): void
}
