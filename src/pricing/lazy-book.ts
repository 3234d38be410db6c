// The price book of a meter, read when the first call asks for it.

import type { ProblemReporter } from '../problems.ts'
import type { PriceBook } from './price.ts'
import { loadPriceBook } from './price-book.ts'

export interface LazyBook {
  /** `undefined` until it has been read. */
  readonly book: PriceBook | undefined
  /** For when there is no time to read it: one that knows no price stands in. */
  readonly atOnce: PriceBook
  /** Never rejects: a book that cannot be read knows no price, and says so. */
  load(): Promise<PriceBook>
}

const EMPTY: PriceBook = {
  version: 'none',
  price: () => undefined,
  ceiling: () => undefined,
  maxOutputTokens: () => undefined,
}

export function lazyBook(problems: ProblemReporter): LazyBook {
  let book: PriceBook | undefined
  let loading: Promise<PriceBook> | undefined
  async function read(): Promise<PriceBook> {
    try {
      book = await loadPriceBook()
    } catch (cause) {
      book = EMPTY
      problems.report({ kind: 'price', message: 'The price book could not be read: calls have no cost.', cause })
    }
    return book
  }
  return {
    get book() {
      return book
    },
    get atOnce() {
      return book ?? EMPTY
    },
    load: () => (loading ??= read()),
  }
}
