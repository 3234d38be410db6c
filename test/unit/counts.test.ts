// What a provider's count may be, and what is said of one that is none.

import { describe, expect, test } from 'vitest'
import { capOf, codeOf, counts, textOf } from '../../src/providers/counts.ts'

describe('a count', () => {
  test.each([
    [7, 7, undefined],
    [0, 0, undefined],
    [1e9, 1e9, undefined],
    [null, 0, undefined],
    [undefined, 0, undefined],
    [-1, 0, 'negative:tokens'],
    [Number.NEGATIVE_INFINITY, 0, 'negative:tokens'],
    [1e9 + 1, 0, 'absurd:tokens'],
    [Number.POSITIVE_INFINITY, 0, 'absurd:tokens'],
    [2.1, 3, 'fractional:tokens'],
    [1e-9, 1, 'fractional:tokens'],
    ['12', 12, 'not-a-count:tokens'],
    ['0', 0, 'not-a-count:tokens'],
    ['-12', 0, 'not-a-count:tokens'],
    ['99999999999', 0, 'not-a-count:tokens'],
    ['', 0, 'not-a-count:tokens'],
    [true, 0, 'not-a-count:tokens'],
    [{}, 0, 'not-a-count:tokens'],
    [[], 0, 'not-a-count:tokens'],
    [Number.NaN, 0, 'not-a-count:tokens'],
  ])('%j is taken as %j and flagged %j', (value, taken, flag) => {
    const count = counts()
    expect(count.of({ tokens: value }, 'tokens')).toBe(taken)
    expect(count.of({ tokens: value }, 'tokens')).toBe(taken)
    expect(count.reading({}, {}, []).flags).toEqual(flag && [flag])
  })

  test.each([undefined, null, 'text', 7, []])('of %j there is none', (object) => {
    expect(counts().of(object, 'tokens')).toBe(0)
    expect(counts().has(object, 'tokens')).toBe(false)
  })

  test.each([-1, 2e9, 'many', '-12', {}, Number.NaN])(
    '%j in place of one makes the usage partial, never cheaper',
    (value) => {
      const [billed, checked] = [counts(), counts()]
      billed.of({ tokens: value }, 'tokens')
      checked.check({ tokens: value }, 'tokens')
      expect(billed.reading({}, {}, []).isPartial).toBe(true)
      expect(checked.reading({}, {}, [])).toMatchObject({ flags: [expect.stringContaining(':tokens')] })
      expect(checked.reading({}, {}, []).isPartial).toBeUndefined()
    },
  )

  test('one that is needed is missed, and the usage is not whole without it', () => {
    const count = counts()
    expect(count.need({ tokens: 3 }, 'tokens')).toBe(3)
    expect(count.reading({}, {}, [])).toEqual({ usage: {} })
    expect(count.need({}, 'tokens')).toBe(0)
    expect(count.reading({}, {}, [])).toEqual({ usage: {}, flags: ['missing:tokens'], reported: {}, isPartial: true })
  })

  test('one that is needed and no count makes the usage partial too', () => {
    const count = counts()
    expect(count.need({ tokens: -3 }, 'tokens')).toBe(0)
    expect(count.reading({ 'input.text': 0, 'output.text': 4 }, { tokens: -3, text: 'x' }, ['tokens', 'text'])).toEqual(
      {
        usage: { 'output.text': 4 },
        flags: ['negative:tokens'],
        reported: { tokens: -3 },
        isPartial: true,
      },
    )
  })
})

test('a name is cut, a code is no sentence, a cap is a count', () => {
  expect(textOf('x'.repeat(1000))).toHaveLength(256)
  expect([textOf(''), textOf(7), textOf(null)]).toEqual([undefined, undefined, undefined])
  expect(codeOf('context_length_exceeded')).toBe('context_length_exceeded')
  expect(['', 'a b', 'a'.repeat(65), 'é', 7, null].map(codeOf)).toEqual(Array(6).fill(undefined))
  expect([capOf(5), capOf(5, 3), capOf(5, 0), capOf(5, 'x'), capOf(0), capOf(2.5)]).toEqual([5, 15, 5, 5, 0, 3])
  expect([-1, Number.NaN, Number.POSITIVE_INFINITY, 1e300, '5', null, undefined].map((cap) => capOf(cap))).toEqual(
    Array(7).fill(undefined),
  )
})
