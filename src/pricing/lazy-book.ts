// The price book of a meter, read when the first call asks for it.

import type { ProblemReporter } from '../problems.ts'
import type { PriceBook } from './price.ts'
import type { OwnPrices } from './price-file.ts'

export interface LazyBook {
  /** `undefined` until it has been read. */
  readonly book: PriceBook | undefined
  /** Read in this very turn, 25 ms once; `undefined` where that cannot be, as in a bundle, and `load()` can. */
  now(): PriceBook | undefined
  /** For when there is no later: where it cannot be read, one that knows no prices stands in. */
  readonly atOnce: PriceBook
  /** Never rejects: a book that cannot be read knows no prices but `own`, and says so. */
  load(): Promise<PriceBook>
}

/** Knows no price: for when there is no time to load one, or nothing to load. */
const EMPTY: PriceBook = {
  version: 'none',
  read: '',
  price: () => undefined,
  why: () => undefined,
  ceiling: () => undefined,
  maxOutputTokens: () => undefined,
  rateOf: () => undefined,
  rows: () => undefined,
  search: () => [],
  withPrices: () => EMPTY,
}

/** `own` prices go before those of the book. Not imported: the engine is 45 kB that a process without a call never parses. */
export function lazyBook(problems: ProblemReporter, own: OwnPrices = { agreed: [], overlays: [] }): LazyBook {
  let book: PriceBook | undefined
  let loading: Promise<PriceBook> | undefined
  async function read(): Promise<PriceBook> {
    try {
      const { loadPriceBook } = await import('./price-book.ts')
      book ??= await (own.agreed.length + own.overlays.length > 0 ? loadUnder(own) : loadPriceBook())
    } catch (cause) {
      book ??= await underNothing()
      problems.report({ kind: 'price', message: 'The price book could not be read: calls have no cost.', cause })
    }
    return book
  }
  /** Own prices hold without the book's. */
  async function underNothing(): Promise<PriceBook> {
    try {
      const [{ createPriceBook }, { COLUMNS }] = await Promise.all([
        import('./price-book.ts'),
        import('./book-data.ts'),
      ])
      return createPriceBook({ version: 'none', columns: COLUMNS, providers: {} }, own.agreed)
    } catch {
      return EMPTY
    }
  }
  /** A price list that does not fit the book is left out, and told of. */
  async function loadUnder({ agreed, overlays }: OwnPrices): Promise<PriceBook> {
    const [{ bookUnder }, { loadBookData }, { OverlayMismatch }] = await Promise.all([
      import('./book-under.ts'),
      import('./price-book.ts'),
      import('./lay-over.ts'),
    ])
    const data = await loadBookData()
    try {
      return bookUnder({ agreed, overlays }, data)
    } catch (cause) {
      if (!(cause instanceof OverlayMismatch)) throw cause
      const message = `Your price lists do not fit the price book, and are left out: ${cause.message}.`
      problems.report({ kind: 'price', message, cause })
      return bookUnder({ agreed, overlays: [] }, data)
    }
  }
  let isTried = false
  /** What goes wrong is told of by `load()`, which tries the same again. */
  function now(): PriceBook | undefined {
    if (book || isTried) return book
    isTried = true
    try {
      book = inOnePiece()(own)
    } catch {
      return undefined
    }
    return book
  }
  return {
    now,
    get book() {
      return book
    },
    get atOnce() {
      return now() ?? EMPTY
    },
    load: () => (loading ??= read()),
  }
}

/** Not imported, which takes a turn of its own: required, from beside this file. A bundle has no such file, and it throws. */
function inOnePiece(): (own: OwnPrices) => PriceBook {
  const here = typeof __filename === 'string' ? __filename : import.meta.url
  const require = process.getBuiltinModule('node:module').createRequire(here)
  return (require(`./whole-book.${here.endsWith('.ts') ? 'ts' : 'cjs'}`) as typeof import('./whole-book.ts')).wholeBook
}
