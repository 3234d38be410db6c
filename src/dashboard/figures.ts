// Shares, times and what a sum comes to by the piece, as the page writes them.

import { type PicoUsd, parseUsd, scale } from '../money.ts'

/** Dollars as the server writes them; nothing is nothing. */
export function picoOf(usd: string | number | null | undefined): PicoUsd {
  return usd === null || usd === undefined ? 0n : (parseUsd(usd) ?? 0n)
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
