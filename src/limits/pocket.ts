// This process's slice of one account, in one window: money that calls take by local arithmetic.

import { eventId } from '../event.ts'
import { nanoCeil, PICO_PER_NANO, type PicoUsd, picoFromNano } from '../money.ts'
import type { Account, LeaseAnswer, LeaseStep, MaybePromise } from './limit-store.ts'
import type { LiveRule } from './rule-book.ts'
import type { Window } from './window.ts'

/** Somebody who waits for money; told what was taken, or what came in between. */
export interface Waiter {
  readonly amount: PicoUsd
  /** What would do. */
  readonly least: PicoUsd
  readonly told: (outcome: PicoUsd | 'refused' | 'down') => void
}

export interface Pocket {
  readonly live: LiveRule
  readonly window: Window
  /** Unique in every process that may share the store. */
  leaseId: string
  /** The number under which the lease was written down; 0 where it was not. */
  noted: number
  /** The answered steps of the lease. */
  seq: number
  granted: PicoUsd
  held: PicoUsd
  spent: PicoUsd
  returned: PicoUsd
  /** What the last answered step told, in nano-dollars. */
  toldSpent: bigint
  toldReturned: bigint
  toldWarned: number
  /** What was spent before the account was opened, where that is known. */
  opening: bigint
  /** Until `opening` is known. */
  opens: Promise<void> | undefined
  /** Calls that hold something. */
  inFlight: number
  /** Milliseconds on the monotonic clock until which what is free may be spent. */
  validUntil: number
  /** What is asked for in advance. */
  slice: PicoUsd
  /** As the store answered last. */
  account: Account | undefined
  /** When more is free than now, in epoch milliseconds: the end of the window. Of a rolling one as it was last looked up. */
  comesBackAt: number | undefined
  /** The step under way; the next one waits for it. Never rejects. */
  busy: Promise<unknown> | undefined
  waiters: Waiter[]
  /** Until then the store is taken to have no more than `deniedAbove`. */
  deniedUntil: number
  deniedAbove: PicoUsd
  deniedForMs: number
  /** The own spend at which the next warning is due. */
  warnAt: PicoUsd
  warned: number
  /** What was spent by the last heartbeat, and when money was last taken. */
  spentBefore: PicoUsd
  lastUsed: number
  /** Its window is over or its rule is gone: the lease ends with the last call that holds money of it. */
  isRetired: boolean
  /** More is out than the limit allows, since it was lowered: what is free goes back at once. */
  isOvercommitted: boolean
}

export function createPocket(live: LiveRule, window: Window): Pocket {
  return {
    live,
    window,
    leaseId: eventId(Date.now()),
    noted: 0,
    seq: 0,
    granted: 0n,
    held: 0n,
    spent: 0n,
    returned: 0n,
    toldSpent: 0n,
    toldReturned: 0n,
    toldWarned: 0,
    opening: 0n,
    opens: undefined,
    inFlight: 0,
    validUntil: Number.NEGATIVE_INFINITY,
    slice: 0n,
    account: undefined,
    comesBackAt: window.until === Infinity || window.earlier.length > 0 ? undefined : window.until,
    busy: undefined,
    waiters: [],
    deniedUntil: Number.NEGATIVE_INFINITY,
    deniedAbove: 0n,
    deniedForMs: 0,
    warnAt: NEVER,
    warned: 0,
    spentBefore: 0n,
    lastUsed: 0,
    isRetired: false,
    isOvercommitted: false,
  }
}

/** More than any limit. */
export const NEVER: PicoUsd = 1n << 120n

/** Below 0 where calls cost more than they held. */
export function freeIn({ granted, held, spent, returned }: Pocket): PicoUsd {
  return granted - held - spent - returned
}

/** What a call may take: nothing once the lease has run out, since the slice may be somebody else's by then. */
export function usableIn(pocket: Pocket, monotonic: number): PicoUsd {
  const free = pocket.granted - pocket.held - pocket.spent - pocket.returned
  return free > 0n && monotonic >= pocket.validUntil ? 0n : free
}

/** What is free is the account's again, as the next step tells. */
export function putBack(pocket: Pocket, keep: PicoUsd = 0n): void {
  const free = freeIn(pocket) - keep
  if (free >= PICO_PER_NANO) pocket.returned += free - (free % PICO_PER_NANO)
}

/** Whether the store knows everything. */
export function isTold({ spent, returned, warned, toldSpent, toldReturned, toldWarned }: Pocket): boolean {
  return nanoCeil(spent) === toldSpent && returned / PICO_PER_NANO === toldReturned && warned === toldWarned
}

/** Nothing is in it, and nobody needs to be told anything of it. */
export function isEmptied(pocket: Pocket): boolean {
  return pocket.inFlight === 0 && isTold(pocket) && pocket.granted - pocket.spent - pocket.returned < PICO_PER_NANO
}

export interface Ask {
  readonly need: PicoUsd
  readonly least: PicoUsd
  readonly want: PicoUsd
  readonly final: boolean
}

export const TELL: Ask = { need: 0n, least: 0n, want: 0n, final: false }
export const END: Ask = { ...TELL, final: true }

export function stepOf(pocket: Pocket, ask: Ask, ttlMs: number): LeaseStep {
  const { live, window } = pocket
  return {
    scope: live.rule.scope,
    per: live.rule.per,
    windowId: window.id,
    earlier: window.earlier,
    leaseId: pocket.leaseId,
    seq: pocket.seq + 1,
    need: nanoCeil(ask.need),
    least: nanoCeil(ask.least),
    want: nanoCeil(ask.want),
    granted: pocket.granted / PICO_PER_NANO,
    spent: nanoCeil(pocket.spent),
    returned: pocket.returned / PICO_PER_NANO,
    final: ask.final,
    ttlMs,
    opening: pocket.opening,
    endsAt: window.endsAt,
    warned: pocket.warned,
  }
}

/** Takes an answer in; `validUntil` is reckoned from the moment the step was sent. */
export function takeAnswer(pocket: Pocket, step: LeaseStep, answer: LeaseAnswer, validUntil: number): void {
  pocket.seq = step.seq
  pocket.toldSpent = step.spent
  pocket.toldReturned = step.returned
  pocket.toldWarned = step.warned
  pocket.granted += picoFromNano(answer.granted)
  pocket.account = answer.account
  const { committed, escrow, suspense, limitNanoUsd } = answer.account
  pocket.isOvercommitted = committed + escrow + suspense > limitNanoUsd
  pocket.deniedAbove = picoFromNano(limitNanoUsd - committed - escrow - suspense)
  pocket.validUntil = validUntil
  if (answer.isOver) startAnew(pocket)
}

/** The lease is over: what calls under way still cost counts in a new one. */
function startAnew(pocket: Pocket): void {
  const untold = pocket.spent - picoFromNano(pocket.toldSpent)
  pocket.leaseId = eventId(Date.now())
  pocket.seq = 0
  pocket.granted = 0n
  pocket.returned = 0n
  pocket.spent = untold > 0n ? untold : 0n
  pocket.spentBefore = pocket.spent
  pocket.toldSpent = 0n
  pocket.toldReturned = 0n
}

/** Where the limit stands as far as this process knows, without what is free in the pocket itself. */
export function standingOf(pocket: Pocket): { limit: PicoUsd; spent: PicoUsd; held: PicoUsd } {
  const { account, live, toldSpent, toldReturned, granted } = pocket
  const { committed = pocket.opening, escrow = 0n, suspense = 0n } = account ?? {}
  const own = granted - picoFromNano(toldSpent + toldReturned)
  const others = picoFromNano(escrow + suspense) - (own > 0n ? own : 0n)
  return {
    limit: picoFromNano(account?.limitNanoUsd ?? live.rule.limitNanoUsd),
    spent: picoFromNano(committed) + pocket.spent - picoFromNano(toldSpent),
    held: pocket.held + (others > 0n ? others : 0n),
  }
}

export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return value instanceof Promise
}
