// OpenAI's usage objects, in disjoint buckets.

import { type Counts, counts, hiddenTokens, isObject, type Quantities, type UsageReading } from './counts.ts'
import { checkUsage } from './invariants.ts'
import { COMPLETION_SHAPE, EMBEDDING_SHAPE, RESPONSE_SHAPE } from './openai-usage-rules.ts'
import type { Json } from './provider.ts'

const COMPLETION = { input: 'prompt_tokens', output: 'completion_tokens', total: 'total_tokens' } as const
export const RESPONSE = { input: 'input_tokens', output: 'output_tokens', total: 'total_tokens' } as const
const COMPLETION_TOTALS = Object.values(COMPLETION)
type Names = typeof COMPLETION | typeof RESPONSE

/** `prompt_tokens` holds cached, cache-write, audio and image tokens; `completion_tokens` holds reasoning and audio. */
export function readCompletionUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const asked = usage['prompt_tokens_details']
  const written = usage['completion_tokens_details']
  const reasoning = count.of(written, 'reasoning_tokens')
  const { input, output } = totals(count, usage, COMPLETION, reasoning)
  const predicted =
    count.check(written, 'accepted_prediction_tokens') + count.check(written, 'rejected_prediction_tokens')
  const inputs = splitInput(count, COMPLETION.input, input, {
    // DeepSeek's own name for it, on every answer; the details came later.
    cached: count.check(asked, 'cached_tokens') || count.check(usage, 'prompt_cache_hit_tokens'),
    write: count.of(asked, 'cache_write_tokens'),
    audio: count.of(asked, 'audio_tokens'),
    image: count.of(asked, 'image_tokens'),
    text: count.of(asked, 'text_tokens'),
  })
  const outputs = splitOutput(count, COMPLETION.output, Math.max(output, predicted), {
    reasoning,
    audio: count.of(written, 'audio_tokens'),
  })
  checkUsage(count, usage, COMPLETION_SHAPE)
  return count.reading(Object.assign(inputs, outputs), usage, COMPLETION_TOTALS)
}

const SEARCHING = /^gpt-[\w.]+(?:-mini)?-search-(?:preview|api)(?:-|$)/

/** Models that search before they answer: each search is billed, and no answer of a chat says how many there were. */
export function flagSearches<R extends UsageReading>(reading: R, model: unknown): R {
  if (!reading.usage || typeof model !== 'string' || !SEARCHING.test(model)) return reading
  return { ...reading, flags: [...(reading.flags ?? []), 'missing:web_search'] }
}

/** Embeddings have an input and nothing else. */
export function readEmbeddingUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const input = count.need(usage, COMPLETION.input)
  const total = count.check(usage, COMPLETION.total)
  checkUsage(count, usage, EMBEDDING_SHAPE)
  return count.reading({ 'input.text': Math.max(input, total) }, usage, COMPLETION_TOTALS)
}

/** What OpenAI's own tools did within a response, where each time is billed. */
export interface ToolFees {
  readonly webSearches: number
  readonly fileSearches: number
  readonly codeSessions: number
}

/** `input_tokens` and `output_tokens` with their details; cache writes may be told apart by how long they live. */
export function readResponseUsage(usage: unknown, toolUsage?: unknown, fees?: ToolFees): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const search = isObject(toolUsage) ? toolUsage['web_search'] : undefined
  const asked = usage['input_tokens_details']
  const byLife = isObject(asked) ? asked['cache_write_tokens_details'] : undefined
  const write30m = count.of(byLife, 'ttl_30m_tokens')
  const write12h = count.of(byLife, 'ttl_12h_tokens')
  const written = count.of(asked, 'cache_write_tokens')
  const write = Math.max(written, write30m + write12h)
  const reasoning = count.of(usage['output_tokens_details'], 'reasoning_tokens')
  const { input, output } = totals(count, usage, RESPONSE, reasoning)
  const quantities: Quantities = {
    ...splitInput(count, RESPONSE.input, input, {
      cached: count.check(asked, 'cached_tokens'),
      write,
      audio: 0,
      image: 0,
      text: 0,
    }),
    'input.text.cache_write': write - write30m - write12h,
    'input.text.cache_write_30m': write30m,
    'input.text.cache_write_12h': write12h,
    ...splitOutput(count, RESPONSE.output, output, { reasoning, audio: 0 }),
    // Beside the usage, and billed by the piece (openai 7.57.0 responses.d.ts, Response.tool_usage).
    'fee.web_search': isObject(search) ? count.of(search, 'num_requests') : (fees?.webSearches ?? 0),
    'fee.file_search': fees?.fileSearches ?? 0,
    'fee.code_session': fees?.codeSessions ?? 0,
  }
  checkUsage(count, usage, RESPONSE_SHAPE)
  return count.reading(quantities, usage, Object.values(RESPONSE))
}

/** Input and output; of xAI, whose `completion_tokens` leave reasoning out as only the total shows, with it. */
export function totals(count: Counts, usage: Json, names: Names, reasoning: number): { input: number; output: number } {
  const input = count.need(usage, names.input)
  const output = count.need(usage, names.output)
  if (reasoning > 0 && usage[names.total] === input + output + reasoning) return { input, output: output + reasoning }
  const hidden = hiddenTokens(count, usage, names, input + output)
  return { input: input + hidden.input, output: output + hidden.output }
}

interface InputParts {
  readonly cached: number
  readonly write: number
  readonly audio: number
  readonly image: number
  /** 0 where the details do not say it. */
  readonly text: number
}

/**
 * Takes the parts out of the inclusive count. Cached and written are one way to part it, audio and image another, and
 * nothing says how they overlap: what is cached is text first, since there the discount saves least.
 */
function splitInput(count: Counts, field: string, total: number, parts: InputParts): Quantities {
  const { cached, write, image } = parts
  let { audio } = parts
  const named = parts.text > 0 ? parts.text + audio + image : total
  const all = Math.max(total, named)
  // Tokens of a kind that is not named are of the dearest kind that is.
  if (audio > 0) audio += all - named
  if (cached + write > all || audio + image > all) {
    count.flag('subset', field)
    return billedInFull(all, { cached, write, audio, image })
  }
  const text = all - audio - image
  // Chat models price images as text; a cache write is dearer than either. Audio is dearer still, and stays audio.
  const textWritten = Math.min(write, text)
  const imageWritten = Math.min(write - textWritten, image)
  const textRead = Math.min(cached, text - textWritten)
  const imageRead = Math.min(cached - textRead, image - imageWritten)
  const audioRead = Math.min(cached - textRead - imageRead, audio)
  return {
    'input.text': text - textWritten - textRead,
    'input.text.cache_read': textRead,
    'input.text.cache_write': textWritten + imageWritten,
    'input.audio': audio - audioRead,
    'input.audio.cache_read': audioRead,
    'input.image': image - imageWritten - imageRead,
    'input.image.cache_read': imageRead,
  }
}

/** The parts do not fit, and nobody knows which number is wrong: each is billed as it stands, and no discount is believed. */
function billedInFull(all: number, { cached, write, audio, image }: Omit<InputParts, 'text'>): Quantities {
  const text = Math.max(0, all - write - audio - image)
  return {
    'input.text': text,
    'input.text.cache_read': Math.max(0, cached - text),
    'input.text.cache_write': write,
    'input.audio': audio,
    'input.image': image,
  }
}

function splitOutput(
  count: Counts,
  field: string,
  all: number,
  { reasoning, audio }: { readonly reasoning: number; readonly audio: number },
): Quantities {
  if (reasoning + audio > all) count.flag('subset', field)
  return {
    'output.text': Math.max(0, all - audio - reasoning),
    'output.reasoning': reasoning,
    'output.audio': audio,
  }
}
