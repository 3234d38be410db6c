// How large a request on Google's wire can become: media by model and resolution, caches, grounding.

import { isObject, textOf } from './counts.ts'
import type { Json, RequestFacts } from './provider.ts'
import {
  type Answering,
  bytesOf,
  countOf,
  createTally,
  isPlain,
  listOf,
  mediaOf,
  type RequestSize,
  type Tally,
  TEXT_ONLY,
} from './size.ts'

/**
 * ai.google.dev/gemini-api/docs/media-resolution, in undated copies: since Gemini 3 an image is 2,240 tokens at the
 * finest resolution, and 1,120 unless another is asked for.
 */
const IMAGE_SINCE_3 = 2240
/** Before, 258 for each tile of 768 px (guide of tokens), of an image that is scaled to 3,072 px at most (of images). */
const IMAGE_BEFORE_3 = 16 * 258
/**
 * A page is 1,120 tokens at most and native text, which is not told beforehand, and a document a thousand pages. That is
 * more than the 1,048,576 tokens of the whole context, so the text cannot make it more.
 */
const DOCUMENT = 1000 * 1120
/**
 * 32 tokens a second, and 25 since Gemini 3 (the same page), of sound with 500 bytes a second at least. Only what these
 * formats hold has such a least: silence is next to nothing in FLAC, AAC, Ogg and Opus.
 */
const BYTES_AN_AUDIO_TOKEN = 15
const STEADY_SOUND = /^audio\/(?:x-)?(?:wav|wave|mp3|mpeg|aiff|l16|pcm)(?:;|$)/

export function sizeOfContent(body: Json, { model }: RequestFacts, _by: Answering): RequestSize {
  const tally = createTally()
  const config = isObject(body['generationConfig']) ? body['generationConfig'] : undefined
  for (const content of listOf(body['contents'])) addContent(tally, content, model)
  if (body['content'] !== undefined) addContent(tally, body['content'], model)
  if (body['systemInstruction'] !== undefined) addContent(tally, body['systemInstruction'], model)
  if (body['cachedContent'] !== undefined) tally.reasons.add('cached content')
  for (const tool of listOf(body['tools'])) if (isObject(tool)) addTool(tally, tool)
  const schema = config?.['responseSchema'] ?? config?.['responseJsonSchema']
  // "The size of your response schema counts towards the input token limit" (structured output).
  if (schema !== undefined) tally.inputTokens += Buffer.byteLength(JSON.stringify(schema))
  const choices = config ? countOf(config['candidateCount']) : 1
  const modalities = config?.['responseModalities']
  const output = modalities === undefined ? [] : outputOf(modalities)
  const units = mediaOf(tally)
  if (isPlain(tally) && choices === 1 && output.length === 0) return TEXT_ONLY
  return {
    ...TEXT_ONLY,
    inputTokens: tally.inputTokens,
    units,
    output,
    choices,
    unbounded: [...tally.reasons],
  }
}

function addContent(tally: Tally, content: unknown, model: string): void {
  if (isObject(content)) for (const part of listOf(content['parts'])) if (isObject(part)) addPart(tally, part, model)
}

function addPart(tally: Tally, part: Json, model: string): void {
  const inline = part['inlineData'] ?? part['inline_data']
  const file = part['fileData'] ?? part['file_data']
  const media = isObject(inline) ? inline : file
  if (typeof part['thoughtSignature'] === 'string') tally.inputTokens += bytesOf(part['thoughtSignature'])
  const results = part['functionResponse']
  if (isObject(results)) for (const each of listOf(results['parts'])) if (isObject(each)) addPart(tally, each, model)
  if (!isObject(media)) return
  const type = (textOf(media['mimeType']) ?? textOf(media['mime_type']) ?? '').toLowerCase()
  const [kind] = type.split('/')
  if (kind === 'image') tally.images += imageTokens(model)
  else if (STEADY_SOUND.test(type) && media === inline)
    tally.audio += Math.ceil(bytesOf(media['data']) / BYTES_AN_AUDIO_TOKEN) + 32
  else if (kind === 'text' && media === inline) tally.inputTokens += bytesOf(media['data'])
  else if (type === 'application/pdf') tally.images += DOCUMENT
  else tally.reasons.add(kind === 'video' || kind === 'audio' ? `length of the ${kind}` : 'file')
}

/** A name without a generation (`gemini-flash-latest`) and a model that makes images may be either. */
function imageTokens(model: string): number {
  const [, generation] = /^gemini-(\d+)/.exec(model) ?? []
  return generation !== undefined && Number(generation) >= 3 && !model.includes('image')
    ? IMAGE_SINCE_3
    : Math.max(IMAGE_BEFORE_3, IMAGE_SINCE_3)
}

/** Declarations of functions are text; everything else is Google's own, and searches as often as it likes. */
function addTool(tally: Tally, tool: Json): void {
  for (const name in tool)
    if (name !== 'functionDeclarations' && name !== 'function_declarations')
      tally.reasons.add(`tool ${name.slice(0, 40)}`)
}

function outputOf(modalities: unknown): RequestSize['output'] {
  const named = listOf(modalities).map((one) => (typeof one === 'string' ? one.toLowerCase() : ''))
  return (['audio', 'image', 'video'] as const).filter((one) => named.includes(one))
}
