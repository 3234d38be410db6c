// The pockets of this process: one for each limit and window in use.

import type { AccountKey, LimitKey, LimitStore, MaybePromise } from './limit-store.ts'
import { createPocket, isEmptied, isPromise, type Pocket } from './pocket.ts'
import type { LiveRule } from './rule-book.ts'

export interface Pockets {
  /** Those with something to tell, to renew or to give back. */
  readonly active: Set<Pocket>
  /** The pocket of the window that holds a moment. */
  of(live: LiveRule, at: number): Pocket
  /** Its lease ends as soon as no call holds money of it. */
  retire(pocket: Pocket): void
  /** Another one of the same window, with a lease of its own; what is free in this one goes back. */
  renewed(pocket: Pocket): Pocket
  /** The rule is another one, or gone: what is in the pocket goes back. */
  ruleChanged(live: LiveRule): void
}

export interface PocketsSetup {
  /** What was spent under a limit since a moment, in nano-dollars, before its account was opened. */
  readonly opening:
    | ((key: LimitKey & { readonly tenants?: readonly string[] }, since: number) => MaybePromise<bigint>)
    | undefined
  /** Asks the store, in time. */
  readonly accounts: LimitStore['accounts']
}

export function createPockets({ opening, accounts }: PocketsSetup): Pockets {
  const active = new Set<Pocket>()

  /** The slots before this one have accounts of their own, which hold a part of it. */
  function beyond(known: MaybePromise<bigint>, key: AccountKey): MaybePromise<bigint> {
    const rest = (spent: bigint, [account]: Awaited<ReturnType<LimitStore['accounts']>>): bigint => {
      const committed = account?.committed ?? 0n
      return spent > committed ? spent - committed : 0n
    }
    try {
      const found = accounts([key])
      if (!isPromise(known) && !isPromise(found)) return rest(known, found)
      return Promise.all([known, found]).then(([spent, those]) => rest(spent, those))
    } catch {
      return 0n
    }
  }

  function open(live: LiveRule, at: number): Pocket {
    const pocket = createPocket(live, live.calendar.at(at))
    const { scope, per, settings } = live.rule
    const { tenants } = settings
    const known = opening?.({ scope, per, ...(tenants && { tenants }) }, pocket.window.since)
    const { id, earlier } = pocket.window
    const isAlone = earlier.length === 0 || known === undefined
    const spent = isAlone ? known : beyond(known, { scope, per, windowId: id, earlier })
    const opened = (nano: bigint): void => {
      pocket.opening = nano
      pocket.opens = undefined
    }
    if (spent instanceof Promise) pocket.opens = spent.then(opened, () => opened(0n))
    else if (spent !== undefined) opened(spent)
    return pocket
  }

  function retire(pocket: Pocket): void {
    pocket.isRetired = true
    if (!isEmptied(pocket)) active.add(pocket)
  }

  return {
    active,
    retire,
    of(live, at) {
      const { pocket, previous } = live
      if (pocket && at >= pocket.window.from && at < pocket.window.until) return pocket
      // Money of a window that is over stays with the calls that hold it, and is never spent in the next one.
      if (pocket && at < pocket.window.from) {
        if (previous && at >= previous.window.from && at < previous.window.until) return previous
        const late = open(live, at)
        live.previous = late
        retire(late)
        return late
      }
      live.previous = pocket
      if (pocket) retire(pocket)
      return (live.pocket = open(live, at))
    },
    renewed(pocket) {
      const { live } = pocket
      if (live.pocket !== pocket) return live.pocket?.window === pocket.window ? live.pocket : pocket
      const next = createPocket(live, pocket.window)
      next.opening = pocket.opening
      retire(pocket)
      live.pocket = next
      return next
    },
    ruleChanged(live) {
      const { pocket } = live
      if (!pocket) return
      if (live.isRemoved) {
        active.delete(pocket)
        live.pocket = undefined
        return
      }
      pocket.deniedUntil = Number.NEGATIVE_INFINITY
      if (pocket.window.id === live.calendar.at(pocket.window.from).id) return
      retire(pocket)
      live.pocket = undefined
    },
  }
}
