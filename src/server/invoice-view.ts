// `GET /v1/invoice`: one tenant's month, as JSON, CSV, Markdown or a page to be printed.

import { MeterError } from '../errors.ts'
import type { Invoice } from '../ledger/invoice.ts'
import { invoiceHtml, invoicePolicy } from '../ledger/invoice-html.ts'
import { invoiceMarkdown } from '../ledger/invoice-markdown.ts'
import { invoiceRecord, invoiceTable } from '../ledger/invoice-record.ts'
import { refusal } from './answer.ts'
import type { Caller } from './keys.ts'
import type { ViewLedger } from './view-ledger.ts'
import { createQueryReader } from './view-query.ts'
import { show } from './view-rows.ts'

export interface InvoiceViewOptions {
  readonly ledger: Pick<ViewLedger, 'invoice'>
  readonly caller: Caller
  readonly request: Request
  readonly params: URLSearchParams
  readonly now: number
}

const TAKES = ['tenant', 'month', 'time_zone', 'charges_only', 'format']
const FORMATS = ['json', 'csv', 'markdown', 'html'] as const

/** A key that is bound to a tenant is shown what that tenant pays, and never what the calls cost where that is another sum. */
export async function invoiceView({ ledger, caller, request, params, now }: InvoiceViewOptions): Promise<Response> {
  const query = createQueryReader(params, TAKES)
  const asked = query.text('tenant')
  if (caller.tenant !== undefined && asked !== undefined && asked !== caller.tenant)
    return refusal(403, 'This key sees no other tenant than its own.')
  const tenantId = caller.tenant ?? asked
  if (tenantId === undefined) throw new MeterError('BAD_INPUT', 'Say whose invoice it is: `?tenant=<id>`.')
  const month = query.text('month')
  if (month === undefined) throw new MeterError('BAD_INPUT', 'Say which month it is of: `month=2026-11`.')
  const format = query.oneOf('format', FORMATS)
  const chargesOnly = caller.tenant !== undefined || query.flag('charges_only')
  const { project } = caller
  const invoice = await ledger.invoice({
    tenantId,
    month,
    timeZone: query.timeZone('time_zone'),
    ...(project !== undefined && { where: { project } }),
  })
  const options = { chargesOnly, now }
  if (format === 'html') return page(invoiceHtml(invoice, options), 'text/html', invoicePolicy())
  if (format === 'markdown') return page(invoiceMarkdown(invoice, options), 'text/markdown', "default-src 'none'")
  return show(request, format, {
    body: invoiceRecord(invoice, options),
    table: () => ({ name: nameOf(invoice), ...invoiceTable(invoice, options) }),
  })
}

function page(text: string, type: string, policy: string): Response {
  return new Response(text, {
    headers: {
      'content-type': `${type}; charset=utf-8`,
      'content-security-policy': `${policy}; frame-ancestors 'none'`,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    },
  })
}

/** Of the file: an id may hold anything. */
function nameOf({ tenantId, month }: Invoice): string {
  return `invoice-${month}-${tenantId.replaceAll(/[^\w-]/g, '_').slice(0, 60)}`
}
