// Calls as GenAI metrics, and as spans, of OpenTelemetry.

import { expected, MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import { createMeasure, type Measure, type OtelMeter } from './otel/metrics.ts'
import { type Attributes, genAiAttributes, type NameSet, operationOf } from './otel/names.ts'
import { createRecent } from './recent.ts'
import type { Batch, Delivery, RejectedEvent, Sink } from './sink.ts'

/** The part of a `Tracer` of @opentelemetry/api that is used; the whole of it fits. */
export interface OtelTracer {
  startSpan(
    name: string,
    options?: { kind?: number; root?: boolean; startTime?: number; attributes?: Attributes },
  ): { setStatus(status: { code: number }): unknown; end(endTime?: number): void }
}

export interface OpenTelemetrySinkOptions {
  /** Where the metrics go; that of the global provider, which needs @opentelemetry/api. */
  readonly meter?: OtelMeter | undefined
  /** Where spans go, where there are to be any; that of the global provider. */
  readonly tracer?: OtelTracer | undefined
  /** A span for each call, of its own trace: true where a `tracer` is given, else false. Anthropic's SDK makes spans too. */
  readonly spans?: boolean | undefined
  /** The names of today's conventions, or those before them; `current`. */
  readonly names?: NameSet | undefined
  /** Further attributes of a call's metrics. Each value is a row more in every metric: a tenant's id only where they are few. */
  readonly attributes?: ((event: LLMEvent) => Attributes) | undefined
}

const SCOPE = 'tallygate'
/** Of @opentelemetry/api 1.x: `SpanKind.CLIENT`, `SpanStatusCode.ERROR`. */
const CLIENT = 2
const ERROR = 2

/**
 * Counters cannot be taken back, so an event of a known id is passed over, whatever it says now; ids are remembered for
 * the last 50,000 events of this process.
 *
 * @example
 * const meter = new Meter({ sinks: [openTelemetrySink({ attributes: ({ tenantId = '' }) => ({ tenant: tenantId }) })] })
 */
export function openTelemetrySink(options: OpenTelemetrySinkOptions = {}): Sink {
  const { names = 'current', attributes = () => ({}), tracer, spans = tracer !== undefined } = options
  if (names !== 'current' && names !== 'older')
    throw new MeterError('BAD_OPTION', expected('names', "'current' or 'older'", names))
  const known = createRecent()
  let instruments: { readonly measure: Measure; readonly tracer: OtelTracer | undefined } | undefined

  async function open() {
    const isComplete = options.meter !== undefined && (!spans || tracer !== undefined)
    const api = isComplete ? undefined : await loadApi()
    instruments ??= {
      measure: createMeasure(options.meter ?? api!.metrics.getMeter(SCOPE), names),
      tracer: spans ? (tracer ?? api!.trace.getTracer(SCOPE)) : undefined,
    }
    return instruments
  }

  function record({ events }: Batch, { measure, tracer }: NonNullable<typeof instruments>): Delivery {
    const rejected: RejectedEvent[] = []
    let duplicates = 0
    for (const event of events) {
      if (known.has(event)) {
        duplicates++
        continue
      }
      const at = Date.parse(event.timestamp)
      if (!isMeasurable(event) || Number.isNaN(at)) {
        rejected.push({ eventId: event.eventId, reason: 'its time or one of its figures is no number' })
        continue
      }
      const extra = attributesOf(event)
      if (extra === undefined) {
        rejected.push({ eventId: event.eventId, reason: '`attributes` threw' })
        continue
      }
      known.add(event)
      measure(event, extra)
      if (tracer) spanOf(event, at, tracer)
    }
    return { outcome: 'delivered', duplicates, ...(rejected.length > 0 ? { rejected } : {}) }
  }

  function attributesOf(event: LLMEvent): Attributes | undefined {
    try {
      return attributes(event)
    } catch {
      return undefined
    }
  }

  function spanOf(event: LLMEvent, at: number, tracer: OtelTracer): void {
    const span = tracer.startSpan(`${operationOf(event)} ${event.modelRequested ?? event.model}`, {
      kind: CLIENT,
      // Whose context delivery runs in is chance.
      root: true,
      startTime: at,
      attributes: genAiAttributes(event, names),
    })
    if (event.error !== undefined) span.setStatus({ code: ERROR })
    span.end(at + (event.durationMs ?? 0))
  }

  return {
    name: 'opentelemetry',
    async send(batch) {
      try {
        return record(batch, instruments ?? (await open()))
      } catch (error) {
        if (error instanceof MeterError) return { outcome: 'paused', error }
        // A provider of the application's own threw; what was counted already is known.
        return { outcome: 'retry', error: new Error('OpenTelemetry failed', { cause: error }) }
      }
    },
  }
}

function isMeasurable({ costUsd, durationMs, inputTokens, outputTokens, usage }: LLMEvent): boolean {
  const figures = [costUsd, durationMs, inputTokens, outputTokens, ...Object.values(usage ?? {})]
  return figures.every((figure) => figure === undefined || (Number.isFinite(Number(figure)) && Number(figure) >= 0))
}

async function loadApi() {
  try {
    // The comments keep a bundler from asking for a package that an application without OpenTelemetry does not have.
    return (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ '@opentelemetry/api')) as unknown as {
      metrics: { getMeter(name: string): OtelMeter }
      trace: { getTracer(name: string): OtelTracer }
    }
  } catch (cause) {
    throw new MeterError(
      'DELIVERY_REJECTED',
      'openTelemetrySink needs the package @opentelemetry/api: `npm install @opentelemetry/api` adds it, or give it a `meter`.',
      { cause },
    )
  }
}
