import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type BookData, COLUMNS, type RateList, ratesByName } from '../../src/pricing/book-data.ts'
import { PRICE_BOOK } from '../../src/pricing/data/price-book.ts'
import { rowLabels } from '../../src/pricing/labels.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { rationalRate } from '../../src/pricing/rate-text.ts'
import { tierOf } from '../../src/pricing/tier.ts'
import { BUCKETS } from '../../src/usage.ts'

const root = new URL('../../', import.meta.url)
const data = JSON.parse(PRICE_BOOK) as BookData

const models = Object.entries(data.providers).flatMap(([provider, { models }]) =>
  models.map((model) => ({ provider, model })),
)
const rowLists = models.flatMap(({ model }) => [model.rows, ...Object.values(model.tiers ?? {})])
const rows = rowLists.flat()

it('is what a fresh compile of the package and the overlay gives', async () => {
  const script = fileURLToPath(new URL('scripts/compile-price-book.mjs', root))
  await promisify(execFile)(process.execPath, [script, '--check'])
})

it('is loaded once, and names its sources', async () => {
  const book = await loadPriceBook()
  expect(await loadPriceBook()).toBe(book)
  expect(book.version).toBe(data.version)
  expect(book.version).toMatch(/^genai-prices-0\.1\.8\+overlay-\d{4}-\d{2}-\d{2}\.[0-9a-f]{8}$/)
})

it('carries the notice that the licence of its source asks for', () => {
  const source = readFileSync(new URL('src/pricing/data/price-book.ts', root), 'utf8')
  const notice = readFileSync(new URL('NOTICE', root), 'utf8')
  const license = readFileSync(new URL('node_modules/@pydantic/genai-prices/LICENSE', root), 'utf8')
  const words = (text: string) => text.replace(/\s+/g, ' ').trim()
  expect(source).toContain('Copyright (c) Pydantic Services Inc. 2025 to present')
  expect(words(notice)).toContain(words(license))
})

describe('every row', () => {
  it('has rates that are exact, in columns that are known', () => {
    const lists = rows.flatMap(({ rates, above = [] }): (RateList | null)[] => [
      rates,
      ...above.map(([, list]) => list),
    ])
    expect(data.columns).toEqual(COLUMNS)
    for (const list of lists)
      for (const [bucket, rate] of ratesByName(list ?? [], data.columns)) {
        expect(data.columns).toContain(bucket)
        const { num, den } = rationalRate(rate)
        expect(num >= 0n && den > 0n).toBe(true)
        if (typeof rate === 'number') expect(Number.isSafeInteger(rate)).toBe(true)
      }
  })

  it('has bands that rise', () => {
    for (const { above = [] } of rows) {
      const starts = above.map(([start]) => start)
      expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b))
    }
  })

  it('has a date that is one and hours that are some', () => {
    for (const { from, until, hours = [] } of rows) {
      for (const time of [from, until])
        if (time !== undefined) expect(new Date(time).toISOString()).toContain(time.replace('Z', ''))
      for (const span of hours) expect(span).toMatch(/^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/)
    }
  })

  it('comes after the rows that it succeeds', () => {
    for (const list of rowLists)
      for (const variant of new Set(list.map((row) => row.variant))) {
        const dates = list.filter((row) => row.variant === variant).flatMap(({ from }) => from ?? [])
        expect(dates).toEqual(dates.toSorted())
      }
  })

  it('leads to a page and a day', () => {
    const places = models.flatMap(({ provider, model }) =>
      [...model.rows, ...Object.values(model.tiers ?? {}).flat()].map(
        ({ source }) => source ?? data.providers[provider]!.source,
      ),
    )
    expect(places.length).toBeGreaterThan(1500)
    for (const place of new Set(places)) {
      const [page, read] = data.sources![place!]!
      expect(page).toMatch(/^https:\/\//)
      expect(read).toMatch(/^20\d\d-\d\d-\d\d$/)
    }
  })

  it('has a name that no other row has', () => {
    for (const provider of Object.keys(data.providers)) {
      const labels = [...rowLabels(data, provider)]
      expect(labels).toHaveLength(new Set(labels).size)
    }
  })
})

it('has a column for every bucket', () => {
  expect([...COLUMNS].sort()).toEqual([...BUCKETS, 'fee.request'].sort())
})

describe('every model', () => {
  it('can be found by an id in lower case or by a family', () => {
    for (const { model } of models) {
      expect(model.ids.length + (model.family?.length ?? 0)).toBeGreaterThan(0)
      expect(model.ids.length > 0 || model.name !== undefined).toBe(true)
      for (const id of model.ids) expect(id).toBe(id.toLowerCase())
    }
  })

  it('files its tiers under the names that answers are read as', () => {
    for (const { provider, model } of models)
      for (const tier of Object.keys(model.tiers ?? {})) expect(tierOf(provider, tier)).toBe(tier)
  })
})
