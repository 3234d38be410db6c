// The usage that a provider never reported: estimated from the request and from what arrived, with bounds.

import { estimateTokens, type TokenEstimate } from './providers/estimate.ts'
import type { FinishedCall } from './record.ts'
import { type Bucket, tokenTotals } from './usage.ts'

/**
 * The call with what is missing of its usage filled in. What was reported stands: of a broken-off stream Anthropic has
 * reported the input, Google a running total, OpenAI nothing.
 */
export async function fillUsage(
  call: FinishedCall,
  prompt: Iterable<string>,
  generated: Iterable<string>,
  usualOutput: number,
): Promise<FinishedCall> {
  const known = tokenTotals(call.usage ?? {})
  const input = known.inputTokens > 0 ? exactly(known.inputTokens) : await estimateTokens(prompt)
  const output =
    known.outputTokens > 0
      ? exactly(known.outputTokens)
      : call.streamEnd === 'unread'
        ? neverRead(call.facts.maxOutputTokens, usualOutput)
        : await estimateTokens(generated)
  const usage: { [B in Bucket]?: number } = { ...call.usage }
  if (known.inputTokens === 0 && input.tokens > 0) usage['input.text'] = input.tokens
  if (known.outputTokens === 0 && output.tokens > 0) usage['output.text'] = output.tokens
  return {
    ...call,
    usage,
    usageBounds: { inputTokens: [input.low, input.high], outputTokens: [output.low, output.high] },
  }
}

/** A stream that nobody read is generated, and billed, all the same: as long as such answers usually are. */
function neverRead(cap: number | undefined, usual: number): TokenEstimate {
  return { tokens: cap === undefined ? usual : Math.min(cap, usual), low: 0, high: cap ?? usual * 10 }
}

function exactly(tokens: number): TokenEstimate {
  return { tokens, low: tokens, high: tokens }
}
