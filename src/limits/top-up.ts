// More money for a stream that is paid for as it comes.

import type { PicoUsd } from '../money.ts'
import { type Estimate, isPaidAsItComes, LEAST_SLICE_TOKENS, outputWithin } from './estimate.ts'
import type { MaybePromise } from './limit-store.ts'
import { isPromise, usableIn } from './pocket.ts'
import type { Part, ReserveSetup } from './reserve.ts'
import type { Outcome } from './till.ts'

/** The part that has no money for more of a stream; or for which nobody can say. */
export interface Short {
  readonly part: Part
  readonly isDown: boolean
}

/** What a stream has come to, and what it is to hold money for, in tokens of output. */
export interface Wanted {
  readonly came: number
  readonly next: number
}

/** Raises what a stream holds, to less than is wanted where that is all that is left; gives the part that has no money for anything of use. */
export function createTopUp({ till, outage, monotonic, changed, counted, store }: ReserveSetup) {
  function lent({ pocket }: Part, more: PicoUsd): boolean {
    const usable = usableIn(pocket, monotonic())
    if (!outage.lends(pocket, usable > 0n ? more - usable : more)) return false
    counted('allowedWhileDown')
    pocket.held += more
    return true
  }

  function raise(part: Part, more: PicoUsd, least: PicoUsd, isOpen: () => boolean): MaybePromise<Short | undefined> {
    const { pocket } = part
    if (outage.refuses(pocket)) return { part, isDown: true }
    const took = (outcome: Outcome): Short | undefined => {
      if (!isOpen()) {
        // The stream was over before the store answered: its money was released without this.
        if (typeof outcome === 'bigint') pocket.held -= outcome
        changed(pocket, 0n)
        return undefined
      }
      if (outcome === 'refused') return { part, isDown: false }
      if (outcome === 'down' && !lent(part, more)) return { part, isDown: true }
      const raised = typeof outcome === 'bigint' ? outcome : more
      part.amount += raised
      part.estimated = part.amount
      changed(pocket, raised)
      return undefined
    }
    const outcome = !store.rulesOf && till.takeAtOnce(pocket, more, monotonic()) ? more : till.take(pocket, more, least)
    return isPromise(outcome) ? outcome.then(took) : took(outcome)
  }

  return function topUp(
    parts: readonly Part[],
    estimate: Estimate,
    { came, next }: Wanted,
    isOpen: () => boolean,
  ): MaybePromise<Short | undefined> {
    if (!isPaidAsItComes(estimate)) return undefined
    const amount = estimate.ceilingAt!(next)
    const least = estimate.ceilingAt!(Math.min(came + LEAST_SLICE_TOKENS, next))
    const waiting: Promise<Short | undefined>[] = []
    for (const part of parts) {
      const more = amount - part.amount
      if (part.pocket.live.rule.mode !== 'stream' || more <= 0n) continue
      const short = raise(part, more, least > part.amount ? least - part.amount : 1n, isOpen)
      if (isPromise(short)) waiting.push(short)
      else if (short) return short
    }
    return waiting.length === 0 ? undefined : Promise.all(waiting).then((all) => all.find((short) => short))
  }
}

/** So many of the `wanted` tokens are paid for in all parts. */
export function paidIn(parts: readonly Part[], estimate: Estimate, wanted: number): number {
  const amount = estimate.ceilingAt!(wanted)
  let paid = wanted
  for (const { pocket, amount: held } of parts)
    if (pocket.live.rule.mode === 'stream' && held < amount) paid = Math.min(paid, outputWithin(estimate, held))
  return paid
}
