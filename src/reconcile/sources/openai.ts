// What OpenAI counted and billed: its usage endpoints and its costs endpoint, by an admin key.

import type { PullOptions } from '../pull.ts'
import { pulledRows } from '../pulled-rows.ts'
import { DAY, type Grain, HOUR, STEP_MS, type Statement, type Step } from '../statement.ts'
import { openaiCosts } from './openai-costs.ts'
import { openaiUsage } from './openai-usage.ts'

export interface OpenAiStatementOptions {
  /** An admin key, `sk-admin-…`; `OPENAI_ADMIN_KEY` unless told. */
  readonly adminKey?: string | undefined
  /** `https://api.openai.com/v1` unless told. */
  readonly baseUrl?: string | undefined
  /** The bucket that usage is asked in; an hour unless told. */
  readonly step?: Step | undefined
  readonly pause?: PullOptions['pause']
}

/** Reasoning is inside of the output, tool prompts inside of the input, and cache writes are told in one figure. */
const FOLDS: Grain['folds'] = {
  'output.reasoning': 'output.text',
  'input.text.tool_use': 'input.text',
  'input.text.cache_write_5m': 'input.text.cache_write',
  'input.text.cache_write_30m': 'input.text.cache_write',
  'input.text.cache_write_1h': 'input.text.cache_write',
  'input.text.cache_write_12h': 'input.text.cache_write',
}

/**
 * OpenAI's usage and costs of an organization.
 *
 * @example
 * const statement = openaiStatement({ adminKey: 'sk-admin-…', step: '1h' })
 */
export function openaiStatement(options: OpenAiStatementOptions = {}): Statement {
  const { adminKey, baseUrl = 'https://api.openai.com/v1', step = '1h', pause } = options
  return {
    source: 'openai',
    provider: 'openai',
    usage: {
      stepMs: STEP_MS[step],
      lagMs: HOUR,
      tells: ['model', 'tier', 'type', 'requests', 'quantity'],
      folds: FOLDS,
    },
    // Hours, it says itself: a job at six in the morning has yesterday, and what comes later is pulled again.
    cost: { stepMs: DAY, lagMs: 5 * HOUR, tells: ['model', 'type', 'quantity'], folds: FOLDS },
    cannotTell: [
      'OpenAI has no rows of single requests: a cost is spread over the calls of a bucket.',
      'Its costs do not tell tiers apart, nor batches from the rest.',
      'Its usage and its costs may differ by themselves; it says that the costs are what agrees with the invoice.',
      'Reasoning is inside of the output.',
    ],
    isPulled: true,
    rows: pulledRows({
      key: adminKey,
      needsKey: 'OpenAI tells usage and costs to an admin key alone: set OPENAI_ADMIN_KEY.',
      baseUrl,
      headers: (key) => ({ authorization: `Bearer ${key}` }),
      pause,
      parts: (pull, period) => [openaiUsage(pull, period, step), openaiCosts(pull, period)],
    }),
  }
}
