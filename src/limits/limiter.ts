// May this call happen? Takes from the pockets of all limits it counts in, or refuses it, and settles what it cost.

import type { PicoUsd } from '../money.ts'
import { countOverrun, createCounts, type LimiterCounts } from './counts.ts'
import { type Estimate, isEnforced } from './estimate.ts'
import { createHeartbeat } from './heartbeat.ts'
import { type Hold, holdOf, type OwnHold } from './hold.ts'
import { createLearning } from './learning.ts'
import type { LimitKey, LimitRule, MaybePromise } from './limit-store.ts'
import type { LimiterSetup } from './limiter-setup.ts'
import { createOutage } from './outage.ts'
import { END, freeIn, isPromise, type Pocket, putBack, TELL } from './pocket.ts'
import { createPockets } from './pockets.ts'
import { createReserve, createTopUp, type Reservation } from './reserve.ts'
import { createRuleBook, type LiveRule } from './rule-book.ts'
import type { Belonging } from './scope.ts'
import { createStandings, type Standings } from './standings.ts'
import { createTeller } from './teller.ts'
import { createTill } from './till.ts'
import { createWarnings } from './warnings.ts'

export type { LimiterCounts } from './counts.ts'
export type { Hold } from './hold.ts'

export interface Limiter extends Standings {
  /** The pockets of the limits that a call counts in; no estimate is needed where there is none. */
  pockets(call: Belonging, at: number): MaybePromise<readonly Pocket[]>
  /** Takes from all of the pockets or from none; throws LimitExceededError. */
  reserve(pockets: readonly Pocket[], estimate: Estimate, call: Belonging): MaybePromise<Hold>
  /** The call that was made at `at` has cost this much; what was held above it is free again. */
  settle(hold: Hold, cost: PicoUsd, at: number): void
  /** Spend that nothing was held for; `at` decides the windows it counts in. */
  spend(call: Belonging, cost: PicoUsd, at: number): void
  /** Holds from the next call on. */
  setLimit(rule: LimitRule): MaybePromise<void>
  removeLimit(key: LimitKey): MaybePromise<void>
  readonly heldTotal: PicoUsd
  readonly counts: Readonly<LimiterCounts>
  readonly isStoreDown: boolean
  readonly storeOutages: number
  /** What the heartbeat does, at once. */
  beat(): Promise<void>
  /** Gives up every pocket: what is free in them is the other processes' again. */
  close(): Promise<void>
}

export function createLimiter(setup: LimiterSetup): Limiter {
  const { store, unsynced, keep, now = Date.now, monotonic = () => performance.now() } = setup
  const { ttlMs = 30_000, timeoutMs = 800, heartbeatMs = 1000 } = setup
  const book = createRuleBook()
  const pockets = createPockets({ opening: setup.opening })
  const warnings = createWarnings(setup.warnAt ?? [50, 80, 100], setup.onWarning)
  const counts = createCounts()
  let heldTotal: PicoUsd = 0n

  const teller = createTeller({
    store,
    monotonic,
    ttlMs,
    timeoutMs,
    answered(pocket, step, answer) {
      warnings.answered(pocket, step.warned, answer)
      warnings.schedule(pocket)
      // Others may have spent so much: the next heartbeat tells.
      if (pocket.spent >= pocket.warnAt) warnings.reach(pocket)
    },
    went(state, cause) {
      if (state === 'up') outage.ended()
      else heartbeat.start()
      setup.onStore?.(state, cause)
    },
  })
  const outage = createOutage(() => teller, setup.whenDown)
  const till = createTill(teller, monotonic, { slices: !store.rulesOf, isShared: !store.isPrivate })
  const changed = (pocket: Pocket, by: PicoUsd): void => {
    heldTotal += by
    pocket.lastUsed = monotonic()
    pockets.active.add(pocket)
    heartbeat.start()
  }
  const counted = (what: 'observed' | 'clamped' | 'falseRefusals' | 'allowedWhileDown') => void counts[what]++
  const { reserve, release } = createReserve({
    till,
    outage,
    monotonic,
    changed,
    counted,
    isFresh: !store.rulesOf,
  })
  const topUp = createTopUp({ till, changed })
  const heartbeat = createHeartbeat({
    store,
    teller,
    pockets,
    monotonic,
    ttlMs,
    everyMs: heartbeatMs,
    revision: () => learning.revision,
    learn: (changes) => learning.learn(changes),
    isShared: !store.isPrivate,
  })

  const learning = createLearning({
    store,
    book,
    pockets,
    teller,
    quietly,
    loaded: () => {
      if (!store.isPrivate) heartbeat.start()
    },
    lost: () => setup.onStore?.('lost', undefined),
  })

  function pocketsOf(call: Belonging, at: number): MaybePromise<readonly Pocket[]> {
    const matching = book.matching(call)
    if (matching.length === 0) return NONE
    const found = matching.map((live) => pockets.of(live, at))
    const opening = found.filter(({ opens }) => opens !== undefined)
    if (opening.length === 0) return found
    return Promise.all(opening.map(async ({ opens }) => opens)).then(() => pocketsOf(call, at))
  }

  function pocketsFor(call: Belonging, at: number): MaybePromise<readonly Pocket[]> {
    const waiting = learning.known(call)
    return waiting ? waiting.then(() => pocketsOf(call, at)) : pocketsOf(call, at)
  }

  function quietly(work: () => MaybePromise<unknown>): void {
    try {
      const done = work()
      if (isPromise(done)) keep(done)
    } catch (error) {
      keep(Promise.reject(error))
    }
  }

  function pay(pocket: Pocket, cost: PicoUsd): void {
    if (pocket.live.isRemoved) return
    pocket.spent += cost
    if (pocket.isOvercommitted) putBack(pocket)
    changed(pocket, 0n)
    const isWarning = pocket.spent >= pocket.warnAt
    if (isWarning) warnings.reach(pocket)
    // A pocket that has spent what it never had says so at once.
    if (
      !pocket.busy &&
      !teller.isDown &&
      (isWarning || pocket.isOvercommitted || (freeIn(pocket) < 0n && isEnforced(pocket.live.rule.mode)))
    )
      void teller.send([[pocket, TELL]])
  }

  /** What is spent now counts in every window that is still open. */
  function isOpen({ calendar }: LiveRule, at: number): boolean {
    return calendar.at(at).id === calendar.at(now()).id
  }

  return {
    ...createStandings({ book, pockets, teller, known: pocketsFor, now }),
    pockets: pocketsFor,
    reserve(found, estimate, call) {
      const refused = (isFalse: boolean) => void (isFalse && counts.falseRefusals++)
      const taken = reserve(found, estimate, { call, refused })
      const hold = (it: Reservation) => holdOf(call, it, book.version, topUp)
      return isPromise(taken) ? taken.then(hold) : hold(taken)
    },
    settle(held, cost, at) {
      const hold = held as OwnHold
      if (hold.isSettled) return
      hold.isSettled = true
      release(hold.parts)
      if (cost === 0n) {
        for (const { pocket } of hold.parts) if (pocket.isOvercommitted) pay(pocket, 0n)
        return
      }
      if (hold.call.tenantId !== undefined) unsynced.recorded(hold.call.tenantId, cost, at)
      for (const { pocket } of hold.parts) pay(pocket, cost)
      if (countOverrun(counts, hold.parts, cost)) setup.onOverrun?.()
      if (hold.version === book.version) return
      // A limit that was set while the call was under way counts it too.
      for (const live of book.matching(hold.call))
        if (!hold.parts.some(({ pocket }) => pocket.live === live) && isOpen(live, at)) pay(pockets.of(live, at), cost)
    },
    spend(call, cost, at) {
      // In one turn: an account that is opened from what is unsynced has either all of it in its sum or none.
      const count = (found: readonly Pocket[]) => {
        if (call.tenantId !== undefined) unsynced.recorded(call.tenantId, cost, at)
        for (const { live } of found) if (isOpen(live, at)) pay(pockets.of(live, at), cost)
      }
      const uncounted = (error: unknown): never => {
        count(NONE)
        throw error
      }
      quietly(() => {
        let found: MaybePromise<readonly Pocket[]>
        try {
          found = pocketsFor(call, now())
        } catch (error) {
          return uncounted(error)
        }
        return isPromise(found) ? found.then(count, uncounted) : count(found)
      })
    },
    setLimit(rule) {
      const stored = store.setLimit(rule)
      if (!store.rulesOf) {
        const live = book.set(rule)
        if (live) learning.ruleChanged(live)
      }
      return stored
    },
    removeLimit(key) {
      const live = book.remove(key)
      if (live) pockets.ruleChanged(live)
      return store.removeLimit(key)
    },
    get heldTotal() {
      return heldTotal
    },
    counts,
    get isStoreDown() {
      return teller.isDown
    },
    get storeOutages() {
      return teller.outages
    },
    beat: heartbeat.beat,
    async close() {
      heartbeat.stop()
      // One that was never asked leaves the store unopened.
      if (pockets.active.size > 0) await heartbeat.beat()
      const all = [...book.all()].flatMap(({ pocket, previous }) => [pocket, previous]).filter((it) => it !== undefined)
      const left = [...new Set([...all, ...pockets.active])].filter(({ seq }) => seq > 0)
      while (left.length > 0) {
        const some = left.splice(0, 500)
        await Promise.all(some.map(async ({ busy }) => busy))
        await teller.send(some.map((pocket) => [pocket, END]))
      }
    },
  }
}

const NONE: readonly Pocket[] = []
