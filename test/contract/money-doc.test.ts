// docs/money.md, run: each call costs what the page says, line by line.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadPrices, type PricedResponse, type ResponseToPrice } from '../../src/pricing-api.ts'

const text = readFileSync(join(import.meta.dirname, '../../docs/money.md'), 'utf8')
const prices = await loadPrices()

interface Shown {
  readonly name: string
  readonly code: string
  /** The cells of each line of the bill under it. */
  readonly rows: readonly (readonly string[])[]
}

const SHOWN: readonly Shown[] = text
  .split(/^###? /m)
  .filter((section) => section.includes('```ts'))
  .map((section) => ({
    name: section.split('\n', 1)[0]!,
    code: /```ts\n([\s\S]*?)```/.exec(section)![1]!.replace(/^import .*$/gm, ''),
    rows: section
      .split('\n')
      .filter((line) => /^\| (?:`|\*\*sum)/.test(line) && line.endsWith('|') && line.includes('$'))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim().replace(/[`$,*]/g, '')),
      ),
  }))

type Run = (priceResponse: (input: ResponseToPrice) => Promise<PricedResponse>, console: object) => Promise<void>
const AsyncFunction = (async () => {}).constructor as new (...words: string[]) => Run

test('every provider has a call', () => {
  expect(SHOWN.length).toBeGreaterThan(12)
})

test.each(SHOWN)('$name', async ({ code, rows }) => {
  let priced: PricedResponse | undefined
  let claims = 0
  await new AsyncFunction('priceResponse', 'console', code)(async (input) => (priced = prices.priceResponse(input)), {
    assert: (holds: boolean) => {
      claims++
      expect(holds, `it costs ${priced?.costUsd}`).toBe(true)
    },
  })
  expect(claims).toBeGreaterThan(0)
  if (rows.length === 0) return
  expect([
    ...priced!.lines.map((line) => [line.bucket, `${line.quantity}`, line.rateUsd, `${line.per}`, line.usd]),
    ['sum', '', '', '', priced!.costUsd],
  ]).toEqual(rows)
})
