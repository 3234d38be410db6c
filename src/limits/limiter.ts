// May this call happen? Takes from the pockets of all limits it counts in, or refuses it, and settles what it cost.

import { LimitExceededError } from '../errors.ts'
import { formatUsd, PICO_PER_NANO, type PicoUsd, picoFromNano } from '../money.ts'
import type { Account, LeaseAnswer, LimitStore } from './limit-store.ts'
import { ask, createPocket, freeIn, giveUp, type Pocket, putBack, tellSpent } from './pocket.ts'
import type { Unsynced } from './unsynced.ts'
import { windowEnd, windowId } from './window.ts'

interface Part {
  readonly pocket: Pocket
  amount: PicoUsd
}

/** Money set aside for one call, in every account that the call counts in. Settled once; later settlements do nothing. */
export interface Hold {
  readonly tenantId: string
  readonly parts: readonly Part[]
  isSettled: boolean
}

/** What a call may cost. `expected` is held by default, `ceiling` under a hard limit. */
export interface Estimate {
  readonly expected: PicoUsd
  readonly ceiling: PicoUsd
}

type MaybePromise<T> = T | Promise<T>

export interface Limiter {
  /** The tenant's accounts; no estimate is needed for one that has none. */
  accounts(tenantId: string, at: number): MaybePromise<readonly Account[]>
  /** Takes from all of the accounts or from none; throws LimitExceededError. */
  reserve(accounts: readonly Account[], estimate: Estimate, at: number): MaybePromise<Hold>
  /** The call that was made at `at` has cost this much; what was held above it is free again. */
  settle(hold: Hold, cost: PicoUsd, at: number): void
  /** Spend that nothing was held for; `at` decides the windows it counts in. */
  spend(tenantId: string, cost: PicoUsd, at: number): void
  /** Returns what is free in this process's pockets, so that a lowered limit holds from the next call on. */
  giveBack(tenantId: string): void
  /** The accounts of a tenant after this process has told what it spent. */
  report(tenantId: string, at: number): Promise<readonly Account[]>
  /** Held for calls in flight, here. */
  heldFor(account: Account): PicoUsd
  readonly heldTotal: PicoUsd
  /** Gives up the pockets of a limit that is no more. */
  forget(tenantId: string, window: Account['window']): Promise<unknown> | undefined
  /** Gives up every pocket: what is free in them is the other processes' again. */
  close(): Promise<void>
}

export interface LimiterSetup {
  readonly store: LimitStore
  readonly unsynced: Unsynced
  /** Takes work that nobody waits for, and sees to its failure. */
  readonly keep: (work: Promise<unknown>) => void
  readonly now?: () => number
}

export function createLimiter({ store, unsynced, keep, now = Date.now }: LimiterSetup): Limiter {
  /** By tenant, and by the name of the window. */
  const pockets = new Map<string, Map<string, Pocket>>()
  let heldTotal: PicoUsd = 0n

  function pocketsOf(tenantId: string): Iterable<Pocket> {
    return pockets.get(tenantId)?.values() ?? []
  }

  function pocketOf(account: Account, at: number): Pocket {
    let own = pockets.get(account.tenantId)
    if (!own) pockets.set(account.tenantId, (own = new Map()))
    let pocket = own.get(account.windowId)
    if (pocket) return pocket
    pocket = createPocket(account, at)
    // Money of a window that is over stays with the calls that hold it and is never spent in the next one.
    for (const [id, old] of own) if (old.window === account.window && old.inFlight === 0) own.delete(id)
    own.set(account.windowId, pocket)
    return pocket
  }

  /** Before a call of theirs is admitted or settled, accounts have a pocket: what is spent from now on is theirs to count. */
  function seen(accounts: readonly Account[], at: number): readonly Account[] {
    for (const account of accounts) pocketOf(account, at)
    return accounts
  }

  function accountsOf(tenantId: string, at: number): MaybePromise<readonly Account[]> {
    const accounts = store.accounts(tenantId, at)
    return accounts instanceof Promise ? accounts.then((known) => seen(known, at)) : seen(accounts, at)
  }

  function quietly(work: () => MaybePromise<unknown>): void {
    try {
      const done = work()
      if (done instanceof Promise) keep(done)
    } catch (error) {
      keep(Promise.reject(error))
    }
  }

  /** Holds the amount first and then asks for what is missing, so that calls which wait at once never count on the same money. */
  function take(account: Account, estimate: Estimate, at: number, parts: Part[]): MaybePromise<void> {
    const pocket = pocketOf(account, at)
    // An account that is past its limit lends nothing: what it has lent goes back before it is asked again.
    if (account.committed + account.escrow > account.limitNanoUsd) putBack(pocket)
    const isAlone = pocket.inFlight === 0
    const part = { pocket, amount: account.mode === 'hard' ? estimate.ceiling : estimate.expected }
    parts.push(part)
    pocket.inFlight++
    hold(part, part.amount)
    const missing = -(freeIn(pocket) + pocket.asked)
    // What costs nothing needs no money, even where there is none.
    if (missing <= 0n || part.amount === 0n) return undefined
    // A limit below one call's estimate would refuse everything: with nothing in flight, whatever is left will do.
    const isContent = isAlone && account.mode === 'expected'
    const finish = (answer: LeaseAnswer | undefined): void => {
      if (!answer) return
      const short = missing - picoFromNano(answer.granted)
      if (short <= 0n) return
      if (!isContent || short >= part.amount) throw refusal(answer.account, pocket, part.amount, at)
      hold(part, -short)
      part.amount -= short
    }
    const answer = ask(store, pocket, isContent ? PICO_PER_NANO : missing, missing)
    return answer instanceof Promise ? answer.then(finish) : finish(answer)
  }

  function hold({ pocket }: Part, amount: PicoUsd): void {
    pocket.held += amount
    heldTotal += amount
  }

  function release(parts: readonly Part[]): void {
    for (const part of parts) {
      part.pocket.inFlight--
      hold(part, -part.amount)
    }
  }

  /** A pocket that has spent what it never had says so at once. */
  function pay(pocket: Pocket, cost: PicoUsd): void {
    if (pocket.isGivenUp) return
    pocket.spent += cost
    if (freeIn(pocket) + pocket.asked < 0n) quietly(() => tellSpent(store, pocket))
  }

  return {
    accounts: accountsOf,
    reserve(accounts, estimate, at) {
      const parts: Part[] = []
      let index = 0
      const next = (): MaybePromise<Hold> => {
        while (index < accounts.length) {
          const waiting = take(accounts[index++]!, estimate, at, parts)
          if (waiting) return waiting.then(next)
        }
        return { tenantId: accounts[0]?.tenantId ?? '', parts, isSettled: false }
      }
      const undo = (error: unknown): never => {
        release(parts)
        throw error
      }
      try {
        const result = next()
        return result instanceof Promise ? result.catch(undo) : result
      } catch (error) {
        return undo(error)
      }
    },
    settle(held, cost, at) {
      if (held.isSettled) return
      held.isSettled = true
      release(held.parts)
      if (cost === 0n) return
      unsynced.recorded(held.tenantId, cost, at)
      for (const { pocket } of held.parts) pay(pocket, cost)
      // A limit that was set while the call was under way counts it too.
      for (const pocket of pocketsOf(held.tenantId))
        if (!held.parts.some((part) => part.pocket === pocket) && holds(pocket, at)) pay(pocket, cost)
    },
    spend(tenantId, cost, at) {
      // In one turn: an account that is opened from what is unsynced has either all of it in its sum or none.
      const count = (accounts: readonly Account[]) => {
        unsynced.recorded(tenantId, cost, at)
        for (const account of accounts) if (holds(account, at)) pay(pocketOf(account, at), cost)
      }
      const uncounted = (error: unknown): never => {
        count([])
        throw error
      }
      quietly(() => {
        let accounts: MaybePromise<readonly Account[]>
        try {
          accounts = accountsOf(tenantId, now())
        } catch (error) {
          return uncounted(error)
        }
        return accounts instanceof Promise ? accounts.then(count, uncounted) : count(accounts)
      })
    },
    giveBack(tenantId) {
      for (const pocket of pocketsOf(tenantId)) {
        putBack(pocket)
        quietly(() => tellSpent(store, pocket))
      }
    },
    async report(tenantId, at) {
      const accounts = await accountsOf(tenantId, at)
      return Promise.all(
        accounts.map(async (account) => (await tellSpent(store, pocketOf(account, at)))?.account ?? account),
      )
    },
    heldFor: ({ tenantId, windowId: id }) => pockets.get(tenantId)?.get(id)?.held ?? 0n,
    get heldTotal() {
      return heldTotal
    },
    forget(tenantId, window) {
      const told: MaybePromise<unknown>[] = []
      for (const pocket of pocketsOf(tenantId)) {
        if (pocket.window !== window) continue
        pockets.get(tenantId)?.delete(pocket.windowId)
        told.push(giveUp(store, pocket))
      }
      return told.some((one) => one instanceof Promise) ? Promise.all(told) : undefined
    },
    async close() {
      const all = [...pockets.values()].flatMap((own) => [...own.values()])
      pockets.clear()
      await Promise.allSettled(all.map(async (pocket) => giveUp(store, pocket)))
    },
  }
}

function holds({ window, windowId: id }: Pick<Pocket, 'window' | 'windowId'>, at: number): boolean {
  return windowId(window, at) === id
}

function refusal(account: Account, pocket: Pocket, amount: PicoUsd, at: number): LimitExceededError {
  const ends = windowEnd(account.window, at)
  return new LimitExceededError({
    tenantId: account.tenantId,
    limitUsd: formatUsd(picoFromNano(account.limitNanoUsd)),
    spentUsd: formatUsd(picoFromNano(account.committed)),
    // The pocket counts what this very call asked for until it is undone.
    heldUsd: formatUsd(pocket.held - amount),
    window: account.window,
    scope: 'tenant',
    resetsAt: ends === undefined ? undefined : new Date(ends),
  })
}
