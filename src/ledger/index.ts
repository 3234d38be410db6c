// `tallygate/ledger`: what the ledger says, asked from code.

export { formatUsd, parseUsd } from '../money.ts'
export { DIMENSIONS, type TotalsRow } from '../sinks/ledger.ts'
export { MOST_BUCKETS } from './buckets.ts'
export type { DeleteOptions } from './changes.ts'
export type { Invoice, InvoiceModel, InvoiceOptions, InvoiceSums } from './invoice.ts'
export type { InvoiceDocumentOptions } from './invoice-document.ts'
export { invoiceHtml } from './invoice-html.ts'
export type { InvoiceLine, InvoiceLineKind } from './invoice-lines.ts'
export { invoiceMarkdown } from './invoice-markdown.ts'
export { type InvoiceFormatOptions, type InvoiceTable, invoiceRecord, invoiceTable } from './invoice-record.ts'
export {
  type KeptMeter,
  type MetersOptions,
  REFUSAL_STEPS,
  type RefusalStep,
  type RefusalsOptions,
  type RefusalsRow,
  type ReportedWhere,
} from './meters.ts'
export { type OpenLedgerOptions, openLedger } from './open.ts'
export type { EventsOptions, EventsPage } from './pages.ts'
export type { Projection } from './projection.ts'
export {
  type Dimension,
  MEASURES,
  type Measure,
  ORDERS,
  type Order,
  type PercentilesOptions,
  type PercentilesRow,
  type Query,
  type Series,
  type SeriesOptions,
  type SeriesRow,
  STEPS,
  type Step,
  type Totals,
  type TotalsOptions,
  type Where,
} from './query.ts'
export type { ReconciledDay, ReconciliationsOptions } from './reconciliations.ts'
export type { Summary, SummaryOptions } from './summary.ts'
export type { LedgerViews } from './views.ts'
