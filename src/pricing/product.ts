// Quantity times rate, exact, and fast where a double holds it exactly.

import { type PicoUsd, scale } from '../money.ts'
import type { Rational } from './rational.ts'

const MAX_EXACT = Number.MAX_SAFE_INTEGER

/** The product as a double, where that is exact: 2 ns against 60 for a `bigint`. */
export function smallProduct(quantity: number, pico: number): number | undefined {
  const product = quantity * pico
  return product <= MAX_EXACT && Number.isInteger(quantity) ? product : undefined
}

/** `quantity` is above 0 and finite. A fraction is taken at its decimal digits; rounded once, half to even. */
export function exactProduct(quantity: number, { num, den }: Rational): PicoUsd {
  if (Number.isInteger(quantity)) return den === 1n ? BigInt(quantity) * num : scale(BigInt(quantity), num, den)
  const [digits = '', exponent = '0'] = String(quantity).split('e')
  const [whole = '', fraction = ''] = digits.split('.')
  const shift = Number(exponent) - fraction.length
  return scale(
    BigInt(whole + fraction) * num,
    10n ** BigInt(Math.max(shift, 0)),
    den * 10n ** BigInt(Math.max(-shift, 0)),
  )
}
