// Money and counts as the command line writes them: the same digits on the page as in the terminal.

import { formatUsd, PICO_PER_USD, type PicoUsd, parseUsd, scale } from '../money.ts'

const EXACT_BELOW = 1_000_000
const exact = new Intl.NumberFormat('en-US')
const short = new Intl.NumberFormat('en-US', {
  notation: 'compact',
  minimumSignificantDigits: 3,
  maximumSignificantDigits: 3,
})

/** `12,345`, and from a million on `1.23M`. */
export function formatCount(count: number): string {
  return Math.abs(count) < EXACT_BELOW ? exact.format(count) : short.format(count)
}

/** Dollars as the server writes them; nothing is nothing. */
export function picoOf(usd: string | number | null | undefined): PicoUsd {
  return usd === null || usd === undefined ? 0n : (parseUsd(usd) ?? 0n)
}

const DECIMALS = [2, 4, 6]
const MOST_DIGITS = 7

/** Writes the sums of one column with as many decimals as tell them apart; what would read as nothing is `<$0.01`. */
export function usdColumn(sums: readonly PicoUsd[]): (sum: PicoUsd) => string {
  const sizes = sums.map(sizeOf)
  const largest = sizes.reduce((most, size) => (size > most ? size : most), 0n)
  const room = MOST_DIGITS - String(largest / PICO_PER_USD).length
  const fitting = DECIMALS.filter((decimals) => decimals <= Math.max(2, room))
  const isSaid = (size: PicoUsd, step: PicoUsd) => size >= 10n * step || size % step === 0n
  const decimals = fitting.find((decimals) => sizes.every((size) => isSaid(size, stepOf(decimals)))) ?? fitting.at(-1)!
  return (sum) => rounded(decimals, sum)
}

/** One sum alone. */
export function formatMoney(sum: PicoUsd): string {
  return usdColumn([sum])(sum)
}

/** Every digit, for a title and for what has to be exact. */
export function exactMoney(sum: PicoUsd): string {
  const digits = formatUsd(sum)
  return digits.startsWith('-') ? `-$${digits.slice(1)}` : `$${digits}`
}

/** A sum divided evenly; `undefined` by nothing. */
export function per(sum: PicoUsd, count: number, unit = 1): PicoUsd | undefined {
  return count > 0 ? scale(sum, BigInt(unit), BigInt(Math.round(count))) : undefined
}

/** `3.2 %`; what is there but would read as nothing is `<0.1 %`. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %'
  const share = (100 * part) / whole
  if (share < 0.1) return '<0.1 %'
  if (part < whole && share > 99.9) return '>99.9 %'
  return `${share < 10 ? share.toFixed(1).replace(/\.0$/, '') : Math.round(share)} %`
}

export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`
}

function rounded(decimals: number, sum: PicoUsd): string {
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

function stepOf(decimals: number): PicoUsd {
  return PICO_PER_USD / 10n ** BigInt(decimals)
}

function sizeOf(sum: PicoUsd): PicoUsd {
  return sum < 0n ? -sum : sum
}
