import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type BookData, COLUMNS, type RateList, type RowData } from '../../src/pricing/book-data.ts'
import { PRICE_BOOK } from '../../src/pricing/data/price-book.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { tierOf } from '../../src/pricing/tier.ts'

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
  it('holds whole pico-dollars that a double holds too', () => {
    const lists = rows.flatMap(({ rates, above = [] }): (RateList | null)[] => [
      rates,
      ...above.map(([, list]) => list),
    ])
    for (const list of lists)
      for (const rate of list ?? []) expect(rate === null || (Number.isSafeInteger(rate) && rate >= 0)).toBe(true)
    expect(data.columns).toEqual(COLUMNS)
  })

  it('has bands that rise', () => {
    for (const { above = [] } of rows) {
      const starts = above.map(([start]) => start)
      expect(starts).toEqual([...new Set(starts)].sort((a, b) => a - b))
    }
  })

  it('has a date that is one and hours that are some', () => {
    for (const { from, hours = [] } of rows) {
      if (from !== undefined) expect(new Date(from).toISOString().slice(0, 10)).toBe(from)
      for (const span of hours) expect(span).toMatch(/^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/)
    }
  })

  it('comes after the rows that it succeeds', () => {
    const dates = (list: readonly RowData[]) => list.flatMap(({ from }) => from ?? [])
    for (const list of rowLists) expect(dates(list)).toEqual(dates(list).sort())
  })
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

describe('the overlay', () => {
  const folder = new URL('src/pricing/data/overlay/', root)

  it.each(readdirSync(folder))('%s is of one provider, and each row says where it was read', (file) => {
    const overlay = JSON.parse(readFileSync(new URL(file, folder), 'utf8'))
    expect(`${overlay.provider}.json`).toBe(file)
    for (const row of [...overlay.rows, ...(overlay.limits ?? [])]) {
      expect(row.source).toMatch(/^https:\/\//)
      expect(row.read).toMatch(/^20\d\d-\d\d-\d\d$/)
    }
  })
})
