// Money as whole pico-dollars: every published rate is a whole number of them per unit, so a cost is exact.

/** A sum of money in pico-dollars (1e-12 USD). */
export type PicoUsd = bigint

export const PICO_PER_USD = 1_000_000_000_000n
export const PICO_PER_NANO = 1000n

const DECIMAL = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d{1,3}))?$/i

/**
 * Reads a decimal number of dollars exactly; `undefined` when it is no decimal or finer than a pico-dollar.
 *
 * @example
 * parseUsd('0.0000025') // 2500000n
 */
export function parseUsd(value: string | number): PicoUsd | undefined {
  const match = DECIMAL.exec(String(value))
  if (!match) return undefined
  const [, sign, whole = '0', fraction = '', exponent = '0'] = match
  const shift = 12 + Number(exponent) - fraction.length
  let digits = BigInt(whole + fraction)
  if (shift >= 0) digits *= 10n ** BigInt(shift)
  else {
    const divisor = 10n ** BigInt(-shift)
    if (digits % divisor !== 0n) return undefined
    digits /= divisor
  }
  return sign === '-' ? -digits : digits
}

/** Reads what somebody gave as dollars; a number with more digits than money has, such as `0.1 + 0.2`, is rounded to the pico-dollar. */
export function parseDollars(value: unknown): PicoUsd | undefined {
  if (typeof value === 'string') return parseUsd(value)
  return typeof value === 'number' && Math.abs(value) < 1e15 ? parseUsd(value.toFixed(12)) : undefined
}

/**
 * The exact decimal digits of a sum in dollars, without trailing zeros.
 *
 * @example
 * formatUsd(2_500_000n) // '0.0000025'
 */
export function formatUsd(pico: PicoUsd): string {
  if (pico >= 0n && pico <= MAX_EXACT) return formatSmallUsd(Number(pico))
  const negative = pico < 0n
  const absolute = negative ? -pico : pico
  const whole = absolute / PICO_PER_USD
  const rest = absolute % PICO_PER_USD
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(12, '0').replace(/0+$/, '')}`
  return `${negative ? '-' : ''}${whole}${fraction}`
}

const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER)

const PICO_PER_DOLLAR = Number(PICO_PER_USD)

/** Three digits at a time, with and without their trailing zeros: eight times as fast as dividing a bigint. */
interface Digits {
  readonly padded: readonly string[]
  readonly trimmed: readonly string[]
  /** Hardly a call costs a dollar. */
  readonly belowADollar: readonly string[]
}

/** Made when a sum is first written: a process that only imports us does not wait for it. */
let threes: Digits | undefined

function makeDigits(): Digits {
  const padded = Array.from({ length: 1000 }, (_, n) => String(n).padStart(3, '0'))
  return {
    padded,
    trimmed: padded.map((three) => three.replace(/0+$/, '')),
    belowADollar: padded.map((three) => `0.${three}`),
  }
}

/** `formatUsd` of a whole number of pico-dollars from 0 to 2^53 - 1. */
export function formatSmallUsd(pico: number): string {
  const dollars = Math.floor(pico / PICO_PER_DOLLAR)
  const rest = pico - dollars * PICO_PER_DOLLAR
  if (rest === 0) return String(dollars)
  const high = Math.floor(rest / 1_000_000)
  const low = rest - high * 1_000_000
  const first = (high / 1000) | 0
  const second = high % 1000
  const third = (low / 1000) | 0
  const fourth = low % 1000
  const { padded, trimmed, belowADollar } = (threes ??= makeDigits())
  if (low === 0 && second === 0) return `${dollars}.${trimmed[first]}`
  const head = dollars === 0 ? belowADollar[first]! : `${dollars}.${padded[first]}`
  if (low === 0) return head + trimmed[second]
  if (fourth === 0) return head + padded[second] + trimmed[third]
  return head + padded[second] + padded[third] + trimmed[fourth]
}

/** Pico-dollars times a rational, rounded once, half to even. `denominator` must be above 0. */
export function scale(pico: PicoUsd, numerator: bigint, denominator: bigint): PicoUsd {
  const product = pico * numerator
  const quotient = product / denominator
  const twice = (product % denominator) * 2n
  const size = twice < 0n ? -twice : twice
  if (size < denominator) return quotient
  if (size === denominator && quotient % 2n === 0n) return quotient
  return product < 0n ? quotient - 1n : quotient + 1n
}

/** Whole nano-dollars, rounded up: what limit stores hold. */
export function nanoCeil(pico: PicoUsd): bigint {
  return pico > 0n ? (pico + PICO_PER_NANO - 1n) / PICO_PER_NANO : pico / PICO_PER_NANO
}

export function picoFromNano(nano: bigint): PicoUsd {
  return nano * PICO_PER_NANO
}
