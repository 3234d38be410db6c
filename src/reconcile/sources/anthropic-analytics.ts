// Anthropic's analytics of usage and costs: by user profile, with the price before a discount and the number of requests.

import { checkCurrency, countIn, idIn, momentIn, moneyIn, objectIn, optionalText, stop } from '../fields.ts'
import { pagesOf } from '../pages.ts'
import type { Puller } from '../pull.ts'
import { DAY, type Period, type StatementRow, type Step } from '../statement.ts'
import { tierOf } from '../tier.ts'
import { whatOf } from './anthropic-costs.ts'
import { quantitiesOf } from './anthropic-usage.ts'

const MOST_ROWS = 1000
const MOST_DAYS = 31
const DIMENSIONS = ['user_profile_id', 'workspace_id', 'api_key_id', 'model', 'service_tier']

/** Read in the types of @anthropic-ai/sdk 1.12.0, `resources/beta/organization/analytics`, on 2026-11-22. */
export async function* anthropicAnalytics(
  pull: Puller,
  { since, until }: Period,
  report: 'usage' | 'cost',
  step: Step,
): AsyncGenerator<StatementRow> {
  for (let from = since; from < until; from += MOST_DAYS * DAY)
    yield* rowsOf(pull, { since: from, until: Math.min(until, from + MOST_DAYS * DAY) }, report, step)
}

async function* rowsOf(
  pull: Puller,
  period: Period,
  report: 'usage' | 'cost',
  step: Step,
): AsyncGenerator<StatementRow> {
  const where = `Anthropic analytics of ${report}`
  const query = new URLSearchParams({
    starting_at: new Date(period.since).toISOString(),
    ending_at: new Date(period.until).toISOString(),
    time_bucket_width: step,
    order_by: 'time',
    order: 'asc',
    limit: String(MOST_ROWS),
  })
  for (const group of [...DIMENSIONS, ...(report === 'cost' ? ['cost_type', 'token_type'] : [])])
    query.append('group_by[]', group)
  for await (const item of pagesOf(pull, `/v1/organizations/analytics/${report}`, query, where)) {
    const span = { since: momentIn(item, 'starting_at', where), until: momentIn(item, 'ending_at', where) }
    const place = `${where}, ${new Date(span.since).toISOString()}`
    if (span.since < period.since || span.until > period.until)
      stop(place, 'starting_at', 'a bucket of the days that were asked for', item['starting_at'])
    const group = objectIn(item['group'], place, 'group')
    const row = {
      source: 'anthropic-analytics',
      ...span,
      provider: 'anthropic',
      profile: idIn(group, 'user_profile_id', place) ?? null,
      workspace: idIn(group, 'workspace_id', place) ?? null,
      key: idIn(group, 'api_key_id', place) ?? null,
      currency: 'USD',
    } as const
    if (report === 'cost') {
      const cost = objectIn(item['cost'], place, 'cost')
      checkCurrency(cost['currency'], place)
      yield {
        ...row,
        kind: 'cost',
        ...whatOf(group, place),
        cost: moneyIn(cost, 'amount', place, 100),
        listCost: moneyIn(cost, 'list_amount', place, 100),
      }
      continue
    }
    const usage = objectIn(item['usage'], place, 'usage')
    let requests = countIn(usage, 'requests', place)
    const model = optionalText(group, 'model', place)
    const tier = tierOf(optionalText(group, 'service_tier', place))
    for (const [type, quantity] of quantitiesOf(usage, place)) {
      if (quantity === 0 && requests === undefined) continue
      yield { ...row, kind: 'usage', model, tier, type, quantity, requests }
      requests = undefined
    }
  }
}
