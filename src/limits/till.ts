// Takes money from one pocket: at once where it is there, else as the store gives it, the first that asks first.

import { PICO_PER_NANO, type PicoUsd } from '../money.ts'
import type { LookAhead } from './comes-back.ts'
import type { LimitStore, MaybePromise } from './limit-store.ts'
import { type Ask, freeIn, isPromise, type Pocket, TELL, usableIn, type Waiter } from './pocket.ts'
import type { Answers, Teller } from './teller.ts'

/** What was taken, and is held; or that there is none, or that nobody can say. */
export type Outcome = PicoUsd | 'refused' | 'down'

export interface Till {
  /** Takes the amount without asking anybody; false where it is not in the pocket. */
  takeAtOnce(pocket: Pocket, amount: PicoUsd, monotonic: number): boolean
  /** Takes the amount or, where the store cannot give it, what is left from `least` on. */
  take(pocket: Pocket, amount: PicoUsd, least: PicoUsd): MaybePromise<Outcome>
  /** Sees to it that the next call finds money, where little is left. */
  refill(pocket: Pocket): void
}

/** How long the answer of a store that there is no more is believed: what other processes give back comes within a second. */
const DENIED_MS = 50
const LONGEST_DENIED_MS = 800
/** Slices grow with each refill; the heartbeat brings them to what is really spent. */
const FIRST_SLICE = 4n
const MOST_SLICE: PicoUsd = 1n << 62n

/** Of a store with `rulesOf` nothing is asked for in advance: its figures change without anybody asking. */
export function createTill(
  teller: Teller,
  monotonic: () => number,
  store: Pick<LimitStore, 'rulesOf' | 'isPrivate'>,
  lookAhead: LookAhead,
): Till {
  function askFor(pocket: Pocket, { amount, least }: Pick<Waiter, 'amount' | 'least'>): Ask {
    const free = freeIn(pocket)
    if (free >= amount) return TELL
    const waiting = pocket.waiters.reduce((sum, waiter) => sum + waiter.amount, -amount)
    const need = amount - free
    const wanted = pocket.slice + (waiting > 0n ? waiting : 0n)
    pocket.slice = pocket.slice < MOST_SLICE ? pocket.slice * 2n : MOST_SLICE
    return {
      need,
      least: least > free ? least - free : PICO_PER_NANO,
      want: wanted > need ? wanted : need,
      final: false,
    }
  }

  function hold(pocket: Pocket, amount: PicoUsd): PicoUsd {
    pocket.held += amount
    return amount
  }

  function grab(pocket: Pocket, amount: PicoUsd, least: PicoUsd): PicoUsd | undefined {
    const usable = usableIn(pocket, monotonic())
    if (usable < least || usable <= 0n) return undefined
    pocket.deniedForMs = 0
    return hold(pocket, usable < amount ? usable : amount)
  }

  /** More than the store has said that there is, so short a while ago that it need not be asked again. */
  function isDenied(pocket: Pocket, least: PicoUsd): boolean {
    return monotonic() < pocket.deniedUntil && least - freeIn(pocket) > pocket.deniedAbove
  }

  /** The longer, the more often in a row: whoever has no money left must not keep the store busy. */
  function deny(pocket: Pocket): void {
    pocket.deniedForMs = Math.min(LONGEST_DENIED_MS, Math.max(DENIED_MS, pocket.deniedForMs * 2))
    pocket.deniedUntil = monotonic() + pocket.deniedForMs
  }

  function tell(pocket: Pocket, who: (waiter: Waiter) => Outcome | undefined): void {
    pocket.waiters = pocket.waiters.filter((waiter) => {
      const outcome = who(waiter)
      if (outcome !== undefined) waiter.told(outcome)
      return outcome === undefined
    })
  }

  /** One question after the other, until nobody waits. */
  async function serve(pocket: Pocket, asked?: Promise<Answers | undefined>): Promise<void> {
    let underWay = asked
    while (pocket.waiters.length > 0) {
      if (pocket.busy && !underWay) {
        await pocket.busy
        tell(pocket, ({ amount }) => grab(pocket, amount, amount))
        continue
      }
      const first = pocket.waiters[0]!
      const answers = await (underWay ?? (teller.isDown ? undefined : teller.send([[pocket, askFor(pocket, first)]])))
      underWay = undefined
      if (!answers) tell(pocket, () => 'down')
      // A limit that is gone stops nobody.
      else if (!answers[0]) tell(pocket, ({ amount }) => hold(pocket, amount))
      else {
        tell(pocket, (one) => grab(pocket, one.amount, one === first ? one.least : one.amount))
        // The lease was ended by somebody else: the pocket has a new one, and the question is asked again.
        if (pocket.waiters[0] !== first || answers[0].isOver) continue
        deny(pocket)
        const looking = lookAhead(pocket)
        if (looking) await looking
        tell(pocket, (one) => (one === first || isDenied(pocket, one.least) ? 'refused' : undefined))
      }
    }
  }

  return {
    takeAtOnce(pocket, amount, at) {
      if (usableIn(pocket, at) < amount) return false
      pocket.held += amount
      return true
    },
    take(pocket, amount, least) {
      if (!store.rulesOf && pocket.slice < amount * FIRST_SLICE) pocket.slice = amount * FIRST_SLICE
      if (teller.isDown) return 'down'
      if (isDenied(pocket, least)) return 'refused'
      const asked = pocket.busy ? undefined : teller.send([[pocket, askFor(pocket, { amount, least })]])
      if (!pocket.busy) {
        const answers = asked as Answers | undefined
        if (!answers) return 'down'
        if (!answers[0]) return hold(pocket, amount)
        // The lease was ended by somebody else: the pocket has a new one.
        if (answers[0].isOver) return this.take(pocket, amount, least)
        const taken = grab(pocket, amount, least)
        // A store in this process is asked faster than it is remembered what it said.
        if (taken === undefined && !store.isPrivate) deny(pocket)
        if (taken !== undefined) return taken
        const looking = lookAhead(pocket)
        return isPromise(looking) ? looking.then(() => 'refused') : 'refused'
      }
      return new Promise((told) => {
        pocket.waiters.push({ amount, least, told })
        if (pocket.waiters.length === 1) void serve(pocket, asked as Promise<Answers | undefined> | undefined)
      })
    },
    refill(pocket) {
      if (pocket.busy || pocket.waiters.length > 0 || pocket.isRetired || teller.isDown) return
      if (monotonic() < pocket.deniedUntil) return
      const want = pocket.slice
      pocket.slice = want < MOST_SLICE ? want * 2n : MOST_SLICE
      void teller.send([[pocket, { need: PICO_PER_NANO, least: PICO_PER_NANO, want, final: false }]])
    },
  }
}
