// The lines of a cost, as a person reckons it: a quantity at a published rate.

import { formatUsd } from '../money.ts'
import type { Cost, PriceBook } from '../pricing/price.ts'

/** One line of a cost. */
export interface PriceLine {
  /** What was used: see `Bucket`. `reported.cost` is the provider's own sum. */
  readonly bucket: string
  readonly quantity: number
  /** Exact decimal dollars for `per` units. */
  readonly rateUsd: string
  readonly per: number
  /** Exact decimal dollars of this line. */
  readonly usd: string
  /** The row of the price book; none where the provider said the sum. */
  readonly row?: string
  /** The page where the rate was read, and the day. */
  readonly source?: string
  readonly read?: string
}

export function linesOf(book: PriceBook, { lines, pico, source }: Cost): readonly PriceLine[] {
  if (source === 'reported') {
    const usd = formatUsd(pico)
    return [{ bucket: 'reported.cost', quantity: 1, rateUsd: usd, per: 1, usd }]
  }
  return lines.map(({ bucket, quantity, costUsd, rate }) => {
    const published = book.rateOf(rate, bucket)
    return {
      bucket,
      quantity,
      // Every line was priced by a row of this very book.
      rateUsd: published?.usd ?? costUsd,
      per: published?.per ?? quantity,
      usd: costUsd,
      row: rate,
      ...(published && { source: published.page, read: published.read }),
    }
  })
}
