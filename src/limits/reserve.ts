// Takes what a call may cost from all of its pockets or from none, each by the mode of its limit.

import type { PicoUsd } from '../money.ts'
import type { Counted } from './counts.ts'
import { amountIn, cappedAt, type Estimate, isEnforced, isHard, outputWithin } from './estimate.ts'
import { MIN_OUTPUT_TOKENS } from './limit.ts'
import type { LimitStore, MaybePromise } from './limit-store.ts'
import type { Outage } from './outage.ts'
import { isPromise, type Pocket, putBack, standingOf, usableIn } from './pocket.ts'
import { type Asked, refusal, storeIsDown } from './refuse.ts'
import type { Till } from './till.ts'

/** Money of one pocket, set aside for one call. */
export interface Part {
  readonly pocket: Pocket
  amount: PicoUsd
  /** What the call was taken to cost at most in this pocket; `amount` may be less of it. */
  estimated: PicoUsd
}

export interface Reservation {
  readonly parts: readonly Part[]
  /** What it was made for in the end: tightened, and under the cap. */
  readonly estimate: Estimate
  /** The output cap that the request must get, in tokens. */
  readonly cap: number | undefined
}

export interface ReserveSetup {
  readonly till: Till
  readonly outage: Outage
  readonly monotonic: () => number
  /** One with `rulesOf` is asked each time, since its figures change by themselves. */
  readonly store: Pick<LimitStore, 'rulesOf'>
  /** The hold of a part has changed by so much. */
  readonly changed: (pocket: Pocket, by: PicoUsd) => void
  readonly counted: (what: Counted) => void
}

const LOW_WATER = 3n

export function createReserve({ till, outage, monotonic, changed, counted, store }: ReserveSetup) {
  /** Of several limits the one that may lower the cap comes first: the others then hold less. */
  function inOrder(pockets: readonly Pocket[]): readonly Pocket[] {
    if (pockets.length < 2 || !pockets.some(({ live }) => live.rule.mode === 'clamp')) return pockets
    return [...pockets].sort((a, b) => Number(b.live.rule.mode === 'clamp') - Number(a.live.rule.mode === 'clamp'))
  }

  function put(parts: Part[], pocket: Pocket, amount: PicoUsd, estimated: PicoUsd): void {
    pocket.inFlight++
    parts.push({ pocket, amount, estimated })
    changed(pocket, amount)
  }

  function release(parts: readonly Part[]): void {
    for (const { pocket, amount } of parts) {
      pocket.inFlight--
      pocket.held -= amount
      changed(pocket, -amount)
    }
  }

  /** A dry run takes nothing, and counts what would have been refused. */
  function observe(parts: Part[], pocket: Pocket, amount: PicoUsd): void {
    const { limit, spent, held } = standingOf(pocket)
    const isContent = pocket.inFlight === 0 && spent < limit
    if (amount > 0n && spent + held + amount > limit && !isContent) counted('observed')
    pocket.held += amount
    put(parts, pocket, amount, amount)
  }

  /** One limit whose money is in the pocket: most calls, which need nothing of what follows. */
  function takeFromOne(pocket: Pocket, estimate: Estimate): Reservation | undefined {
    const { mode } = pocket.live.rule
    if (!isEnforced(mode) || store.rulesOf || outage.refuses(pocket)) return undefined
    const amount = amountIn(mode, estimate)
    const moment = monotonic()
    if (amount === 0n || !till.takeAtOnce(pocket, amount, moment)) return undefined
    const parts: Part[] = []
    put(parts, pocket, amount, amount)
    if (usableIn(pocket, moment) * LOW_WATER < pocket.slice) till.refill(pocket)
    return { parts, estimate, cap: undefined }
  }

  function reserve(pockets: readonly Pocket[], first: Estimate, asked: Asked): MaybePromise<Reservation> {
    const taken = pockets.length === 1 ? takeFromOne(pockets[0]!, first) : undefined
    return taken ?? reserveEach(pockets, first, asked)
  }

  function reserveEach(pockets: readonly Pocket[], first: Estimate, asked: Asked): MaybePromise<Reservation> {
    const parts: Part[] = []
    const order = inOrder(pockets)
    let estimate = first
    let cap: number | undefined
    let at = 0

    function clampTo(pocket: Pocket, taken: PicoUsd): void {
      cap = outputWithin(estimate, taken)
      estimate = cappedAt(estimate, cap)
      const left = taken - estimate.ceiling
      pocket.held -= left
      put(parts, pocket, estimate.ceiling, estimate.ceiling)
      counted('clamped')
    }

    function took(pocket: Pocket, amount: PicoUsd, outcome: PicoUsd | 'refused' | 'down'): void {
      if (outcome === 'refused') throw refusal(pocket, estimate, asked)
      if (outcome === 'down') {
        const usable = usableIn(pocket, monotonic())
        if (!outage.lends(pocket, usable > 0n ? amount - usable : amount)) throw storeIsDown(pocket, asked)
        counted('allowedWhileDown')
        pocket.held += amount
        put(parts, pocket, amount, amount)
      } else if (outcome < amount && pocket.live.rule.mode === 'clamp') clampTo(pocket, outcome)
      else put(parts, pocket, outcome, amount)
    }

    /** Gives a promise where the store has to be waited for. */
    function take(pocket: Pocket): MaybePromise<void> {
      const { mode } = pocket.live.rule
      const amount = amountIn(mode, estimate)
      if (!isEnforced(mode)) return observe(parts, pocket, amount)
      // What costs nothing needs no money, even where there is none.
      if (amount === 0n) return put(parts, pocket, 0n, 0n)
      if (outage.refuses(pocket)) throw storeIsDown(pocket, asked)
      if (store.rulesOf) putBack(pocket)
      const moment = monotonic()
      if (till.takeAtOnce(pocket, amount, moment)) {
        put(parts, pocket, amount, amount)
        if (usableIn(pocket, moment) * LOW_WATER < pocket.slice) till.refill(pocket)
        return undefined
      }
      const outcome = till.take(pocket, amount, leastIn(pocket, estimate, amount))
      return isPromise(outcome) ? outcome.then((it) => took(pocket, amount, it)) : took(pocket, amount, outcome)
    }

    function next(): MaybePromise<Reservation> {
      while (at < order.length) {
        const waiting = take(order[at++]!)
        if (isPromise(waiting)) return waiting.then(next)
      }
      return { parts, estimate, cap }
    }

    const undo = (error: unknown): MaybePromise<Reservation> => {
      release(parts)
      return again(error)
    }
    /** A finer estimate costs time, which is spent only on calls that would be refused without it. */
    const again = (error: unknown): MaybePromise<Reservation> => {
      if (!first.tighten || !isTooMuch(error)) throw error
      const tightened = first.tighten()
      const retry = (finer: Estimate | undefined): MaybePromise<Reservation> => {
        if (!finer || finer.ceiling >= first.ceiling) throw error
        return reserve(pockets, { ...finer, tighten: undefined }, asked)
      }
      return isPromise(tightened) ? tightened.then(retry) : retry(tightened)
    }
    try {
      const result = next()
      return isPromise(result) ? result.catch(undo) : result
    } catch (error) {
      return undo(error)
    }
  }

  return { reserve, release }
}

/** Only where a limit has held the ceiling can a lower one help. */
function isTooMuch(error: unknown): boolean {
  const { code, mode } = error as { code?: unknown; mode?: Parameters<typeof isHard>[0] }
  return code === 'LIMIT_EXCEEDED' && mode !== undefined && isHard(mode)
}

/** What would do, where the whole amount is not there. */
function leastIn(pocket: Pocket, estimate: Estimate, amount: PicoUsd): PicoUsd {
  const { mode, settings } = pocket.live.rule
  // A limit below one call's estimate would refuse everything: with nothing in flight, whatever is left will do.
  if (mode === 'expected') return pocket.inFlight === 0 && pocket.waiters.length === 0 ? 1n : amount
  const { ceilingAt, outputTokens, hasFixedCap } = estimate
  if (mode !== 'clamp' || hasFixedCap || !ceilingAt || outputTokens === undefined) return amount
  const fewest = settings.minOutputTokens ?? MIN_OUTPUT_TOKENS
  return fewest < outputTokens ? ceilingAt(fewest) : amount
}
