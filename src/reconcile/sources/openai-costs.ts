// OpenAI's costs: a day a bucket, a line for each model and kind of token, in dollars.

import type { Bucket } from '../../usage.ts'
import { checkCurrency, idIn, listIn, moneyIn, numberIn, objectIn, optionalText, unixIn } from '../fields.ts'
import { bucketCheck, pagesOf } from '../pages.ts'
import type { Puller } from '../pull.ts'
import { DAY, type Period, type StatementRow } from '../statement.ts'
import { typeIn } from '../type-words.ts'

const MOST_BUCKETS = 180

export async function* openaiCosts(pull: Puller, period: Period): AsyncGenerator<StatementRow> {
  const where = 'OpenAI costs'
  const query = new URLSearchParams({
    start_time: String(period.since / 1000),
    end_time: String(period.until / 1000),
    bucket_width: '1d',
    limit: String(MOST_BUCKETS),
  })
  for (const group of ['project_id', 'api_key_id', 'line_item']) query.append('group_by[]', group)
  const check = bucketCheck(period, DAY, where)
  for await (const bucket of pagesOf(pull, '/organization/costs', query, where)) {
    const span = { since: unixIn(bucket, 'start_time', where), until: unixIn(bucket, 'end_time', where) }
    check.see(span)
    const place = `${where}, ${new Date(span.since).toISOString().slice(0, 10)}`
    for (const item of listIn(bucket['results'], place, 'results')) {
      const result = objectIn(item, place, 'results[]')
      const amount = objectIn(result['amount'], place, 'amount')
      const line = optionalText(result, 'line_item', place)
      const unit = optionalText(result, 'quantity_unit', place)
      const quantity = numberIn(result, 'quantity', place)
      yield {
        source: 'openai',
        kind: 'cost',
        ...span,
        provider: 'openai',
        project: idIn(result, 'project_id', place) ?? null,
        key: idIn(result, 'api_key_id', place) ?? null,
        ...lineOf(line),
        quantity: quantity !== undefined && unit === '1000_tokens' ? Math.round(quantity * 1000) : quantity,
        cost: moneyIn(amount, 'value', place),
        currency: checkCurrency(amount['currency'], place),
        item: line,
      }
    }
  }
  check.end()
}

/** `gpt-6-astra, input_tokens`; older invoices write `cached input`. A line of which we do not know what it counts is a line all the same: it is shown, and explained by nothing. */
function lineOf(line: string | undefined): { model?: string; type?: Bucket; tier?: string } {
  if (line === undefined) return {}
  const at = line.lastIndexOf(',')
  if (at < 0) {
    const fee = typeIn(line)
    return fee === undefined ? {} : { type: fee }
  }
  const type = typeIn(line.slice(at + 1))
  return { model: line.slice(0, at).trim(), ...(type !== undefined && { type }) }
}
