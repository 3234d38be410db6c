// `tallygate/sinks`: where events can go, and what a sink of one's own must be.

export type { LimitWindow } from '../errors.ts'
export { type HttpSinkOptions, httpSink } from './http.ts'
export {
  DIMENSIONS,
  type Dimension,
  isLedger,
  type Ledger,
  type StoredLimit,
  type TotalsQuery,
  type TotalsRow,
} from './ledger.ts'
export { type MemorySink, memorySink } from './memory.ts'
export type { Batch, Delivery, RejectedEvent, Sink } from './sink.ts'
export { type EventsQuery, type SqliteLedger, type SqliteLedgerOptions, sqliteLedger } from './sqlite.ts'
