// OpenAI's usage objects, in disjoint buckets.

import { counts, isObject, usageOf } from './counts.ts'
import type { Reading } from './provider.ts'

/** `prompt_tokens` holds cached, cache-write, audio and image tokens; `completion_tokens` holds reasoning and audio. */
export function readCompletionUsage(usage: unknown): Pick<Reading, 'usage' | 'flags' | 'isPartial'> {
  if (!isObject(usage)) return {}
  const count = counts()
  const prompt = count.of(usage, 'prompt_tokens')
  const completion = count.of(usage, 'completion_tokens')
  const details = usage['prompt_tokens_details']
  const written = usage['completion_tokens_details']
  const input = splitInput(count, prompt, 'prompt_tokens', {
    cached: count.of(details, 'cached_tokens'),
    cacheWrite: count.of(details, 'cache_write_tokens'),
    audio: count.of(details, 'audio_tokens'),
    image: count.of(details, 'image_tokens'),
  })
  const output = splitOutput(count, completion, 'completion_tokens', {
    reasoning: count.of(written, 'reasoning_tokens'),
    audio: count.of(written, 'audio_tokens'),
  })
  if (count.has(usage, 'total_tokens') && count.of(usage, 'total_tokens') !== prompt + completion)
    count.flag('sum', 'total_tokens')
  return whole(count, usageOf({ ...input, ...output }), count.has(usage, 'prompt_tokens'))
}

/** `input_tokens` and `output_tokens` with their details; cache writes may be told apart by how long they live. */
export function readResponseUsage(usage: unknown): Pick<Reading, 'usage' | 'flags' | 'isPartial'> {
  if (!isObject(usage)) return {}
  const count = counts()
  const allInput = count.of(usage, 'input_tokens')
  const allOutput = count.of(usage, 'output_tokens')
  const details = usage['input_tokens_details']
  const byLife = isObject(details) ? details['cache_write_tokens_details'] : undefined
  const write30m = count.of(byLife, 'ttl_30m_tokens')
  const write12h = count.of(byLife, 'ttl_12h_tokens')
  const writes = count.of(details, 'cache_write_tokens')
  if (write30m + write12h > writes) count.flag('subset', 'cache_write_tokens_details')
  const cacheWrite = Math.max(writes, write30m + write12h)
  const input = splitInput(count, allInput, 'input_tokens', {
    cached: count.of(details, 'cached_tokens'),
    cacheWrite,
    audio: 0,
    image: 0,
  })
  const output = splitOutput(count, allOutput, 'output_tokens', {
    reasoning: count.of(usage['output_tokens_details'], 'reasoning_tokens'),
    audio: 0,
  })
  const split = write30m + write12h
  if (split > 0) input['input.text.cache_write'] = Math.max(0, (input['input.text.cache_write'] ?? 0) - split)
  if (count.has(usage, 'total_tokens') && count.of(usage, 'total_tokens') !== allInput + allOutput)
    count.flag('sum', 'total_tokens')
  const all = { ...input, ...output, 'input.text.cache_write_30m': write30m, 'input.text.cache_write_12h': write12h }
  return whole(count, usageOf(all), count.has(usage, 'input_tokens'))
}

type Quantities = Record<string, number>
type Count = ReturnType<typeof counts>

/** Takes the subsets out of the inclusive count. Where they do not fit, the dearer reading wins: less is taken as cached. */
function splitInput(
  count: Count,
  all: number,
  field: string,
  parts: { cached: number; cacheWrite: number; audio: number; image: number },
): Quantities {
  if (parts.cached + parts.cacheWrite > all || parts.audio + parts.image > all) count.flag('subset', field)
  const cacheWrite = Math.min(parts.cacheWrite, all)
  const audio = Math.min(parts.audio, all - cacheWrite)
  const image = Math.min(parts.image, all - cacheWrite - audio)
  // Cached tokens are not told apart by modality here: cached audio counts in both, and only as audio in ours.
  const cached = Math.min(parts.cached, all - cacheWrite - audio - image)
  return {
    'input.text': all - cacheWrite - audio - image - cached,
    'input.text.cache_read': cached,
    'input.text.cache_write': cacheWrite,
    'input.audio': audio,
    'input.image': image,
  }
}

function splitOutput(
  count: Count,
  all: number,
  field: string,
  parts: { reasoning: number; audio: number },
): Quantities {
  if (parts.reasoning + parts.audio > all) count.flag('subset', field)
  const audio = Math.min(parts.audio, all)
  const reasoning = Math.min(parts.reasoning, all - audio)
  return { 'output.text': all - audio - reasoning, 'output.reasoning': reasoning, 'output.audio': audio }
}

function whole(
  count: Count,
  usage: Reading['usage'],
  hasInput: boolean,
): Pick<Reading, 'usage' | 'flags' | 'isPartial'> {
  const reading: { usage: Reading['usage']; flags?: readonly string[]; isPartial?: boolean } = { usage }
  if (count.flags.length > 0) reading.flags = count.flags
  if (count.isBroken || !hasInput) reading.isPartial = true
  return reading
}
