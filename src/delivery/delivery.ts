// When events leave the process: a queue for each sink, batches by count and by age, retries, and the process's end.

import type { LLMEvent } from '../event.ts'
import type { ProblemReporter } from '../problems.ts'
import type { Sink } from '../sinks/sink.ts'
import { runAsNobody } from '../tenant.ts'
import { onProcessEnd } from './exit.ts'
import { createLane, type Lane, type LaneStats } from './lane.ts'
import { createTeller, type FlushErrorHandler } from './teller.ts'
import { after } from './timer.ts'

export interface DeliveryOptions {
  readonly sinks: readonly Sink[]
  readonly problems: ProblemReporter
  /** The longest that an event waits for its batch to fill; 5000. */
  readonly flushIntervalMs?: number | undefined
  /** Events in a batch; 50. */
  readonly maxBatchSize?: number | undefined
  /** Events that wait for one sink, beside the batch under way; the oldest are dropped and counted beyond; 1000. */
  readonly maxQueueSize?: number | undefined
  /** The longest that one send may take; 30000. */
  readonly sendTimeoutMs?: number | undefined
  readonly onFlushError?: FlushErrorHandler | undefined
  /** Runs when the process ends by itself, before the last flush: for events that are still being made. */
  readonly beforeEnd?: (() => void | Promise<void>) | undefined
  /** Runs when the process exits, before the queues are emptied for the last time: what is still being made is added now or never. */
  readonly atExit?: (() => void) | undefined
  /** From 0 to 1, for the jitter of retries. */
  readonly random?: (() => number) | undefined
}

/** Sums over all sinks, and each sink's own under its name. An event that came after `close()` counts as dropped. */
export interface DeliveryStats extends Omit<LaneStats, 'state'> {
  readonly sinks: Readonly<Record<string, LaneStats>>
}

export interface Delivery {
  /** Queues an event for every sink. Never throws and never waits. */
  add(event: LLMEvent): void
  /** Listens for the end of the process from now on, which else begins with the first event. */
  watchEnd(): void
  /** Has `drain` called once before the next flush by age and at the end: it adds events that were summed up meanwhile. */
  watchRollUp(drain: () => void): void
  /**
   * Sends what is queued now. For each sink it resolves when every event that was queued at the call is settled
   * (delivered, refused for good, or dropped for want of room), or when an attempt has failed: the events are then
   * kept and tried again later, which `stats()` shows as `queued`. It cuts our own waiting short, but not the time
   * that a sink asked for. It rejects only under `raiseOnError`. Flushes at once share one batch in flight.
   */
  flush(): Promise<void>
  /**
   * Empties the queues, retrying for at most `deadlineMs` (5000), then closes the sinks. What could not be delivered
   * by then is reported and stays in `stats().queued`. A second call gives the same promise.
   */
  close(deadlineMs?: number): Promise<void>
  /** Hands everything queued to the sinks that can take it without waiting. */
  drainSync(): void
  stats(): DeliveryStats
}

const EXIT_DEADLINE_MS = 2000
const CLOSE_DEADLINE_MS = 5000

export function createDelivery(options: DeliveryOptions): Delivery {
  const { flushIntervalMs = 5000, maxBatchSize = 50, maxQueueSize = 1000 } = options
  const teller = createTeller(options.problems, options.onFlushError)
  const { tell, fault, raise } = teller
  const lanes = new Map<string, Lane>()
  let cancelTimer: (() => void) | undefined
  let isKicked = false
  let unhook: (() => void) | undefined
  let drainRollUp: (() => void) | undefined
  let hasEnded = false
  let closing: Promise<void> | undefined
  let isClosed = false
  let late = 0

  for (const sink of options.sinks) {
    const name = uniqueName(sink.name, lanes)
    const lane = createLane(sink, {
      ...teller,
      name,
      maxBatchSize: Math.max(1, Math.min(maxBatchSize, maxQueueSize)),
      maxQueueSize: Math.max(1, maxQueueSize),
      sendTimeoutMs: options.sendTimeoutMs ?? 30_000,
      random: options.random ?? Math.random,
    })
    lanes.set(name, lane)
  }
  const all = [...lanes.values()]

  /** Timers keep the async context that they are set in: whoever's call fills a batch must not be held, or billed, by it. */
  function arm(): void {
    watchEnd()
    cancelTimer = runAsNobody(() =>
      after(flushIntervalMs, () => {
        cancelTimer = undefined
        rollUp()
        for (const lane of all) lane.start(true)
      }),
    )
  }

  function watchEnd(): void {
    if (closing === undefined) unhook ??= onProcessEnd({ beforeExit, exit })
  }

  function rollUp(): void {
    const drain = drainRollUp
    drainRollUp = undefined
    try {
      drain?.()
    } catch (cause) {
      fault('summing up sampled-out calls', cause)
    }
  }

  /** A full batch leaves at once, but not on the caller's time: to serialise and compress 50 events takes 0.2 ms. */
  function kick(): void {
    isKicked = true
    runAsNobody(() =>
      after(0, () => {
        isKicked = false
        for (const lane of all) lane.start(false)
      }),
    )
  }

  // Once in a process: an application that records an event in its own `beforeExit` would otherwise never end.
  function beforeExit(): void {
    if (hasEnded || closing) return
    hasEnded = true
    after(EXIT_DEADLINE_MS, () => {
      for (const lane of all) lane.abort('since the process is ending')
    })
    void runAsNobody(lastFlush)
  }

  async function lastFlush(): Promise<void> {
    try {
      await options.beforeEnd?.()
    } catch (cause) {
      fault('recording what was still open', cause)
    }
    rollUp()
    await Promise.all(all.map((lane) => lane.flush(true)))
    reportLeft()
  }

  function exit(): void {
    try {
      options.atExit?.()
    } catch (cause) {
      fault('recording what was still open', cause)
    }
    rollUp()
    drainSync()
    // After `beforeExit` it was said already, while there was still a way to print it.
    if (!hasEnded) reportLeft()
  }

  function reportLeft(): void {
    for (const [name, lane] of lanes) {
      const { queued } = lane.stats
      if (queued === 0) continue
      const message = `${queued} ${queued === 1 ? 'event was' : 'events were'} not delivered to ${name} before the end`
      tell({ kind: 'delivery', message }, `delivery:${name}:left`)
    }
  }

  function drainSync(): void {
    for (const lane of all) lane.drainSync()
  }

  async function finish(deadlineMs: number): Promise<void> {
    rollUp()
    cancelTimer?.()
    let cancelDeadline: (() => void) | undefined
    const deadline = new Promise<void>((resolve) => {
      cancelDeadline = after(deadlineMs, resolve, true)
    })
    const until = performance.now() + deadlineMs
    await Promise.race([deadline, Promise.all(all.map((lane) => lane.drain(until)))])
    for (const lane of all) lane.stop('by close()')
    drainSync()
    reportLeft()
    const closes = options.sinks.map(async (sink) => {
      try {
        await sink.close?.()
      } catch (cause) {
        tell({ kind: 'delivery', message: `The sink ${sink.name} failed to close`, cause }, `close:${sink.name}`)
      }
    })
    await Promise.race([Promise.all(closes), deadline])
    cancelDeadline?.()
    isClosed = true
    unhook?.()
    raise()
  }

  return {
    add(event) {
      if (isClosed) {
        late++
        tell(
          { kind: 'delivery', message: 'An event was recorded after close() and is not delivered' },
          'delivery:closed',
        )
        return
      }
      let isBatchFull = false
      for (const lane of all) if (lane.push(event)) isBatchFull = true
      if (cancelTimer === undefined && closing === undefined) arm()
      if (isBatchFull && !isKicked) kick()
    },
    watchEnd,
    watchRollUp(drain) {
      drainRollUp = drain
      if (cancelTimer === undefined && closing === undefined) arm()
    },
    async flush() {
      if (closing) return closing
      rollUp()
      await runAsNobody(() => Promise.all(all.map((lane) => lane.flush(false))))
      raise()
    },
    close(deadlineMs = CLOSE_DEADLINE_MS) {
      closing ??= runAsNobody(() => finish(deadlineMs))
      return closing
    },
    drainSync,
    stats() {
      const sums = { queued: 0, delivered: 0, dropped: late, rejected: 0, retries: 0 }
      const sinks = Object.fromEntries([...lanes].map(([name, lane]) => [name, lane.stats]))
      for (const stats of Object.values(sinks))
        for (const count of Object.keys(sums) as (keyof typeof sums)[]) sums[count] += stats[count]
      return { ...sums, sinks }
    },
  }
}

function uniqueName(name: string, taken: ReadonlyMap<string, unknown>): string {
  if (!taken.has(name)) return name
  let number = 2
  while (taken.has(`${name}#${number}`)) number++
  return `${name}#${number}`
}
