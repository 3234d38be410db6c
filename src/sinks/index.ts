// `tallygate/sinks`: where events can go, and what a sink of one's own must be.

export type { LimitWindow } from '../errors.ts'
export type { PostgresClient, PostgresOptions } from '../postgres/client.ts'
export type { Estimates, Value } from './billing/measure.ts'
export { type HttpSinkOptions, httpSink } from './http.ts'
export { type JsonlSinkOptions, jsonlSink } from './jsonl.ts'
export { type LagoSinkOptions, lagoSink } from './lago.ts'
export {
  DIMENSIONS,
  type Dimension,
  type EventFilter,
  type EventLedger,
  type EventsQuery,
  isLedger,
  type Ledger,
  type Reprice,
  type RepriceOptions,
  type StoredLimit,
  type TotalsQuery,
  type TotalsRow,
} from './ledger.ts'
export { type MemorySink, memorySink } from './memory.ts'
export type { MeterReport, RefusedCalls, RefusedCode, ReportedProblem, UnmeteredHost } from './meter-report.ts'
export { type OpenMeterSinkOptions, openMeterSink } from './openmeter.ts'
export type { OtelMeter } from './otel/metrics.ts'
export { type Attributes, genAiAttributes, type NameSet } from './otel/names.ts'
export { type OpenTelemetrySinkOptions, type OtelTracer, openTelemetrySink } from './otel.ts'
export { type PostgresLedger, type PostgresLedgerOptions, postgresLedger } from './postgres.ts'
export type { Batch, Delivery, RejectedEvent, Sink } from './sink.ts'
export { type SqliteLedger, type SqliteLedgerOptions, sqliteLedger } from './sqlite.ts'
export { type StripeSinkOptions, type StripeStreamSinkOptions, stripeSink, stripeStreamSink } from './stripe.ts'
export { fanOut, filter, map } from './wrap.ts'
