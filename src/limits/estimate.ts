// What a call may cost, as a limiter needs to know it, and what follows from that for each mode.

import type { LimitMode } from '../errors.ts'
import type { PicoUsd } from '../money.ts'
import type { MaybePromise } from './limit-store.ts'

/** What a call may cost. `expected` is held by default, `ceiling` under a hard limit. */
export interface Estimate {
  readonly expected: PicoUsd
  /** With the request's own cap, or with the longest answer of the model. */
  readonly ceiling: PicoUsd
  /** The output that `ceiling` counts with, in tokens. With `ceilingAt`, a limit can clamp the request, or pay as a stream comes. */
  readonly outputTokens?: number | undefined
  /** The most that the call can cost with an output of so many tokens. */
  readonly ceilingAt?: ((outputTokens: number) => PicoUsd) | undefined
  /** The answer comes as a stream, and is ended when `topUp` refuses. */
  readonly isStream?: boolean | undefined
  /** The request sets no cap of its own. */
  readonly hasNoCap?: boolean | undefined
  /** No limit may give the request another cap: with `clamp` it holds the whole ceiling. */
  readonly hasFixedCap?: boolean | undefined
  /** Takes longer and comes to a lower ceiling; asked only where a call would be refused. */
  readonly tighten?: (() => MaybePromise<Estimate | undefined>) | undefined
}

/** What a stream holds at first, and at a time, in tokens of output. */
export const STREAM_SLICE_TOKENS = 1000
/** Where that is not there any more: below it a stream is ended. */
export const LEAST_SLICE_TOKENS = 100

/** Whether a limit of the mode refuses calls. */
export function isEnforced(mode: LimitMode): boolean {
  return mode !== 'soft' && mode !== 'observe'
}

/** Whether it holds the most that a call can cost. */
export function isHard(mode: LimitMode): boolean {
  return mode === 'hard' || mode === 'clamp' || mode === 'stream'
}

/** What a call holds in a pocket of the mode. */
export function amountIn(mode: LimitMode, estimate: Estimate): PicoUsd {
  if (mode === 'soft') return 0n
  if (!isHard(mode)) return estimate.expected
  if (mode !== 'stream' || !isPaidAsItComes(estimate)) return estimate.ceiling
  return estimate.ceilingAt!(Math.min(STREAM_SLICE_TOKENS, estimate.outputTokens!))
}

export function isPaidAsItComes({ isStream, ceilingAt, outputTokens }: Estimate): boolean {
  return isStream === true && ceilingAt !== undefined && outputTokens !== undefined
}

/** The estimate of the same call under a lower cap. */
export function cappedAt(estimate: Estimate, outputTokens: number): Estimate {
  const ceiling = estimate.ceilingAt!(outputTokens)
  const expected = estimate.expected < ceiling ? estimate.expected : ceiling
  return { ...estimate, outputTokens, ceiling, expected, tighten: undefined }
}

/** The largest output, in tokens, whose ceiling `money` can pay; 0 where it cannot even pay the input. */
export function outputWithin({ ceilingAt, outputTokens }: Estimate, money: PicoUsd): number {
  let [fits, tooMuch] = [0, outputTokens! + 1]
  while (tooMuch - fits > 1) {
    const middle = Math.floor((fits + tooMuch) / 2)
    if (ceilingAt!(middle) <= money) fits = middle
    else tooMuch = middle
  }
  return fits
}
