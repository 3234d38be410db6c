// Mistral's usage objects, in disjoint buckets. Shapes: @mistralai/mistralai 2.7.0 UsageInfo, UsageInfoDollarDefs,
// ConversationUsageInfo, OCRUsageInfo.

import { type Counts, counts, hiddenTokens, isObject, type Quantities, type UsageReading } from './counts.ts'
import { checkUsage, usageShape } from './invariants.ts'
import type { Json } from './provider.ts'

const NAMES = { input: 'prompt_tokens', output: 'completion_tokens', total: 'total_tokens' } as const
const TOTALS = Object.values(NAMES)

const SHAPE = usageShape({
  sums: [
    {
      whole: 'total_tokens',
      parts: ['prompt_tokens', 'connector_tokens', 'completion_tokens'],
      // The total has the tokens of the sound too, which no other field has.
      unless: 'prompt_audio_seconds',
    },
  ],
  subsets: [
    { of: 'prompt_tokens', parts: ['prompt_tokens_details.cached_tokens'] },
    { of: 'prompt_tokens', parts: ['prompt_token_details.cached_tokens'] },
    { of: 'prompt_tokens', parts: ['num_cached_tokens'] },
  ],
})

/** Tokens, the seconds of sound that stand in for theirs, and of conversations what connectors brought in. */
export function readMistralUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const seconds = count.of(usage, 'prompt_audio_seconds')
  const connectors = count.of(usage, 'connector_tokens')
  const input = count.need(usage, NAMES.input)
  const output = count.of(usage, NAMES.output)
  // The total has the tokens of the sound too, which no other field has: sound is charged by the second.
  const hidden = seconds > 0 ? 0 : hiddenTokens(count, usage, NAMES, input + connectors + output).output
  const cached = cachedOf(count, usage)
  const read = cached > input ? 0 : cached
  checkUsage(count, usage, SHAPE)
  return count.reading(
    {
      'input.text': input - read,
      'input.text.cache_read': read,
      'input.text.tool_use': connectors,
      'output.text': output + hidden,
      'unit.input_seconds': seconds,
      ...feesOf(count, usage['connectors']),
    },
    usage,
    TOTALS,
  )
}

/** Three names for one number: an answer may have any of them. */
function cachedOf(count: Counts, usage: Json): number {
  return (
    count.check(usage['prompt_tokens_details'], 'cached_tokens') ||
    count.check(usage['prompt_token_details'], 'cached_tokens') ||
    count.check(usage, 'num_cached_tokens')
  )
}

/** Connectors that are charged by the use. */
const FEES: Readonly<Record<string, 'fee.web_search' | 'fee.file_search' | 'fee.code_session'>> = {
  web_search: 'fee.web_search',
  web_search_premium: 'fee.web_search',
  document_library: 'fee.file_search',
  code_interpreter: 'fee.code_session',
}

function feesOf(count: Counts, connectors: unknown): Quantities {
  const fees: Quantities = {}
  if (!isObject(connectors)) return fees
  for (const name in connectors) {
    const fee = Object.hasOwn(FEES, name) ? FEES[name] : undefined
    if (fee) fees[fee] = (fees[fee] ?? 0) + count.of(connectors, name)
  }
  return fees
}

/** Documents are charged by the page. */
export function readPages(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  return count.reading({ 'unit.input_pages': count.need(usage, 'pages_processed') }, usage, ['pages_processed'])
}
