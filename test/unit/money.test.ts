import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatUsd, nanoCeil, PICO_PER_USD, parseUsd, picoFromNano, scale } from '../../src/money.ts'

describe('parseUsd', () => {
  it.each([
    ['0', 0n],
    ['-0', 0n],
    ['1', 1_000_000_000_000n],
    ['0.0000025', 2_500_000n],
    ['0.000000000001', 1n],
    ['-0.000000000001', -1n],
    ['00012.50', 12_500_000_000_000n],
    ['1e-12', 1n],
    ['2.5E-6', 2_500_000n],
    ['1e+3', 1_000_000_000_000_000n],
    ['0.1000000000000000', 100_000_000_000n],
    ['0e-999', 0n],
    ['9007199254740993', 9_007_199_254_740_993n * PICO_PER_USD],
    [0.1, 100_000_000_000n],
    [1e-7, 100_000n],
    [1e21, 10n ** 33n],
    [-2.5, -2_500_000_000_000n],
  ])('reads %s', (text, pico) => {
    expect(parseUsd(text)).toBe(pico)
  })

  it.each([
    '',
    ' 1',
    '1 ',
    '+1',
    '.5',
    '1.',
    '1,5',
    '1_000',
    '$1',
    '0x10',
    'NaN',
    'Infinity',
    '1e',
    '1e1000',
    '--1',
    '１',
  ])('takes %j for no decimal', (text) => {
    expect(parseUsd(text)).toBeUndefined()
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('takes %s for no decimal', (value) => {
    expect(parseUsd(value)).toBeUndefined()
  })

  it.each(['0.0000000000001', '1e-13', '0.1000000000001', '3.3333333333333335', 0.1 + 0.2])(
    'refuses %s, which is finer than a pico-dollar, instead of rounding it',
    (value) => {
      expect(parseUsd(value)).toBeUndefined()
    },
  )
})

describe('formatUsd', () => {
  it.each([
    [0n, '0'],
    [1n, '0.000000000001'],
    [-1n, '-0.000000000001'],
    [2_500_000n, '0.0000025'],
    [1_000_000_000_000n, '1'],
    [-1_500_000_000_000n, '-1.5'],
    [10_000_000_000_000n, '10'],
    [123_456_789_012_345_678_901_234n, '123456789012.345678901234'],
  ])('writes %s', (pico, text) => {
    expect(formatUsd(pico)).toBe(text)
  })

  it('writes what parseUsd reads back, for any sum', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (pico) => {
        expect(parseUsd(formatUsd(pico))).toBe(pico)
      }),
    )
  })

  it('writes no exponent, no trailing zero and no bare point', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (pico) => {
        expect(formatUsd(pico)).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/)
      }),
    )
  })
})

describe('scale', () => {
  it.each([
    [10n, 11n, 10n, 11n],
    [5n, 1n, 2n, 2n],
    [15n, 1n, 10n, 2n],
    [7n, 1n, 2n, 4n],
    [25n, 1n, 10n, 2n],
    [26n, 1n, 10n, 3n],
    [24n, 1n, 10n, 2n],
    [-5n, 1n, 2n, -2n],
    [-7n, 1n, 2n, -4n],
    [7n, -1n, 2n, -4n],
    [-26n, 1n, 10n, -3n],
    [1n, 1n, 3n, 0n],
    [2n, 1n, 3n, 1n],
    [0n, 5n, 7n, 0n],
  ])('%s x %s/%s is %s', (pico, numerator, denominator, result) => {
    expect(scale(pico, numerator, denominator)).toBe(result)
  })

  const sum = fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n })
  const ratio = fc.tuple(fc.bigInt({ min: 0n, max: 1000n }), fc.bigInt({ min: 1n, max: 1000n }))

  it('is off by at most half a pico-dollar, and lands on an even one from the middle', () => {
    fc.assert(
      fc.property(sum, ratio, (pico, [numerator, denominator]) => {
        const result = scale(pico, numerator, denominator)
        const error = (result * denominator - pico * numerator) * 2n
        const size = error < 0n ? -error : error
        expect(size <= denominator).toBe(true)
        if (size === denominator) expect(result % 2n).toBe(0n)
      }),
    )
  })

  it('is the same below zero as above it', () => {
    fc.assert(
      fc.property(sum, ratio, (pico, [numerator, denominator]) => {
        expect(scale(-pico, numerator, denominator)).toBe(-scale(pico, numerator, denominator))
      }),
    )
  })
})

describe('nano-dollars', () => {
  it.each([
    [0n, 0n],
    [1n, 1n],
    [1000n, 1n],
    [1001n, 2n],
    [-1n, 0n],
    [-1000n, -1n],
    [-1001n, -1n],
  ])('%s pico-dollars are held as %s', (pico, nano) => {
    expect(nanoCeil(pico)).toBe(nano)
  })

  it('are never fewer than what was spent, and fewer than one too many', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (pico) => {
        const held = picoFromNano(nanoCeil(pico))
        expect(held >= pico && held - pico < 1000n).toBe(true)
      }),
    )
  })
})
