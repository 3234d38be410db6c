// `tallygate invoice`: what a tenant used in a month, what it cost, and what is charged for it.

import { MeterError } from '../errors.ts'
import type { Invoice } from '../ledger/invoice.ts'
import { monthOf } from '../ledger/invoice.ts'
import { invoiceHtml } from '../ledger/invoice-html.ts'
import { invoiceMarkdown } from '../ledger/invoice-markdown.ts'
import { invoiceRecord, invoiceTable } from '../ledger/invoice-record.ts'
import type { LedgerViews } from '../ledger/views.ts'
import { nearest } from '../options/nearest.ts'
import { tenantIdFault } from '../tenant.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { csvLine } from './csv.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { telling } from './progress.ts'
import { printable } from './width.ts'

const FORMATS = ['markdown', 'csv', 'json', 'html'] as const
type Format = (typeof FORMATS)[number]

/** Tenants that a misspelt one is compared with: those that spent most. */
const MOST_TENANTS = 1000

export const invoice = defineCommand({
  name: 'invoice',
  summary: "One tenant's month by model and bucket, exact to the digit.",
  about: [
    'Quantities, unit prices and costs by model and bucket, from the lines that each event keeps, and where a `markup` is set what was charged for them. Every sum is exact to its last digit. The page of --format html loads nothing and runs nothing; a browser prints it, or saves it as PDF.',
  ],
  options: {
    tenant: { type: 'string', value: 'id', help: 'Whose. Needed.' },
    month: { type: 'string', value: 'month', help: 'Such as 2026-11. Needed.' },
    'time-zone': { type: 'string', value: 'name', help: 'Whose calendar the month is of, Europe/Vienna. Default: UTC' },
    format: { type: 'string', value: 'format', help: `One of ${FORMATS.join(', ')}. Default: markdown` },
    json: { type: 'boolean', help: 'The same as --format json.' },
    'charges-only': {
      type: 'boolean',
      help: 'Leave out what calls cost you, where something else was charged for them: a copy for the tenant.',
    },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: [
    'tallygate invoice --tenant acme --month 2026-11',
    'tallygate invoice --tenant acme --month 2026-11 --time-zone Europe/Vienna',
    'tallygate invoice --tenant acme --month 2026-11 --format html > acme.html',
    'tallygate invoice --tenant acme --month 2026-11 --charges-only --format csv',
  ],
  async run(values, { terminal, env }) {
    const { tenant: tenantId, month, 'time-zone': timeZone = 'UTC' } = values
    if (tenantId === undefined || month === undefined)
      throw new Stop(2, '`invoice` needs `--tenant <id>` and `--month <month>`, such as `--month 2026-11`.')
    const fault = tenantIdFault(tenantId)
    if (fault !== undefined) throw new Stop(2, fault)
    checkMonth(month, timeZone)
    const format = formatOf(values)
    const { ledger, views } = await openToAsk(values, env)
    try {
      const onProgress = telling(terminal, 'days of the month added up')
      const made = await views.invoice({ tenantId, month, timeZone, onProgress })
      if (made.total.calls === 0) await checkTenant(views, tenantId)
      terminal.write(written(made, format, values['charges-only'] === true))
    } finally {
      await views.close()
      await ledger.close()
    }
    return undefined
  },
})

function checkMonth(month: string, timeZone: string): void {
  try {
    monthOf(month, timeZone)
  } catch (error) {
    if (!(error instanceof MeterError)) throw error
    throw new Stop(2, error.message.replace('`timeZone`', '`--time-zone`').replace('`month`', '`--month`'))
  }
}

function formatOf({ format, json = false }: { readonly format?: string; readonly json?: boolean }): Format {
  if (json && format !== undefined && format !== 'json') throw new Stop(2, 'Give either `--json` or `--format`.')
  if (json) return 'json'
  if (format === undefined || FORMATS.includes(format as Format)) return (format ?? 'markdown') as Format
  throw new Stop(2, `\`--format\` takes one of ${FORMATS.join(', ')}; got ${JSON.stringify(format)}.`)
}

/** A month without a call is an invoice of nothing; a tenant that never made one is a slip. */
async function checkTenant(views: LedgerViews, tenantId: string): Promise<void> {
  const { total } = await views.totals({ where: { tenant: tenantId } })
  if (total.calls > 0) return
  const { rows } = await views.totals({ by: ['tenant'], limit: MOST_TENANTS })
  const near = nearest(
    tenantId,
    rows.flatMap(({ key }) => key[0] ?? []),
  )
  const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`
  throw new Stop(1, printable(`The ledger has no call of tenant ${JSON.stringify(tenantId)}${hint || '.'}`))
}

function written(made: Invoice, format: Format, chargesOnly: boolean): string {
  const options = { chargesOnly }
  switch (format) {
    case 'json':
      return `${JSON.stringify(invoiceRecord(made, options), null, 2)}\n`
    case 'csv': {
      const { header, rows } = invoiceTable(made, options)
      return [header, ...rows].map(csvLine).join('')
    }
    case 'html':
      return invoiceHtml(made, options)
    case 'markdown':
      return invoiceMarkdown(made, options).split('\n').map(printable).join('\n')
  }
}
