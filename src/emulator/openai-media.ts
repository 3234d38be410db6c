// OpenAI's sound and images: /audio/transcriptions, /audio/translations, /audio/speech and /images/*.

import { type Counts, generate, inputTotal, reported, textOf } from './generation.ts'
import { type Answer, asCount, asText, type Billable, type Call, isJson, type Json, type SseEvent } from './wire.ts'
import { countTokens, pieces } from './words.ts'

export const NOTHING: Counts = {
  input: 0,
  audioInput: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWrite1h: 0,
  toolUse: 0,
  output: 0,
  reasoning: 0,
  webSearches: 0,
}

const AUDIO_TOKENS_A_SECOND = 10
const USUAL_SECONDS = 8.47
const TIMED = { text: 'text/plain; charset=utf-8', srt: 'text/plain; charset=utf-8', vtt: 'text/vtt; charset=utf-8' }

/** whisper-1 is billed by the second that has begun, its successors by the token. */
export function transcript(call: Call, endpoint: 'audio/transcriptions' | 'audio/translations'): Answer {
  const { body, reply } = call
  const model = String(body.model)
  const seconds = reply.seconds ?? USUAL_SECONDS
  const isTimed = model.startsWith('whisper')
  const heard = generate({ tokens: countTokens(body.prompt), serial: call.serial, cap: undefined }, reply)
  const text = textOf(heard.choices[0]!) ?? ''
  const counts = isTimed
    ? NOTHING
    : { ...heard.counts, audioInput: Math.ceil(seconds * AUDIO_TOKENS_A_SECOND), reasoning: 0, webSearches: 0 }
  const usage = (counts: Counts): Json => {
    if (isTimed) return { type: 'duration', seconds: Math.ceil(seconds) }
    const input = inputTotal(counts)
    const details = { audio_tokens: counts.audioInput, text_tokens: input - counts.audioInput }
    const total = input + counts.output
    return {
      type: 'tokens',
      input_tokens: input,
      input_token_details: details,
      output_tokens: counts.output,
      total_tokens: total,
    }
  }
  const extras = isTimed ? { inputSeconds: Math.ceil(seconds) } : {}
  const billable: Billable = { model, endpoint, terms: {}, counts, extras, usage }
  const said = reported(reply, usage(counts))
  if (body.stream === 'true' || body.stream === true)
    return { status: 200, events: transcriptEvents(text, said), billable }
  const format = asText(body.response_format) ?? 'json'
  if (format in TIMED) {
    const contentType = TIMED[format as keyof typeof TIMED]
    return {
      status: 200,
      text: format === 'text' ? `${text}\n` : `1\n00:00:00,000 --> 00:00:08,470\n${text}\n`,
      contentType,
      billable,
    }
  }
  if (endpoint === 'audio/translations' && format === 'json') return { status: 200, json: { text }, billable }
  const long = { task: 'transcribe', language: 'english', duration: seconds, segments: [] }
  const withUsage = said === undefined || endpoint === 'audio/translations' ? {} : { usage: said }
  const json = { text, ...(format === 'json' ? {} : long), ...withUsage }
  return { status: 200, json, billable }
}

function* transcriptEvents(text: string, usage: unknown): Generator<SseEvent> {
  for (const delta of pieces(text)) yield { data: { type: 'transcript.text.delta', delta } }
  yield { data: { type: 'transcript.text.done', text, usage } }
}

/** Sound that is played, or events of it; what it is billed by depends on the model alone. */
export function speech(call: Call): Answer {
  const { body, reply } = call
  const model = String(body.model)
  const input = asText(body.input) ?? ''
  const isByCharacter = model.startsWith('tts-')
  const spoken = { ...NOTHING, input: reply.inputTokens ?? countTokens([input, body.instructions]) }
  const audioOutput = reply.outputTokens ?? 20 * pieces(input).length
  const usage = (counts: Counts): Json =>
    isByCharacter
      ? { characters: Array.from(input).length }
      : { input_tokens: counts.input, output_tokens: audioOutput, total_tokens: counts.input + audioOutput }
  const billable: Billable = {
    model,
    endpoint: 'audio/speech',
    terms: {},
    counts: isByCharacter ? NOTHING : spoken,
    extras: isByCharacter ? { characters: Array.from(input).length } : { audioOutput },
    usage,
  }
  if (body.stream_format !== 'sse')
    return { status: 200, text: `ID3 ${'\0'.repeat(2048)}`, contentType: 'audio/mpeg', billable }
  const audio = Buffer.from('sound').toString('base64')
  const deltas = pieces(input).map((): SseEvent => ({ data: { type: 'speech.audio.delta', audio } }))
  const done = { type: 'speech.audio.done', usage: reported(reply, usage(spoken)) }
  return { status: 200, events: [...deltas, { data: done }], billable }
}

const TOKENS_AN_IMAGE = 1056
const TOKENS_A_SOURCE = 323

export interface Drawing {
  readonly counts: Counts
  readonly extras: NonNullable<Billable['extras']>
  readonly images: number
}

/** What an image model charges for so many images from such a prompt. */
export function draw(prompt: unknown, sources: number, images: number, { reply }: Call): Drawing {
  const imageInput = reply.imageInputTokens ?? sources * TOKENS_A_SOURCE
  const imageCacheRead = Math.min(reply.cachedImageTokens ?? 0, imageInput)
  return {
    counts: { ...NOTHING, input: countTokens(prompt) },
    extras: {
      imageInput: imageInput - imageCacheRead,
      imageCacheRead,
      imageOutput: reply.imageOutputTokens ?? images * TOKENS_AN_IMAGE,
    },
    images,
  }
}

/** As /images and the image tool of /responses report it alike. */
export function drawingUsage({ counts, extras }: Drawing): Json {
  const { imageInput = 0, imageCacheRead = 0, imageOutput = 0 } = extras
  const image = imageInput + imageCacheRead
  return {
    input_tokens: counts.input + image,
    input_tokens_details: { image_tokens: image, text_tokens: counts.input },
    ...(imageCacheRead > 0 && {
      cached_tokens: imageCacheRead,
      cached_tokens_details: { cached_image_tokens: imageCacheRead, cached_text_tokens: 0 },
    }),
    output_tokens: imageOutput,
    output_tokens_details: { image_tokens: imageOutput, text_tokens: 0 },
    total_tokens: counts.input + image + imageOutput,
  }
}

export function images(call: Call, endpoint: 'images/generations' | 'images/edits' | 'images/variations'): Answer {
  const { body, reply } = call
  const model = asText(body.model) ?? 'dall-e-2'
  const count = reply.images ?? asCount(Number(body.n ?? 1)) ?? 1
  const drawing = draw(body.prompt, listOf(body.image ?? body.images).length, count, call)
  const isByImage = model.startsWith('dall-e')
  const size = asText(body.size) ?? '1024x1024'
  const looks = { size, quality: asText(body.quality) ?? 'high', background: 'opaque', output_format: 'png' }
  const usage = isByImage ? undefined : reported(reply, drawingUsage(drawing))
  const billable: Billable = {
    model,
    endpoint,
    terms: {},
    counts: isByImage ? NOTHING : drawing.counts,
    extras: isByImage ? { images: count } : drawing.extras,
    usage: () => (isByImage ? { images: count } : drawingUsage(drawing)),
  }
  const image = { b64_json: 'iVBORw0KGgo=' }
  if (body.stream === true || body.stream === 'true') {
    const kind = endpoint === 'images/edits' ? 'image_edit' : 'image_generation'
    const seen = { ...image, ...looks, created_at: 1 }
    const partial = { type: `${kind}.partial_image`, ...seen, partial_image_index: 0 }
    const events = [partial, { type: `${kind}.completed`, ...seen, usage }].map(
      (data): SseEvent => ({ event: data.type, data }),
    )
    return { status: 200, events, billable }
  }
  const data = Array.from({ length: count }, () => (isByImage ? { url: 'https://images.example/1.png' } : image))
  const json = {
    created: Math.floor(call.now.getTime() / 1000),
    data,
    ...(!isByImage && looks),
    ...(usage !== undefined && { usage }),
  }
  return isJson(body.svg) ? withSvg(json, billable, call) : { status: 200, json, billable }
}

/** Drawn as vectors, by a language model of its own. */
function withSvg(json: Json, billable: Billable, { reply }: Call): Answer {
  const counts = { ...NOTHING, input: 200, output: 700, reasoning: reply.reasoningTokens ?? 64 }
  const model = 'gpt-6-sol'
  const usage = (counts: Counts): Json => ({
    model,
    input_tokens: counts.input,
    output_tokens: counts.output + counts.reasoning,
    reasoning_tokens: counts.reasoning,
    total_tokens: counts.input + counts.output + counts.reasoning,
  })
  const author: Billable = { model, endpoint: billable.endpoint, terms: {}, counts, usage }
  return { status: 200, json: { ...json, svg_usage: usage(counts) }, billable: [billable, author] }
}

function listOf(value: unknown): readonly unknown[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value]
}
