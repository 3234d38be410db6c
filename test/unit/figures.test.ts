// Counts and money as a person reads them, and moments as a person types them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, formatMoment, parseMoment } from '../../src/cli/period.ts'
import { formatCount, formatMoney, roundedTo, usdColumn } from '../../src/figures.ts'
import { parseUsd } from '../../src/money.ts'

const usd = (text: string) => parseUsd(text)!

test.each([
  [0, '0'],
  [999, '999'],
  [12_345, '12,345'],
  [999_999, '999,999'],
  [1_000_000, '1.00M'],
  [1_234_567, '1.23M'],
  [12_345_678, '12.3M'],
  [999_999_999, '1.00B'],
  [2_230_000_000, '2.23B'],
  [9_007_199_254_740_991, '9010T'],
])('%i is counted as %s', (count, text) => {
  expect(formatCount(count)).toBe(text)
})

describe('a column of money', () => {
  test.each([
    ['whole cents need no more', ['50', '0.05', '1234.5'], ['$50.00', '$0.05', '$1,234.50']],
    ['two digits of the smallest', ['0.0363', '0.0195'], ['$0.0363', '$0.0195']],
    ['as many decimals for all', ['1.5', '0.000254'], ['$1.500000', '$0.000254']],
    ['never more than six', ['0.0000005', '0.00000004'], ['<$0.000001', '<$0.000001']],
    ['less where the largest is long', ['12345.678', '0.0042'], ['$12,345.68', '<$0.01']],
    ['nothing is nothing', ['0', '12345.678'], ['$0.00', '$12,345.68']],
    ['half to even', ['0.125', '12345'], ['$0.12', '$12,345.00']],
    ['beyond what a number holds', ['9007199254740993.01'], ['$9,007,199,254,740,993.01']],
  ])('%s', (_, sums, texts) => {
    const write = usdColumn(sums.map(usd))
    expect(sums.map((sum) => write(usd(sum)))).toEqual(texts)
  })

  test('a difference keeps its sign', () => {
    expect(usdColumn([usd('0.000254'), -usd('0.00002')])(-usd('0.00002'))).toBe('-$0.000020')
    expect(roundedTo(2, -usd('0.001'))).toBe('-<$0.01')
  })

  test('one sum alone', () => {
    expect(formatMoney(usd('0.05'))).toBe('$0.05')
    expect(formatMoney(usd('0.036'))).toBe('$0.0360')
  })

  const sum = fc.bigInt({ min: 0n, max: 10n ** 22n })

  test('a positive sum never reads as nothing', () => {
    fc.assert(
      fc.property(fc.array(sum, { minLength: 1 }), (sums) => {
        const write = usdColumn(sums)
        for (const each of sums) if (each > 0n) expect(write(each)).toMatch(/[1-9]/)
      }),
    )
  })

  test('points stand under each other, and what is said is right to half a step', () => {
    fc.assert(
      fc.property(fc.array(sum, { minLength: 1 }), (sums) => {
        const write = usdColumn(sums)
        const texts = sums.map(write)
        const decimals = new Set(texts.map((text) => text.split('.')[1]!.length))
        expect(decimals.size).toBe(1)
        const step = 10n ** BigInt(12 - [...decimals][0]!)
        for (const [i, text] of texts.entries()) {
          const said = usd(text.replace(/[<$,]/g, ''))
          const error = said - sums[i]!
          if (!text.startsWith('<')) expect(2n * (error < 0n ? -error : error)).toBeLessThanOrEqual(step)
        }
      }),
    )
  })
})

const NOW = Date.parse('2026-11-22T14:05:06.789Z')
const at = (text: string) => Date.parse(text)

describe('parseMoment', () => {
  test.each([
    ['2026-11-01', at('2026-11-01T00:00:00Z')],
    ['2026-11', at('2026-11-01T00:00:00Z')],
    ['2024-02-29', at('2024-02-29T00:00:00Z')],
    ['2026-11-01T14:00', at('2026-11-01T14:00:00Z')],
    ['2026-11-01T14:00:30Z', at('2026-11-01T14:00:30Z')],
    ['2026-11-01T14:00:30.250+01:00', at('2026-11-01T13:00:30.250Z')],
    ['30m', NOW - 30 * 60_000],
    ['24h', NOW - 24 * 3_600_000],
    ['7d', NOW - 7 * 86_400_000],
    ['2w', NOW - 14 * 86_400_000],
    ['hour', at('2026-11-22T14:00:00Z')],
    ['day', at('2026-11-22T00:00:00Z')],
    ['week', at('2026-11-16T00:00:00Z')],
    ['month', at('2026-11-01T00:00:00Z')],
  ])('%s', (text, expected) => {
    expect(parseMoment(text, NOW)).toBe(expected)
  })

  test.each([
    '',
    'yesterday',
    'total',
    '2026',
    '2026-13',
    '2026-02-30',
    '2026-11-31',
    '2026-11-00',
    '2026-11T14:00',
    '2026-11-01T25:00',
    '1.5d',
    '7 d',
    '-7d',
    '1y',
    '9999999d',
    '01.11.2026',
    '__proto__',
  ])('%j is none', (text) => {
    expect(parseMoment(text, NOW)).toBeUndefined()
  })

  test('is what `Date` makes of every UTC date', () => {
    fc.assert(
      fc.property(
        fc.date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
        (date) => {
          const day = date.toISOString().slice(0, 10)
          expect(parseMoment(day, NOW)).toBe(Date.parse(day))
        },
      ),
    )
  })
})

test('moments are shown in UTC, midnight without its zeros', () => {
  expect(formatMoment(at('2026-11-01T00:00:00Z'))).toBe('2026-11-01')
  expect(formatMoment(NOW)).toBe('2026-11-22 14:05')
})

test.each([
  [1, '1 min'],
  [59 * 60_000, '59 min'],
  [3_600_000, '1 h'],
  [3_600_000 + 1, '1 h 1 min'],
  [86_400_000, '1 d'],
  [8 * 86_400_000 + 4 * 3_600_000, '8 d 4 h'],
  [86_400_000 + 60_000, '1 d'],
])('%i ms are %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})
