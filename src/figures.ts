// Counts and money as a person reads them, the same in the terminal and on a page. What is rounded here stands exactly in JSON and CSV.

import { formatUsd, PICO_PER_USD, type PicoUsd, scale } from './money.ts'

const EXACT_BELOW = 1_000_000

let exact: Intl.NumberFormat | undefined
let short: Intl.NumberFormat | undefined

/** `12,345`, and from a million on `1.23M`. */
export function formatCount(count: number): string {
  if (Math.abs(count) < EXACT_BELOW) return (exact ??= new Intl.NumberFormat('en-US')).format(count)
  short ??= new Intl.NumberFormat('en-US', {
    notation: 'compact',
    minimumSignificantDigits: 3,
    maximumSignificantDigits: 3,
  })
  return short.format(count)
}

/** Cents are not enough for a call that costs a tenth of one. */
const DECIMALS = [2, 4, 6]
/** More digits than these say nothing to a person. */
const MOST_DIGITS = 7

/**
 * Writes sums of one column: all with as many decimals, so that their points stand under each other; enough of them to
 * say each exactly or with two digits, unless the largest leaves no room for that. A cost that would read as nothing is
 * `<$0.01`.
 *
 * @example
 * const usd = usdColumn([1_500_000_000n, 20_000_000_000n])
 * usd(1_500_000_000n) // '$0.0015'
 */
export function usdColumn(sums: readonly PicoUsd[]): (sum: PicoUsd) => string {
  const sizes = sums.map(sizeOf)
  const largest = sizes.reduce((most, size) => (size > most ? size : most), 0n)
  const room = MOST_DIGITS - String(largest / PICO_PER_USD).length
  const fitting = DECIMALS.filter((decimals) => decimals <= Math.max(2, room))
  const isSaid = (size: PicoUsd, step: PicoUsd) => size >= 10n * step || size % step === 0n
  const decimals = fitting.find((decimals) => sizes.every((size) => isSaid(size, stepOf(decimals)))) ?? fitting.at(-1)!
  return (sum) => roundedTo(decimals, sum)
}

/** One sum alone, with as many decimals as it needs. */
export function formatMoney(sum: PicoUsd): string {
  return usdColumn([sum])(sum)
}

/** In a sentence, or in a table of sums that are far apart: cents, or as many digits as a smaller sum needs for two of them. */
export function dollars(sum: PicoUsd): string {
  const size = sizeOf(sum)
  let decimals = 2
  while (decimals < 12 && size > 0n && size < 10n * stepOf(decimals)) decimals++
  return roundedTo(decimals, sum)
}

/** Every digit, for what has to be exact. */
export function exactMoney(sum: PicoUsd): string {
  const digits = formatUsd(sum)
  return digits.startsWith('-') ? `-$${digits.slice(1)}` : `$${digits}`
}

/** A cost that would read as nothing is `<$0.01`. */
export function roundedTo(decimals: number, sum: PicoUsd): string {
  const size = sizeOf(sum)
  const steps = scale(size, 1n, stepOf(decimals))
  const sign = sum < 0n ? '-' : ''
  if (size > 0n && steps === 0n) return `${sign}<$${digitsOf(1n, decimals)}`
  return `${sign}$${digitsOf(steps, decimals)}`
}

function digitsOf(steps: bigint, decimals: number): string {
  const per = 10n ** BigInt(decimals)
  const whole = String(steps / per).replace(/\B(?=(\d{3})+$)/g, ',')
  return `${whole}.${String(steps % per).padStart(decimals, '0')}`
}

/** The smallest sum that so many decimals can say. */
function stepOf(decimals: number): PicoUsd {
  return PICO_PER_USD / 10n ** BigInt(decimals)
}

function sizeOf(sum: PicoUsd): PicoUsd {
  return sum < 0n ? -sum : sum
}
