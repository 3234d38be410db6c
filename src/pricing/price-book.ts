// The price book: the compiled data, asked for a cost. See docs/prices.md.

import type { CostLine } from '../event.ts'
import { formatSmallUsd, formatUsd } from '../money.ts'
import type { Usage } from '../usage.ts'
import { type AgreedPrice, named } from './agreed-prices.ts'
import type { BookData } from './book-data.ts'
import { createCatalog } from './catalog.ts'
import { ceilingOf, isCount } from './ceiling.ts'
import { gap } from './gap.ts'
import { createLookup, isFallback } from './lookup.ts'
import type { Cost, PriceBook, PriceGap, PriceQuery } from './price.ts'
import { exactProduct, smallProduct } from './product.ts'
import { AGREED, type Rate } from './rate-card.ts'
import { type Band, createTariffs, type Tariff } from './tariff.ts'

let loading: Promise<PriceBook> | undefined

/** The book that ships with the package, read on first use: a process without a call never parses it. */
export function loadPriceBook(): Promise<PriceBook> {
  loading ??= loadBookData().then(
    (data) => createPriceBook(data),
    (cause: unknown) => {
      loading = undefined
      throw cause
    },
  )
  return loading
}

/** Its data, for who lays prices of his own over it: see `layOver`. */
export async function loadBookData(): Promise<BookData> {
  const { PRICE_BOOK } = await import('./data/price-book.ts')
  return JSON.parse(PRICE_BOOK) as BookData
}

export function createPriceBook(data: BookData, agreed: readonly AgreedPrice[] = []): PriceBook {
  const rules = named(agreed)
  const lookup = createLookup(data)
  const tariffOf = createTariffs(data, lookup, rules)
  const catalog = createCatalog(data, lookup, rules)

  return {
    version: data.version,
    read: data.read ?? '',

    price(usage, query) {
      const { tariff } = tariffOf(query)
      return tariff && priced(usage, tariff)
    },

    why(usage, query) {
      const { tariff, gap: found } = tariffOf(query)
      return tariff ? missing(usage, tariff, query) : found
    },

    ceiling(size, query) {
      const { tariff } = tariffOf(query)
      if (!tariff) return undefined
      const most = ceilingOf(size, tariff, query.model)
      if (query.variant !== undefined || size.units === undefined || tariff.variants.length === 0) return most
      // Which variant it will be is not known: the dearest of them.
      const all = tariff.variants.map((variant) => {
        const special = tariffOf({ ...query, variant }).tariff
        return special && ceilingOf(size, special, query.model)
      })
      return all.reduce((a, b) => (a === undefined || b === undefined ? undefined : a > b ? a : b), most ?? 0n)
    },

    maxOutputTokens({ provider, model }) {
      const found = lookup(provider, model)
      return found && !isFallback(found) ? found.model.maxOutputTokens : undefined
    },

    ...catalog,

    withPrices: (more) => createPriceBook(data, [...agreed, ...more]),
  }
}

function priced(usage: Usage, { bands, isFallback: isGuess }: Tariff): Cost | undefined {
  const card = bands.length === 1 ? bands[0]!.card : bandOf(usage, bands).card
  if (!card) return undefined
  const lines: CostLine[] = []
  let small = 0
  let large = 0n
  const add = (bucket: string, quantity: number, rate: Rate): void => {
    const product = smallProduct(quantity, rate.pico)
    if (product !== undefined && small + product <= Number.MAX_SAFE_INTEGER) {
      small += product
      lines.push({ bucket, quantity, costUsd: formatSmallUsd(product), rate: rate.row })
    } else {
      const exact = exactProduct(quantity, rate.exact)
      large += exact
      lines.push({ bucket, quantity, costUsd: formatUsd(exact), rate: rate.row })
    }
  }
  for (const bucket in usage) {
    const quantity = usage[bucket as keyof Usage]
    if (quantity === undefined || quantity === 0) continue
    const rate = card.rates.get(bucket)
    if (rate === undefined || !isCount(quantity)) return undefined
    add(bucket, quantity, rate)
  }
  if (card.perRequest) add('fee.request', 1, card.perRequest)
  const pico = large === 0n ? BigInt(small) : large + BigInt(small)
  return { pico, source: isGuess && !isAgreed(lines) ? 'fallback' : 'priced', lines }
}

/** What was agreed is no guess, whatever the model was taken for. */
function isAgreed(lines: readonly CostLine[]): boolean {
  return lines.length > 0 && lines.every(({ rate }) => rate.startsWith(AGREED))
}

/** The same way once more, for the reason. */
function missing(usage: Usage, { bands }: Tariff, query: PriceQuery): PriceGap | undefined {
  const { card } = bandOf(usage, bands)
  for (const [bucket, quantity] of Object.entries(usage)) {
    if (quantity !== undefined && !isCount(quantity)) return gap('bad-quantity', query, bucket)
    if (quantity && card && !card.rates.has(bucket)) return gap('unknown-bucket', query, bucket)
  }
  return card ? undefined : gap('unknown-band', query)
}

/** The input of a request, cache reads and writes included, decides the rates of all of it. */
function bandOf(usage: Usage, bands: readonly Band[]): Band {
  let input = 0
  for (const bucket in usage) if (bucket.startsWith('input.')) input += usage[bucket as keyof Usage] ?? 0
  let band = bands[0]!
  for (const candidate of bands) if (input > candidate.above) band = candidate
  return band
}
