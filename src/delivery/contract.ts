// What delivery is asked to do, and with what.

import type { LLMEvent } from '../event.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Sink } from '../sinks/sink.ts'
import type { Untaken } from './adoption.ts'
import type { SpoolSettings } from './keeping.ts'
import type { AdoptedSpool } from './spool/adopted.ts'
import type { Mark } from './spool/contract.ts'
import type { LaneStats, SpoolStats } from './stats.ts'
import type { FlushErrorHandler } from './teller.ts'

export interface DeliveryOptions {
  readonly sinks: readonly Sink[]
  readonly problems: ProblemReporter
  /** The longest that an event waits for its batch to fill; 5000. */
  readonly flushIntervalMs?: number | undefined
  /** Events in a batch; 50. */
  readonly maxBatchSize?: number | undefined
  /** Bytes of a batch's events as JSON, where they were written as such already; 1 MiB. */
  readonly maxBatchBytes?: number | undefined
  /** Events that wait for one sink in memory, beside the batch under way; 1000. Without a spool the oldest are dropped and counted beyond. */
  readonly maxQueueSize?: number | undefined
  /** The longest that one send may take; 30000. */
  readonly sendTimeoutMs?: number | undefined
  /** Where events are kept on disk until they are delivered; left out, they are in memory only. */
  readonly spool?: SpoolSettings | undefined
  /** Sends everything before SIGTERM or SIGINT ends the process; false. */
  readonly handleSignals?: boolean | undefined
  /** What a signal waits for. */
  readonly closeAll?: (() => Promise<void>) | undefined
  /** Told of each spool that is taken over from a dead process, before its events are sent. */
  readonly onAdopted?: ((spool: AdoptedSpool) => void) | undefined
  /** Whether the records of other kinds are still needed when every event has been delivered: then the spool is left to the next process. */
  readonly isNeeded?: (() => boolean) | undefined
  /** After how long without a sign of life a process that cannot be asked counts as dead; 60000. */
  readonly silenceMs?: number | undefined
  readonly onFlushError?: FlushErrorHandler | undefined
  /** Runs when the process ends by itself, before the last flush: for events that are still being made. */
  readonly beforeEnd?: (() => void | Promise<void>) | undefined
  /** Runs when the process exits, before the queues are emptied for the last time: what is still being made is added now or never. */
  readonly atExit?: (() => void) | undefined
  /**
   * Called where the end is near and every event is delivered or given back: it may still send what is no event, until
   * the signal says that the time is over. Never rejects.
   */
  readonly lastWord?: ((signal: AbortSignal) => Promise<void>) | undefined
  /** From 0 to 1, for the jitter of retries. */
  readonly random?: (() => number) | undefined
}

/** Sums over all sinks, and each sink's own under its name. An event that came after `close()` counts as dropped. */
export interface DeliveryStats extends Omit<LaneStats, 'state'> {
  readonly sinks: Readonly<Record<string, LaneStats>>
  /** Absent where events are in memory only. */
  readonly spool?: SpoolStats
}

export interface Delivery {
  /** Writes an event into the spool and queues it for every sink. Never throws and never waits. */
  add(event: LLMEvent): void
  /** Writes a record of another kind into the spool; `undefined` where it could not be. */
  note(kind: string, value: unknown): Mark | undefined
  /** Listens for the end of the process from now on, which else begins with the first event; and looks for what dead processes left. */
  watchEnd(): void
  /** Has `drain` called once before the next flush by age and at the end: it adds events that were summed up meanwhile. */
  watchRollUp(drain: () => void): void
  /** Resolves when the spool has room again; `undefined` where it has, and always but under `onSpoolFull: 'block'`. */
  room(): Promise<void> | undefined
  /**
   * Sends what is queued now. For each sink it resolves when every event that was queued at the call is settled
   * (delivered, refused for good, or dropped for want of room), or when an attempt has failed: the events are then
   * kept and tried again later, which `stats()` shows as `queued`. It cuts our own waiting short, but not the time
   * that a sink asked for. It rejects only under `raiseOnError`. Flushes at once share one batch in flight.
   * With `durable` it resolves when every event is on the disk itself, and waits for sinks only where there is none.
   */
  flush(options?: { readonly durable?: boolean | undefined }): Promise<void>
  /**
   * Empties the queues, retrying for at most `deadlineMs` (5000), then closes the sinks. What could not be delivered
   * by then is reported and stays in `stats().queued`, and in the spool. A second call gives the same promise.
   */
  close(deadlineMs?: number): Promise<void>
  /** Hands everything queued to the sinks that can take it without waiting. */
  drainSync(): void
  /**
   * Delivers what dead processes left; resolves when that is done, or an attempt has failed. With `until`, a moment of
   * `performance.now()`, it tries again until then, and a sink that failed to the last is left alone from there on.
   */
  drainOrphans(until?: number): Promise<Untaken | undefined>
  stats(): DeliveryStats
}
