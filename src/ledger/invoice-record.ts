// An invoice for programs: one object for JSON, one table for CSV. Money is exact decimal digits in both.

import { formatUsd } from '../money.ts'
import type { Invoice, InvoiceSums } from './invoice.ts'
import type { InvoiceLine } from './invoice-lines.ts'

export interface InvoiceFormatOptions {
  /**
   * Leaves out what calls cost where something else was charged for them: for a copy that the tenant gets. Default false.
   */
  readonly chargesOnly?: boolean | undefined
}

export interface InvoiceTable {
  readonly header: readonly string[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

/** Whether the costs of an invoice are nobody's business but one's own. */
export function hidesCosts({ total }: Invoice, { chargesOnly = false }: InvoiceFormatOptions): boolean {
  return chargesOnly && total.markup !== undefined
}

/** The invoice as an object of the names that the wire has, ready for `JSON.stringify`. */
export function invoiceRecord(invoice: Invoice, options: InvoiceFormatOptions = {}): Record<string, unknown> {
  const hides = hidesCosts(invoice, options)
  return {
    tenant: invoice.tenantId,
    month: invoice.month,
    time_zone: invoice.timeZone,
    since: new Date(invoice.since).toISOString(),
    until: new Date(invoice.until).toISOString(),
    models: invoice.models.map((model) => ({
      provider: model.provider,
      model: model.model,
      lines: model.lines.map((line) => lineRecord(line, hides)),
      ...sumsRecord(model, hides),
    })),
    total: sumsRecord(invoice.total, hides),
  }
}

function lineRecord({ kind, bucket, rate, quantity, unit, unitPrice, cost }: InvoiceLine, hides: boolean) {
  const used = { kind, bucket, quantity, unit }
  return hides ? used : { ...used, rate, unit_price_usd: dollars(unitPrice), cost_usd: dollars(cost) }
}

function sumsRecord({ markup, cost, charge, ...counts }: InvoiceSums, hides: boolean) {
  const { calls, errors, unpriced, estimated, uncharged } = counts
  return {
    calls,
    errors,
    unpriced,
    estimated,
    uncharged,
    ...(!hides && { cost_usd: formatUsd(cost), markup_usd: dollars(markup) }),
    charge_usd: formatUsd(charge),
  }
}

/**
 * One row for each line, and one of the kind `markup` for each model where something else was charged than the cost: the
 * last column adds up to what the tenant pays. Without costs, one row of the kind `charge` for each model besides.
 */
export function invoiceTable(invoice: Invoice, options: InvoiceFormatOptions = {}): InvoiceTable {
  const hides = hidesCosts(invoice, options)
  const rows = invoice.models.flatMap(({ provider, model, lines, charge, markup }) => {
    const named = [provider, model]
    const each = lines.map(({ kind, bucket, rate, quantity, unit, unitPrice, cost }) =>
      hides
        ? [...named, kind, bucket, null, quantity, unit, null, null]
        : [...named, kind, bucket, rate, quantity, unit, dollars(unitPrice), dollars(cost)],
    )
    const whole = (kind: string, sum: bigint) => [...named, kind, null, null, null, null, null, formatUsd(sum)]
    if (hides) return [...each, whole('charge', charge)]
    return markup === undefined ? each : [...each, whole('markup', markup)]
  })
  return { header: COLUMNS, rows }
}

const COLUMNS = ['provider', 'model', 'kind', 'bucket', 'rate', 'quantity', 'unit', 'unit_price_usd', 'usd']

function dollars(sum: bigint | undefined): string | null {
  return sum === undefined ? null : formatUsd(sum)
}
