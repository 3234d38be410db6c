// Anthropic's usage objects, in disjoint buckets.

import { readIterations } from './anthropic-iterations.ts'
import { type Counts, codeOf, counts, isObject, type Quantities, type UsageReading } from './counts.ts'
import { checkUsage, type UsageRules, usageShape } from './invariants.ts'
import type { Json, Reading } from './provider.ts'

const TOTALS = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'output_tokens'] as const

/** Both lives of a cache write make up all of it. */
const LIVES = { parts: ['cache_creation.ephemeral_5m_input_tokens', 'cache_creation.ephemeral_1h_input_tokens'] }

/** @anthropic-ai/sdk 1.12.0 beta/messages, BetaUsage. There is no total. */
const RULES = {
  subsets: [{ of: 'output_tokens', parts: ['output_tokens_details.thinking_tokens'] }],
  known: [
    ...TOTALS,
    'server_tool_use.web_search_requests',
    // Free of charge.
    'server_tool_use.web_fetch_requests',
    // OpenRouter's, in this wire's words: see charge.ts.
    'cost',
  ],
} satisfies UsageRules

export const MESSAGE_SHAPE = usageShape({
  ...RULES,
  sums: [{ whole: 'cache_creation_input_tokens', flag: 'cache_creation', when: 'cache_creation', ...LIVES }],
})

/** Of a stream, whose later rounds write more than its beginning could split. */
const RUNNING_SHAPE = usageShape({
  ...RULES,
  subsets: [
    ...RULES.subsets,
    { of: 'cache_creation_input_tokens', flag: 'cache_creation', when: 'cache_creation', ...LIVES },
  ],
})

interface Origin {
  /** The output has been reported: a stream's `message_start` has only a placeholder. */
  readonly hasOutput: boolean
  /** Totals grew in a stream since the split of cache writes was given. */
  readonly isRunning: boolean
}

const ANSWER: Origin = { hasOutput: true, isRunning: false }

/** What a usage object tells, and of the models that had a part in it. */
type MessageUsage = UsageReading & Pick<Reading, 'serviceTier' | 'geo' | 'model' | 'others' | 'metadata'>

/** `input_tokens` excludes cache reads and writes; `output_tokens` includes thinking. There is no total to check. */
export function readMessageUsage(
  usage: unknown,
  model?: string,
  { hasOutput, isRunning }: Origin = ANSWER,
): MessageUsage {
  if (!isObject(usage)) return {}
  const count = counts()
  count.need(usage, 'input_tokens')
  const output = hasOutput ? count.need(usage, 'output_tokens') : 0
  const thinking = hasOutput ? count.of(usage['output_tokens_details'], 'thinking_tokens') : 0
  const quantities: Quantities = {
    ...readInput(count, usage, isRunning),
    'output.text': Math.max(0, output - thinking),
    'output.reasoning': thinking,
    'fee.web_search': count.of(usage['server_tool_use'], 'web_search_requests'),
  }
  if (hasOutput) checkUsage(count, usage, isRunning ? RUNNING_SHAPE : MESSAGE_SHAPE)
  const { served, others } = readIterations(count, usage, model, quantities, (one) => {
    checkUsage(count, one, MESSAGE_SHAPE)
    return readInput(count, one, false)
  })
  const reading = count.reading(quantities, usage, TOTALS)
  // Fast mode has prices of its own, whatever the tier.
  const serviceTier = usage['speed'] === 'fast' ? 'fast' : codeOf(usage['service_tier'])
  const geo = servedWhere(usage)
  return {
    ...reading,
    ...(!hasOutput && { isPartial: true }),
    ...(serviceTier !== undefined && { serviceTier }),
    ...(served !== undefined && { model: served }),
    ...(others && { others }),
    ...(geo !== undefined && { geo, metadata: { inference_geo: geo } }),
  }
}

/** Left out where it is as for everybody: inference in the United States costs more than `global`. */
function servedWhere(usage: Json): string | undefined {
  const geo = codeOf(usage['inference_geo'])
  return geo === 'global' || geo === 'not_available' ? undefined : geo
}

/** Of a message, of a round within one, of a model request of an agent: their fields are the same. */
export function readInput(count: Counts, usage: Json, isRunning: boolean): Quantities {
  const created = count.of(usage, 'cache_creation_input_tokens')
  const byLife = usage['cache_creation']
  const write5m = count.of(byLife, 'ephemeral_5m_input_tokens')
  const write1h = count.of(byLife, 'ephemeral_1h_input_tokens')
  const rest = created - write5m - write1h
  const hasSplit = isObject(byLife)
  // A server tool's later rounds write more than `message_start` could split.
  const isGrown = isRunning && rest > 0
  // With no split it is the default lifetime. Of a split that does not cover it, the dearest that can be meant.
  const isLong = hasSplit && (isGrown ? write1h > 0 : true)
  const more = Math.max(0, rest)
  return {
    'input.text': count.of(usage, 'input_tokens'),
    'input.text.cache_read': count.of(usage, 'cache_read_input_tokens'),
    'input.text.cache_write_5m': write5m + (isLong ? 0 : more),
    'input.text.cache_write_1h': write1h + (isLong ? more : 0),
  }
}
