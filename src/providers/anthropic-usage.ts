// Anthropic's usage objects, in disjoint buckets.

import { type Counts, codeOf, counts, isObject, type Quantities, type UsageReading } from './counts.ts'
import type { Json, Reading } from './provider.ts'

const TOTALS = ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'output_tokens'] as const

interface Origin {
  /** The output has been reported: a stream's `message_start` has only a placeholder. */
  readonly hasOutput: boolean
  /** Totals grew in a stream since the split of cache writes was given. */
  readonly isRunning: boolean
}

const ANSWER: Origin = { hasOutput: true, isRunning: false }

/** `input_tokens` excludes cache reads and writes; `output_tokens` includes thinking. There is no total to check. */
export function readMessageUsage(
  usage: unknown,
  model?: unknown,
  { hasOutput, isRunning }: Origin = ANSWER,
): UsageReading & Pick<Reading, 'serviceTier'> {
  if (!isObject(usage)) return {}
  const count = counts()
  count.need(usage, 'input_tokens')
  const output = hasOutput ? count.need(usage, 'output_tokens') : 0
  const thinking = hasOutput ? count.of(usage['output_tokens_details'], 'thinking_tokens') : 0
  if (thinking > output) count.flag('subset', 'output_tokens')
  const quantities: Quantities = {
    ...input(count, usage, isRunning),
    'output.text': Math.max(0, output - thinking),
    'output.reasoning': thinking,
    'fee.web_search': count.of(usage['server_tool_use'], 'web_search_requests'),
  }
  addIterations(count, usage['iterations'], model, quantities)
  const reading = count.reading(quantities, usage, TOTALS)
  // Fast mode has prices of its own, whatever the tier.
  const serviceTier = usage['speed'] === 'fast' ? 'fast' : codeOf(usage['service_tier'])
  return {
    ...reading,
    ...(!hasOutput && { isPartial: true }),
    ...(serviceTier !== undefined && { serviceTier }),
  }
}

function input(count: Counts, usage: Json, isRunning: boolean): Quantities {
  const created = count.of(usage, 'cache_creation_input_tokens')
  const byLife = usage['cache_creation']
  const write5m = count.of(byLife, 'ephemeral_5m_input_tokens')
  const write1h = count.of(byLife, 'ephemeral_1h_input_tokens')
  const rest = created - write5m - write1h
  const hasSplit = isObject(byLife)
  // A server tool's later rounds write more than `message_start` could split.
  const isGrown = isRunning && rest > 0
  if (hasSplit && rest !== 0 && !isGrown) count.flag('sum', 'cache_creation')
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

/**
 * Beta messages say what each round of a server's loop used. A `compaction` and an `advisor_message` are billed beside
 * the top-level usage, which is the sum of the others (beta/messages/messages.d.ts, BetaUsage.iterations).
 * One event has one model: where a round had another (an advisor, a fallback), that is flagged.
 */
function addIterations(count: Counts, iterations: unknown, model: unknown, quantities: Quantities): void {
  if (!Array.isArray(iterations)) return
  for (const iteration of iterations as unknown[]) {
    if (!isObject(iteration)) continue
    const own = iteration['model']
    if (typeof own === 'string' && own !== model) count.flag('model', 'iterations')
    if (iteration['type'] !== 'compaction' && iteration['type'] !== 'advisor_message') continue
    const used: Quantities = {
      ...input(count, iteration, false),
      'output.text': count.of(iteration, 'output_tokens'),
    }
    for (const bucket of Object.keys(used) as (keyof Quantities)[])
      quantities[bucket] = (quantities[bucket] ?? 0) + (used[bucket] ?? 0)
  }
}
