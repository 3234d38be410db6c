// Azure's cost details, as the Cost Details API and exports write them.

import { checkCurrency, momentIn, moneyIn, numberIn, stop } from '../fields.ts'
import { type FileFormat, type FileOptions, fieldOf, fileStatement, lowered } from '../file-statement.ts'
import { DAY, HOUR, type Statement } from '../statement.ts'
import { tierOfSentence, typeOfSentence } from '../type-words.ts'

/** https://learn.microsoft.com/azure/cost-management-billing/automate/understand-usage-details-fields, columns as read on 2026-11-21. */
export const AZURE_COSTS: FileFormat = {
  source: 'azure-costs',
  name: 'Azure cost details',
  needs: [['Date'], ['MeterName'], ['Quantity'], ['CostInBillingCurrency'], ['BillingCurrency', 'BillingCurrencyCode']],
  lagMs: 24 * HOUR,
  cannotTell: [
    'Azure has a line for each meter and day: there are no rows of single requests.',
    'A meter is a sentence: the kind of token is read from its words, and --alias names the model.',
  ],
  folds: { 'output.reasoning': 'output.text', 'input.text.tool_use': 'input.text' },
  read(given, where, provider) {
    const fields = lowered(given)
    const service = `${fieldOf(fields, 'metercategory') ?? ''} ${fieldOf(fields, 'metersubcategory') ?? ''}`
    if (service.trim() !== '' && !/openai|foundry|cognitive/i.test(service)) return undefined
    const meter = fieldOf(fields, 'metername') ?? ''
    const since = dayIn(fieldOf(fields, 'date'), fields, where)
    const unit = fieldOf(fields, 'unitofmeasure') ?? ''
    const quantity = numberIn(fields, 'quantity', where)
    checkCurrency(fieldOf(fields, 'billingcurrency', 'billingcurrencycode'), where, 'BillingCurrency')
    return {
      kind: 'cost',
      since,
      until: since + DAY,
      provider,
      model: modelOf(meter),
      tier: tierOfSentence(meter),
      project: fieldOf(fields, 'resourceid'),
      type: typeOfSentence(meter),
      quantity: quantity === undefined ? undefined : Math.round(quantity * unitsOf(unit)),
      cost: moneyIn(fields, 'costinbillingcurrency', where),
      currency: 'USD',
      item: meter,
    }
  },
}

/** Exports write 11/22/2026, the API 2026-11-22. */
function dayIn(text: string | undefined, fields: Readonly<Record<string, unknown>>, where: string): number {
  const [, month, day, year] = /^(\d\d)\/(\d\d)\/(\d{4})$/.exec(text ?? '') ?? []
  if (year === undefined) return momentIn(fields, 'date', where)
  if (Number(month) > 12) stop(where, 'Date', 'a date such as 11/22/2026 or 2026-11-22', text)
  return Date.UTC(Number(year), Number(month) - 1, Number(day))
}

/** `1K`, `1M`, `1000`. */
function unitsOf(unit: string): number {
  const [, count = '1', power = ''] = /^(\d+)\s*([KM]?)/i.exec(unit.trim()) ?? []
  return Number(count) * (power.toUpperCase() === 'K' ? 1000 : power.toUpperCase() === 'M' ? 1_000_000 : 1)
}

/** `gpt 5 mini Inp glbl Tokens`: what stands before the kind of token. */
function modelOf(meter: string): string {
  return meter
    .replace(
      /\b(cached|cchd|inp|input|opt|outp|output|batch|glbl|global|regnl|regional|dz|data zone|tokens?)\b.*$/i,
      '',
    )
    .trim()
    .replace(/\s+/g, '-')
    .toLowerCase()
}

/**
 * Azure's cost details.
 *
 * @example
 * const statement = azureCostsStatement({ path: 'cost-details.csv', provider: 'azure' })
 */
export function azureCostsStatement(options: FileOptions): Statement {
  return fileStatement(AZURE_COSTS, options)
}
