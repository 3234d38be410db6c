// The table of what bills were compared with: its names, for whoever writes it and whoever reads it.

export const RECONCILIATIONS = 'cost_reconciliation'

/** Its columns, and what each is in PostgreSQL. */
export const RECONCILIATION_COLUMNS = {
  source: 'text',
  day: 'text',
  result: 'text',
  part: 'text',
  provider: 'text',
  tenant_id: 'text',
  model: 'text',
  tier: 'text',
  token_type: 'text',
  label: 'text',
  logged_quantity: 'double precision',
  billed_quantity: 'double precision',
  logged_pico: 'bigint',
  billed_pico: 'bigint',
  canonical_pico: 'bigint',
  detail: 'jsonb',
  reconciled_at: 'bigint',
} as const

/** How far a bill drifts from the ledger; the `label` of a row whose `result` is `day`. */
export const STATUSES = ['ok', 'warn', 'fail'] as const
export type Status = (typeof STATUSES)[number]
