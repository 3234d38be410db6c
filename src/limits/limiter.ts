// May this call happen? Takes from the pockets of all limits it counts in, or refuses it, and settles what it cost.

import type { PicoUsd } from '../money.ts'
import { createAdmission } from './admission.ts'
import { type Bequest, createHeir } from './bequest.ts'
import { createLookAhead } from './comes-back.ts'
import { type Counted, createCounts, type LimiterCounts } from './counts.ts'
import { createLeaseEnding } from './ending.ts'
import type { Estimate } from './estimate.ts'
import { createHeartbeat } from './heartbeat.ts'
import type { Hold, OwnHold } from './hold.ts'
import { createLearning } from './learning.ts'
import type { LimitKey, LimitRule, LimitStore, MaybePromise } from './limit-store.ts'
import type { LimiterSetup } from './limiter-setup.ts'
import { createNotes } from './notes.ts'
import { createOutage } from './outage.ts'
import { createPayment } from './payment.ts'
import { isPromise, type Pocket } from './pocket.ts'
import { createPockets } from './pockets.ts'
import { limitsAreUnknown } from './refuse.ts'
import { createReserve } from './reserve.ts'
import { createRuleBook } from './rule-book.ts'
import type { Belonging } from './scope.ts'
import { createStandings, type Standings } from './standings.ts'
import { createTeller } from './teller.ts'
import { createTill } from './till.ts'
import { createTopUp } from './top-up.ts'
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
  /** What was written down with `note`, as it is now. */
  opening(): Iterable<readonly [kind: string, value: unknown]>
  /** Settles what a dead process has left, by what that wrote down. */
  inherit(bequest: Bequest): Promise<void>
  /** What is free in the pockets is the other processes' again, as far as the store can be told in this turn. */
  endAtOnce(): void
  /** The same, waiting for the store; calls may come later. */
  end(): Promise<void>
  /** The store counts money as this process's, which somebody has to settle. */
  readonly hasLeases: boolean
  /** The same for good. */
  close(): Promise<void>
}

export function createLimiter(setup: LimiterSetup): Limiter {
  const { store, unsynced, keep, now = Date.now, monotonic = () => performance.now() } = setup
  const { ttlMs = 30_000, timeoutMs = 800, heartbeatMs = 1000 } = setup
  const book = createRuleBook(setup.onStrangeZone)
  const accounts: LimitStore['accounts'] = (keys) => teller.ask(() => store.accounts(keys))
  const pockets = createPockets({ opening: setup.opening, accounts })
  const lookAhead = createLookAhead(accounts)
  const warnings = createWarnings(setup.warnAt ?? [50, 80, 100], setup.onWarning)
  const counts = createCounts()
  let heldTotal: PicoUsd = 0n

  const teller = createTeller({
    store,
    monotonic,
    ttlMs,
    timeoutMs,
    answered(pocket, step, answer) {
      if (answer.isOver) notes?.startedAnew(pocket)
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
  const notes = setup.note && createNotes(setup.note, { store })
  const settling: Pick<LimitStore, 'lease' | 'identity'> = {
    lease: (steps) => teller.ask(() => store.lease(steps)),
    get identity() {
      return store.identity
    },
  }
  const heir = createHeir(settling, setup.onBequest, now)
  const passer = createHeir(undefined, setup.onBequest, now)
  /** Money that is lost with this process is worth a note where others can get at it. */
  const noting = () => (store.isPrivate || store.rulesOf ? undefined : notes)
  const till = createTill(teller, monotonic, store, lookAhead)
  const changed = (pocket: Pocket, by: PicoUsd): void => {
    heldTotal += by
    pocket.lastUsed = monotonic()
    pockets.active.add(pocket)
    heartbeat.start()
  }
  const counted = (what: Counted) => void counts[what]++
  const reserving = { till, outage, monotonic, changed, counted, store }
  const { reserve, release } = createReserve(reserving)
  const topUp = createTopUp(reserving)
  const ending = createLeaseEnding({ store, book, pockets, ttlMs, timeoutMs })
  const heartbeat = createHeartbeat({
    store,
    teller,
    pockets,
    monotonic,
    ttlMs,
    everyMs: heartbeatMs,
    revision: () => learning.revision,
    learn: (changes) => learning.learn(changes),
    also: () => (heir.waiting > 0 && !teller.isDown ? heir.again() : undefined),
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
    if (matching.length === 1) {
      const pocket = pockets.of(matching[0]!, at)
      if (pocket.opens === undefined) return [pocket]
    }
    const found = matching.map((live) => pockets.of(live, at))
    const opening = found.filter(({ opens }) => opens !== undefined)
    if (opening.length === 0) return found
    return Promise.all(opening.map(async ({ opens }) => opens)).then(() => pocketsOf(call, at))
  }

  function pocketsFor(call: Belonging, at: number): MaybePromise<readonly Pocket[]> {
    const waiting = learning.known(call)
    return waiting ? waiting.then(() => pocketsOf(call, at)) : pocketsOf(call, at)
  }

  /** A process that has not heard yet which limits there are knows that it knows none. */
  function notBlindly(call: Belonging, found: readonly Pocket[]): readonly Pocket[] {
    if (found.length > 0 || !learning.isBlind || !teller.isDown) return found
    if (!outage.lendsBlindly) throw limitsAreUnknown(call)
    counted('allowedWhileDown')
    return found
  }

  function quietly(work: () => MaybePromise<unknown>): void {
    try {
      const done = work()
      if (isPromise(done)) keep(done)
    } catch (error) {
      keep(Promise.reject(error))
    }
  }

  const admit = createAdmission({ reserve, release, topUp, book, pockets, counts, counted, notes: noting })
  const { settle, spend } = createPayment({
    book,
    pockets,
    teller,
    warnings,
    unsynced,
    counts,
    notes: noting,
    known: pocketsFor,
    release,
    changed,
    quietly,
    now,
    onOverrun: setup.onOverrun,
    spentBlindly(cost) {
      if (teller.isDown && learning.isBlind) outage.spentBlindly(cost)
    },
  })

  return {
    ...createStandings({ book, pockets, teller, lookAhead, known: pocketsFor, now }),
    pockets(call, at) {
      const found = pocketsFor(call, at)
      return isPromise(found) ? found.then((it) => notBlindly(call, it)) : notBlindly(call, found)
    },
    reserve: admit,
    settle: (hold, cost, at) => settle(hold as OwnHold, cost, at),
    spend,
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
    opening: () => notes?.opening() ?? [],
    async inherit(bequest) {
      if (store.isPrivate || store.rulesOf) return passer.take(bequest)
      await heir.take(bequest)
      if (heir.waiting > 0) heartbeat.start()
    },
    end: ending.end,
    endAtOnce: ending.endAtOnce,
    get hasLeases() {
      return noting() !== undefined && ending.hasLeases
    },
    async close() {
      heartbeat.stop()
      // One that was never asked leaves the store unopened.
      if (pockets.active.size > 0) await heartbeat.beat()
      await ending.end()
    },
  }
}

const NONE: readonly Pocket[] = []
