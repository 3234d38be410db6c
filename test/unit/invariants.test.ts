// What holds between the counts of a usage object: the one check, and that no reading is ever below what was reported.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { counts } from '../../src/providers/counts.ts'
import { checkUsage, type UsageRules, usageShape } from '../../src/providers/invariants.ts'
import { readCompletionUsage } from '../../src/providers/openai-usage.ts'
import { tokenTotals } from '../../src/usage.ts'

function found(rules: UsageRules, usage: Record<string, unknown>) {
  const count = counts()
  checkUsage(count, usage, usageShape(rules))
  const { flags = [], reported = {} } = count.reading({}, usage, [])
  return [flags, reported]
}

describe('a sum', () => {
  const rules: UsageRules = { sums: [{ whole: 'all', parts: ['a', 'more.b'] }] }
  test.each([
    [{ all: 3, a: 1, more: { b: 2 } }, []],
    [{ all: 3, a: 3, more: null }, []],
    [{ a: 1, more: { b: 2 } }, []],
    [{ all: 0 }, []],
    [{ all: 4, a: 1, more: { b: 2 } }, ['sum:all']],
    [{ all: 2, a: 1, more: { b: 2 } }, ['sum:all']],
    [{ all: 1, a: 1, more: { b: -2 } }, ['negative:b']],
    [{ all: 'x', a: 1 }, ['not-a-count:all']],
  ])('%j', (usage, flags) => {
    expect(found(rules, usage)[0]).toEqual(flags)
  })

  test('of a list, with a name of its own, only where the list is there', () => {
    const listed: UsageRules = { sums: [{ whole: 'all', flag: 'list', when: 'list[].n', parts: ['list[].n'] }] }
    expect(found(listed, { all: 3, list: [{ n: 1 }, { n: 2 }] })[0]).toEqual([])
    expect(found(listed, { all: 3, list: [{ n: 1 }, null, 7] })[0]).toEqual(['sum:list'])
    expect(found(listed, { all: 3, list: [] })[0]).toEqual([])
    expect(found(listed, { all: 3, list: 'text' })[0]).toEqual([])
  })

  test('or another one; or none, where something else is there', () => {
    const either: UsageRules = { sums: [{ whole: 'all', parts: ['a'], or: ['a', 'b'], unless: 'c' }] }
    expect(found(either, { all: 3, a: 3, b: 2 })[0]).toEqual([])
    expect(found(either, { all: 5, a: 3, b: 2 })[0]).toEqual([])
    expect(found(either, { all: 4, a: 3, b: 2 })[0]).toEqual(['sum:all'])
    expect(found(either, { all: 4, a: 3, b: 2, c: 1 })[0]).toEqual([])
  })
})

test('a subset fits into its whole; a part that stands outside, as the total shows, does not have to', () => {
  const rules: UsageRules = {
    sums: [{ whole: 'total', parts: ['in', 'out'] }],
    subsets: [{ of: 'out', parts: ['why', 'sound'] }],
    outside: { part: 'why', total: 'total', rest: ['in', 'out'] },
  }
  expect(found(rules, { in: 1, out: 5, total: 6, why: 3, sound: 2 })[0]).toEqual([])
  expect(found(rules, { in: 1, out: 5, total: 6, why: 4, sound: 2 })[0]).toEqual(['subset:out'])
  expect(found(rules, { in: 1, out: 5, total: 306, why: 300, sound: 2 })[0]).toEqual([])
  expect(found(rules, { in: 1, out: 5, total: 306, why: 300, sound: 6 })[0]).toEqual(['subset:out'])
})

test('numbers that no rule knows are kept, as many as sixteen, and never text', () => {
  const rules: UsageRules = { sums: [{ whole: 'all', parts: ['deep.er.a'] }], known: ['b'] }
  const usage = { b: 2, c: 3, zero: 0, text: 'secret', nan: Number.NaN, deep: { x: 4, er: { a: 0, y: 5 } }, 'a b': 6 }
  expect(found(rules, usage)[1]).toEqual({ c: 3, 'deep.x': 4, 'deep.er.y': 5 })
  const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, 1]))
  expect(Object.keys(found(rules, many)[1] as object)).toHaveLength(16)
})

test('whatever is reported, the tokens billed are never fewer than the totals come to', () => {
  const count = fc.nat({ max: 1e6 })
  const usages = fc.record({
    prompt_tokens: count,
    completion_tokens: count,
    total_tokens: fc.option(count, { nil: undefined }),
    prompt_tokens_details: fc.record({ cached_tokens: count, cache_write_tokens: count, audio_tokens: count }),
    completion_tokens_details: fc.record({ reasoning_tokens: count, audio_tokens: count }),
  })
  fc.assert(
    fc.property(usages, (usage) => {
      const totals = tokenTotals(readCompletionUsage(usage).usage!)
      expect(totals.inputTokens).toBeGreaterThanOrEqual(usage.prompt_tokens)
      expect(totals.outputTokens).toBeGreaterThanOrEqual(usage.completion_tokens)
      expect(totals.totalTokens).toBeGreaterThanOrEqual(usage.total_tokens ?? 0)
    }),
  )
})
