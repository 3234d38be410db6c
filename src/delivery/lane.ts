// One sink's queue and the loop that empties it: one batch in flight, its outcome acted on, the rest kept.

import type { Delivery, Sink } from '../sinks/sink.ts'
import { createHealth } from './health.ts'
import { createIntake } from './intake.ts'
import type { Lane, LaneOptions } from './lane-contract.ts'
import type { Entry } from './queue.ts'
import { createRefusals, failureOf } from './refusals.ts'
import { PAUSE_MS, retryDelay } from './retry.ts'
import { createSender } from './send.ts'
import type { Piece } from './split.ts'
import { after, breathe } from './timer.ts'
import { createWaiters } from './waiters.ts'
import { createWaits } from './waits.ts'

export type { Lane } from './lane-contract.ts'

export function createLane(sink: Sink, options: LaneOptions): Lane {
  const { name, maxBatchSize, largeBatch, maxBatchBytes, maxQueueSize, tell } = options
  const sender = createSender(name, sink, options.sendTimeoutMs)
  const health = createHealth(name, options)
  const waiters = createWaiters()
  const waits = createWaits()
  const refusals = createRefusals(options)
  const counts = { delivered: 0, dropped: 0, retries: 0 }
  const queue = options.queue((count) => {
    counts.dropped += count
    health.overflowed(`${maxQueueSize} events`)
  })
  const intake = createIntake({
    queue,
    maxBatchSize,
    largeBatch,
    maxBatchBytes,
    unreadable(cause, isBacklog) {
      const what = isBacklog ? 'What an earlier process left' : 'What is spooled'
      const message = `${what} for ${name} cannot be read; it stays where it is`
      tell({ kind: 'delivery', message, cause }, `delivery:${name}:unreadable`)
      if (!isBacklog) sleep(PAUSE_MS)
    },
  })
  let notBefore = 0
  let isRunning = false
  let isStopped = false
  let hasGivenUp = false
  /** Somebody waits for what earlier processes left. */
  let isDraining = false
  let drainUntil: number | undefined
  let cancelWait: (() => void) | undefined

  /** Whoever waits does so for the queue of this process. */
  const next = () => intake.next(waiters.isAnyWaiting ? 'own-first' : 'any')

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
        if (cancelWait !== undefined || isStopped || hasGivenUp) release(true)
        else if (next() !== undefined) run()
        else release(false)
      })
  }

  async function work(): Promise<void> {
    for (let piece = next(); piece !== undefined && !isStopped; piece = next()) {
      const goesOn = settle(piece, await sender.send(piece.batch))
      release(!goesOn)
      if (!goesOn) return
      // What earlier processes left does not keep this one from ending.
      await breathe(isDraining || intake.isOwn(piece))
    }
  }

  /** Acts on an outcome; true when the next batch can be sent at once. */
  function settle(piece: Piece, delivery: Delivery): boolean {
    // `drainSync` settled it while this answer was still under way.
    if (!intake.has(piece)) return true
    const { entries } = piece
    switch (delivery.outcome) {
      case 'delivered':
        recovered()
        counts.delivered += refusals.sift(entries, delivery.rejected ?? [])
        intake.settle(piece)
        return true
      case 'too-large':
      case 'rejected':
        recovered()
        if (entries.length > 1) {
          told(delivery, entries)
          intake.halve(piece)
        } else {
          refusals.giveUp(entries, delivery.outcome, delivery.error)
          intake.settle(piece)
        }
        return true
      case 'retry':
      case 'paused':
        counts.retries++
        health.failed(delivery)
        told(delivery, entries)
        sleep(waitAfter(delivery))
        return false
    }
  }

  function told({ outcome, error }: Exclude<Delivery, { outcome: 'delivered' }>, entries: readonly Entry[]): void {
    options.failed(error, failureOf(name, outcome, entries, true))
  }

  function recovered(): void {
    notBefore = 0
    health.recovered()
    if (queue.size <= maxQueueSize / 2) health.hasRoom()
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
    else if (hasGivenUp) return
    // Whoever waits for a drain is kept alive for it; otherwise a wait must not keep a process from ending.
    else cancelWait = after(ms, run, drainUntil !== undefined)
  }

  function release(hasFailed: boolean): void {
    waiters.release({
      settledUpTo: intake.settledUpTo,
      isEmpty: intake.isEmpty,
      hasBacklog: intake.hasBacklog,
      hasFailed,
    })
  }

  return {
    name,
    get stats() {
      const { queued, settledUpTo } = intake
      const queuedSince = queued === 0 ? undefined : waits.since(settledUpTo)
      const since = queuedSince === undefined ? {} : { queuedSince }
      return { queued, ...since, ...counts, rejected: refusals.count, state: health.state }
    },
    push(entry) {
      waits.added(intake.added)
      queue.push(entry)
    },
    get isReady() {
      return queue.size >= maxBatchSize && !isRunning && cancelWait === undefined
    },
    addBacklog(source) {
      intake.addBacklog(source)
      if (cancelWait === undefined) run()
    },
    drainBacklog(until) {
      if (isStopped || (!intake.hasBacklog && intake.isEmpty)) return Promise.resolve()
      isDraining = true
      drainUntil = until
      const done = waiters.backlog(until !== undefined)
      run()
      return done
    },
    held: intake.held,
    start(all) {
      if (all) intake.due(intake.added)
      hasGivenUp = false
      if (cancelWait === undefined && next() !== undefined) run()
    },
    flush(urgent) {
      const target = intake.added
      intake.due(target)
      if (isStopped || intake.settledUpTo >= target) return Promise.resolve()
      if (!isRunning && !urgent && performance.now() < notBefore) return Promise.resolve()
      const settled = waiters.attempt(target)
      hasGivenUp = false
      run()
      return settled
    },
    drain(until) {
      intake.due(Number.POSITIVE_INFINITY)
      drainUntil = until
      if (isStopped || intake.queued === 0) return Promise.resolve()
      const emptied = waiters.empty()
      hasGivenUp = false
      run()
      return emptied
    },
    drainSync(until) {
      intake.due(intake.added)
      if (sink.sendSync === undefined) return
      for (let piece = intake.next('own'); piece !== undefined; piece = intake.next('own')) {
        const delivery = sender.sendSync(piece.batch)
        if (delivery === undefined || !settle(piece, delivery) || performance.now() > until) return
      }
    },
    abort(why) {
      hasGivenUp = true
      sender.abort(why)
    },
    stop(why) {
      isStopped = true
      cancelWait?.()
      cancelWait = undefined
      sender.abort(why)
      waiters.releaseAll()
    },
  }
}
