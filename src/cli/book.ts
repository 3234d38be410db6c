// The price book that a command goes by: the one of this version, under the prices of a file where one is named.

import { bookUnder } from '../pricing/book-under.ts'
import { OverlayMismatch } from '../pricing/lay-over.ts'
import type { PriceBook } from '../pricing/price.ts'
import { loadBookData } from '../pricing/price-book.ts'
import { ownPrices } from '../pricing/price-file.ts'
import { Stop } from './command.ts'

export async function bookOf(file: string | undefined, { TALLYGATE_PRICES }: NodeJS.ProcessEnv): Promise<PriceBook> {
  const path = file ?? (TALLYGATE_PRICES || undefined)
  const own = path === undefined ? { agreed: [], overlays: [] } : ownPrices(path)
  try {
    return bookUnder(own, await loadBookData())
  } catch (cause) {
    if (cause instanceof OverlayMismatch) throw new Stop(1, `${path}: ${cause.message}.`)
    throw cause
  }
}
