import { describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/event.ts'
import { createStats, type MeterStats } from '../../src/meter/stats.ts'

const event = (over: Partial<LLMEvent> = {}): LLMEvent => ({
  eventId: 'e',
  timestamp: '2026-11-22T14:05:00.000Z',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'chat.completions',
  usageSource: 'reported',
  ...over,
})

const rest: Parameters<ReturnType<typeof createStats>['snapshot']>[0] = {
  tokenRatios: {},
  openCalls: 2,
  heldUsd: '0.5',
  limits: {
    falseRefusals: 0,
    overruns: 0,
    overrunUsd: '0',
    observed: 0,
    clamped: 0,
    endedStreams: 0,
    isStoreDown: false,
    storeOutages: 0,
    allowedWhileDown: 0,
  },
  problems: { delivery: 1 },
  delivery: { queued: 0, delivered: 0, dropped: 0, rejected: 0, retries: 0, sinks: {} },
  coverage: {},
}

describe('what a meter counts of itself', () => {
  test('begins at nothing', () => {
    expect(createStats().snapshot(rest)).toEqual<MeterStats>({
      calls: 0,
      errors: 0,
      estimated: 0,
      flagged: 0,
      flags: {},
      sampledOut: 0,
      refused: 0,
      unpriced: {},
      ...rest,
    })
  })

  test('calls by what became of them', () => {
    const stats = createStats()
    stats.recorded(event())
    stats.recorded(event({ error: 'http_500' }))
    stats.recorded(event({ usageSource: 'estimated' }))
    stats.recorded(event({ usageSource: 'partial', usageFlags: ['x'] }))
    stats.recorded(event({ usageSource: 'absent', calls: 3 }))
    stats.sampledOut(event({ calls: 3 }))
    stats.refused()
    expect(stats.snapshot(rest)).toMatchObject({
      calls: 7,
      errors: 1,
      estimated: 2,
      flagged: 1,
      sampledOut: 3,
      refused: 1,
    })
  })

  test('what was wrong with their usage, by kind', () => {
    const stats = createStats()
    stats.recorded(event({ usageFlags: ['sum:total_tokens', 'image_gen.sum:input_tokens', 'subset:prompt_tokens'] }))
    stats.recorded(event({ usageFlags: ['missing:usage'], calls: 2 }))
    expect(stats.snapshot(rest)).toMatchObject({ flagged: 3, flags: { sum: 1, subset: 1, missing: 2 } })
    for (let kind = 0; kind < 500; kind++) stats.recorded(event({ usageFlags: [`kind-${kind}`] }))
    expect(Object.keys(stats.snapshot(rest).flags)).toHaveLength(100)
  })

  test('models without a price, at most a thousand of them', () => {
    const stats = createStats()
    stats.unpriced('openai __proto__')
    for (let model = 0; model < 2000; model++) stats.unpriced(`me model-${model}`)
    stats.unpriced('me model-0')
    const { unpriced } = stats.snapshot(rest)
    expect(Object.keys(unpriced)).toHaveLength(1000)
    expect(unpriced).toMatchObject({ 'openai __proto__': 1, 'me model-0': 2 })
  })

  test('a snapshot does not change', () => {
    const stats = createStats()
    const before = stats.snapshot(rest)
    stats.recorded(event())
    stats.unpriced('me one')
    expect(before).toMatchObject({ calls: 0, unpriced: {} })
  })
})
