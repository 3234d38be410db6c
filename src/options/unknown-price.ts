// The option `unknownPrice`: what happens to a call whose model has no known price.

import { PICO_PER_USD, parseDollars } from '../money.ts'
import type { ElementFault } from './elements.ts'

export type UnknownPriceOption = 'warn' | 'deny' | { readonly ceilingUsdPerMTok: number | string }

/** No model costs as much: a rate above it is a slip. */
const ABSURD_USD = 1_000_000n

export function isUnknownPrice(value: unknown): boolean {
  if (value === 'warn' || value === 'deny') return true
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function badUnknownPrice(value: UnknownPriceOption): ElementFault | undefined {
  if (typeof value !== 'object') return undefined
  const { ceilingUsdPerMTok, ...rest } = value
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) return { at: '', expects: 'an object of `ceilingUsdPerMTok` alone', got: unknown }
  const pico = parseDollars(ceilingUsdPerMTok)
  if (pico !== undefined && pico > 0n && pico <= ABSURD_USD * PICO_PER_USD) return undefined
  return {
    at: '.ceilingUsdPerMTok',
    expects: `a number of dollars for a million tokens, above 0 and at most ${ABSURD_USD}`,
    got: ceilingUsdPerMTok,
  }
}

/** `warn`, `deny`, or the rate. */
export function readUnknownPrice(text: string): unknown {
  return /^\d/.test(text) ? { ceilingUsdPerMTok: text } : text
}
