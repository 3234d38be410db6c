// Anthropic's cost report: a day a bucket, amounts in cents as decimal texts.

import type { Bucket } from '../../usage.ts'
import { checkCurrency, type Fields, idIn, listIn, momentIn, moneyIn, objectIn, optionalText, stop } from '../fields.ts'
import { bucketCheck, pagesOf } from '../pages.ts'
import type { Puller } from '../pull.ts'
import { DAY, type Period, type StatementRow } from '../statement.ts'
import { tierOf } from '../tier.ts'
import { typeIn } from '../type-words.ts'

const MOST_BUCKETS = 31

const TOKENS = [
  'uncached_input_tokens',
  'cache_read_input_tokens',
  'cache_creation.ephemeral_5m_input_tokens',
  'cache_creation.ephemeral_1h_input_tokens',
  'output_tokens',
]
const FEES = ['web_search', 'code_execution', 'session_usage']

/** https://platform.claude.com/docs/en/api/admin/cost_report, read on 2026-11-22. */
export async function* anthropicCosts(pull: Puller, period: Period): AsyncGenerator<StatementRow> {
  const where = 'Anthropic cost report'
  const query = new URLSearchParams({
    starting_at: new Date(period.since).toISOString(),
    ending_at: new Date(period.until).toISOString(),
    bucket_width: '1d',
    limit: String(MOST_BUCKETS),
  })
  for (const group of ['workspace_id', 'description']) query.append('group_by[]', group)
  const check = bucketCheck(period, DAY, where)
  for await (const bucket of pagesOf(pull, '/v1/organizations/cost_report', query, where)) {
    const span = { since: momentIn(bucket, 'starting_at', where), until: momentIn(bucket, 'ending_at', where) }
    check.see(span)
    const place = `${where}, ${new Date(span.since).toISOString().slice(0, 10)}`
    for (const item of listIn(bucket['results'], place, 'results')) {
      const result = objectIn(item, place, 'results[]')
      yield {
        source: 'anthropic',
        kind: 'cost',
        ...span,
        provider: 'anthropic',
        workspace: idIn(result, 'workspace_id', place) ?? null,
        ...whatOf(result, place),
        cost: moneyIn(result, 'amount', place, 100),
        currency: checkCurrency(result['currency'], place),
        item: optionalText(result, 'description', place),
      }
    }
  }
  check.end()
}

/** Of a line of either report: which model, which tokens, which tier. */
export function whatOf(fields: Fields, where: string): { model?: string; type?: Bucket; tier?: string } {
  const costType = optionalText(fields, 'cost_type', where)
  if (costType !== undefined && FEES.includes(costType)) return { type: typeIn(costType)! }
  if (costType !== undefined && costType !== 'tokens')
    return stop(where, 'cost_type', 'tokens, web_search, code_execution or session_usage', costType)
  const model = optionalText(fields, 'model', where)
  const tokenType = optionalText(fields, 'token_type', where)
  const type = tokenType !== undefined && TOKENS.includes(tokenType) ? typeIn(tokenType) : undefined
  if (tokenType !== undefined && type === undefined)
    return stop(where, 'token_type', `one of ${TOKENS.join(', ')}`, tokenType)
  return {
    ...(model !== undefined && { model }),
    ...(type !== undefined && { type, tier: tierOf(optionalText(fields, 'service_tier', where)) }),
  }
}
