// Exact rates: whole numbers of pico-dollars, or fractions of them where a price is for an hour or is multiplied.

import { PICO_PER_USD, parseUsd } from '../money.ts'

/** `den` is above 0. */
export interface Rational {
  readonly num: bigint
  readonly den: bigint
}

export const ONE: Rational = { num: 1n, den: 1n }

const DECIMAL = /^(\d{1,15})(?:\.(\d{1,15}))?$/

function decimal(text: string): Rational | undefined {
  const match = DECIMAL.exec(text)
  if (!match) return undefined
  const [, whole = '', fraction = ''] = match
  return reduced(BigInt(whole + fraction), 10n ** BigInt(fraction.length))
}

/** Reads `11/10`, `1.1` or `2`; `undefined` where it is no such number, or below 0. */
export function parseRational(text: string): Rational | undefined {
  const [top = '', bottom = '1', more] = text.split('/')
  const num = decimal(top.trim())
  const den = decimal(bottom.trim())
  if (more !== undefined || !num || !den || den.num === 0n) return undefined
  return reduced(num.num * den.den, num.den * den.num)
}

export function reduced(num: bigint, den: bigint): Rational {
  let a = num
  let b = den
  while (b !== 0n) [a, b] = [b, a % b]
  return a === 0n ? { num: 0n, den: 1n } : { num: num / a, den: den / a }
}

export function times(a: Rational, b: Rational): Rational {
  return b === ONE ? a : reduced(a.num * b.num, a.den * b.den)
}

export function isAbove(a: Rational, b: Rational): boolean {
  return a.num * b.den > b.num * a.den
}

/** As short as it can be said: `1.1`, or `1/3` where no decimal is exact. */
export function formatRational({ num, den }: Rational): string {
  const twelve = num * PICO_PER_USD
  if (twelve % den !== 0n) return `${num}/${den}`
  const digits = String(twelve / den).padStart(13, '0')
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, '')
}

/** Pico-dollars a unit of so many dollars for so many units. */
export function rateOf(usd: string, per: number): Rational | undefined {
  const pico = parseUsd(usd)
  return pico === undefined || pico < 0n ? undefined : reduced(pico, BigInt(per))
}
