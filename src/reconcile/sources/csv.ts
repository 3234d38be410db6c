// A CSV file of one's own: a line for each day or hour, model and kind of token, with what it cost.

import { providerNamed } from '../../pricing/provider-names.ts'
import { checkCurrency, type Fields, momentIn, moneyIn, numberIn, stop } from '../fields.ts'
import { type FileFormat, type FileOptions, fieldOf, fileStatement, lowered } from '../file-statement.ts'
import { DAY, HOUR, type Statement, type StatementRow } from '../statement.ts'
import { tierOf } from '../tier.ts'
import { typeIn } from '../type-words.ts'

/** `2026-10-01T00:00:00-07:00`. */
const OTHER_MIDNIGHT = /[T ]00:00(:00(\.0+)?)?[+-](?!00:?00)\d/

const STARTS = ['date', 'day', 'start', 'since']

export const CSV: FileFormat = {
  source: 'csv',
  name: 'CSV file',
  figures: ['quantity', 'cost', 'cost_usd', 'requests'],
  needs: [STARTS, ['model'], ['cost', 'cost_usd', 'quantity']],
  lagMs: 0,
  cannotTell: ['A file says nothing of what is not in it.'],
  read(given, where, provider) {
    const fields = lowered(given)
    if (providerNamed(fieldOf(fields, 'provider') ?? provider) !== provider) return undefined
    const column = STARTS.find((name) => fieldOf(fields, name) !== undefined) ?? 'date'
    const since = momentIn(fields, column, where)
    const text = fieldOf(fields, column) ?? ''
    const isWithoutEnd = fieldOf(fields, 'end', 'until') === undefined
    if (isWithoutEnd && OTHER_MIDNIGHT.test(text))
      stop(where, column, 'a day in UTC, or an hour with its `end`: the midnight of another clock may be either', text)
    const until = isWithoutEnd ? since + widthOf(text) : endIn(fields, where)
    const costColumn = ['cost', 'cost_usd'].find((name) => fieldOf(fields, name) !== undefined)
    const currency = fieldOf(fields, 'currency')
    if (currency !== undefined) checkCurrency(currency, where)
    const typeText = fieldOf(fields, 'type', 'token_type')
    const type = typeText === undefined ? undefined : typeIn(typeText)
    if (typeText !== undefined && type === undefined)
      stop(where, 'type', 'a kind of token such as input_tokens or output_tokens', typeText)
    const tierText = fieldOf(fields, 'tier', 'service_tier')
    const isBatch = fieldOf(fields, 'batch')?.toLowerCase() === 'true'
    const requests = numberIn(fields, 'requests', where)
    const ids = Object.fromEntries(
      ['key', 'project', 'workspace', 'profile'].flatMap((name) => {
        const id = fieldOf(fields, name, `${name}_id`, name === 'key' ? 'api_key_id' : name)
        return id === undefined ? [] : [[name, id]]
      }),
    ) as Pick<StatementRow, 'key' | 'project' | 'workspace' | 'profile'>
    return {
      kind: costColumn === undefined ? 'usage' : 'cost',
      since,
      until,
      provider,
      model: fieldOf(fields, 'model'),
      ...(isBatch ? { tier: 'batch' } : tierText !== undefined && { tier: tierOf(tierText) }),
      ...ids,
      type,
      quantity: numberIn(fields, 'quantity', where),
      ...(requests !== undefined && { requests }),
      ...(costColumn !== undefined && { cost: moneyIn(fields, costColumn, where) }),
      currency: 'USD',
      item: fieldOf(fields, 'item', 'description'),
      responseId: fieldOf(fields, 'response_id', 'request_id'),
    }
  },
}

function endIn(fields: Fields, where: string): number {
  return momentIn(fields, fieldOf(fields, 'end') === undefined ? 'until' : 'end', where)
}

/** A date is a day, and a moment an hour. */
function widthOf(text: string): number {
  return /^\d{4}-\d\d-\d\d$/.test(text.trim()) ? DAY : HOUR
}

/**
 * A CSV file of one's own; docs/reconcile.md has its columns.
 *
 * @example
 * const statement = csvStatement({ path: 'november.csv', provider: 'openai' })
 */
export function csvStatement(options: FileOptions): Statement {
  return fileStatement(CSV, options)
}
