// What the views ask of a ledger: the part of `tallygate/ledger` that they use.

import type { LedgerViews } from '../ledger/views.ts'

export type ViewLedger = Pick<
  LedgerViews,
  | 'totals'
  | 'series'
  | 'percentiles'
  | 'summary'
  | 'events'
  | 'event'
  | 'invoice'
  | 'reconciliations'
  | 'meters'
  | 'refusals'
>
