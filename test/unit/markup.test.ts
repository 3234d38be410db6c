// What a call is sold for.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMarkup } from '../../src/call/markup.ts'
import { parseUsd } from '../../src/money.ts'
import { type MarkupOption, markupRules } from '../../src/options/markup.ts'
import { MAX_EVENT_PICO } from '../../src/wire-fields.ts'

const call = { provider: 'openai', model: 'gpt-5-mini', tenantId: 'acme' }
const sold = (option: MarkupOption, pico: bigint, of = call) => createMarkup(markupRules(option))(pico, of)

describe('a markup', () => {
  test.each<[MarkupOption, bigint, bigint]>([
    ['1.2', 10n, 12n],
    [1.2, 10n, 12n],
    ['6/5', 10n, 12n],
    [{ multiply: '1.2' }, 10n, 12n],
    [{ perCallUsd: '0.001' }, 10n, 1_000_000_010n],
    [{ multiply: '2', perCallUsd: 0.001 }, 10n, 1_000_000_020n],
    ['0', 10n, 0n],
    // Half to even.
    ['1.5', 1n, 2n],
    ['2.5', 1n, 2n],
    ['3.5', 1n, 4n],
  ])('of %j makes %s pico-dollars %s', (option, pico, price) => {
    expect(sold(option, pico)).toBe(price)
  })

  test('is exact and rounded once, for any factor', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 15n), fc.integer({ min: 0, max: 10_000 }), (pico, percent) => {
        const price = sold(`${percent}/100`, pico)!
        const rest = price * 100n - pico * BigInt(percent)
        expect(rest >= -50n && rest <= 50n).toBe(true)
      }),
    )
  })

  test('by rules: the first that takes a call decides, and none is no price', () => {
    const rules = [
      { tenantId: 'acme', model: 'GPT-5*', multiply: '1.1' },
      { provider: 'openai', multiply: '1.3' },
      { provider: 'anthropic', model: 'claude-opus-4-6', multiply: '1.5' },
    ]
    expect(sold(rules, 10n)).toBe(11n)
    expect(sold(rules, 10n, { ...call, tenantId: 'globex' })).toBe(13n)
    expect(sold(rules, 10n, { ...call, provider: 'anthropic', model: 'claude-opus-4-6', tenantId: 'x' })).toBe(15n)
    expect(
      sold(rules, 10n, { ...call, provider: 'anthropic', model: 'claude-opus-4-6-1', tenantId: 'x' }),
    ).toBeUndefined()
    expect(sold([], 10n)).toBeUndefined()
  })

  test('beyond what an event holds is none', () => {
    expect(sold('1', MAX_EVENT_PICO)).toBe(MAX_EVENT_PICO)
    expect(sold('2', MAX_EVENT_PICO)).toBeUndefined()
    expect(parseUsd('9223372.036854775807')).toBe(MAX_EVENT_PICO)
  })
})
