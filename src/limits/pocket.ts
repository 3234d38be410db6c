// This process's slice of one account, in one window: money that calls take by local arithmetic.

import type { LimitWindow } from '../errors.ts'
import { eventId } from '../event.ts'
import { nanoCeil, PICO_PER_NANO, type PicoUsd, picoFromNano } from '../money.ts'
import type { Account, LeaseAnswer, LimitStore } from './limit-store.ts'

export interface Pocket {
  readonly tenantId: string
  readonly window: LimitWindow
  readonly windowId: string
  /** A moment within the window. */
  readonly at: number
  readonly leaseId: string
  seq: number
  granted: PicoUsd
  /** Asked of the store and not answered yet. */
  asked: PicoUsd
  held: PicoUsd
  spent: PicoUsd
  returned: PicoUsd
  /** Calls that hold something. */
  inFlight: number
  /** The step under way; the next one waits for it. */
  underWay: Promise<unknown> | undefined
  /** Its lease has ended: what calls under way still cost counts elsewhere. */
  isGivenUp: boolean
}

type MaybePromise<T> = T | Promise<T>

export function createPocket({ tenantId, window, windowId }: Account, at: number): Pocket {
  return {
    tenantId,
    window,
    windowId,
    at,
    // Unique in every process that may share the store.
    leaseId: eventId(at),
    seq: 0,
    granted: 0n,
    asked: 0n,
    held: 0n,
    spent: 0n,
    returned: 0n,
    inFlight: 0,
    underWay: undefined,
    isGivenUp: false,
  }
}

/** Below 0 where calls wait for money, or cost more than they held. */
export function freeIn(pocket: Pocket): PicoUsd {
  return pocket.granted - pocket.held - pocket.spent - pocket.returned
}

/** Asks the store for `want`, or for as much as there is from `need` on; what it gives is in the pocket then. */
export function ask(
  store: LimitStore,
  pocket: Pocket,
  need: PicoUsd,
  want: PicoUsd,
): MaybePromise<LeaseAnswer | undefined> {
  pocket.asked += want
  const answered = (answer: LeaseAnswer | undefined) => {
    pocket.asked -= want
    pocket.granted += picoFromNano(answer?.granted ?? 0n)
    return answer
  }
  const failed = (error: unknown): never => {
    pocket.asked -= want
    throw error
  }
  try {
    const answer = step(store, pocket, need, want, false)
    return answer instanceof Promise ? answer.then(answered, failed) : answered(answer)
  } catch (error) {
    return failed(error)
  }
}

/** Tells the store what was spent. */
export function tellSpent(store: LimitStore, pocket: Pocket): MaybePromise<LeaseAnswer | undefined> {
  return step(store, pocket, 0n, 0n, false)
}

/** What is free is the account's again, as the next step tells. */
export function putBack(pocket: Pocket): void {
  const free = freeIn(pocket)
  if (free > 0n) pocket.returned += free - (free % PICO_PER_NANO)
}

/** Ends the lease: what is left of it goes back to the account. */
export function giveUp(store: LimitStore, pocket: Pocket): MaybePromise<LeaseAnswer | undefined> {
  pocket.isGivenUp = true
  return step(store, pocket, 0n, 0n, true)
}

function step(
  store: LimitStore,
  pocket: Pocket,
  need: PicoUsd,
  want: PicoUsd,
  final: boolean,
): MaybePromise<LeaseAnswer | undefined> {
  const send = () =>
    store.lease({
      leaseId: pocket.leaseId,
      seq: ++pocket.seq,
      tenantId: pocket.tenantId,
      window: pocket.window,
      at: pocket.at,
      need: nanoCeil(need),
      want: nanoCeil(want),
      spent: nanoCeil(pocket.spent),
      returned: pocket.returned / PICO_PER_NANO,
      final,
    })
  const answer = pocket.underWay ? pocket.underWay.then(send) : send()
  if (answer instanceof Promise) {
    const done = () => {
      if (pocket.underWay === underWay) pocket.underWay = undefined
    }
    const underWay = answer.then(done, done)
    pocket.underWay = underWay
  }
  return answer
}
