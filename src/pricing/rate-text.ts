// How rates are written down: in the unit that the pages use for such a thing, or in one that stands behind the rate.

import { formatUsd } from '../money.ts'
import type { RateData } from './book-data.ts'
import type { PublishedRate } from './price.ts'
import { ONE, type Rational, rateOf, times } from './rational.ts'

const SUFFIXES: Readonly<Record<string, number>> = { second: 1, minute: 60, hour: 3600, day: 86_400 }

/** For how many units the pages print the price of a bucket. */
export function usualUnits(bucket: string): number {
  if (bucket.startsWith('fee.') || bucket.endsWith('_pages')) return 1000
  if (bucket.endsWith('_seconds') || bucket.endsWith('_images')) return 1
  return 1_000_000
}

/**
 * Reads `2.5` (for the usual unit of the bucket), `0.006/minute` or `0.03/1`; `undefined` where it is no such thing.
 *
 * @example
 * parseRate('2.5', 'input.text') // 2500000
 */
export function parseRate(text: string, bucket: string): RateData | undefined {
  const [usd = '', suffix, more] = text.split('/')
  const per =
    suffix === undefined ? usualUnits(bucket) : (SUFFIXES[suffix] ?? (/^[1-9]\d{0,8}$/.test(suffix) ? +suffix : 0))
  if (more !== undefined || per === 0 || !/^\d+(?:\.\d+)?$/.test(usd)) return undefined
  const rate = rateOf(usd, per)
  if (!rate) return undefined
  const isWhole = rate.den === 1n && rate.num <= BigInt(Number.MAX_SAFE_INTEGER)
  return isWhole && per === usualUnits(bucket) ? Number(rate.num) : `${usd}/${per}`
}

/** Pico-dollars a unit. */
export function rationalRate(rate: RateData): Rational {
  if (typeof rate === 'number') return { num: BigInt(rate), den: 1n }
  const [usd = '', per = ''] = rate.split('/')
  const read = rateOf(usd, Number(per))
  if (!read) throw new Error(`price book: ${rate} is no rate`)
  return read
}

/** As it was published, times a factor. */
export function publishedRate(bucket: string, rate: RateData, factor: Rational = ONE): PublishedRate {
  const units = typeof rate === 'number' ? usualUnits(bucket) : Number(rate.split('/')[1])
  const { num, den } = times(times(rationalRate(rate), factor), { num: BigInt(units), den: 1n })
  return { bucket, usd: formatUsd(num), per: units * Number(den) }
}
