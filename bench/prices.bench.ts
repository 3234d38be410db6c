// What a price costs: of a call that is over, and of one that is yet to be made; and the book itself.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { calcPrice } from '@pydantic/genai-prices'
import type { PriceQuery } from '../src/pricing/price.ts'
import { createPriceBook, loadBookData, loadPriceBook } from '../src/pricing/price-book.ts'
import type { Usage } from '../src/usage.ts'
import { isQuick, report } from './report.ts'
import { median, quantile, uncertainty } from './statistics.ts'

const AT = Date.UTC(2026, 10, 18, 12)
const BATCH = 1000
const ROUNDS = isQuick ? 100 : 1000

interface Case {
  readonly name: string
  readonly query: PriceQuery
  readonly usage: Usage
}

const CASES: readonly Case[] = [
  {
    name: 'a chat, two buckets',
    query: { provider: 'openai', model: 'gpt-4o', at: AT },
    usage: { 'input.text': 1200, 'output.text': 300 },
  },
  {
    name: 'five buckets, two bands',
    query: { provider: 'openai', model: 'gpt-6-sol', at: AT, serviceTier: 'default' },
    usage: {
      'input.text': 1808,
      'input.text.cache_read': 6144,
      'input.text.cache_write': 2048,
      'output.text': 400,
      'output.reasoning': 800,
    },
  },
  {
    name: 'in one place, with fees',
    query: { provider: 'anthropic', model: 'claude-opus-5-5', at: AT, serviceTier: 'standard', geo: 'us' },
    usage: {
      'input.text': 1200,
      'input.text.cache_write_5m': 5000,
      'input.text.cache_read': 40_000,
      'output.text': 900,
      'fee.web_search': 2,
    },
  },
  {
    name: 'by the hour of the day',
    query: { provider: 'deepseek', model: 'deepseek-v4-pro', at: AT },
    usage: { 'input.text': 2000, 'input.text.cache_read': 8000, 'output.text': 1000 },
  },
]

const { price, ceiling } = await loadPriceBook()
const data = await loadBookData()
const agreed = createPriceBook(data, [
  { multiply: '17/20' },
  { tenantId: 'acme', model: 'gpt-6*', rates: { 'input.text': '1.8' } },
])

/** Time of one, in microseconds: batches, since one is near what the clock can tell. */
function timesOf(run: () => unknown, batch = BATCH): number[] {
  const times: number[] = []
  for (let round = -20; round < ROUNDS; round++) {
    const start = performance.now()
    for (let i = 0; i < batch; i++) run()
    if (round >= 0) times.push(((performance.now() - start) * 1000) / batch)
  }
  return times
}

/** The same tokens, without tier, place and fees, which it does not know. */
function theirs({ provider, model, at }: PriceQuery, usage: Usage): () => unknown {
  const of = (...buckets: (keyof Usage)[]) => buckets.reduce((sum, bucket) => sum + (usage[bucket] ?? 0), 0)
  const cached = of('input.text.cache_read')
  const written = of('input.text.cache_write', 'input.text.cache_write_5m')
  const tokens = {
    input_tokens: of('input.text') + cached + written,
    cache_read_tokens: cached,
    cache_write_tokens: written,
    output_tokens: of('output.text', 'output.reasoning'),
  }
  return () => calcPrice(tokens, model, { providerId: provider, timestamp: new Date(at) })
}

const figures = (times: number[]) => [
  `${median(times).toFixed(2)} ± ${uncertainty(times).toFixed(2)}`,
  quantile(times, 0.99).toFixed(2),
]

report({
  title: 'A price (µs)',
  columns: [
    'call',
    'price',
    'its p99',
    'ceiling',
    'its p99 ',
    'with prices of one’s own',
    'its p99  ',
    'genai-prices for comparison',
  ],
  rows: CASES.map(({ name, query, usage }) => [
    name,
    ...figures(timesOf(() => price(usage, query))),
    ...figures(timesOf(() => ceiling({ inputTokens: 4096, outputTokens: 1024 }, query))),
    ...figures(timesOf(() => agreed.price(usage, { ...query, tenantId: 'acme' }))),
    figures(timesOf(theirs(query, usage), BATCH / 20))[0]!,
  ]),
  notes: [`Medians and 99th percentiles of ${ROUNDS} rounds of ${BATCH}.`],
})

/** As it is in the package: TypeScript would be stripped of its types first. */
const source = readFileSync(new URL('../src/pricing/data/price-book.ts', import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
const file = join(folder, 'price-book.mjs')
writeFileSync(file, source.replace('PRICE_BOOK: string', 'PRICE_BOOK'))
const engine = new URL('../src/pricing/price-book.ts', import.meta.url)
const LOADING = `
  const { createPriceBook } = await import(${JSON.stringify(engine.href)})
  globalThis.gc()
  const heap = process.memoryUsage().heapUsed
  const start = performance.now()
  const { PRICE_BOOK } = await import(${JSON.stringify(file)})
  const book = createPriceBook(JSON.parse(PRICE_BOOK))
  const time = performance.now() - start
  book.price({ 'input.text': 1 }, { provider: 'openai', model: 'gpt-4o', at: ${AT} })
  const first = performance.now() - start - time
  globalThis.gc()
  process.stdout.write(JSON.stringify({ time, first, heap: process.memoryUsage().heapUsed - heap }))
`
const loads = Array.from({ length: isQuick ? 5 : 31 }, () => {
  const { stdout } = spawnSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', LOADING], {
    encoding: 'utf8',
  })
  return JSON.parse(stdout) as { time: number; first: number; heap: number }
})
rmSync(folder, { recursive: true })
const kb = (bytes: number) => (bytes / 1024).toFixed(0)

report({
  title: 'The price book',
  columns: [
    'load, ms',
    'first price, ms',
    'heap, kB',
    'in the package, kB',
    'of these compressed, kB',
    'models',
    'rows',
  ],
  rows: [
    [
      median(loads.map(({ time }) => time)).toFixed(1),
      median(loads.map(({ first }) => first)).toFixed(1),
      kb(median(loads.map(({ heap }) => heap))),
      kb(Buffer.byteLength(source)),
      kb(gzipSync(source).length),
      String(Object.values(data.providers).reduce((sum, { models }) => sum + models.length, 0)),
      String(
        Object.values(data.providers)
          .flatMap(({ models }) => models)
          .reduce((sum, { rows, tiers = {} }) => sum + rows.length + Object.values(tiers).flat().length, 0),
      ),
    ],
  ],
  notes: [`Medians of ${loads.length} processes; nothing of it is loaded before the first call.`],
})
