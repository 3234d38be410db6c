// A call as measurements of the GenAI metrics, by either set of names.

import type { LLMEvent } from '../../event.ts'
import type { Bucket } from '../../usage.ts'
import {
  type Attributes,
  COST,
  CURRENT_METRICS,
  commonAttributes,
  type NameSet,
  OLDER_METRICS,
  SECOND_BOUNDARIES,
  TOKEN_BOUNDARIES,
} from './names.ts'

/** The part of a `Meter` of @opentelemetry/api that is used; the whole of it fits. */
export interface OtelMeter {
  createCounter(name: string, options?: InstrumentOptions): { add(value: number, attributes?: Attributes): void }
  createHistogram(name: string, options?: InstrumentOptions): { record(value: number, attributes?: Attributes): void }
}

interface InstrumentOptions {
  unit?: string
  description?: string
  advice?: { explicitBucketBoundaries?: number[] }
}

/** Measures one call. Instruments are made once, with the first. */
export type Measure = (event: LLMEvent, extra: Attributes) => void

export function createMeasure(meter: OtelMeter, names: NameSet): Measure {
  const cost = meter.createCounter(COST, { unit: '{USD}', description: 'What calls cost, in US dollars.' })
  const measure = names === 'current' ? currentMeasure(meter) : olderMeasure(meter)
  return (event, extra) => {
    const attributes = { ...commonAttributes(event, names), ...extra }
    measure(event, attributes)
    if (event.costUsd !== undefined) cost.add(Number(event.costUsd), attributes)
  }
}

function currentMeasure(meter: OtelMeter): Measure {
  const counter = (name: string, description: string) => meter.createCounter(name, { unit: '{token}', description })
  const counters = {
    input: counter(CURRENT_METRICS.inputTokens, 'Input tokens used, cached ones included.'),
    output: counter(CURRENT_METRICS.outputTokens, 'Output tokens used, reasoning included.'),
    cacheRead: counter(CURRENT_METRICS.cacheRead, 'Input tokens read from a cache.'),
    cacheWrite: counter(CURRENT_METRICS.cacheWrite, 'Input tokens written to a cache.'),
    reasoning: counter(CURRENT_METRICS.reasoning, 'Output tokens of reasoning.'),
  }
  const inputs = tokens(meter, CURRENT_METRICS.inputDistribution, 'Input tokens of an operation.')
  const outputs = tokens(meter, CURRENT_METRICS.outputDistribution, 'Output tokens of an operation.')
  const duration = seconds(meter, CURRENT_METRICS.duration, 'How long an operation took.')
  const firstChunk = seconds(meter, CURRENT_METRICS.firstChunk, 'How long the first chunk of a stream took.')

  return (event, attributes) => {
    const shares = sharesOf(event)
    for (const [which, byModality] of Object.entries(shares))
      for (const [modality, count] of byModality)
        counters[which as keyof typeof counters].add(count, { ...attributes, 'gen_ai.token.modality': modality })
    if (isOneCall(event)) {
      if (event.inputTokens !== undefined) inputs.record(event.inputTokens, attributes)
      if (event.outputTokens !== undefined) outputs.record(event.outputTokens, attributes)
    }
    recordTimes(event, attributes, duration)
    if (event.stream && event.timeToFirstTokenMs !== undefined)
      firstChunk.record(event.timeToFirstTokenMs / 1000, attributes)
  }
}

function olderMeasure(meter: OtelMeter): Measure {
  const usage = tokens(meter, OLDER_METRICS.tokens, 'Tokens used by an operation.')
  const duration = seconds(meter, OLDER_METRICS.duration, 'How long an operation took.')
  return (event, attributes) => {
    const { inputTokens, outputTokens } = event
    if (inputTokens !== undefined) usage.record(inputTokens, { ...attributes, 'gen_ai.token.type': 'input' })
    if (outputTokens !== undefined) usage.record(outputTokens, { ...attributes, 'gen_ai.token.type': 'output' })
    recordTimes(event, attributes, duration)
  }
}

function recordTimes(event: LLMEvent, attributes: Attributes, duration: ReturnType<OtelMeter['createHistogram']>) {
  if (event.durationMs === undefined || !isOneCall(event)) return
  const failed = event.error === undefined ? attributes : { ...attributes, 'error.type': event.error }
  duration.record(event.durationMs / 1000, failed)
}

/** A roll-up has sums, which are no observation of a distribution. */
function isOneCall({ calls = 1 }: LLMEvent): boolean {
  return calls === 1
}

function tokens(meter: OtelMeter, name: string, description: string) {
  return meter.createHistogram(name, {
    unit: '{token}',
    description,
    advice: { explicitBucketBoundaries: TOKEN_BOUNDARIES },
  })
}

function seconds(meter: OtelMeter, name: string, description: string) {
  return meter.createHistogram(name, {
    unit: 's',
    description,
    advice: { explicitBucketBoundaries: SECOND_BOUNDARIES },
  })
}

type Shares = Record<'input' | 'output' | 'cacheRead' | 'cacheWrite' | 'reasoning', Map<string, number>>

/** `input` and `output` hold the others too. A call that told no usage counts 0 of an unknown modality. */
function sharesOf(event: LLMEvent): Shares {
  const shares: Shares = {
    input: new Map(),
    output: new Map(),
    cacheRead: new Map(),
    cacheWrite: new Map(),
    reasoning: new Map(),
  }
  const add = (which: keyof Shares, modality: string, count: number) => {
    if (count > 0) shares[which].set(modality, (shares[which].get(modality) ?? 0) + count)
  }
  const buckets = Object.entries(event.usage ?? {}) as [Bucket, number][]
  const isTold = (direction: string) => buckets.some(([bucket]) => OTHERS.test(bucket) && bucket.startsWith(direction))
  for (const [bucket, count] of buckets) {
    const [direction, kind = ''] = bucket.split('.')
    if (direction !== 'input' && direction !== 'output') continue
    // Most providers count the tokens of an image among those of the text unless they tell them apart.
    const isKnown = kind !== 'text' || direction === 'output' || isTold('input') || event.inputTextTokens !== undefined
    const modality = !isKnown ? 'unknown' : kind === 'reasoning' ? 'text' : kind
    add(direction, modality, count)
    if (bucket.endsWith('.cache_read')) add('cacheRead', modality, count)
    if (bucket.includes('.cache_write')) add('cacheWrite', modality, count)
    if (kind === 'reasoning') add('reasoning', modality, count)
  }
  // Reported by hand, or by a sender that keeps no buckets.
  if (shares.input.size === 0) shares.input.set('unknown', event.inputTokens ?? 0)
  if (shares.output.size === 0) shares.output.set('unknown', event.outputTokens ?? 0)
  return shares
}

const OTHERS = /^(input|output)\.(audio|image|video)/
