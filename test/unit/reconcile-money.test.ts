// Whatever was logged and whatever is billed: the reasons come to the difference, and the bill to what is shared out of it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runMonth } from '../../src/cli/reconcile-month.ts'
import { TRICKS } from '../../src/emulator/bills/faults.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { allocate } from '../../src/reconcile/canonical.ts'
import { compareAll } from '../../src/reconcile/compare.ts'
import type { LoggedCall } from '../../src/reconcile/logged.ts'
import { anthropicStatement } from '../../src/reconcile/sources/anthropic.ts'
import { openaiStatement } from '../../src/reconcile/sources/openai.ts'
import { DAY, HOUR, type StatementRow } from '../../src/reconcile/statement.ts'
import { causesOf } from '../../src/reconcile/summary.ts'

const START = Date.UTC(2026, 9, 1)
const MODELS = ['gpt-4.1', 'gpt-5-mini', 'a-model-that-nobody-knows']
const TYPES = ['input.text', 'input.text.cache_read', 'output.text'] as const

const quantity = fc.integer({ min: 1, max: 5000 })
const anyCall = fc.record({
  at: fc.integer({ min: START, max: START + 2 * DAY - 1 }),
  model: fc.constantFrom(...MODELS),
  tier: fc.constantFrom('standard', 'batch'),
  parts: fc.array(fc.tuple(fc.constantFrom(...TYPES), quantity, fc.bigInt({ min: 0n, max: 10n ** 10n })), {
    maxLength: 3,
  }),
  rest: fc.bigInt({ min: 0n, max: 10n ** 9n }),
  usageSource: fc.constantFrom('reported', 'partial', 'estimated', 'absent'),
  unsettled: fc.integer({ min: 0, max: 1 }),
  hasFailed: fc.boolean(),
})

const anyRow = fc.record({
  kind: fc.constantFrom('usage', 'cost'),
  hour: fc.integer({ min: 0, max: 47 }),
  model: fc.constantFrom(...MODELS, undefined),
  tier: fc.constantFrom('standard', 'batch'),
  key: fc.constantFrom('key_a', 'key_b', null),
  type: fc.constantFrom(...TYPES, undefined),
  quantity: fc.option(quantity, { nil: undefined }),
  requests: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
  cost: fc.bigInt({ min: -(10n ** 10n), max: 10n ** 11n }),
})

test.each([openaiStatement(), anthropicStatement()])(
  '$source: every pico-dollar of any difference has a reason, and every one of any bill has an owner',
  async ({ source, usage, cost }) => {
    const book = await loadPriceBook()
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyCall, { maxLength: 12 }),
        fc.array(anyRow, { maxLength: 16 }),
        async (given, bill) => {
          const calls = given.map(({ parts, rest, model, ...call }, i): LoggedCall => {
            const all = parts.map(([bucket, count, cost]) => ({ model, bucket, quantity: count, cost }))
            return {
              ...call,
              model,
              eventId: `e${i}`,
              tenantId: undefined,
              calls: 1,
              parts: all,
              cost: all.reduce((sum, part) => sum + part.cost, rest),
              isReported: false,
              isRequest: true,
              responseId: undefined,
            }
          })
          const rows = bill.map(({ kind, hour, type, ...row }): StatementRow => {
            const at = START + (kind === 'usage' ? hour * HOUR : Math.floor(hour / 24) * DAY)
            return {
              source: 'openai',
              provider: 'openai',
              currency: 'USD',
              ...row,
              kind,
              type: kind === 'usage' ? (type ?? 'input.text') : type,
              ...(kind === 'usage' && { cost: undefined }),
              since: at,
              until: at + (kind === 'usage' ? HOUR : DAY),
            }
          })
          const result = await compareAll({
            statement: { source, provider: 'openai', usage, cost },
            rows,
            calls: [calls],
            models: new Set(calls.map(({ model }) => model)),
            book,
          })
          const lines = [...result.lines.values()]
          const billed = lines.reduce((sum, line) => sum + (line.billed ?? 0n), 0n)
          const logged = lines.reduce((sum, line) => sum + line.logged, 0n)
          expect(billed).toBe(rows.reduce((sum, row) => sum + (row.cost ?? 0n), 0n))
          expect(logged).toBe(calls.reduce((sum, call) => sum + (call.cost ?? 0n), 0n))
          expect(causesOf(lines).reduce((sum, { cost }) => sum + cost, 0n)).toBe(billed - logged)
          const { costOf } = allocate({
            logged: result.tally.logged,
            shape: result.shape,
            pots: result.pots,
            joined: new Map(),
            isCovered: () => true,
          })
          const shared = calls.reduce((sum, call) => sum + (costOf(call).canonical ?? 0n), 0n)
          expect(shared + result.pots.unattributed).toBe(billed)
        },
      ),
      { numRuns: 300 },
    )
  },
)

describe('a made-up month', () => {
  const month = { start: START, days: 31, calls: 150 }

  test('in which a price changed calls it a price, also on a day on which another tier would have come to as much', async () => {
    const { invented, planted } = await runMonth({ ...month, calls: 450, seed: 95_028, tricks: TRICKS })
    expect(invented).toEqual([])
    expect(planted.filter(({ isFound }) => !isFound)).toEqual([])
  })

  test.each([11, 12])('without a fault agrees to the last digit (seed %i)', async (seed) => {
    const { results } = await runMonth({ ...month, seed, tricks: [] })
    for (const { difference, causes, status, billed } of results) {
      expect(billed).toBeGreaterThan(0n)
      expect({ difference, causes, status }).toEqual({ difference: 0n, causes: [], status: 'ok' })
    }
  })

  test.each([21, 22, 23])(
    'with every fault: each is named, none is invented, and the money adds up (seed %i)',
    async (seed) => {
      const { results, planted, invented } = await runMonth({ ...month, seed, tricks: TRICKS })
      expect(planted.filter(({ isFound }) => !isFound)).toEqual([])
      expect(invented).toEqual([])
      for (const { causes, difference, canonical, unattributedBilled, billed } of results) {
        expect(causes.reduce((sum, { cost }) => sum + cost, 0n)).toBe(difference)
        expect(canonical.exact + canonical.allocated + canonical.estimated + unattributedBilled).toBe(billed)
      }
    },
  )
})
