// One sink's queue and the loop that empties it: one batch in flight, its outcome acted on, the rest kept.

import { MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import type { Delivery, RejectedEvent, Sink } from '../sinks/sink.ts'
import { createFifo } from './fifo.ts'
import { createHealth, type LaneState, type Teller } from './health.ts'
import { PAUSE_MS, retryDelay } from './retry.ts'
import { createSender } from './send.ts'
import { freeze, halve, type Piece } from './split.ts'
import { after, breathe } from './timer.ts'
import { createWaiters } from './waiters.ts'

export interface LaneStats {
  /** Neither delivered nor given up. */
  readonly queued: number
  readonly delivered: number
  /** Given up because the queue was full. */
  readonly dropped: number
  /** Refused by the sink for good. */
  readonly rejected: number
  /** Sends that failed and that are repeated. */
  readonly retries: number
  readonly state: LaneState
}

/** What could not be sent, beside the error that `onFlushError` gets. */
export interface FlushFailure {
  readonly sink: string
  readonly outcome: Exclude<Delivery['outcome'], 'delivered'>
  readonly events: readonly LLMEvent[]
  /** False when these events are given up: the sink refused them for good. */
  readonly kept: boolean
}

export interface LaneOptions extends Teller {
  readonly name: string
  readonly maxBatchSize: number
  readonly maxQueueSize: number
  readonly sendTimeoutMs: number
  readonly random: () => number
  /** Tells of a failed send; never throws. */
  readonly failed: (error: Error, failure: FlushFailure) => void
}

export interface Lane {
  readonly stats: LaneStats
  /** True when a full batch waits and nothing is under way. */
  push(event: LLMEvent): boolean
  /** Sends full batches, with `all` whatever is queued. Does nothing while the sink is left alone. */
  start(all: boolean): void
  /** See `Delivery.flush`. `urgent`: even before the time that the sink asked for. */
  flush(urgent: boolean): Promise<void>
  /** Resolves when the queue is empty, or when no retry can come before `until` (of `performance.now()`). */
  drain(until: number): Promise<void>
  drainSync(): void
  /** Breaks off the send in flight; its batch is kept. */
  abort(why: string): void
  stop(why: string): void
}

export function createLane(sink: Sink, options: LaneOptions): Lane {
  const { name, maxBatchSize, maxQueueSize, tell } = options
  const fifo = createFifo<LLMEvent>(maxQueueSize)
  const sender = createSender(name, sink, options.sendTimeoutMs)
  const health = createHealth(name, options)
  const waiters = createWaiters()
  const counts = { delivered: 0, dropped: 0, rejected: 0, retries: 0 }
  /** Frozen batches, oldest first: more than one only while a batch is being cut up. */
  const pieces: Piece[] = []
  /** Everything before this position is due, whether or not it fills a batch. */
  let due = 0
  let notBefore = 0
  let isRunning = false
  let isStopped = false
  let drainUntil: number | undefined
  let cancelWait: (() => void) | undefined

  const queued = () => pieces.reduce((sum, { batch }) => sum + batch.events.length, fifo.size)
  const added = () => fifo.left + fifo.size
  const settledUpTo = () => pieces[0]?.start ?? fifo.left

  function next(): Piece | undefined {
    if (pieces.length === 0 && fifo.size > 0 && (fifo.size >= maxBatchSize || fifo.left < due)) {
      const start = fifo.left
      pieces.push(freeze(fifo.take(maxBatchSize), start))
    }
    return pieces[0]
  }

  function run(): void {
    if (isRunning || isStopped) return
    cancelWait?.()
    cancelWait = undefined
    isRunning = true
    void work()
      .catch((cause: unknown) => {
        tell({ kind: 'internal', message: `tallygate failed while delivering to ${name}`, cause }, `internal:${name}`)
        sleep(PAUSE_MS)
      })
      .then(() => {
        isRunning = false
        if (cancelWait !== undefined || isStopped) release(true)
        else if (next() !== undefined) run()
      })
  }

  async function work(): Promise<void> {
    for (let piece = next(); piece !== undefined && !isStopped; piece = next()) {
      const goesOn = settle(piece, await sender.send(piece.batch))
      release(!goesOn)
      if (!goesOn) return
      await breathe()
    }
  }

  /** Acts on an outcome; true when the next batch can be sent at once. */
  function settle(piece: Piece, delivery: Delivery): boolean {
    const at = pieces.indexOf(piece)
    // `drainSync` settled it while this answer was still under way.
    if (at === -1) return true
    const { events } = piece.batch
    switch (delivery.outcome) {
      case 'delivered':
        pieces.splice(at, 1)
        recovered()
        finish(events, delivery.rejected ?? [])
        return true
      case 'too-large':
      case 'rejected':
        recovered()
        if (events.length > 1) {
          options.failed(delivery.error, { sink: name, outcome: delivery.outcome, events, kept: true })
          pieces.splice(at, 1, ...halve(piece))
        } else {
          pieces.splice(at, 1)
          giveUp(events, delivery.outcome, delivery.error)
        }
        return true
      case 'retry':
      case 'paused':
        counts.retries++
        health.failed(delivery)
        options.failed(delivery.error, { sink: name, outcome: delivery.outcome, events, kept: true })
        sleep(waitAfter(delivery))
        return false
    }
  }

  function finish(events: readonly LLMEvent[], refused: readonly RejectedEvent[]): void {
    if (refused.length === 0) {
      counts.delivered += events.length
      return
    }
    const reasons = new Map(refused.map(({ eventId, reason }) => [eventId, reason]))
    for (const event of events) {
      const reason = reasons.get(event.eventId)
      if (reason === undefined) counts.delivered++
      else giveUp([event], 'rejected', new MeterError('DELIVERY_REJECTED', reason))
    }
  }

  function giveUp(events: readonly LLMEvent[], outcome: 'rejected' | 'too-large', error: Error): void {
    counts.rejected += events.length
    const message = `${name} refused event ${events[0]?.eventId} for good: ${error.message}`
    tell({ kind: 'delivery', message, cause: error }, `delivery:${name}:rejected:${error.message}`)
    options.failed(error, { sink: name, outcome, events, kept: false })
  }

  function recovered(): void {
    notBefore = 0
    health.recovered()
    if (fifo.size <= maxQueueSize / 2) health.hasRoom()
  }

  function waitAfter(delivery: Extract<Delivery, { outcome: 'retry' | 'paused' }>): number {
    if (delivery.outcome === 'paused') return PAUSE_MS
    const delay = retryDelay(health.failures, delivery.afterMs, options.random)
    notBefore = delivery.afterMs === undefined ? 0 : performance.now() + delay
    return delay
  }

  function sleep(ms: number): void {
    const isTooLate = drainUntil !== undefined && performance.now() + ms >= drainUntil
    if (isTooLate) isStopped = true
    if (isStopped) waiters.releaseAll()
    // Whoever waits for a drain is kept alive for it; otherwise a wait must not keep a process from ending.
    else cancelWait = after(ms, run, drainUntil !== undefined)
  }

  function release(hasFailed: boolean): void {
    waiters.release({ settledUpTo: settledUpTo(), isEmpty: pieces.length + fifo.size === 0, hasFailed })
  }

  return {
    get stats() {
      return { queued: queued(), ...counts, state: health.state }
    },
    push(event) {
      if (fifo.push(event)) {
        counts.dropped++
        health.overflowed(maxQueueSize)
      }
      return fifo.size >= maxBatchSize && !isRunning && cancelWait === undefined
    },
    start(all) {
      if (all) due = Math.max(due, added())
      if (cancelWait === undefined && next() !== undefined) run()
    },
    flush(urgent) {
      const target = added()
      due = Math.max(due, target)
      if (isStopped || settledUpTo() >= target) return Promise.resolve()
      if (!isRunning && !urgent && performance.now() < notBefore) return Promise.resolve()
      const settled = waiters.attempt(target)
      run()
      return settled
    },
    drain(until) {
      due = Number.POSITIVE_INFINITY
      drainUntil = until
      if (isStopped || queued() === 0) return Promise.resolve()
      const emptied = waiters.empty()
      run()
      return emptied
    },
    drainSync() {
      due = Math.max(due, added())
      if (sink.sendSync === undefined) return
      for (let piece = next(); piece !== undefined; piece = next()) {
        const delivery = sender.sendSync(piece.batch)
        if (delivery === undefined || !settle(piece, delivery)) return
      }
    },
    abort: sender.abort,
    stop(why) {
      isStopped = true
      cancelWait?.()
      cancelWait = undefined
      sender.abort(why)
      waiters.releaseAll()
    },
  }
}
