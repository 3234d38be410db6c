// What calls have cost: charged to the pockets that they hold money of, and to those of limits that came meanwhile.

import type { PicoUsd } from '../money.ts'
import { countOverrun, type LimiterCounts } from './counts.ts'
import { isEnforced } from './estimate.ts'
import type { OwnHold } from './hold.ts'
import type { MaybePromise } from './limit-store.ts'
import type { LeaseNotes } from './notes.ts'
import { freeIn, isPromise, type Pocket, putBack, TELL } from './pocket.ts'
import type { Pockets } from './pockets.ts'
import type { Part } from './reserve.ts'
import type { LiveRule, RuleBook } from './rule-book.ts'
import type { Belonging } from './scope.ts'
import type { Teller } from './teller.ts'
import type { Unsynced } from './unsynced.ts'
import type { Warnings } from './warnings.ts'

export interface Payment {
  settle(hold: OwnHold, cost: PicoUsd, at: number): void
  spend(call: Belonging, cost: PicoUsd, at: number): void
}

export interface PaymentSetup {
  readonly book: RuleBook
  readonly pockets: Pockets
  readonly teller: Teller
  readonly warnings: Warnings
  readonly unsynced: Unsynced
  readonly counts: LimiterCounts
  /** While there is reason to write anything down. */
  readonly notes: () => LeaseNotes | undefined
  readonly known: (call: Belonging, at: number) => MaybePromise<readonly Pocket[]>
  readonly release: (parts: readonly Part[]) => void
  readonly changed: (pocket: Pocket, by: PicoUsd) => void
  readonly quietly: (work: () => MaybePromise<unknown>) => void
  readonly now: () => number
  readonly onOverrun: (() => void) | undefined
  /** Nobody could say which limits the call counts in. */
  readonly spentBlindly: (cost: PicoUsd) => void
}

export function createPayment(setup: PaymentSetup): Payment {
  const { book, pockets, teller, warnings, unsynced, counts, notes, known, release, changed, quietly, now } = setup

  /** Nothing was held for it. */
  function payUnheld(pocket: Pocket, cost: PicoUsd): void {
    if (!pocket.live.isRemoved) notes()?.spent(pocket, cost)
    pay(pocket, cost)
  }

  function pay(pocket: Pocket, cost: PicoUsd): void {
    if (pocket.live.isRemoved) return
    pocket.spent += cost
    if (pocket.isOvercommitted) putBack(pocket)
    changed(pocket, 0n)
    const isWarning = pocket.spent >= pocket.warnAt
    if (isWarning) warnings.reach(pocket)
    if (!pocket.busy && !teller.isDown && (isWarning || isUrgent(pocket))) void teller.send([[pocket, TELL]])
  }

  /** What is spent now counts in every window that is still open. */
  function isOpen({ calendar }: LiveRule, at: number): boolean {
    return calendar.at(at).id === calendar.at(now()).id
  }

  return {
    settle(hold, cost, at) {
      if (hold.isSettled) return
      hold.isSettled = true
      // Before anything changes: a segment of the spool may begin with this note, and then with all that came before it.
      notes()?.settled(hold, cost)
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
        if (!hold.parts.some(({ pocket }) => pocket.live === live) && isOpen(live, at))
          payUnheld(pockets.of(live, at), cost)
    },
    spend(call, cost, at) {
      setup.spentBlindly(cost)
      // In one turn: an account that is opened from what is unsynced has either all of it in its sum or none.
      const count = (found: readonly Pocket[]) => {
        if (call.tenantId !== undefined) unsynced.recorded(call.tenantId, cost, at)
        for (const { live } of found) if (isOpen(live, at)) payUnheld(pockets.of(live, at), cost)
      }
      const uncounted = (error: unknown): never => {
        count([])
        throw error
      }
      quietly(() => {
        let found: MaybePromise<readonly Pocket[]>
        try {
          found = known(call, now())
        } catch (error) {
          return uncounted(error)
        }
        return isPromise(found) ? found.then(count, uncounted) : count(found)
      })
    },
  }
}

/** What others must not take for theirs is told at once. */
function isUrgent(pocket: Pocket): boolean {
  if (pocket.isOvercommitted) return true
  // Before a ledger has it: whoever opens the account from there would count it a second time.
  return pocket.seq === 0 || (freeIn(pocket) < 0n && isEnforced(pocket.live.rule.mode))
}
