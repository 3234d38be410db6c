// The price book under a user's own prices.

import type { BookData } from './book-data.ts'
import { layOver } from './lay-over.ts'
import type { PriceBook } from './price.ts'
import { createPriceBook } from './price-book.ts'
import type { OwnPrices } from './price-file.ts'

/**
 * The book under prices of one's own. Its version tells them apart, so that an event says by which it was priced.
 * Throws an `OverlayMismatch` for an alias of a model that is not there.
 */
export function bookUnder(own: OwnPrices, data: BookData): PriceBook {
  if (own.agreed.length + own.overlays.length === 0) return createPriceBook(data)
  // Not imported: node:crypto takes 5 ms of CPU to load.
  const { createHash } = process.getBuiltinModule('node:crypto')
  const hash = createHash('sha256').update(JSON.stringify(own)).digest('hex').slice(0, 8)
  const laid = own.overlays.reduce((book, overlay) => layOver(book, overlay), data)
  return createPriceBook({ ...laid, version: `${data.version}+own-${hash}` }, own.agreed)
}
