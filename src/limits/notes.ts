// What this process writes down of its leases before calls go on: should it be killed, another one settles them by that.

import type { PicoUsd } from '../money.ts'
import type { OwnHold } from './hold.ts'
import type { LimitStore } from './limit-store.ts'
import { isEmptied, type Pocket } from './pocket.ts'

/**
 * The records, each a line of the spool. Leases and calls have numbers that mean something in one spool only.
 * `lease`: see `LeaseNote`; said again, it is what holds from there on. `hold`: `[call, lease, pico, lease, pico, ...]`,
 * said again when it is raised. `settle`: `[call, pico]`, in all leases that the call holds money of. `spend`:
 * `[pico, lease]`, of which nothing was held.
 */
export type NoteKind = 'lease' | 'hold' | 'settle' | 'spend'

export interface LeaseNote {
  readonly n: number
  readonly id: string
  readonly scope: string
  readonly per: string
  readonly window: string
  readonly ends?: number
  /** What was settled in it before, in pico-dollars. */
  readonly spent: string
  /** The name of the limit store that it is of, where that has one. */
  readonly store?: string
}

export interface LeaseNotes {
  /**
   * The call may be sent: what it holds is written down. False when that fails for the first time: from then on no call may
   * take money of a lease that is written down, or it would be given back as if there had been no such call.
   */
  held(hold: OwnHold): boolean
  /** Before the pockets are charged. */
  settled(hold: OwnHold, cost: PicoUsd): void
  spent(pocket: Pocket, cost: PicoUsd): void
  /** Its lease was over, and it has another one. */
  startedAnew(pocket: Pocket): void
  /** All of it as it is now: what a new segment of the spool begins with, since the older ones go. */
  opening(): Iterable<readonly [NoteKind, unknown]>
}

/** Above this, and twice what was left the last time, those that have nothing in them are forgotten. */
const FORGET_FROM = 1000

/** `write` gives `undefined` for what could not be written. */
export function createNotes(
  write: (kind: NoteKind, value: unknown) => unknown,
  { store }: { readonly store: Pick<LimitStore, 'identity'> },
): LeaseNotes {
  const leases = new Set<Pocket>()
  const calls = new Map<number, OwnHold>()
  let lastLease = 0
  let lastCall = 0
  let forgetAt = FORGET_FROM
  /** Nothing is written until a new segment begins, with all that is true then. */
  let isOff = false
  let isOffTold = false
  /** What is being written of must not be forgotten by the segment that begins with it. */
  let pinned: Pocket | undefined

  function noteOf(pocket: Pocket): LeaseNote {
    const { identity } = store
    return { ...leaseOf(pocket), ...(identity !== undefined && { store: identity }) }
  }

  function put(kind: NoteKind, value: unknown): void {
    if (!isOff && write(kind, value) === undefined) isOff = true
  }

  function know(pocket: Pocket): void {
    if (pocket.noted > 0) return
    if (leases.size >= forgetAt) {
      forgetEmpty()
      forgetAt = Math.max(FORGET_FROM, leases.size * 2)
    }
    pocket.noted = ++lastLease
    leases.add(pocket)
    put('lease', noteOf(pocket))
  }

  function forgetEmpty(): void {
    for (const pocket of leases) {
      if (pocket === pinned || !isEmptied(pocket)) continue
      pocket.noted = 0
      leases.delete(pocket)
    }
  }

  return {
    held(hold) {
      if (hold.parts.length === 0) return true
      for (const { pocket } of hold.parts) know(pocket)
      if (hold.noted === 0) hold.noted = ++lastCall
      put('hold', holdOf(hold))
      // Not before: a segment that begins with this record has all that came before it.
      calls.set(hold.noted, hold)
      if (!isOff || isOffTold) return true
      isOffTold = true
      return false
    },
    settled(hold, cost) {
      if (hold.noted === 0) return
      put('settle', [hold.noted, String(cost)])
      calls.delete(hold.noted)
    },
    spent(pocket, cost) {
      pinned = pocket
      know(pocket)
      put('spend', [String(cost), pocket.noted])
      pinned = undefined
    },
    startedAnew(pocket) {
      if (pocket.noted > 0) put('lease', noteOf(pocket))
    },
    *opening() {
      forgetEmpty()
      for (const pocket of leases) yield ['lease', noteOf(pocket)] as const
      for (const hold of calls.values()) yield ['hold', holdOf(hold)] as const
      isOff = false
      isOffTold = false
    },
  }
}

function leaseOf({ noted, leaseId, live, window, spent }: Pocket): LeaseNote {
  const { scope, per } = live.rule
  const { id, endsAt } = window
  return { n: noted, id: leaseId, scope, per, window: id, spent: String(spent), ...(endsAt && { ends: endsAt }) }
}

function holdOf({ noted, parts }: OwnHold): unknown[] {
  const values: unknown[] = [noted]
  for (const { pocket, amount } of parts) values.push(pocket.noted, String(amount))
  return values
}
