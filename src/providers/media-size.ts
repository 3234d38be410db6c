// How large a request for images, speech or a video can become: pieces, characters, seconds.

import { isObject } from './counts.ts'
import type { Json, RequestFacts } from './provider.ts'
import { type Answering, countOf, type RequestSize, TEXT_ONLY, unbounded } from './size.ts'

const NO_TEXT: RequestSize = { ...TEXT_ONLY, makesText: false }

/**
 * developers.openai.com/api/docs/guides/image-generation, in undated copies that have GPT Image 2: an image of the models
 * before it is 6,240 tokens at most (1024x1536, high), and each partial one on the way 100 more. GPT Image 1.5 bills text
 * of its own besides, and for GPT Image 2 and later there is a calculator in place of a table.
 */
const TOKENS_OF_AN_IMAGE = 6240
const TOKENS_OF_A_PARTIAL = 100
/**
 * Guide of images and vision: 65 and 129 for each of four tiles at most, of an image that is scaled to 512 px on the
 * short side, and 6,240 more with high fidelity. An edit takes sixteen images at most.
 */
const TOKENS_OF_AN_EDIT = 16 * (65 + 4 * 129 + 6240)

/** What OpenAI makes where the request does not say (videos.d.ts, VideoCreateParams.seconds). */
const USUAL_SECONDS_OPENAI = 4
const USUAL_SECONDS_GOOGLE = 8

export function sizeOfImages(body: Json, facts: RequestFacts, { endpoint, provider }: Answering): RequestSize {
  if (endpoint === 'generateImages') {
    const parameters = isObject(body['parameters']) ? body['parameters'] : {}
    // Four where the request does not say (docs.cloud.google.com, Imagen API).
    const count = typeof parameters['sampleCount'] === 'number' ? countOf(parameters['sampleCount']) : 4
    return { ...NO_TEXT, units: { 'unit.output_images': count } }
  }
  const count = countOf(numberOf(body['n']))
  if (!/^(?:gpt|chatgpt)-image/.test(facts.model)) {
    const [look, quality] = [wordOf(body['size']), wordOf(body['quality'])]
    // Where the request leaves one of them open, the dearest of all counts.
    const variant = look !== undefined && quality !== undefined ? `${look}/${quality}` : undefined
    return { ...NO_TEXT, units: { 'unit.output_images': count }, variant }
  }
  if (!/^gpt-image-1(?:$|-)/.test(facts.model) || provider !== 'openai') return unbounded('how large the images are')
  const partials = (numberOf(body['partial_images']) ?? 0) * TOKENS_OF_A_PARTIAL
  return {
    ...NO_TEXT,
    units: {
      'output.image': count * (TOKENS_OF_AN_IMAGE + partials),
      ...(endpoint === 'images.edit' && { 'input.image': TOKENS_OF_AN_EDIT }),
    },
  }
}

/** By the character for the models that are billed so; how long speech becomes, nobody says beforehand. */
export function sizeOfSpeech(body: Json, { model }: RequestFacts): RequestSize {
  if (!/^tts-1/.test(model)) return unbounded('how long the speech is')
  let characters = 0
  if (typeof body['input'] === 'string') for (const _ of body['input']) characters++
  return { ...NO_TEXT, units: { 'unit.input_characters': characters } }
}

export function sizeOfVideo(body: Json, _facts: RequestFacts, { endpoint }: Answering): RequestSize {
  if (endpoint === 'generateVideos') {
    const parameters = isObject(body['parameters']) ? body['parameters'] : {}
    const seconds = numberOf(parameters['durationSeconds']) ?? USUAL_SECONDS_GOOGLE
    const count = countOf(parameters['sampleCount'] ?? parameters['numberOfVideos'])
    const variant = wordOf(parameters['resolution'])
    return { ...NO_TEXT, units: { 'unit.output_seconds': Math.ceil(seconds * count) }, variant }
  }
  const seconds = numberOf(body['seconds']) ?? USUAL_SECONDS_OPENAI
  return { ...NO_TEXT, units: { 'unit.output_seconds': Math.ceil(seconds) }, variant: wordOf(body['size']) }
}

/** Fields of a form are text. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined
}

function wordOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value !== 'auto' ? value : undefined
}
