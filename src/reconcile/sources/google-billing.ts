// Google Cloud's billing export, out of BigQuery as JSON lines.

import { checkCurrency, listIn, momentIn, moneyIn, numberIn, objectIn, optionalText } from '../fields.ts'
import { type FileFormat, type FileOptions, fileStatement } from '../file-statement.ts'
import { HOUR, type Statement } from '../statement.ts'
import { tierOfSentence, typeOfSentence } from '../type-words.ts'

const OURS = /vertex|gemini|generative language/i

/** https://docs.cloud.google.com/billing/docs/how-to/export-data-bigquery-tables/standard-usage, read on 2026-11-21. */
export const GOOGLE_BILLING: FileFormat = {
  source: 'google-billing',
  name: 'Google Cloud billing export',
  isJsonLines: true,
  needs: [['sku'], ['usage_start_time'], ['usage_end_time'], ['cost'], ['currency']],
  lagMs: 48 * HOUR,
  cannotTell: [
    'A SKU is a sentence: the model and the kind of token are read from its words, and --alias names the rest.',
    'Reasoning is inside of the output, and the Gemini API of AI Studio tells no labels.',
  ],
  folds: { 'output.reasoning': 'output.text', 'input.text.tool_use': 'input.text' },
  read(fields, where, provider) {
    const service = optionalText(objectIn(fields['service'] ?? {}, where, 'service'), 'description', where)
    if (service !== undefined && !OURS.test(service)) return undefined
    const sku = optionalText(objectIn(fields['sku'], where, 'sku'), 'description', where) ?? ''
    const usage = objectIn(fields['usage'] ?? {}, where, 'usage')
    const credits = listIn(fields['credits'] ?? [], where, 'credits')
    checkCurrency(fields['currency'], where)
    const costType = optionalText(fields, 'cost_type', where) ?? 'regular'
    const isUsage = costType === 'regular'
    return {
      kind: 'cost',
      since: momentIn(fields, 'usage_start_time', where),
      until: momentIn(fields, 'usage_end_time', where),
      provider,
      ...(isUsage && { model: modelOfSku(sku), tier: tierOfSentence(sku), type: typeOfSentence(sku) }),
      project: optionalText(objectIn(fields['project'] ?? {}, where, 'project'), 'id', where),
      quantity: isUsage ? numberIn(usage, 'amount', where) : undefined,
      // What is left after the credits is what is paid.
      cost: credits.reduce<bigint>(
        (sum, credit) => sum + moneyIn(objectIn(credit, where, 'credits[]'), 'amount', where),
        moneyIn(fields, 'cost', where),
      ),
      currency: 'USD',
      item: sku,
    }
  },
}

/** `Gemini 2.5 Flash Lite GA Text Input - Predictions` is `gemini-2.5-flash-lite`. */
export function modelOfSku(sku: string): string | undefined {
  const [, version, kind] = /gemini (\d+(?:\.\d+)?) (flash lite|flash-lite|flash|pro|argon)/i.exec(sku) ?? []
  if (version === undefined || kind === undefined) return undefined
  return `gemini-${version}-${kind.toLowerCase().replace(' ', '-')}`
}

/**
 * Google Cloud's billing export.
 *
 * @example
 * const statement = googleBillingStatement({ path: 'billing.jsonl', provider: 'google' })
 */
export function googleBillingStatement(options: FileOptions): Statement {
  return fileStatement(GOOGLE_BILLING, options)
}
