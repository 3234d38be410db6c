// The price book: the compiled data, asked for a cost. See docs/prices.md.

import type { CostLine } from '../event.ts'
import { formatSmallUsd, formatUsd, type PicoUsd } from '../money.ts'
import type { Usage } from '../usage.ts'
import type { BookData } from './book-data.ts'
import { createLookup } from './lookup.ts'
import type { Cost, PriceBook } from './price.ts'
import { exactProduct, smallProduct } from './product.ts'
import { type Band, createTariffs, type Tariff } from './tariff.ts'

let loading: Promise<PriceBook> | undefined

/** The book that ships with the package, read on first use: 170 kB that a process without a call never parses. */
export function loadPriceBook(): Promise<PriceBook> {
  loading ??= import('./data/price-book.ts').then(
    ({ PRICE_BOOK }) => createPriceBook(JSON.parse(PRICE_BOOK) as BookData),
    (cause: unknown) => {
      loading = undefined
      throw cause
    },
  )
  return loading
}

export function createPriceBook(data: BookData): PriceBook {
  const lookup = createLookup(data.providers)
  const tariffOf = createTariffs(data.columns, lookup)

  return {
    version: data.version,

    price(usage, query) {
      const tariff = tariffOf(query)
      return tariff && priced(usage, tariff)
    },

    ceiling({ inputTokens, outputTokens }, query) {
      if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined
      const tariff = tariffOf(query)
      return tariff && dearest(Math.ceil(inputTokens), Math.ceil(outputTokens), tariff)
    },

    maxOutputTokens({ provider, model }) {
      const found = lookup(provider, model)
      return found && !found.isFallback ? found.model.maxOutputTokens : undefined
    },
  }
}

function isCount(quantity: number): boolean {
  return quantity >= 0 && quantity < Number.POSITIVE_INFINITY
}

function priced(usage: Usage, { bands, isFallback }: Tariff): Cost | undefined {
  const card = bands.length === 1 ? bands[0]!.card : bandOf(usage, bands).card
  if (!card) return undefined
  const lines: CostLine[] = []
  let small = 0
  let large = 0n
  for (const bucket in usage) {
    const quantity = usage[bucket as keyof Usage]
    if (quantity === undefined || quantity === 0) continue
    const rate = card.rates.get(bucket)
    if (rate === undefined || !isCount(quantity)) return undefined
    const product = smallProduct(quantity, rate.pico)
    if (product !== undefined && small + product <= Number.MAX_SAFE_INTEGER) {
      small += product
      lines.push({ bucket, quantity, costUsd: formatSmallUsd(product), rate: rate.row })
    } else {
      const exact = exactProduct(quantity, rate.pico)
      large += exact
      lines.push({ bucket, quantity, costUsd: formatUsd(exact), rate: rate.row })
    }
  }
  if (card.perRequest) {
    const { pico, row } = card.perRequest
    large += BigInt(pico)
    lines.push({ bucket: 'fee.request', quantity: 1, costUsd: formatSmallUsd(pico), rate: row })
  }
  const pico = large === 0n ? BigInt(small) : large + BigInt(small)
  return { pico, source: isFallback ? 'fallback' : 'priced', lines }
}

/** The input of a request, cache reads and writes included, decides the rates of all of it. */
function bandOf(usage: Usage, bands: readonly Band[]): Band {
  let input = 0
  for (const bucket in usage) if (bucket.startsWith('input.')) input += usage[bucket as keyof Usage] ?? 0
  let band = bands[0]!
  for (const candidate of bands) if (input > candidate.above) band = candidate
  return band
}

/** The input may turn out shorter than thought, so every band up to it counts. */
function dearest(inputTokens: number, outputTokens: number, { bands }: Tariff): PicoUsd | undefined {
  let most: PicoUsd = 0n
  for (const { above, card } of bands) {
    if (inputTokens <= above) continue
    if (!card) return undefined
    const { dearestInput, dearestOutput, perRequest } = card
    if ((inputTokens > 0 && dearestInput === undefined) || (outputTokens > 0 && dearestOutput === undefined))
      return undefined
    const cost =
      BigInt(inputTokens) * BigInt(dearestInput ?? 0) +
      BigInt(outputTokens) * BigInt(dearestOutput ?? 0) +
      BigInt(perRequest?.pico ?? 0)
    if (cost > most) most = cost
  }
  return most
}
