// A FOCUS file: the common columns of cost and usage data, versions 1.0 to 1.2.

import { providerNamed } from '../../pricing/provider-names.ts'
import { checkCurrency, momentIn, moneyIn, numberIn } from '../fields.ts'
import { type FileFormat, type FileOptions, fieldOf, fileStatement, lowered } from '../file-statement.ts'
import { HOUR, type Statement } from '../statement.ts'
import { tierOf } from '../tier.ts'
import { tierOfSentence, typeIn, typeOfSentence } from '../type-words.ts'

const FIGURES = [
  ...['billedcost', 'contractedcost', 'effectivecost', 'listcost'],
  ...['consumedquantity', 'pricingquantity', 'contractedunitprice', 'listunitprice'],
]

/** https://focus.finops.org/focus-specification/, columns as of version 1.2, read on 2026-11-22. */
export const FOCUS: FileFormat = {
  source: 'focus',
  name: 'FOCUS file',
  figures: FIGURES,
  needs: [['ChargePeriodStart'], ['ChargePeriodEnd'], ['BilledCost'], ['BillingCurrency']],
  lagMs: 24 * HOUR,
  cannotTell: [
    'FOCUS has no column for a model or a kind of token: both are read from x_Model and x_TokenType, or from the words of a SKU.',
    'A FOCUS file has no rows of single requests.',
  ],
  read(given, where, provider) {
    const fields = lowered(given)
    const named = fieldOf(fields, 'x_provider')
    if (named !== undefined && providerNamed(named) !== provider) return undefined
    const sentence = [fieldOf(fields, 'skumeter'), fieldOf(fields, 'chargedescription'), fieldOf(fields, 'skuid')]
      .filter((text) => text !== undefined)
      .join(', ')
    const isUsage = (fieldOf(fields, 'chargecategory') ?? 'Usage').toLowerCase() === 'usage'
    const typeText = fieldOf(fields, 'x_tokentype')
    const type = !isUsage ? undefined : typeText === undefined ? typeOfSentence(sentence) : typeIn(typeText)
    const tierText = fieldOf(fields, 'x_servicetier')
    const model = isUsage ? (fieldOf(fields, 'x_model') ?? modelOf(fieldOf(fields, 'skumeter'))) : undefined
    checkCurrency(fieldOf(fields, 'billingcurrency'), where, 'BillingCurrency')
    const list = fieldOf(fields, 'listcost')
    return {
      kind: 'cost',
      since: momentIn(fields, 'chargeperiodstart', where),
      until: momentIn(fields, 'chargeperiodend', where),
      provider,
      model,
      ...(type !== undefined && { tier: tierText === undefined ? tierOfSentence(sentence) : tierOf(tierText) }),
      project: fieldOf(fields, 'subaccountid'),
      type,
      quantity: quantityOf(fields, where),
      cost: moneyIn(fields, 'billedcost', where),
      ...(list !== undefined && isUsage && { listCost: moneyIn(fields, 'listcost', where) }),
      currency: 'USD',
      item: sentence === '' ? undefined : sentence,
    }
  },
}

/** What a meter is called before its comma is the model, as OpenAI and Anthropic write it. */
function modelOf(meter: string | undefined): string | undefined {
  const [model] = meter?.split(',') ?? []
  return model === undefined || model.trim() === '' ? undefined : model.trim()
}

const THOUSANDS = /\b1?k\b|1,?000 tokens|thousand/i

function quantityOf(fields: Readonly<Record<string, unknown>>, where: string): number | undefined {
  const quantity = numberIn(fields, 'consumedquantity', where)
  const unit = fieldOf(fields, 'consumedunit') ?? ''
  if (quantity === undefined) return undefined
  return THOUSANDS.test(unit) ? Math.round(quantity * 1000) : quantity
}

/**
 * A file in the FOCUS form.
 *
 * @example
 * const statement = focusStatement({ path: 'focus.csv', provider: 'anthropic' })
 */
export function focusStatement(options: FileOptions): Statement {
  return fileStatement(FOCUS, options)
}
