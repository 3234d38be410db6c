// The end of a process, or of its meter: what is free in its pockets is the other processes' again.

import { runAsNobody } from '../tenant.ts'
import type { LimitStore, MaybePromise } from './limit-store.ts'
import { END, isEmptied, isPromise, type Pocket, stepOf, takeAnswer } from './pocket.ts'
import type { Pockets } from './pockets.ts'
import type { RuleBook } from './rule-book.ts'
import { inTime } from './teller.ts'

export interface LeaseEnding {
  /** Ends every lease that no call holds money of. Calls may come later: they take new ones. */
  end(): Promise<void>
  /** The same in this turn, where the store answers at once. */
  endAtOnce(): void
  /** The store counts money as ours. */
  readonly hasLeases: boolean
}

export interface LeaseEndingSetup {
  readonly store: LimitStore
  readonly book: RuleBook
  readonly pockets: Pockets
  readonly ttlMs: number
  readonly timeoutMs: number
}

const AT_ONCE = 500

export function createLeaseEnding({ store, book, pockets, ttlMs, timeoutMs }: LeaseEndingSetup): LeaseEnding {
  /** Those with a lease that the store has heard of. */
  function leased(): Pocket[] {
    const all = [...book.all()].flatMap(({ pocket, previous }) => [pocket, previous]).filter((it) => it !== undefined)
    return [...new Set([...all, ...pockets.active])].filter(({ seq }) => seq > 0)
  }

  /** Not by the teller: nobody is left to be told of a store that does not answer, as one whose connection is closed. */
  function endSome(some: readonly Pocket[]): MaybePromise<void> {
    const steps = some.map((pocket) => stepOf(pocket, END, ttlMs))
    const take = (answers: Awaited<ReturnType<LimitStore['lease']>>): void => {
      for (const [at, answer] of answers.entries()) if (answer) takeAnswer(some[at]!, steps[at]!, answer, 0)
    }
    const answers = runAsNobody(() => store.lease(steps))
    return isPromise(answers) ? inTime(answers, timeoutMs).then(take) : take(answers)
  }

  return {
    async end() {
      const left = leased()
      await Promise.all(left.map(async ({ busy }) => busy))
      const free = left.filter(({ inFlight }) => inFlight === 0)
      try {
        while (free.length > 0) await endSome(free.splice(0, AT_ONCE))
      } catch {
        // They stay as they are, for whoever finds the spool, and else until their windows end.
      }
    },
    endAtOnce() {
      const free = leased().filter(({ inFlight, busy }) => inFlight === 0 && !busy)
      try {
        while (free.length > 0) {
          const done = endSome(free.splice(0, AT_ONCE))
          if (!isPromise(done)) continue
          done.catch(() => undefined)
          return
        }
      } catch {
        // As above.
      }
    },
    get hasLeases() {
      return leased().some((pocket) => !isEmptied(pocket))
    },
  }
}
