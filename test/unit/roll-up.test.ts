import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRollUp } from '../../src/delivery/roll-up.ts'
import type { LLMEvent } from '../../src/event.ts'
import { toWire } from '../../src/event.ts'
import { formatUsd, parseUsd } from '../../src/money.ts'
import { checkWireEvent } from '../../src/wire.ts'

function event(over: Partial<LLMEvent> = {}): LLMEvent {
  return {
    eventId: `e${Math.random()}`,
    timestamp: '2026-11-22T14:05:00.000Z',
    tenantId: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    costSource: 'priced',
    usage: { 'input.text': 10, 'output.text': 5 },
    inputTokens: 10,
    outputTokens: 5,
    totalTokens: 15,
    costUsd: '0.000075',
    durationMs: 20,
    ...over,
  }
}

function rolled(...events: LLMEvent[]): LLMEvent[] {
  const out: LLMEvent[] = []
  const rollUp = createRollUp((one) => out.push(one))
  for (const one of events) rollUp.add(one)
  rollUp.drain()
  return out
}

test('calls of one kind become one event that stands for them', () => {
  const [one, ...others] = rolled(
    event({ requestId: 'r1', tags: { a: 1 } }),
    event({ timestamp: '2026-11-22T14:09:59.999Z' }),
  )
  expect(others).toEqual([])
  expect(one).toEqual({
    eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    timestamp: '2026-11-22T14:05:00.000Z',
    tenantId: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    costSource: 'priced',
    usage: { 'input.text': 20, 'output.text': 10 },
    inputTokens: 20,
    outputTokens: 10,
    totalTokens: 30,
    costUsd: '0.00015',
    durationMs: 40,
    calls: 2,
  })
  expect(Object.isFrozen(one)).toBe(true)
  expect(checkWireEvent(toWire(one!))).toBe(true)
})

test.each<[string, Partial<LLMEvent>]>([
  ['another hour, and with it another limit window', { timestamp: '2026-11-22T15:00:00.000Z' }],
  [
    'another five minutes, with which the hour of a rolling limit or of Kathmandu may begin',
    { timestamp: '2026-11-22T14:15:00.000Z' },
  ],
  ['another tenant', { tenantId: 'globex' }],
  ['another user', { userId: 'u1' }],
  ['another session', { sessionId: 's1' }],
  ['another feature', { feature: 'search' }],
  ['another model', { model: 'gpt-4o-mini' }],
  ['another tier', { serviceTier: 'flex' }],
  ['an error', { error: 'http_500' }],
  ['estimated usage', { usageSource: 'estimated' }],
  ['usage that contradicts itself', { usageFlags: ['sum:total_tokens'] }],
  ['no price', { costSource: 'unpriced' }],
])('%s is another kind', (_, over) => {
  expect(rolled(event(), event(over))).toHaveLength(2)
})

test('a call without a cost adds nothing and makes no zero', () => {
  const { costUsd: _, ...unpriced } = event({ costSource: 'unpriced' })
  const [one] = rolled(unpriced, unpriced)
  expect(one).not.toHaveProperty('costUsd')
  expect(one).toMatchObject({ calls: 2, costSource: 'unpriced', inputTokens: 20 })
})

test('nothing is emitted twice, or where there is nothing', () => {
  const out: LLMEvent[] = []
  const rollUp = createRollUp((one) => out.push(one))
  rollUp.drain()
  rollUp.add(event({ calls: 5 }))
  rollUp.drain()
  rollUp.drain()
  expect(out).toMatchObject([{ calls: 5 }])
})

describe('totals', () => {
  const fields = [
    ...([
      'inputTokens',
      'outputTokens',
      'totalTokens',
      'cachedTokens',
      'cacheCreationTokens',
      'reasoningTokens',
    ] as const),
    ...([
      'audioInputTokens',
      'cacheMissTokens',
      'inputTextTokens',
      'cachedInputTextTokens',
      'inputImageTokens',
    ] as const),
    ...(['cachedInputImageTokens', 'outputImageTokens', 'imageCount', 'characterCount', 'durationMs'] as const),
  ]

  test('stay exact, whatever is summed', () => {
    const some = fc.record(
      {
        tenantId: fc.constantFrom('acme', 'globex', '__proto__'),
        model: fc.constantFrom('a', 'b'),
        costUsd: fc.bigInt({ min: 0n, max: 10n ** 15n }).map(formatUsd),
        usage: fc.dictionary(fc.constantFrom('input.text', 'output.text', 'fee.web_search'), fc.nat(1e9)),
        ...Object.fromEntries(fields.map((field) => [field, fc.nat(1e9)])),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.array(some), (overs) => {
        const events = overs.map((over) => event(over as Partial<LLMEvent>))
        const sums = rolled(...events)
        const total = (list: LLMEvent[], of: (one: LLMEvent) => bigint) => list.reduce((sum, one) => sum + of(one), 0n)
        const cost = (one: LLMEvent) => (one.costUsd === undefined ? 0n : parseUsd(one.costUsd)!)
        expect(total(sums, cost)).toBe(total(events, cost))
        expect(total(sums, ({ calls = 1 }) => BigInt(calls))).toBe(BigInt(events.length))
        for (const field of fields)
          expect(total(sums, (one) => BigInt(one[field] ?? 0))).toBe(total(events, (one) => BigInt(one[field] ?? 0)))
        for (const bucket of ['input.text', 'output.text', 'fee.web_search'] as const)
          expect(total(sums, ({ usage }) => BigInt(usage?.[bucket] ?? 0))).toBe(
            total(events, ({ usage }) => BigInt(usage?.[bucket] ?? 0)),
          )
      }),
    )
  })
})
