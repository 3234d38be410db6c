// The OpenTelemetry sink beside the real SDK and its OTLP exporters: what a collector gets.

import { metrics, trace } from '@opentelemetry/api'
import { describe, expect, test } from 'vitest'
import { eventId, type LLMEvent } from '../../src/event.ts'
import { genAiAttributes } from '../../src/sinks/otel/names.ts'
import { openTelemetrySink } from '../../src/sinks/otel.ts'
import { type MetricPoint, otlp } from '../support/otlp.ts'

const AT = Date.UTC(2026, 10, 22, 9)
const signal = new AbortController().signal

function event(over: Partial<LLMEvent> = {}): LLMEvent {
  return {
    eventId: eventId(AT),
    timestamp: new Date(AT).toISOString(),
    tenantId: 'acme',
    provider: 'openai',
    host: 'api.openai.com',
    model: 'gpt-4o-2024-08-06',
    modelRequested: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    usage: {
      'input.text': 60,
      'input.text.cache_read': 30,
      'input.text.cache_write': 10,
      'output.text': 20,
      'output.reasoning': 5,
    },
    inputTokens: 100,
    outputTokens: 25,
    cachedTokens: 30,
    cacheCreationTokens: 10,
    reasoningTokens: 5,
    costUsd: '0.25',
    durationMs: 1500,
    responseId: 'resp_1',
    ...over,
  }
}

const valueIn = (points: readonly MetricPoint[], name: string, attributes: Record<string, unknown> = {}) =>
  points
    .filter(
      (point) => point.name === name && Object.entries(attributes).every(([key, it]) => point.attributes[key] === it),
    )
    .reduce((sum, { value }) => sum + value, 0)

describe('metrics', () => {
  test('have the names of today, and input that includes what was cached', async () => {
    await using collector = await otlp()
    const sink = openTelemetrySink({ meter: collector.meters.getMeter('app') })
    const streamed = event({ stream: true, timeToFirstTokenMs: 200, endpoint: 'responses' })
    expect(await sink.send({ id: 'b', events: [event(), streamed] }, signal)).toEqual({
      outcome: 'delivered',
      duplicates: 0,
    })
    const points = await collector.metrics()
    expect(Object.fromEntries(points.map(({ name, kind, unit }) => [name, `${kind} ${unit}`]))).toEqual({
      'gen_ai.client.inference.usage.input_tokens': 'sum {token}',
      'gen_ai.client.inference.usage.output_tokens': 'sum {token}',
      'gen_ai.client.inference.usage.cache_read.input_tokens': 'sum {token}',
      'gen_ai.client.inference.usage.cache_write.input_tokens': 'sum {token}',
      'gen_ai.client.inference.usage.reasoning.output_tokens': 'sum {token}',
      'gen_ai.client.inference.operation.input_tokens': 'histogram {token}',
      'gen_ai.client.inference.operation.output_tokens': 'histogram {token}',
      'gen_ai.client.inference.duration': 'histogram s',
      'gen_ai.client.inference.time_to_first_chunk': 'histogram s',
      'tallygate.cost': 'sum {USD}',
    })
    expect(valueIn(points, 'gen_ai.client.inference.usage.input_tokens')).toBe(200)
    expect(valueIn(points, 'gen_ai.client.inference.usage.output_tokens')).toBe(50)
    expect(valueIn(points, 'gen_ai.client.inference.usage.cache_read.input_tokens')).toBe(60)
    expect(valueIn(points, 'gen_ai.client.inference.usage.cache_write.input_tokens')).toBe(20)
    expect(valueIn(points, 'gen_ai.client.inference.usage.reasoning.output_tokens')).toBe(10)
    expect(valueIn(points, 'gen_ai.client.inference.duration')).toBe(3)
    expect(valueIn(points, 'gen_ai.client.inference.time_to_first_chunk')).toBe(0.2)
    expect(valueIn(points, 'tallygate.cost')).toBe(0.5)
    const input = points.find(({ name }) => name === 'gen_ai.client.inference.usage.input_tokens')
    expect(input!.attributes).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.response.model': 'gpt-4o-2024-08-06',
      'gen_ai.token.modality': 'unknown',
      'server.address': 'api.openai.com',
      'server.port': 443,
    })
    const histogram = points.find(({ name }) => name === 'gen_ai.client.inference.operation.input_tokens')!
    expect(histogram.count).toBe(2)
    expect(histogram.bounds).toEqual([
      1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864,
    ])
    const duration = points.find(({ name }) => name === 'gen_ai.client.inference.duration')!
    expect(duration.bounds).toEqual([
      0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
    ])
  })

  test('have the older names where they are asked for', async () => {
    await using collector = await otlp()
    const sink = openTelemetrySink({ meter: collector.meters.getMeter('app'), names: 'older' })
    await sink.send({ id: 'b', events: [event(), event({ provider: 'azure', error: 'http_500' })] }, signal)
    const points = await collector.metrics()
    expect([...new Set(points.map(({ name }) => name))].sort()).toEqual([
      'gen_ai.client.operation.duration',
      'gen_ai.client.token.usage',
      'tallygate.cost',
    ])
    expect(
      valueIn(points, 'gen_ai.client.token.usage', { 'gen_ai.token.type': 'input', 'gen_ai.system': 'openai' }),
    ).toBe(100)
    expect(
      valueIn(points, 'gen_ai.client.token.usage', { 'gen_ai.token.type': 'output', 'gen_ai.system': 'az.ai.openai' }),
    ).toBe(25)
    expect(valueIn(points, 'gen_ai.client.operation.duration', { 'error.type': 'http_500' })).toBe(1.5)
  })

  test('tell modalities apart where the provider does, and count 0 of an unknown one for a call without usage', async () => {
    await using collector = await otlp()
    const sink = openTelemetrySink({ meter: collector.meters.getMeter('app') })
    const spoken = event({
      usage: { 'input.text': 10, 'input.audio': 20, 'input.audio.cache_read': 5, 'output.text': 3, 'output.audio': 4 },
      model: 'spoken',
    })
    const { inputTokens: _in, outputTokens: _out, costUsd: _cost, ...nothing } = event()
    const failed: LLMEvent = { ...nothing, usage: {}, usageSource: 'absent', model: 'failed', error: 'http_500' }
    const byHand = event({ usage: undefined as never, inputTokens: 7, outputTokens: 8, model: 'by hand' })
    await sink.send({ id: 'b', events: [spoken, failed, byHand] }, signal)
    const points = await collector.metrics()
    const input = (model: string) =>
      Object.fromEntries(
        points
          .filter(
            ({ name, attributes }) =>
              name.endsWith('usage.input_tokens') && attributes['gen_ai.response.model'] === model,
          )
          .map(({ attributes, value }) => [attributes['gen_ai.token.modality'], value]),
      )
    expect(input('spoken')).toEqual({ text: 10, audio: 25 })
    expect(input('failed')).toEqual({ unknown: 0 })
    expect(input('by hand')).toEqual({ unknown: 7 })
    expect(valueIn(points, 'gen_ai.client.inference.usage.output_tokens', { 'gen_ai.response.model': 'spoken' })).toBe(
      7,
    )
    expect(valueIn(points, 'gen_ai.client.inference.duration', { 'error.type': 'http_500' })).toBe(1.5)
  })

  test('have no tenant unless one is asked for', async () => {
    await using collector = await otlp()
    const plain = openTelemetrySink({ meter: collector.meters.getMeter('plain') })
    await plain.send({ id: 'b', events: [event()] }, signal)
    expect(JSON.stringify(await collector.metrics())).not.toContain('acme')
    const sink = openTelemetrySink({
      meter: collector.meters.getMeter('tenants'),
      attributes: ({ tenantId = 'nobody' }) => ({ tenant: tenantId }),
    })
    await sink.send({ id: 'b', events: [event()] }, signal)
    expect(valueIn(await collector.metrics(), 'tallygate.cost', { tenant: 'acme' })).toBe(0.25)
  })

  test('count an event once, however often it comes, and a roll-up for what it sums up', async () => {
    await using collector = await otlp()
    const sink = openTelemetrySink({ meter: collector.meters.getMeter('app') })
    const [one, rolledUp] = [event(), event({ calls: 40, inputTokens: 4000, usage: { 'input.text': 4000 } })]
    await sink.send({ id: 'b', events: [one, one] }, signal)
    expect(await sink.send({ id: 'c', events: [one, rolledUp] }, signal)).toEqual({
      outcome: 'delivered',
      duplicates: 1,
    })
    const points = await collector.metrics()
    expect(valueIn(points, 'gen_ai.client.inference.usage.input_tokens')).toBe(4100)
    expect(points.find(({ name }) => name === 'gen_ai.client.inference.operation.input_tokens')!.count).toBe(1)
  })

  test('leave out what is no number, with its reason, and what throws', async () => {
    await using collector = await otlp()
    const sink = openTelemetrySink({
      meter: collector.meters.getMeter('app'),
      attributes: ({ feature }) => {
        if (feature === 'broken') throw new Error('a secret')
        return {}
      },
    })
    const bad = [
      event({ inputTokens: Number.NaN }),
      event({ costUsd: 'a lot' }),
      event({ timestamp: 'yesterday' }),
      event({ durationMs: -5 }),
      event({ feature: 'broken' }),
    ]
    const delivery = await sink.send({ id: 'b', events: [event(), ...bad, event()] }, signal)
    expect(delivery).toMatchObject({ outcome: 'delivered', rejected: bad.map(({ eventId }) => ({ eventId })) })
    expect(JSON.stringify(delivery)).not.toContain('secret')
    expect(valueIn(await collector.metrics(), 'tallygate.cost')).toBe(0.5)
  })
})

describe('spans', () => {
  test('are made where a tracer is given, from the start of the call to its end, each a trace of its own', async () => {
    await using collector = await otlp()
    const sink = openTelemetrySink({
      meter: collector.meters.getMeter('app'),
      tracer: collector.tracers.getTracer('app'),
    })
    const failed = event({
      error: 'http_429',
      provider: 'google',
      host: 'us-central1-aiplatform.googleapis.com',
      endpoint: 'generateContent',
    })
    await sink.send({ id: 'b', events: [event(), failed] }, signal)
    const [first, second] = await collector.spans()
    expect(first).toMatchObject({
      name: 'chat gpt-4o',
      kind: 3,
      startTimeUnixNano: `${BigInt(AT) * 1_000_000n}`,
      endTimeUnixNano: `${BigInt(AT + 1500) * 1_000_000n}`,
      attributes: {
        'gen_ai.usage.input_tokens': 100,
        'gen_ai.usage.cache_read.input_tokens': 30,
        'gen_ai.usage.cache_write.input_tokens': 10,
        'gen_ai.usage.reasoning.output_tokens': 5,
        'gen_ai.response.id': 'resp_1',
        'tallygate.tenant_id': 'acme',
        'tallygate.cost_usd': '0.25',
      },
    })
    expect(first!.parentSpanId ?? '').toBe('')
    expect(second).toMatchObject({
      name: 'generate_content gpt-4o',
      status: { code: 2 },
      attributes: { 'error.type': 'http_429', 'gen_ai.provider.name': 'gcp.vertex_ai' },
    })
  })

  test('of the application take the same attributes, in either set of names', () => {
    expect(genAiAttributes(event())['gen_ai.usage.cache_write.input_tokens']).toBe(10)
    expect(genAiAttributes(event(), 'older')).toMatchObject({
      'gen_ai.system': 'openai',
      'gen_ai.usage.cache_creation.input_tokens': 10,
    })
    for (const value of Object.values(genAiAttributes(event({ host: 'not a host', usage: undefined as never }))))
      expect(['string', 'number', 'boolean']).toContain(typeof value)
  })
})

test('without a meter the global providers are taken, once there are events', async () => {
  await using collector = await otlp()
  metrics.setGlobalMeterProvider(collector.meters)
  trace.setGlobalTracerProvider(collector.tracers)
  try {
    const sink = openTelemetrySink({ spans: true })
    expect(await sink.send({ id: 'b', events: [event()] }, signal)).toMatchObject({ outcome: 'delivered' })
    expect(valueIn(await collector.metrics(), 'tallygate.cost')).toBe(0.25)
    expect(await collector.spans()).toHaveLength(1)
  } finally {
    metrics.disable()
    trace.disable()
  }
})

test('a set of names that is none is refused', () => {
  expect(() => openTelemetrySink({ names: 'old' as never })).toThrow(
    "Expected `names` to be 'current' or 'older', got \"old\".",
  )
})
