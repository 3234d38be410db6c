// What Anthropic counted and billed: its usage report and its cost report, by an admin key.

import type { PullOptions } from '../pull.ts'
import { pulledRows } from '../pulled-rows.ts'
import { DAY, type Grain, HOUR, MINUTE, STEP_MS, type Statement, type Step } from '../statement.ts'
import { anthropicAnalytics } from './anthropic-analytics.ts'
import { anthropicCosts } from './anthropic-costs.ts'
import { anthropicUsage } from './anthropic-usage.ts'

export interface AnthropicStatementOptions {
  /** An admin key, `sk-ant-admin…`; `ANTHROPIC_ADMIN_KEY` unless told. */
  readonly adminKey?: string | undefined
  /** `https://api.anthropic.com` unless told. */
  readonly baseUrl?: string | undefined
  /** The bucket that usage is asked in; an hour unless told. */
  readonly step?: Step | undefined
  /** By the analytics reports (a beta of 2026-08-24), which tell costs by user profile, list prices and requests. */
  readonly byProfile?: boolean | undefined
  readonly pause?: PullOptions['pause']
}

/** Thinking is inside of the output. */
const FOLDS: Grain['folds'] = { 'output.reasoning': 'output.text', 'input.text.tool_use': 'input.text' }

/**
 * Anthropic's usage and costs of an organization.
 *
 * @example
 * const statement = anthropicStatement({ adminKey: 'sk-ant-admin…', byProfile: true })
 */
export function anthropicStatement(options: AnthropicStatementOptions = {}): Statement {
  const { adminKey, baseUrl = 'https://api.anthropic.com', step = '1h', byProfile = false, pause } = options
  return {
    source: byProfile ? 'anthropic-analytics' : 'anthropic',
    provider: 'anthropic',
    usage: {
      stepMs: STEP_MS[step],
      lagMs: 5 * MINUTE,
      tells: ['model', 'tier', 'type', 'quantity', ...(byProfile ? (['requests'] as const) : [])],
      folds: FOLDS,
    },
    cost: { stepMs: DAY, lagMs: HOUR, tells: ['model', 'tier', 'type'], folds: FOLDS },
    cannotTell: [
      'Anthropic has no rows of single requests: a cost is spread over the calls of a bucket.',
      ...(byProfile ? [] : ['Its usage report does not say how many requests there were.']),
      'Its cost report leaves out what Priority Tier costs.',
      'Thinking is inside of the output.',
    ],
    isPulled: true,
    rows: pulledRows({
      key: adminKey,
      needsKey: 'Anthropic tells usage and costs to an admin key alone: set ANTHROPIC_ADMIN_KEY.',
      baseUrl,
      headers: (key) => ({
        'x-api-key': key,
        'anthropic-version': '2023-06-01',
        ...(byProfile && { 'anthropic-beta': 'analytics-usage-cost-2026-08-24' }),
      }),
      pause,
      parts: (pull, period) =>
        byProfile
          ? [anthropicAnalytics(pull, period, 'usage', step), anthropicAnalytics(pull, period, 'cost', '1d')]
          : [anthropicUsage(pull, period, step), anthropicCosts(pull, period)],
    }),
  }
}
