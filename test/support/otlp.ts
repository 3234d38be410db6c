// A receiver of OTLP/HTTP in JSON: the collector of the tests, which the official exporters send to.

import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { listen } from '../../src/server/serve.ts'

type Attributes = Record<string, unknown>

interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface Point {
  readonly attributes: readonly KeyValue[]
  readonly asDouble?: number
  readonly asInt?: string | number
  readonly sum?: number
  readonly count?: string | number
  readonly explicitBounds?: readonly number[]
}

export interface MetricPoint {
  readonly name: string
  readonly unit: string
  readonly kind: 'sum' | 'histogram'
  readonly value: number
  readonly count?: number
  readonly bounds?: readonly number[]
  readonly attributes: Attributes
}

export interface ReceivedSpan {
  readonly name: string
  readonly kind: number
  readonly parentSpanId?: string
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly status: { readonly code?: number }
  readonly attributes: Attributes
}

export interface Otlp extends AsyncDisposable {
  readonly meters: MeterProvider
  readonly tracers: BasicTracerProvider
  /** Has everything exported, and gives the last state of each series. */
  metrics(): Promise<readonly MetricPoint[]>
  spans(): Promise<readonly ReceivedSpan[]>
}

export async function otlp(): Promise<Otlp> {
  let points: MetricPoint[] = []
  const spans: ReceivedSpan[] = []
  const server = await listen(async (request) => {
    const body: unknown = await request.json()
    if (new URL(request.url).pathname === '/v1/metrics') points = metricsOf(body)
    else spans.push(...spansOf(body))
    return Response.json({})
  })
  const exporter = new OTLPMetricExporter({
    url: `${server.url}/v1/metrics`,
    temporalityPreference: AggregationTemporality.CUMULATIVE,
  })
  const meters = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })],
  })
  const traces = new OTLPTraceExporter({ url: `${server.url}/v1/traces` })
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(traces)] })
  return {
    meters,
    tracers,
    async metrics() {
      await meters.forceFlush()
      return points
    },
    async spans() {
      await tracers.forceFlush()
      return spans
    },
    async [Symbol.asyncDispose]() {
      await meters.shutdown()
      await tracers.shutdown()
      await server.close()
    },
  }
}

function metricsOf(body: unknown): MetricPoint[] {
  const { resourceMetrics } = body as {
    resourceMetrics: {
      scopeMetrics: {
        metrics: {
          name: string
          unit: string
          sum?: { dataPoints: Point[] }
          histogram?: { dataPoints: Point[] }
        }[]
      }[]
    }[]
  }
  return resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.flatMap(({ name, unit, sum, histogram }) =>
        (sum ?? histogram)!.dataPoints.map((point) => ({
          name,
          unit,
          kind: sum ? ('sum' as const) : ('histogram' as const),
          value: Number(point.asDouble ?? point.asInt ?? point.sum),
          ...(point.count !== undefined && { count: Number(point.count) }),
          ...(point.explicitBounds && { bounds: point.explicitBounds }),
          attributes: attributesOf(point.attributes),
        })),
      ),
    ),
  )
}

function spansOf(body: unknown): ReceivedSpan[] {
  const { resourceSpans } = body as {
    resourceSpans: { scopeSpans: { spans: (Omit<ReceivedSpan, 'attributes'> & { attributes: KeyValue[] })[] }[] }[]
  }
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, attributes: attributesOf(span.attributes) }))),
  )
}

function attributesOf(pairs: readonly KeyValue[]): Attributes {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]))
}
