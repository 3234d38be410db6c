// What OpenRouter charged: its activity, a row for each day, model and endpoint; and its generations, one request each.

import { idIn, listIn, momentIn, moneyIn, neededCount, objectIn, optionalText, stop, textIn } from '../fields.ts'
import type { Puller, PullOptions } from '../pull.ts'
import { pulledRows } from '../pulled-rows.ts'
import { DAY, type Grain, type Period, type Statement, type StatementRow } from '../statement.ts'

export interface OpenRouterStatementOptions {
  /** A management key; `OPENROUTER_MANAGEMENT_KEY` unless told. */
  readonly managementKey?: string | undefined
  /** `https://openrouter.ai/api/v1` unless told. */
  readonly baseUrl?: string | undefined
  /** Ids of answers, `gen-…`, whose cost is asked for one by one: exact, and one request each. */
  readonly generations?: readonly string[] | undefined
  readonly pause?: PullOptions['pause']
}

/** It counts a prompt and a completion, whatever is in them. */
const FOLDS: Grain['folds'] = {
  'input.text.cache_read': 'input.text',
  'input.text.cache_write': 'input.text',
  'input.text.cache_write_5m': 'input.text',
  'input.text.cache_write_30m': 'input.text',
  'input.text.cache_write_1h': 'input.text',
  'input.text.cache_write_12h': 'input.text',
  'input.text.tool_use': 'input.text',
  'input.image': 'input.text',
  'input.audio': 'input.text',
  'output.reasoning': 'output.text',
}

/**
 * OpenRouter's activity of the last 30 completed days.
 *
 * @example
 * const statement = openRouterStatement({ managementKey: 'sk-or-v1-…' })
 */
export function openRouterStatement(options: OpenRouterStatementOptions = {}): Statement {
  const { managementKey, baseUrl = 'https://openrouter.ai/api/v1', generations, pause } = options

  return {
    source: generations === undefined ? 'openrouter' : 'openrouter-generations',
    provider: 'openrouter',
    usage:
      generations === undefined
        ? { stepMs: DAY, lagMs: 0, tells: ['model', 'type', 'requests', 'quantity'], folds: FOLDS }
        : undefined,
    cost: { stepMs: DAY, lagMs: 0, tells: ['model'], folds: FOLDS },
    cannotTell: [
      'OpenRouter’s activity is of whole days in UTC that are over, and goes back 30 of them.',
      'What is paid to a provider by a key of your own is in that provider’s bill.',
    ],
    isPulled: true,
    rows: pulledRows({
      key: managementKey,
      needsKey: 'OpenRouter tells its activity to a management key alone: set OPENROUTER_MANAGEMENT_KEY.',
      baseUrl,
      headers: (key) => ({ authorization: `Bearer ${key}` }),
      pause,
      parts: (pull, period) => [generations === undefined ? activity(pull, period) : generated(pull, generations)],
    }),
  }
}

/** https://openrouter.ai/docs/api/api-reference/analytics/get-user-activity, read on 2026-11-22. */
async function* activity(pull: Puller, { since, until }: Period): AsyncGenerator<StatementRow> {
  for (let at = since; at < until; at += DAY) {
    const day = new Date(at).toISOString().slice(0, 10)
    const where = `OpenRouter activity, ${day}`
    const answer = await pull.get('/activity', new URLSearchParams({ date: day }))
    for (const item of listIn(answer['data'], where, 'data')) {
      const row = objectIn(item, where, 'data[]')
      // `2025-08-24`, and `2025-08-24 00:00:00` in some answers.
      if (textIn(row, 'date', where).slice(0, 10) !== day) stop(where, 'date', day, row['date'])
      const fixed = {
        source: 'openrouter',
        since: at,
        until: at + DAY,
        provider: 'openrouter',
        model: textIn(row, 'model', where),
        currency: 'USD',
        item: optionalText(row, 'provider_name', where),
      } as const
      const requests = neededCount(row, 'requests', where)
      yield {
        ...fixed,
        kind: 'usage',
        type: 'input.text',
        quantity: neededCount(row, 'prompt_tokens', where),
        requests,
      }
      yield { ...fixed, kind: 'usage', type: 'output.text', quantity: neededCount(row, 'completion_tokens', where) }
      yield { ...fixed, kind: 'cost', cost: moneyIn(row, 'usage', where) }
    }
  }
}

/** https://openrouter.ai/docs/api/api-reference/generations/get-generation, read on 2026-11-22. */
async function* generated(pull: Puller, ids: readonly string[]): AsyncGenerator<StatementRow> {
  for (const id of ids) {
    const where = 'OpenRouter generation'
    const answer = await pull.get('/generation', new URLSearchParams({ id }))
    const data = objectIn(answer['data'], where, 'data')
    const at = momentIn(data, 'created_at', where)
    yield {
      source: 'openrouter-generations',
      kind: 'cost',
      since: at,
      until: at + 1,
      provider: 'openrouter',
      model: idIn(data, 'model', where) ?? undefined,
      requests: 1,
      cost: moneyIn(data, 'total_cost', where),
      currency: 'USD',
      responseId: id,
    }
  }
}
