import { describe, expect, test } from 'vitest'
import { type EventContext, type FinishedCall, putCost, putTokens, recordOf } from '../../src/call/record.ts'
import { toWire } from '../../src/event.ts'
import type { Cost } from '../../src/pricing/price.ts'
import { checkWireEvent } from '../../src/wire.ts'

const cost: Cost = {
  pico: 2_500_000n,
  source: 'priced',
  lines: [{ bucket: 'input.text', quantity: 1, costUsd: '0.0000025', rate: 'openai/gpt-4o' }],
}
const bare: EventContext = { cost: undefined, priceVersion: undefined, appName: undefined, environment: undefined }

const finished = (over: Partial<FinishedCall> = {}): FinishedCall => ({
  payer: { tenantId: undefined, attribution: {} },
  provider: 'openai',
  host: 'api.openai.com',
  endpoint: 'chat.completions',
  facts: { model: 'gpt-4o', stream: false },
  reading: {},
  usage: undefined,
  usageSource: 'absent',
  usageBounds: undefined,
  flags: undefined,
  attempts: [],
  requestId: undefined,
  status: undefined,
  error: undefined,
  errorCode: undefined,
  streamEnd: undefined,
  at: Date.UTC(2026, 10, 22, 9),
  durationMs: 812,
  timeToFirstTokenMs: undefined,
  ...over,
})

describe('the event of a call', () => {
  test('of which nothing is known holds nothing that is not', () => {
    const event = recordOf(finished(), bare)
    expect(event).toEqual({
      eventId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      timestamp: '2026-11-22T09:00:00.000Z',
      provider: 'openai',
      host: 'api.openai.com',
      model: 'gpt-4o',
      endpoint: 'chat.completions',
      stream: false,
      usageSource: 'absent',
      durationMs: 812,
      attempts: [],
    })
    expect(Object.isFrozen(event)).toBe(true)
    expect(checkWireEvent(toWire(event))).toBe(true)
  })

  test('names who pays and what for, and both models where they differ', () => {
    const attribution = { userId: 'u1', feature: 'search', tags: { plan: 'pro' } }
    const call = finished({ payer: { tenantId: 'acme', attribution }, reading: { model: 'gpt-4o-2024-08-06' } })
    expect(recordOf(call, { ...bare, appName: 'shop', environment: 'test' })).toMatchObject({
      tenantId: 'acme',
      ...attribution,
      appName: 'shop',
      environment: 'test',
      model: 'gpt-4o-2024-08-06',
      modelRequested: 'gpt-4o',
    })
    expect(recordOf(finished(), bare)).not.toHaveProperty('modelRequested')
  })

  test('has the id of the moment when the call ended, so that ids are in the order of events', () => {
    const [early, late] = [10, 20].map((durationMs) => recordOf(finished({ durationMs }), bare).eventId)
    expect(early! < late!).toBe(true)
  })

  test('has its cost as exact digits, and where it comes from', () => {
    const usage = { 'input.text': 1 }
    const priced = { ...bare, cost, priceVersion: 'v1' }
    expect(recordOf(finished({ usage, usageSource: 'reported' }), priced)).toMatchObject({
      costUsd: '0.0000025',
      costSource: 'priced',
      costLines: cost.lines,
      priceVersion: 'v1',
    })
    expect(recordOf(finished({ usage, usageSource: 'partial' }), priced).costSource).toBe('estimated')
    const unpriced = recordOf(finished({ usage, usageSource: 'reported' }), bare)
    expect(unpriced.costSource).toBe('unpriced')
    expect(unpriced).not.toHaveProperty('costUsd')
  })

  test('has numbers, switches and codes beside it, and no text', () => {
    const call = finished({
      facts: { model: 'gpt-4o', stream: true, metadata: { temperature: 0.2 } },
      reading: { finishReason: 'length', responseId: 'r1', serviceTier: 'flex' },
      status: 200,
      error: 'interrupted',
      errorCode: 'overloaded',
      streamEnd: 'interrupted',
      flags: ['sum:total_tokens'],
      usageBounds: { inputTokens: [1, 2], outputTokens: [3, 4] },
      requestId: 'req_1',
      timeToFirstTokenMs: 5,
    })
    expect(recordOf(call, bare)).toMatchObject({
      metadata: {
        temperature: 0.2,
        http_status: 200,
        finish_reason: 'length',
        error_code: 'overloaded',
        stream_end: 'interrupted',
      },
      error: 'interrupted',
      responseId: 'r1',
      requestId: 'req_1',
      serviceTier: 'flex',
      usageFlags: ['sum:total_tokens'],
      usageBounds: { inputTokens: [1, 2], outputTokens: [3, 4] },
      timeToFirstTokenMs: 5,
    })
  })
})

test('inclusive counts come from the disjoint buckets', () => {
  const event = {} as Parameters<typeof putTokens>[0]
  putTokens(event, {
    'input.text': 600,
    'input.text.cache_read': 300,
    'input.text.cache_write_1h': 50,
    'input.audio': 50,
    'output.text': 90,
    'output.reasoning': 10,
    'fee.web_search': 3,
  })
  expect(event).toEqual({
    inputTokens: 1000,
    outputTokens: 100,
    totalTokens: 1100,
    cachedTokens: 300,
    cacheCreationTokens: 50,
    reasoningTokens: 10,
    audioInputTokens: 50,
  })
})

test('a cost that is put names no price list where there is none', () => {
  const event = { usageSource: 'reported' } as Parameters<typeof putCost>[0]
  putCost(event, { cost: { ...cost, source: 'fallback' }, priceVersion: undefined })
  expect(event).toMatchObject({ costSource: 'fallback', costUsd: '0.0000025' })
  expect(event).not.toHaveProperty('priceVersion')
})
