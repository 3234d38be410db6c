// What another price file says of the models of the book: every rate that is not the same, and the models that are new or gone.

import { PICO_PER_USD } from '../money.ts'
import type { BookData } from '../pricing/book-data.ts'
import { bookUnder } from '../pricing/book-under.ts'
import type { PriceBook } from '../pricing/price.ts'
import { createPriceBook } from '../pricing/price-book.ts'
import type { OwnPrices } from '../pricing/price-file.ts'
import { usualUnits } from '../pricing/rate-text.ts'
import { formatRational, parseRational, type Rational, reduced } from '../pricing/rational.ts'
import type { Usage } from '../usage.ts'

/** Pico-dollars of one unit, by bucket, by `provider/model;tier`. */
export type RateTable = ReadonlyMap<string, ReadonlyMap<string, Rational>>

export interface RateChange {
  /** `openai/gpt-5;batch`. */
  readonly what: string
  readonly bucket: string
  /** Dollars for `per` units; absent where there is no rate. */
  readonly before?: string
  readonly after?: string
  readonly per: number
}

export interface PriceDiff {
  readonly changes: readonly RateChange[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** What each bucket of each model costs at a moment, whatever the rows look like that say it. */
export function tableOf(book: PriceBook, at: number, tenantId?: string): RateTable {
  const table = new Map<string, Map<string, Rational>>()
  for (const { provider, model } of book.search('')) {
    const entry = book.rows(provider, model)
    if (!entry) continue
    for (const tier of new Set(entry.rows.flatMap((row) => (row.tier === '*' ? [] : [row.tier])))) {
      const rates = new Map<string, Rational>()
      for (const bucket of new Set(entry.rows.flatMap((row) => row.rates.map((rate) => rate.bucket)))) {
        const query = { provider, model, at, serviceTier: tier, tenantId }
        // So many that a fraction of a pico-dollar shows, and too few for the rates of long prompts.
        const cost = book.price({ [bucket]: UNITS } as Usage, query)
        if (cost) rates.set(bucket, reduced(cost.pico, BigInt(UNITS)))
      }
      if (rates.size > 0) table.set(`${provider}/${model}${tier === 'standard' ? '' : `;${tier}`}`, rates)
    }
  }
  return table
}

const UNITS = 1000

/** The rates of a compiled book, or of the file `data.json` of `@pydantic/genai-prices`; `undefined` for what is neither. */
export function tableIn(
  json: unknown,
  at: number,
): { table: RateTable; isWhole: boolean; version: string } | undefined {
  if (Array.isArray(json) && json.every(isPackageProvider))
    return { table: packageTable(json, at), isWhole: false, version: '@pydantic/genai-prices' }
  const { version, columns, providers } = (json ?? {}) as Record<string, unknown>
  if (typeof version !== 'string' || !Array.isArray(columns) || typeof providers !== 'object') return undefined
  return { table: tableOf(createPriceBook(json as BookData), at), isWhole: true, version }
}

export function tableUnder(own: OwnPrices, data: BookData, at: number, tenantId?: string): RateTable {
  return tableOf(bookUnder(own, data), at, tenantId)
}

/** `isWhole`: what the newer one lacks is gone. */
export function diff(before: RateTable, after: RateTable, isWhole: boolean): PriceDiff {
  const changes: RateChange[] = []
  for (const [what, rates] of after) {
    const known = before.get(what)
    if (!known) continue
    for (const bucket of new Set([...known.keys(), ...rates.keys()])) {
      const [old, now] = [known.get(bucket), rates.get(bucket)]
      if (old && now && old.num * now.den === now.num * old.den) continue
      if (!now && !isWhole) continue
      const per = usualUnits(bucket)
      changes.push({
        what,
        bucket,
        ...(old && { before: usdOf(old, per) }),
        ...(now && { after: usdOf(now, per) }),
        per,
      })
    }
  }
  return {
    changes,
    added: [...after.keys()].filter((what) => !before.has(what)),
    removed: isWhole ? [...before.keys()].filter((what) => !after.has(what)) : [],
  }
}

function usdOf({ num, den }: Rational, per: number): string {
  return formatRational(reduced(num * BigInt(per), den * PICO_PER_USD))
}

interface PackageProvider {
  readonly id: string
  readonly models: readonly PackageModel[]
}

type PackagePrices = Readonly<Record<string, number | { readonly base?: number; readonly tiers?: unknown }>>

interface PackageModel {
  readonly id: string
  readonly prices:
    | PackagePrices
    | readonly { readonly constraint?: { readonly start_date?: string }; readonly prices: PackagePrices }[]
}

function isPackageProvider(value: unknown): value is PackageProvider {
  const { id, models } = (value ?? {}) as Partial<PackageProvider>
  return typeof id === 'string' && Array.isArray(models)
}

/** Prices that are filed there under names of their own, for a million. */
const PACKAGE_NAMES: Readonly<Record<string, string>> = {
  input_mtok: 'input.text',
  output_mtok: 'output.text',
  cache_read_mtok: 'input.text.cache_read',
  cache_write_mtok: 'input.text.cache_write',
  input_audio_mtok: 'input.audio',
  output_audio_mtok: 'output.audio',
}
const MILLION = 1_000_000n

function packageTable(providers: readonly PackageProvider[], at: number): RateTable {
  const table = new Map<string, ReadonlyMap<string, Rational>>()
  for (const { id, models } of providers)
    for (const model of models) {
      const rates = new Map<string, Rational>()
      for (const [name, price] of Object.entries(pricesAt(model, at))) {
        const bucket = PACKAGE_NAMES[name]
        const usd = typeof price === 'number' ? price : price?.base
        // Fifteen digits: it has sums such as 0.18000000000000002.
        const decimal = usd === undefined ? undefined : parseRational(String(Number(usd.toPrecision(15))))
        if (bucket && decimal) rates.set(bucket, reduced(decimal.num * PICO_PER_USD, decimal.den * MILLION))
      }
      if (rates.size > 0) table.set(`${id}/${model.id.toLowerCase()}`, rates)
    }
  return table
}

function pricesAt({ prices }: PackageModel, at: number): PackagePrices {
  if (!Array.isArray(prices)) return prices as PackagePrices
  const holding = prices.filter(({ constraint }) => !constraint || Date.parse(constraint.start_date ?? '') <= at)
  return holding.at(-1)?.prices ?? {}
}
