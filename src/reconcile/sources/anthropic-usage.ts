// Anthropic's usage report of messages.

import { countIn, idIn, listIn, momentIn, neededCount, objectIn, optionalText } from '../fields.ts'
import { bucketCheck, pagesOf } from '../pages.ts'
import type { Puller } from '../pull.ts'
import { type Period, STEP_MS, type StatementRow, type Step, type TokenType } from '../statement.ts'
import { tierOf } from '../tier.ts'

const MOST_BUCKETS = { '1m': 1440, '1h': 168, '1d': 31 } as const

/** https://platform.claude.com/docs/en/api/admin-api/usage-cost/get-messages-usage-report, read on 2026-11-22. */
export async function* anthropicUsage(pull: Puller, period: Period, step: Step): AsyncGenerator<StatementRow> {
  const where = 'Anthropic usage report'
  const query = new URLSearchParams({
    starting_at: new Date(period.since).toISOString(),
    ending_at: new Date(period.until).toISOString(),
    bucket_width: step,
    limit: String(MOST_BUCKETS[step]),
  })
  for (const group of ['workspace_id', 'api_key_id', 'model', 'service_tier']) query.append('group_by[]', group)
  const check = bucketCheck(period, STEP_MS[step], where)
  for await (const bucket of pagesOf(pull, '/v1/organizations/usage_report/messages', query, where)) {
    const span = { since: momentIn(bucket, 'starting_at', where), until: momentIn(bucket, 'ending_at', where) }
    check.see(span)
    const place = `${where}, ${new Date(span.since).toISOString()}`
    for (const item of listIn(bucket['results'], place, 'results')) {
      const result = objectIn(item, place, 'results[]')
      const row = {
        source: 'anthropic',
        kind: 'usage',
        ...span,
        provider: 'anthropic',
        model: optionalText(result, 'model', place),
        tier: tierOf(optionalText(result, 'service_tier', place)),
        workspace: idIn(result, 'workspace_id', place) ?? null,
        key: idIn(result, 'api_key_id', place) ?? null,
        currency: 'USD',
      } as const
      for (const [type, quantity] of quantitiesOf(result, place)) if (quantity > 0) yield { ...row, type, quantity }
    }
  }
  check.end()
}

/** The figures that both reports have under the same names. */
export function quantitiesOf(
  result: Readonly<Record<string, unknown>>,
  where: string,
): readonly (readonly [TokenType, number])[] {
  const written = objectIn(result['cache_creation'], where, 'cache_creation')
  const tools = result['server_tool_use']
  const searches =
    tools === undefined || tools === null
      ? 0
      : (countIn(objectIn(tools, where, 'server_tool_use'), 'web_search_requests', where) ?? 0)
  return [
    ['input.text', neededCount(result, 'uncached_input_tokens', where)],
    ['input.text.cache_read', neededCount(result, 'cache_read_input_tokens', where)],
    ['input.text.cache_write_5m', neededCount(written, 'ephemeral_5m_input_tokens', where)],
    ['input.text.cache_write_1h', neededCount(written, 'ephemeral_1h_input_tokens', where)],
    ['output.text', neededCount(result, 'output_tokens', where)],
    ['fee.web_search', searches],
  ]
}
