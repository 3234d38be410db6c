// AWS Data Exports, CUR 2.0: the lines of Amazon Bedrock.

import { checkCurrency, momentIn, moneyIn, numberIn } from '../fields.ts'
import { type FileFormat, type FileOptions, fieldOf, fileStatement } from '../file-statement.ts'
import { HOUR, type Statement } from '../statement.ts'
import { tierOfSentence, typeOfSentence } from '../type-words.ts'

/** https://docs.aws.amazon.com/cur/latest/userguide/table-dictionary-cur2.html, columns as read on 2026-11-21. */
export const AWS_CUR: FileFormat = {
  source: 'aws-cur',
  name: 'AWS CUR 2.0',
  needs: [
    ['line_item_usage_type'],
    ['line_item_usage_start_date'],
    ['line_item_usage_end_date'],
    ['line_item_usage_amount'],
    ['line_item_unblended_cost'],
    ['line_item_currency_code'],
  ],
  lagMs: 48 * HOUR,
  cannotTell: [
    'AWS says to join by model, usage type and day: there are no rows of single requests.',
    'A usage type is a word of its own: the kind of token is read from it, and --alias names the model.',
  ],
  folds: { 'output.reasoning': 'output.text', 'input.text.tool_use': 'input.text' },
  read(fields, where, provider) {
    const service = [fieldOf(fields, 'line_item_product_code'), fieldOf(fields, 'product_servicecode')].join(' ')
    if (service.trim() !== '' && !/bedrock/i.test(service)) return undefined
    const usageType = fieldOf(fields, 'line_item_usage_type') ?? ''
    const kind = fieldOf(fields, 'line_item_line_item_type') ?? 'Usage'
    const isUsage = /usage/i.test(kind)
    const type = isUsage ? typeOfSentence(usageType.replace(/([a-z])([A-Z])/g, '$1 $2')) : undefined
    const unit = fieldOf(fields, 'pricing_unit') ?? ''
    const amount = numberIn(fields, 'line_item_usage_amount', where)
    checkCurrency(fieldOf(fields, 'line_item_currency_code'), where, 'line_item_currency_code')
    return {
      kind: 'cost',
      since: momentIn(fields, 'line_item_usage_start_date', where),
      until: momentIn(fields, 'line_item_usage_end_date', where),
      provider,
      ...(isUsage && { model: modelOf(usageType), tier: tierOfSentence(usageType), type }),
      profile: fieldOf(fields, 'line_item_iam_principal'),
      project: fieldOf(fields, 'line_item_usage_account_id'),
      quantity:
        amount === undefined || !isUsage ? undefined : /\b1?k\b/i.test(unit) ? Math.round(amount * 1000) : amount,
      cost: moneyIn(fields, 'line_item_unblended_cost', where),
      currency: 'USD',
      item: usageType,
    }
  },
}

/** `USE1-Claude4.5Sonnet-input-tokens`: without the region before it and what is counted behind it. */
function modelOf(usageType: string): string {
  return usageType
    .replace(/^[A-Z]{2,4}\d?-(MP:[A-Z0-9]+_)?/, '')
    .replace(/[-_]?(cache|input|output|batch|token).*$/i, '')
}

/**
 * Bedrock's lines of a cost and usage report.
 *
 * @example
 * const statement = awsCurStatement({ path: 'cur2.csv', provider: 'aws' })
 */
export function awsCurStatement(options: FileOptions): Statement {
  return fileStatement(AWS_CUR, options)
}
