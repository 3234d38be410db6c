// OpenAI's wire: chat completions, responses, legacy completions, embeddings.
// Shapes: openai 7.57.0 resources/**/*.d.ts (CompletionUsage, ResponseUsage, CreateEmbeddingResponse.Usage).

import { codeOf, counts, isObject, textOf, usageOf } from './counts.ts'
import { texts } from './prompt.ts'
import { switches } from './switches.ts'
import { HIDE, type Json, type Provider, type Reading, type Route, type StreamReader } from './provider.ts'

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

function splitOutput(count: Count, all: number, field: string, parts: { reasoning: number; audio: number }): Quantities {
  if (parts.reasoning + parts.audio > all) count.flag('subset', field)
  const audio = Math.min(parts.audio, all)
  const reasoning = Math.min(parts.reasoning, all - audio)
  return { 'output.text': all - audio - reasoning, 'output.reasoning': reasoning, 'output.audio': audio }
}

function whole(count: Count, usage: Reading['usage'], hasInput: boolean): Pick<Reading, 'usage' | 'flags' | 'isPartial'> {
  const reading: { usage: Reading['usage']; flags?: readonly string[]; isPartial?: boolean } = { usage }
  if (count.flags.length > 0) reading.flags = count.flags
  if (count.isBroken || !hasInput) reading.isPartial = true
  return reading
}

const SWITCHES = [
  'temperature',
  'top_p',
  'n',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'frequency_penalty',
  'presence_penalty',
  'parallel_tool_calls',
  'logprobs',
  'store',
  'background',
  'dimensions',
  'reasoning_effort',
  'service_tier',
] as const

function cap(value: unknown, times: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined
  return value * (typeof times === 'number' && times > 1 ? times : 1)
}

function facts(body: Json, stream: boolean, maxOutputTokens: number | undefined, lists: readonly string[]) {
  const metadata = switches(body, SWITCHES, lists)
  return {
    model: textOf(body['model']) ?? 'unknown',
    stream,
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(metadata && { metadata }),
  }
}

/** Hosts that refuse `stream_options` (Mistral: 422 extra_forbidden) or send usage anyway (OpenRouter). */
const WITHOUT_STREAM_OPTIONS = new Set(['api.mistral.ai', 'openrouter.ai'])

function askForUsage(body: Json, host: string): Json | undefined {
  // Azure answers 400 to stream_options beside data_sources.
  if (body['stream'] !== true || WITHOUT_STREAM_OPTIONS.has(host) || 'data_sources' in body) return undefined
  const options = body['stream_options']
  if (isObject(options) && options['include_usage'] === true) return undefined
  const asked = { ...(isObject(options) ? options : undefined), include_usage: true }
  const prototype = Object.getPrototypeOf(body)
  if (prototype === Object.prototype || prototype === null) return { ...body, stream_options: asked }
  // A body of the caller's own class keeps its class, getters and toJSON.
  const copy = Object.create(prototype, Object.getOwnPropertyDescriptors(body)) as Json
  Object.defineProperty(copy, 'stream_options', { value: asked, enumerable: true, configurable: true, writable: true })
  return copy
}

interface Chunk {
  id?: unknown
  model?: unknown
  service_tier?: unknown
  usage?: unknown
  choices?: {
    finish_reason?: unknown
    text?: unknown
    delta?: {
      content?: unknown
      refusal?: unknown
      reasoning_content?: unknown
      tool_calls?: { function?: { name?: unknown; arguments?: unknown } }[]
    }
  }[]
}

/** Chat and legacy completions: the last usage that is not null wins, whatever chunk carries it; never a sum. */
function completionStream(isPrepared: boolean): StreamReader {
  let usage: unknown
  let id: unknown
  let model: unknown
  let tier: unknown
  let finish: unknown
  let isUsageHidden = false
  const generated: string[] = []

  return {
    take(event) {
      const chunk = event as Chunk
      id ??= chunk.id
      model ??= chunk.model
      if (chunk.service_tier) tier = chunk.service_tier
      const choices = chunk.choices
      if (choices) {
        for (const choice of choices) {
          if (choice.finish_reason) finish = choice.finish_reason
          const delta = choice.delta
          if (!delta) {
            if (typeof choice.text === 'string') generated.push(choice.text)
            continue
          }
          if (typeof delta.content === 'string') generated.push(delta.content)
          else if (delta.tool_calls || delta.refusal || delta.reasoning_content) otherText(delta, generated)
        }
      }
      const own = chunk.usage
      if (own) usage = own
      if (!isPrepared || own === undefined) return isUsageHidden && choices?.length === 0 ? HIDE : event
      if (own === null) {
        const { usage: _, ...shown } = event
        return shown
      }
      // Azure's first chunk has no choices and no usage, DeepSeek's last has both: only what came for our asking goes.
      if (choices?.length === 0) {
        isUsageHidden = true
        return HIDE
      }
      return event
    },
    reading: () => ({
      ...readCompletionUsage(usage),
      responseId: textOf(id),
      model: textOf(model),
      serviceTier: codeOf(tier),
      finishReason: codeOf(finish),
    }),
    generated: () => generated,
  }
}

function otherText(delta: NonNullable<NonNullable<Chunk['choices']>[number]['delta']>, generated: string[]): void {
  if (typeof delta.refusal === 'string') generated.push(delta.refusal)
  if (typeof delta.reasoning_content === 'string') generated.push(delta.reasoning_content)
  if (!Array.isArray(delta.tool_calls)) return
  for (const call of delta.tool_calls) {
    if (typeof call.function?.name === 'string') generated.push(call.function.name)
    if (typeof call.function?.arguments === 'string') generated.push(call.function.arguments)
  }
}

function readResponse(answer: Json): Reading {
  const failed = answer['error']
  return {
    ...readResponseUsage(answer['usage']),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    serviceTier: codeOf(answer['service_tier']),
    finishReason: codeOf(answer['status']),
    error: isObject(failed) ? (codeOf(failed['code']) ?? 'response_failed') : undefined,
  }
}

function responseStream(): StreamReader {
  let last: Json | undefined
  let error: string | undefined
  let isOver = false
  const generated: string[] = []
  return {
    take(event) {
      const type = event['type']
      if (typeof type !== 'string') return event
      if (type.endsWith('.delta')) {
        if (typeof event['delta'] === 'string') generated.push(event['delta'])
      } else if (type === 'error') error = codeOf(event['code']) ?? 'stream_error'
      else if (isObject(event['response'])) {
        last = event['response']
        isOver = type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed'
      }
      return event
    },
    reading() {
      const reading = last ? readResponse(last) : {}
      return { ...reading, ...(error !== undefined && { error }), ...(!isOver && { usage: undefined }) }
    },
    generated: () => generated,
  }
}

const chat: Route = {
  endpoint: 'chat.completions',
  path: /(?:^|\/)chat\/completions$/,
  request: (body, _path, stream) =>
    facts(body, stream, cap(body['max_completion_tokens'] ?? body['max_tokens'], body['n']), ['messages', 'tools']),
  prepare: askForUsage,
  fields: ['id', 'model', 'usage', 'service_tier'],
  read: (answer) => ({
    ...readCompletionUsage(answer['usage']),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    serviceTier: codeOf(answer['service_tier']),
  }),
  readStream: completionStream,
  prompt: (body) => texts(body['messages'], body['tools'], body['functions'], body['response_format']),
}

export const openai: Provider = {
  name: 'openai',
  sdk: 'openai',
  // Regional endpoints (eu.api.openai.com) are the same provider.
  hosts: /^(?:[a-z0-9-]+\.)?api\.openai\.com$/,
  routes: [
    chat,
    {
      endpoint: 'responses',
      path: /(?:^|\/)responses$/,
      request: (body, _path, stream) => facts(body, stream, cap(body['max_output_tokens'], 1), ['tools']),
      fields: ['id', 'model', 'usage', 'service_tier', 'status', 'error'],
      read: readResponse,
      readStream: responseStream,
      prompt: (body) => texts(body['input'], body['instructions'], body['tools'], body['text']),
    },
    {
      ...chat,
      endpoint: 'completions',
      path: /(?:^|\/)completions$/,
      request: (body, _path, stream) => {
        const times = Math.max(Number(body['n']) || 1, Number(body['best_of']) || 1)
        // The API's own default is 16 tokens: an uncapped request is capped (completions.d.ts, max_tokens).
        return facts(body, stream, cap(body['max_tokens'] ?? 16, times), [])
      },
      prompt: (body) => texts(body['prompt'], body['suffix']),
    },
    {
      endpoint: 'embeddings',
      path: /(?:^|\/)embeddings$/,
      request: (body) => facts(body, false, 0, ['input']),
      fields: ['model', 'usage'],
      read: (answer) => ({ ...readCompletionUsage(answer['usage']), model: textOf(answer['model']) }),
      prompt: (body) => texts(body['input']),
    },
  ],
}
