// May this call happen? Reserves from pockets of leased money by local arithmetic, and settles what the call cost.

import { LimitExceededError, type LimitWindow } from '../errors.ts'
import { formatUsd, nanoCeil, PICO_PER_NANO, type PicoUsd, picoFromNano } from '../money.ts'
import type { Account, LeaseAnswer, LimitStore } from './limit-store.ts'
import { windowEnd } from './window.ts'

/** This process's slice of one account, in one window. */
interface Pocket {
  readonly key: string
  readonly tenantId: string
  readonly window: LimitWindow
  readonly windowId: string
  readonly leaseId: string
  seq: number
  granted: PicoUsd
  /** Asked of the store and not answered yet. */
  asked: PicoUsd
  held: PicoUsd
  spent: PicoUsd
  returned: PicoUsd
  inFlight: number
}

interface Part {
  readonly pocket: Pocket
  amount: PicoUsd
}

/** Money set aside for one call, in every account that the call counts in. Settled once; later settlements do nothing. */
export interface Hold {
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
  /** Whether the tenant has a limit; no estimate is needed for one that has none. */
  accounts(tenantId: string, at: number): MaybePromise<readonly Account[]>
  /** Takes from all accounts of the tenant or from none; throws LimitExceededError. */
  reserve(accounts: readonly Account[], estimate: Estimate, at: number): MaybePromise<Hold>
  /** The call has cost this much; what was held above it is free again. */
  settle(hold: Hold, cost: PicoUsd, at: number): void
  /** Spend that nothing was held for: `trackManually`. */
  spend(accounts: readonly Account[], cost: PicoUsd, at: number): void
  /** Returns what is free in this process's pockets, so that a lowered limit holds from the next call on. */
  giveBack(tenantId: string, at: number): void
  /** The accounts of a tenant after this process has told what it spent. */
  report(tenantId: string, at: number): MaybePromise<readonly Account[]>
  /** Held for calls in flight, here. */
  heldFor(account: Account): PicoUsd
  readonly heldTotal: PicoUsd
}

let leases = 0

export function createLimiter(store: LimitStore): Limiter {
  const pockets = new Map<string, Pocket>()
  let heldTotal: PicoUsd = 0n

  function pocketOf(account: Account): Pocket {
    const key = `${account.window} ${account.tenantId}`
    let pocket = pockets.get(key)
    // Money of a window that is over stays with the calls that hold it and is never spent in the next one.
    if (!pocket || pocket.windowId !== account.windowId) {
      pocket = {
        key,
        tenantId: account.tenantId,
        window: account.window,
        windowId: account.windowId,
        leaseId: `${process.pid}-${++leases}`,
        seq: 0,
        granted: 0n,
        asked: 0n,
        held: 0n,
        spent: 0n,
        returned: 0n,
        inFlight: 0,
      }
      pockets.set(key, pocket)
    }
    return pocket
  }

  /** One step of the pocket's lease: tells the store what was spent, and asks for `need` more. */
  function lease(pocket: Pocket, need: PicoUsd, at: number): MaybePromise<LeaseAnswer | undefined> {
    const nano = nanoCeil(need)
    return store.lease({
      leaseId: pocket.leaseId,
      seq: ++pocket.seq,
      tenantId: pocket.tenantId,
      window: pocket.window,
      at,
      need: nano,
      want: nano,
      spent: nanoCeil(pocket.spent),
      returned: pocket.returned / PICO_PER_NANO,
      final: false,
    })
  }

  /** Holds the amount first and then leases what is missing, so that calls which wait at once never count on the same money. */
  function take(pocket: Pocket, account: Account, estimate: Estimate, at: number, parts: Part[]): MaybePromise<void> {
    const isAlone = pocket.inFlight === 0
    const amount = account.mode === 'hard' ? estimate.ceiling : estimate.expected
    const part = { pocket, amount }
    parts.push(part)
    hold(part)
    const missing = -(freeOf(pocket) + pocket.asked)
    if (missing <= 0n) return undefined
    pocket.asked += missing
    const answer = lease(pocket, missing, at)
    const finish = (step: LeaseAnswer | undefined): void => {
      pocket.asked -= missing
      pocket.granted += picoFromNano(step?.granted ?? 0n)
      if (!step || step.granted > 0n) return
      if (step.account.mode === 'expected' && isAlone && holdWhatIsLeft(part, step.account, at)) return
      throw refusal(step.account, pocket, amount, at)
    }
    return answer instanceof Promise ? answer.then(finish) : finish(answer)
  }

  /**
   * A limit smaller than one call's estimate would refuse everything: with nothing in flight and money left, that will do.
   * Only where the store answers at once; a store that has to be waited for could have been asked by others meanwhile.
   */
  function holdWhatIsLeft(part: Part, account: Account, at: number): boolean {
    const { pocket } = part
    const inAccount = picoFromNano(account.limitNanoUsd - account.committed - account.escrow)
    const inPocket = freeOf(pocket) + part.amount
    const left = inAccount + inPocket
    if (left <= 0n || inAccount < 0n) return false
    pocket.held += left - part.amount
    heldTotal += left - part.amount
    part.amount = left
    if (inAccount === 0n) return true
    const answer = lease(pocket, inAccount, at)
    if (answer instanceof Promise) return true
    pocket.granted += picoFromNano(answer?.granted ?? 0n)
    return true
  }

  function hold({ pocket, amount }: Part): void {
    pocket.held += amount
    pocket.inFlight++
    heldTotal += amount
  }

  function settleAll(parts: readonly Part[], cost: PicoUsd): void {
    for (const { pocket, amount } of parts) {
      pocket.held -= amount
      pocket.spent += cost
      pocket.inFlight--
      heldTotal -= amount
    }
  }

  /** A pocket that spent what it never had says so at once, while its window lasts. */
  function reportOverspend(pocket: Pocket, at: number): void {
    if (freeOf(pocket) >= 0n || pockets.get(pocket.key) !== pocket) return
    const answer = lease(pocket, 0n, at)
    if (answer instanceof Promise) answer.catch(() => undefined)
  }

  function reserve(accounts: readonly Account[], estimate: Estimate, at: number): MaybePromise<Hold> {
    const parts: Part[] = []
    let index = 0
    const next = (): MaybePromise<Hold> => {
      while (index < accounts.length) {
        const account = accounts[index++]!
        const waiting = take(pocketOf(account), account, estimate, at, parts)
        if (waiting) return waiting.then(next)
      }
      return { parts, isSettled: false }
    }
    const undo = (error: unknown): never => {
      settleAll(parts, 0n)
      throw error
    }
    try {
      const result = next()
      return result instanceof Promise ? result.catch(undo) : result
    } catch (error) {
      return undo(error)
    }
  }

  return {
    accounts: (tenantId, at) => store.accounts(tenantId, at),
    reserve,
    settle(held, cost, at) {
      if (held.isSettled) return
      held.isSettled = true
      settleAll(held.parts, cost)
      for (const { pocket } of held.parts) reportOverspend(pocket, at)
    },
    spend(accounts, cost, at) {
      for (const account of accounts) {
        const pocket = pocketOf(account)
        pocket.spent += cost
        reportOverspend(pocket, at)
      }
    },
    giveBack(tenantId, at) {
      for (const pocket of pockets.values()) {
        if (pocket.tenantId !== tenantId) continue
        const free = freeOf(pocket)
        if (free <= 0n) continue
        pocket.returned += free - (free % PICO_PER_NANO)
        const answer = lease(pocket, 0n, at)
        if (answer instanceof Promise) answer.catch(() => undefined)
      }
    },
    report(tenantId, at) {
      const tell = (accounts: readonly Account[]): MaybePromise<readonly Account[]> => {
        const told = accounts.map((account) => {
          const answer = lease(pocketOf(account), 0n, at)
          return answer instanceof Promise
            ? answer.then((step) => step?.account ?? account)
            : (answer?.account ?? account)
        })
        return told.some((one) => one instanceof Promise) ? Promise.all(told) : (told as Account[])
      }
      const accounts = store.accounts(tenantId, at)
      return accounts instanceof Promise ? accounts.then(tell) : tell(accounts)
    },
    heldFor(account) {
      const pocket = pockets.get(`${account.window} ${account.tenantId}`)
      return pocket?.windowId === account.windowId ? pocket.held : 0n
    },
    get heldTotal() {
      return heldTotal
    },
  }
}

function freeOf(pocket: Pocket): PicoUsd {
  return pocket.granted - pocket.held - pocket.spent - pocket.returned
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
