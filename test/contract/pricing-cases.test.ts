// Worked price examples, from a usage object as its provider writes it to exact dollars: every file of
// `test/fixtures/pricing`, which it finds by itself. Each case names the page that its rates were read on.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadPrices, type PricedResponse, type Prices } from '../../src/pricing-api.ts'
import { casesOf, inputOf, WORKED_FILES, type WorkedCase } from '../support/worked-cases.ts'

/** Which of our buckets each of the cases' is. Those that are called the same are left out. */
const BUCKETS: Readonly<Record<string, string>> = {
  input: 'input.text',
  'input.uncached': 'input.text',
  'input.text.uncached': 'input.text',
  'input.cache_read': 'input.text.cache_read',
  'input.cache_write': 'input.text.cache_write',
  'input.cache_write_5m': 'input.text.cache_write_5m',
  'input.cache_write_30m': 'input.text.cache_write_30m',
  'input.cache_write_1h': 'input.text.cache_write_1h',
  'input.cache_write_12h': 'input.text.cache_write_12h',
  'input.tool_use_prompt': 'input.text.tool_use',
  'input.audio.uncached': 'input.audio',
  'input.image.uncached': 'input.image',
  'input.video.uncached': 'input.video',
  'input.audio.seconds': 'unit.input_seconds',
  'input.seconds': 'unit.input_seconds',
  'input.characters': 'unit.input_characters',
  'input.pages': 'unit.input_pages',
  output: 'output.text',
  'output.candidates': 'output.text',
  'output.thoughts': 'output.reasoning',
  'output.images': 'unit.output_images',
  'output.video.seconds': 'unit.output_seconds',
  'output.seconds': 'unit.output_seconds',
  'tool.web_search': 'fee.web_search',
  'tool.file_search': 'fee.file_search',
  'tool.code_session': 'fee.code_session',
  'tool.maps_search': 'fee.maps_search',
}

/** `input.uncached (compaction)`: what is said in brackets is for a reader. */
function bucketOf(name: string): string {
  const plain = name.replace(/\s*\(.*\)$/, '')
  return BUCKETS[plain] ?? plain
}

/** A decimal as a fraction, exact. */
function fraction(decimal: string): readonly [bigint, bigint] {
  const [whole = '', digits = ''] = decimal.split('.')
  return [BigInt(whole + digits), 10n ** BigInt(digits.length)]
}

function rate(usd: string, per: number, multiplier = '1'): string {
  const [top, bottom] = fraction(usd)
  const [more, less] = fraction(multiplier)
  const [numerator, denominator] = [top * more, bottom * less * BigInt(per)]
  let [a, b] = [numerator, denominator]
  while (b !== 0n) [a, b] = [b, a % b]
  return a === 0n ? '0' : `${numerator / a}/${denominator / a}`
}

type Sum = { quantity: number; pico: bigint; rates: Set<string> }

/** By bucket; reasoning within the output where the case has no line of its own for it. */
function summed(
  lines: readonly { bucket: string; quantity: number; usd: string; rate: string }[],
  hasReasoning: boolean,
): Record<string, { quantity: number; pico: string; rates: string[] }> {
  const sums: Record<string, Sum> = {}
  for (const { bucket, quantity, usd, rate } of lines) {
    if (quantity === 0) continue
    const name = bucket === 'output.reasoning' && !hasReasoning ? 'output.text' : bucket
    const sum = (sums[name] ??= { quantity: 0, pico: 0n, rates: new Set() })
    const [top, bottom] = fraction(usd)
    sum.quantity += quantity
    sum.pico += (top * 10n ** 12n) / bottom
    sum.rates.add(rate)
  }
  return Object.fromEntries(
    Object.entries(sums).map(([name, { quantity, pico, rates }]) => [
      name,
      { quantity, pico: String(pico), rates: [...rates].sort() },
    ]),
  )
}

function ours({ lines }: PricedResponse, hasReasoning: boolean) {
  return summed(
    lines.map(({ bucket, quantity, usd, rateUsd, per }) => ({ bucket, quantity, usd, rate: rate(rateUsd, per) })),
    hasReasoning,
  )
}

function theirs({ expected_lines }: WorkedCase, hasReasoning: boolean) {
  return summed(
    expected_lines.map(({ bucket, quantity, usd, rate_usd, per, multiplier }) => ({
      bucket: bucketOf(bucket),
      quantity,
      usd,
      rate: rate(rate_usd, per, multiplier),
    })),
    hasReasoning,
  )
}

describe.each(WORKED_FILES)('%s', (file) => {
  let prices: Prices
  beforeAll(async () => {
    prices = await loadPrices()
  })

  test.each(casesOf(file).map((one) => [one.id, one] as const))('%s', (_, worked) => {
    const priced = prices.priceResponse(inputOf(worked))
    expect([priced.costUsd, priced.unpriced]).toEqual([worked.expected_usd, undefined])
    expect(priced.costSource).toBe(worked.expected_lines[0]!.bucket.startsWith('reported.') ? 'reported' : 'priced')
    expect(priced.flags).toEqual([])
    if (worked.expected_lines[0]!.bucket.startsWith('reported.')) return
    const hasReasoning = worked.expected_lines.some(({ bucket }) => bucketOf(bucket) === 'output.reasoning')
    expect(ours(priced, hasReasoning)).toEqual(theirs(worked, hasReasoning))
  })

  test.each(
    casesOf(file)
      .filter(({ context }) => Object.keys(context ?? {}).length === 0)
      .map((one) => [one.id, one] as const),
  )('%s, of its usage alone', (_, worked) => {
    const priced = prices.priceResponse({ ...inputOf(worked), response: worked.usage })
    expect(priced.costUsd).toBe(worked.expected_usd)
  })
})

test('the README says how many there are, and that all of them are exact', () => {
  const count = WORKED_FILES.flatMap(casesOf).length
  const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
  expect(readme).toContain(`Of ${count} examples worked by hand from the providers' pages it prices ${count} exactly`)
})
