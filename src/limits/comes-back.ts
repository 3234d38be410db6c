// When money of a rolling limit comes back: its slots leave one after the other, the oldest first.

import type { Account, AccountKey, LimitKey, LimitStore, MaybePromise } from './limit-store.ts'
import { isPromise, type Pocket } from './pocket.ts'
import { leavesAt, type Window } from './window.ts'

/** Finds out when a pocket has more free than now; does nothing for windows of the calendar, whose end is known. */
export type LookAhead = (pocket: Pocket) => MaybePromise<void>

/** `accounts` may fail: then it is not known. */
export function createLookAhead(accounts: LimitStore['accounts']): LookAhead {
  return (pocket) => {
    if (pocket.window.earlier.length === 0) return undefined
    const keys = slotsOf(pocket.live.rule, pocket.window)
    const told = (found: readonly (Account | undefined)[]): void => {
      pocket.comesBackAt = firstToFree(keys, found)
    }
    const unknown = () => told([])
    try {
      const found = accounts(keys)
      return isPromise(found) ? found.then(told, unknown) : told(found)
    } catch {
      return unknown()
    }
  }
}

/** The accounts of a rolling window one by one, for `firstToFree`. */
export function slotsOf({ scope, per }: LimitKey, { id, earlier }: Pick<Window, 'id' | 'earlier'>): AccountKey[] {
  return [id, ...earlier].map((windowId) => ({ scope, per, windowId, earlier: [] }))
}

/** Epoch milliseconds; `undefined` where nothing is out that could come back. */
export function firstToFree(keys: readonly AccountKey[], found: readonly (Account | undefined)[]): number | undefined {
  const slots = found.flatMap((account, i) => {
    const { per, windowId } = keys[i]!
    if (!account || per === 'total') return []
    const { committed, escrow, suspense, limitNanoUsd } = account
    return [{ at: leavesAt(per, windowId), out: committed + escrow + suspense, limitNanoUsd }]
  })
  const limit = slots[0]?.limitNanoUsd ?? 0n
  let out = slots.reduce((sum, slot) => sum + slot.out, 0n)
  const most = out < limit ? out : limit
  for (const slot of slots.sort((a, b) => a.at - b.at)) {
    out -= slot.out
    if (out < most) return slot.at
  }
  return undefined
}
