// Lets a call pass with money that is set aside for it, and with a note of that, where there is reason for one.

import type { Counted, LimiterCounts } from './counts.ts'
import type { Estimate } from './estimate.ts'
import { type Hold, holdOf, type OwnHold } from './hold.ts'
import type { MaybePromise } from './limit-store.ts'
import type { LeaseNotes } from './notes.ts'
import { isPromise, type Pocket } from './pocket.ts'
import type { Pockets } from './pockets.ts'
import type { createReserve, Reservation } from './reserve.ts'
import type { RuleBook } from './rule-book.ts'
import type { Belonging } from './scope.ts'
import type { createTopUp } from './top-up.ts'

export interface AdmissionSetup extends ReturnType<typeof createReserve> {
  readonly topUp: ReturnType<typeof createTopUp>
  readonly book: RuleBook
  readonly pockets: Pockets
  readonly counts: LimiterCounts
  readonly counted: (what: Counted) => void
  /** While there is reason to write anything down. */
  readonly notes: () => LeaseNotes | undefined
}

/** Takes from all of the pockets or from none; throws LimitExceededError. */
export type Admit = (found: readonly Pocket[], estimate: Estimate, call: Belonging) => MaybePromise<Hold>

export function createAdmission(setup: AdmissionSetup): Admit {
  const { reserve, release, topUp, book, pockets, counts, counted, notes } = setup
  const refused = (isFalse: boolean) => void (isFalse && counts.falseRefusals++)
  const ended = () => counted('endedStreams')

  function admit(found: readonly Pocket[], estimate: Estimate, call: Belonging): MaybePromise<Hold> {
    const taken = reserve(found, estimate, { call, refused })
    return isPromise(taken) ? taken.then((it) => held(it, estimate, call)) : held(taken, estimate, call)
  }

  /** It may be sent with money that is written down, or with money of a lease that is not. */
  function held(taken: Reservation, estimate: Estimate, call: Belonging): MaybePromise<Hold> {
    const hold = holdOf(call, taken, { version: book.version, topUp, raised, ended })
    const writing = notes()
    if (!writing || writing.held(hold)) return hold
    writing.settled(hold, 0n)
    release(hold.parts)
    renewAll()
    const others = hold.parts.map(({ pocket }) => pockets.renewed(pocket))
    return admit(others, estimate, call)
  }

  function raised(hold: OwnHold): void {
    if (notes()?.held(hold) === false) renewAll()
  }

  /** No call takes money of what is written down any more. */
  function renewAll(): void {
    for (const { pocket } of book.all()) if (pocket && pocket.noted > 0) pockets.renewed(pocket)
  }

  return admit
}
