// The price book in one piece: for when it is needed in the very turn in which it is asked for. Built into a file of its own.

import type { BookData } from './book-data.ts'
import { bookUnder } from './book-under.ts'
import { PRICE_BOOK } from './data/price-book.ts'
import type { PriceBook } from './price.ts'
import type { OwnPrices } from './price-file.ts'

let plain: PriceBook | undefined

/** Throws where the prices of one's own do not fit it. */
export function wholeBook(own: OwnPrices): PriceBook {
  if (own.agreed.length + own.overlays.length > 0) return bookUnder(own, JSON.parse(PRICE_BOOK) as BookData)
  return (plain ??= bookUnder(own, JSON.parse(PRICE_BOOK) as BookData))
}
