// Once a second: tells what was spent, renews leases, gives back what lies idle, and learns of limits set elsewhere.

import { runAsNobody } from '../tenant.ts'
import type { LimitChanges, LimitStore } from './limit-store.ts'
import { type Ask, END, freeIn, isEmptied, isTold, type Pocket, putBack, TELL } from './pocket.ts'
import type { Pockets } from './pockets.ts'
import type { Teller } from './teller.ts'

export interface Heartbeat {
  /** Beats from now on, as long as the process lives; keeps none alive. */
  start(): void
  beat(): Promise<void>
  stop(): void
}

export interface HeartbeatSetup {
  readonly store: LimitStore
  readonly teller: Teller
  readonly pockets: Pockets
  readonly monotonic: () => number
  readonly ttlMs: number
  readonly everyMs: number
  readonly revision: () => number
  readonly learn: (changes: LimitChanges) => void
  /** What else is to be told. */
  readonly also: () => Promise<void> | undefined
}

/** Nothing was taken for so long: the money is of more use to others. */
const IDLE_MS = 5000
/** A slice is what so many seconds cost. */
const SLICE_SECONDS = 2n
/** What goes to the store, or through the arithmetic, at a time. */
const AT_ONCE = 500

export function createHeartbeat(setup: HeartbeatSetup): Heartbeat {
  const { store, teller, pockets, monotonic, ttlMs, everyMs, revision, learn, also } = setup
  let timer: ReturnType<typeof setTimeout> | undefined
  let isStopped = false
  let beating: Promise<void> | undefined
  let lastBeat = monotonic()

  /** What it has to tell the store now, if anything. */
  function askOf(pocket: Pocket, now: number, seconds: number): Ask | undefined {
    if (pocket.isRetired) return pocket.inFlight === 0 ? END : isTold(pocket) && !isDue(pocket, now) ? undefined : TELL
    const rate = BigInt(Math.round(Number(pocket.spent - pocket.spentBefore) / seconds))
    pocket.spentBefore = pocket.spent
    const slice = rate * SLICE_SECONDS
    if (slice > 0n) pocket.slice = slice > pocket.slice / 2n ? slice : pocket.slice / 2n
    const isIdle = pocket.inFlight === 0 && now - pocket.lastUsed >= IDLE_MS
    if (isIdle) putBack(pocket)
    else if (freeIn(pocket) > 3n * pocket.slice) putBack(pocket, pocket.slice)
    return isTold(pocket) && !isDue(pocket, now) ? undefined : TELL
  }

  /** A lease is renewed long before it runs out, so that a slow store or a busy process does not lose it. */
  function isDue(pocket: Pocket, now: number): boolean {
    return !isEmptied(pocket) && pocket.validUntil - now < (ttlMs * 2) / 3
  }

  async function tellAll(): Promise<void> {
    const now = monotonic()
    const seconds = Math.max(0.001, (now - lastBeat) / 1000)
    lastBeat = now
    let batch: [Pocket, Ask][] = []
    let looked = 0
    const send = async () => {
      // While the batch was filled, calls may have asked for more: a second step under the same number takes what the first one gave.
      const sending = batch.filter(([pocket]) => !pocket.busy && pocket.waiters.length === 0)
      batch = []
      await teller.send(sending)
      for (const [pocket, { final }] of sending) if (final || isEmptied(pocket)) rest(pocket)
    }
    for (const pocket of [...pockets.active]) {
      if (pocket.busy || pocket.waiters.length > 0) continue
      const ask = askOf(pocket, now, seconds)
      if (ask) batch.push([pocket, ask])
      else if (isEmptied(pocket)) rest(pocket)
      if (batch.length >= AT_ONCE) await send()
      // Many thousand tenants must not hold up a call.
      else if (++looked % AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    if (batch.length > 0) await send()
  }

  function rest(pocket: Pocket): void {
    if (!isEmptied(pocket)) return
    pockets.active.delete(pocket)
  }

  async function once(): Promise<void> {
    try {
      if (!store.rulesOf) {
        const changes = await teller.ask(() => store.changes(revision()))
        // The answer may be that limits are known tenant by tenant only.
        if (!store.rulesOf) learn(changes)
      }
      await tellAll()
      await also()
    } catch {
      // The teller has said that nobody answers; the next beat asks again.
    }
  }

  function beat(): Promise<void> {
    beating ??= once().finally(() => {
      beating = undefined
    })
    return beating
  }

  function schedule(): void {
    timer = runAsNobody(() => setTimeout(() => void again(), everyMs).unref())
  }

  async function again(): Promise<void> {
    await beat()
    timer = undefined
    if (!isStopped && (pockets.active.size > 0 || !store.isPrivate || teller.isDown)) schedule()
  }

  return {
    beat,
    start() {
      if (!timer && !isStopped) schedule()
    },
    stop() {
      isStopped = true
      clearTimeout(timer)
      timer = undefined
    },
  }
}
