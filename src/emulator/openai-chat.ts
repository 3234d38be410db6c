// OpenAI's /chat/completions and the older /completions, whole and streamed.

import {
  argPieces,
  type Choice,
  type Counts,
  type Generation,
  inputTotal,
  outputTotal,
  progressOf,
  reported,
  textOf,
} from './generation.ts'
import { type Answer, type Call, isJson, type Json, type SseEvent } from './wire.ts'

/** What the two endpoints differ in. */
interface Shape {
  readonly endpoint: string
  readonly id: string
  readonly object: string
  readonly chunkObject: string
  choice(choice: Choice, index: number): Json
  deltas(choice: Choice, index: number): Iterable<Delta>
}

/** A choice of one chunk; `isToken` where it carries generated text. */
interface Delta {
  readonly choice: Json
  readonly isToken?: boolean
  /** What `obfuscation` pads. */
  readonly text?: string
}

export function chatUsage(counts: Counts): Json {
  const prompt = inputTotal(counts)
  const completion = outputTotal(counts)
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: counts.cacheRead,
      audio_tokens: counts.audioInput,
      cache_write_tokens: counts.cacheWrite + counts.cacheWrite1h,
    },
    completion_tokens_details: {
      reasoning_tokens: counts.reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

const CHAT: Shape = {
  endpoint: 'chat/completions',
  id: 'chatcmpl-',
  object: 'chat.completion',
  chunkObject: 'chat.completion.chunk',
  choice: (choice, index) => ({
    index,
    message: {
      role: 'assistant',
      content: textOf(choice),
      refusal: null,
      annotations: [],
      ...(choice.toolCalls.length > 0 && {
        tool_calls: choice.toolCalls.map(({ id, name, args }) => ({
          id,
          type: 'function',
          function: { name, arguments: JSON.stringify(args) },
        })),
      }),
    },
    logprobs: null,
    finish_reason: choice.end,
  }),
  *deltas(choice, index) {
    const delta = (delta: Json, finish: string | null = null) => ({
      choice: { index, delta, logprobs: null, finish_reason: finish },
    })
    yield delta({ role: 'assistant', content: choice.pieces ? '' : null, refusal: null })
    for (const piece of choice.pieces ?? []) yield { ...delta({ content: piece }), isToken: true, text: piece }
    for (const [place, call] of choice.toolCalls.entries()) {
      const { id, name } = call
      yield delta({ tool_calls: [{ index: place, id, type: 'function', function: { name, arguments: '' } }] })
      for (const piece of argPieces(call)) {
        const part = { tool_calls: [{ index: place, function: { arguments: piece } }] }
        yield { ...delta(part), isToken: true, text: piece }
      }
    }
    yield delta({}, choice.end)
  },
}

const TEXT: Shape = {
  endpoint: 'completions',
  id: 'cmpl-',
  object: 'text_completion',
  chunkObject: 'text_completion',
  choice: (choice, index) => ({ text: textOf(choice) ?? '', index, logprobs: null, finish_reason: choice.end }),
  *deltas(choice, index) {
    for (const text of choice.pieces ?? []) {
      yield { choice: { text, index, logprobs: null, finish_reason: null }, isToken: true }
    }
    yield { choice: { text: '', index, logprobs: null, finish_reason: choice.end } }
  },
}

export const chatCompletion = (call: Call, generation: Generation, tier: string): Answer =>
  complete(CHAT, call, generation, tier)

export const textCompletion = (call: Call, generation: Generation): Answer =>
  complete(TEXT, call, generation, undefined)

function complete(shape: Shape, call: Call, generation: Generation, tier: string | undefined): Answer {
  const { body, reply } = call
  const model = reply.model ?? String(body.model)
  const id = `${shape.id}${call.serial}`
  const created = Math.floor(call.now.getTime() / 1000)
  const tail = { ...(tier !== undefined && { service_tier: tier }), system_fingerprint: 'fp_emulator' }
  const usage = reported(reply, chatUsage(generation.counts))
  const billable = {
    model,
    endpoint: shape.endpoint,
    responseId: id,
    terms: { tier },
    counts: generation.counts,
    usage: chatUsage,
  }
  if (body.stream !== true) {
    const choices = generation.choices.map(shape.choice)
    return { status: 200, json: { id, object: shape.object, created, model, choices, usage, ...tail }, billable }
  }
  const head = { id, object: shape.chunkObject, created, model, ...tail }
  const events = stream(shape, generation, head, usage, body.stream_options)
  return { status: 200, events, billable }
}

function* stream(
  shape: Shape,
  generation: Generation,
  head: Json,
  usage: unknown,
  options: unknown,
): Generator<SseEvent> {
  const { include_usage: withUsage, include_obfuscation: obfuscate = true } = isJson(options) ? options : {}
  const next = progressOf(generation)
  // Asked for, `usage` is null on every chunk but the last; not asked for, no chunk has the key.
  const tail = withUsage === true ? { usage: null } : {}
  const open = generation.choices.map((choice, index) => shape.deltas(choice, index)[Symbol.iterator]())
  // Choices come interleaved, chunk by chunk.
  while (open.length > 0) {
    for (const deltas of [...open]) {
      const { value, done } = deltas.next()
      if (done) {
        open.splice(open.indexOf(deltas), 1)
        continue
      }
      const { choice, isToken, text } = value as Delta
      const padding = text !== undefined && obfuscate === true ? { obfuscation: obfuscation(text) } : {}
      const data = { ...head, choices: [choice], ...tail, ...padding }
      yield isToken ? { data, generated: next() } : { data }
    }
  }
  const generated = outputTotal(generation.counts)
  if (withUsage === true && usage !== undefined) yield { data: { ...head, choices: [], usage }, generated }
  yield { data: '[DONE]', generated }
}

/** Letters that make every delta of a stream about as long as the others, so that lengths give nothing away. */
export function obfuscation(text: string): string {
  return 'x'.repeat(16 - (text.length % 16))
}
