// When events leave the process: a queue for each sink, batches by count, bytes and age, retries, and the process's end.

import type { Sink } from '../sinks/sink.ts'
import { runAsNobody } from '../tenant.ts'
import { createAdoption } from './adoption.ts'
import type { Delivery, DeliveryOptions } from './contract.ts'
import { createDeadLetters } from './dead-letters.ts'
import { createEnding } from './ending.ts'
import { onProcessEnd } from './exit.ts'
import { checkFlush } from './inputs.ts'
import { createKeeping } from './keeping.ts'
import { createLane, type Lane } from './lane.ts'
import { flushWithRequest } from './platform.ts'
import { createMemoryQueue, type Entry } from './queue.ts'
import { onSignals } from './signals.ts'
import { sumOf } from './stats.ts'
import { createTeller } from './teller.ts'
import { after } from './timer.ts'

export type { Delivery, DeliveryOptions, DeliveryStats } from './contract.ts'

const CLOSE_DEADLINE_MS = 5000
const BATCH_SIZE = 50

export function createDelivery(options: DeliveryOptions): Delivery {
  const { flushIntervalMs = 5000, maxBatchSize = BATCH_SIZE, maxQueueSize = 1000 } = options
  const teller = createTeller(options.problems, options.onFlushError)
  const { tell, fault, raise } = teller
  const lanes = new Map<string, Lane>()
  const names = uniqueNames(options.sinks)
  const owes = options.sinks.flatMap(({ isVolatile }, at) => (isVolatile ? [] : [names[at]!]))
  const keeping =
    options.spool && owes.length > 0 ? createKeeping({ ...teller, settings: options.spool, owes, held }) : undefined
  const adoption = keeping && createAdoption({ ...teller, ...options, keeping, dir: options.spool!.dir, owes, lanes })
  const deadLetters = options.spool && createDeadLetters(`${options.spool.dir}/dead-letters`, teller)
  let cancelTimer: (() => void) | undefined
  let isKicked = false
  let unhook: (() => void) | undefined
  let drainRollUp: (() => void) | undefined
  let closing: Promise<void> | undefined
  let isClosed = false
  let late = 0

  for (const [at, sink] of options.sinks.entries()) {
    const name = names[at]!
    const size = Math.max(1, maxQueueSize)
    const batchSize = Math.max(1, Math.min(maxBatchSize, maxQueueSize))
    const isKept = keeping !== undefined && !sink.isVolatile
    const lane = createLane(sink, {
      ...teller,
      name,
      queue: (dropped) => (isKept ? keeping.queue(name, size, dropped) : createMemoryQueue(size, dropped)),
      maxBatchSize: batchSize,
      // Who wants batches smaller than usual has a reason, which holds for a backlog too.
      largeBatch: maxBatchSize < BATCH_SIZE ? batchSize : Math.max(batchSize, sink.largeBatch ?? 0),
      maxBatchBytes: options.maxBatchBytes ?? 1024 * 1024,
      maxQueueSize: size,
      deadLetters: isKept ? deadLetters : undefined,
      sendTimeoutMs: options.sendTimeoutMs ?? 30_000,
      random: options.random ?? Math.random,
    })
    lanes.set(name, lane)
  }
  const all = [...lanes.values()]
  const ending = createEnding({
    lanes: all,
    keeping,
    isKept: ({ name }) => owes.includes(name),
    teller,
    beforeEnd: options.beforeEnd,
    lastWord: options.lastWord,
    atExit: options.atExit,
    rollUp,
    isClosing: () => closing !== undefined,
    leave,
  })

  function* held(): Generator<Entry> {
    for (const name of owes) yield* lanes.get(name)?.held() ?? []
  }

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
    if (closing !== undefined || unhook !== undefined) return
    const unhookEnd = onProcessEnd(ending)
    const unhookSignals = options.handleSignals ? onSignals(options.closeAll ?? (() => close())) : undefined
    unhook = () => {
      unhookEnd()
      unhookSignals?.()
    }
    adoption?.start()
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

  /** What is left stays on disk, for the next process. */
  function leave(): void {
    if (keeping === undefined) return
    keeping.keepRest()
    adoption?.stop()
    const isSettled = owes.every((name) => lanes.get(name)!.stats.queued === 0)
    keeping.spool.leave(isSettled && options.isNeeded?.() !== true)
  }

  async function flush(): Promise<void> {
    if (closing) return closing
    rollUp()
    await runAsNobody(() => Promise.all(all.map((lane) => lane.flush(false))))
    raise()
  }

  function drainSync(): void {
    for (const lane of all) lane.drainSync(Number.POSITIVE_INFINITY)
  }

  function close(deadlineMs = CLOSE_DEADLINE_MS): Promise<void> {
    closing ??= runAsNobody(() => finish(deadlineMs))
    return closing
  }

  async function finish(deadlineMs: number): Promise<void> {
    rollUp()
    cancelTimer?.()
    keeping?.giveWay()
    let cancelDeadline: (() => void) | undefined
    const isOver = new AbortController()
    const deadline = new Promise<void>((resolve) => {
      cancelDeadline = after(deadlineMs, resolve, true)
    }).then(() => isOver.abort())
    const until = performance.now() + deadlineMs
    await Promise.race([deadline, Promise.all(all.map((lane) => lane.drain(until)))])
    for (const lane of all) lane.stop('by close()')
    for (const lane of all) lane.drainSync(keeping === undefined ? Number.POSITIVE_INFINITY : until)
    leave()
    ending.reportLeft()
    await Promise.race([options.lastWord?.(isOver.signal), deadline])
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
        const message = 'An event was recorded after close() and is not delivered'
        tell({ kind: 'delivery', message }, 'delivery:closed')
        return
      }
      const entry = keeping?.keep(event) ?? { event }
      let isReady = false
      for (const lane of all) {
        lane.push(entry)
        isReady ||= lane.isReady
      }
      if (cancelTimer === undefined && closing === undefined) arm()
      if (isReady && !isKicked) kick()
      flushWithRequest(lanes, flush)
    },
    note: (kind, value) => keeping?.note(kind, value),
    watchEnd,
    watchRollUp(drain) {
      drainRollUp = drain
      if (cancelTimer === undefined && closing === undefined) arm()
    },
    room: () => (closing === undefined ? keeping?.room() : undefined),
    async flush(given) {
      const { durable = false } = checkFlush(given)
      if (durable && closing === undefined) {
        rollUp()
        if (await keeping?.isOnDisk()) return
      }
      await flush()
    },
    close,
    drainSync,
    drainOrphans: async (until) => adoption?.drain(until),
    stats() {
      const sinks = Object.fromEntries(all.map((lane) => [lane.name, lane.stats]))
      return { ...sumOf(sinks, late), sinks, ...(keeping && { spool: adoption!.stats() }) }
    },
  }
}

function uniqueNames(sinks: readonly Sink[]): string[] {
  const names: string[] = []
  for (const { name } of sinks) {
    let unique = name
    for (let number = 2; names.includes(unique); number++) unique = `${name}#${number}`
    names.push(unique)
  }
  return names
}
