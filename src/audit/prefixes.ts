// Prompts that begin alike, and how much of them a provider's cache should have had.

import type { Prefix } from '../call/content-hash.ts'
import type { PicoUsd } from '../money.ts'

/** A call as the cache sees it. */
export interface CachedCall {
  readonly id: string
  readonly at: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly prefixes: readonly Prefix[]
  /** What its cache reads cost. */
  readonly spend: PicoUsd
}

/** Below, no provider caches: OpenAI and most of Anthropic's from 1,024 tokens on. */
const LEAST_CACHED = 1024

export interface Expectation {
  readonly call: CachedCall
  /** Tokens of the longest beginning that a call shortly before had too. */
  readonly expected: number
}

/** Of one model's calls, in the order of their times, those that repeat a prefix long enough to be cached. */
export function expectationsOf(calls: readonly CachedCall[], windowMs: number): readonly Expectation[] {
  const seen = new Map<string, number>()
  const expectations: Expectation[] = []
  for (const call of calls.toSorted((a, b) => a.at - b.at)) {
    const { at, prefixes, inputTokens } = call
    const whole = prefixes.at(-1)?.bytes ?? 0
    let expected = 0
    for (const { bytes, hash } of prefixes) {
      const before = seen.get(hash)
      if (before !== undefined && at - before <= windowMs) expected = Math.floor((inputTokens * bytes) / whole)
      seen.set(hash, at)
    }
    if (expected >= LEAST_CACHED) expectations.push({ call, expected })
  }
  return expectations
}

/** So many calls before a step and after it make one. */
const CALLS_OF_A_STEP = 8
/** A cache that never had half of it has no step to fall down. */
const LEAST_BEFORE = 0.5

export interface CacheStep {
  readonly at: number
  readonly before: number
  readonly after: number
  /** From the step on. */
  readonly calls: readonly CachedCall[]
}

/** The moment from which on much less of repeated prefixes was read from the cache. */
export function stepDown(expectations: readonly Expectation[], percent: number): CacheStep | undefined {
  const rates = expectations.map(({ call, expected }) => Math.min(1, call.cachedTokens / expected))
  const sums = [0]
  for (const rate of rates) sums.push(sums.at(-1)! + rate)
  let best: { readonly i: number; readonly fall: number } | undefined
  for (let i = CALLS_OF_A_STEP; i + CALLS_OF_A_STEP <= rates.length; i++) {
    const fall = sums[i]! / i - (sums[rates.length]! - sums[i]!) / (rates.length - i)
    if (!best || fall > best.fall) best = { i, fall }
  }
  if (!best) return undefined
  const before = sums[best.i]! / best.i
  const after = (sums[rates.length]! - sums[best.i]!) / (rates.length - best.i)
  if (before < LEAST_BEFORE || after > (before * (100 - percent)) / 100) return undefined
  const calls = expectations.slice(best.i).map(({ call }) => call)
  return { at: calls[0]!.at, before, after, calls }
}
