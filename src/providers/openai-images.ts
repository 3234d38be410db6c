// OpenAI's images: made, edited, varied; billed by their tokens, or each where the model has none.
// Shapes: openai 7.57.0 resources/images.d.ts (ImagesResponse, ImageGenCompletedEvent, ImageEditCompletedEvent).

import type { TagValue } from '../event.ts'
import { codeOf, isObject } from './counts.ts'
import { readImageUsage, readSvgUsage } from './openai-media-usage.ts'
import { factsOf } from './openai-request.ts'
import { texts } from './prompt.ts'
import {
  type Asked,
  type Json,
  type Reading,
  type RequestFacts,
  type Route,
  type StreamReader,
  UNKNOWN_MODEL,
} from './provider.ts'
import { countItems } from './top-level.ts'

/** `images` were made; `answer` is what says of them what they are. */
function readImages(answer: Json, images: number, { facts }: Asked): Reading {
  const { figures, ...usage } = readImageUsage(answer['usage'])
  const svg = readSvgUsage(answer['svg_usage'])
  const flags = [...(usage.flags ?? []), ...(svg?.reading.flags ?? []).map((flag) => `svg_usage.${flag}`)]
  // The models of images that are billed by their tokens.
  if (!usage.usage && /^(?:gpt|chatgpt)-image/.test(facts.model)) flags.push('missing:usage')
  return {
    // Other models, and other hosts, bill by the image, at a price for its size and quality.
    ...(usage.usage
      ? usage
      : { usage: images > 0 ? { 'unit.output_images': images } : undefined, variant: variantOf(answer, facts) }),
    ...(flags.length > 0 && { flags, reported: { ...usage.reported, ...svg?.reading.reported } }),
    others: svg?.reading.usage && [{ model: svg.model, usage: svg.reading.usage }],
    figures: { ...figures, ...(images > 0 && { imageCount: images }) },
    metadata: looksOf(answer),
  }
}

/** `1024x1024/standard`: what the answer says of it, the request, or, where both are silent, the API's own defaults. */
function variantOf(answer: Json, { metadata = {} }: RequestFacts): string {
  const of = (name: string, usual: string) => {
    const said = codeOf(answer[name]) ?? metadata[name]
    return typeof said === 'string' && said !== 'auto' ? said : usual
  }
  return `${of('size', '1024x1024')}/${of('quality', 'standard')}`
}

function looksOf(answer: Json): Reading['metadata'] {
  const looks: Record<string, TagValue> = {}
  for (const name of ['size', 'quality', 'background', 'output_format']) {
    const word = codeOf(answer[name])
    if (word !== undefined) looks[name] = word
  }
  return Object.keys(looks).length > 0 ? looks : undefined
}

/** Of each image the tokens that it came to: the prompt was read once. */
function together(before: unknown, now: unknown): unknown {
  if (!isObject(before) || !isObject(now)) return now ?? before
  const [made, more, total] = [before['output_tokens'], now['output_tokens'], before['total_tokens']]
  if (typeof made !== 'number' || typeof more !== 'number' || typeof total !== 'number') return now
  return { ...now, output_tokens: made + more, total_tokens: total + more }
}

/** Each image comes with an event of its own (its `output_tokens` are those "in the output image"). */
function imageStream(asked: Asked): StreamReader {
  let last: Json | undefined
  let images = 0
  let error: string | undefined
  return {
    take(event) {
      const type = event['type']
      if (typeof type === 'string' && type.endsWith('.completed')) {
        images++
        last = { ...event, usage: together(last?.['usage'], event['usage']) }
      } else if (isObject(event['error'])) error = codeOf(event['error']['code']) ?? 'stream_error'
      return event
    },
    reading: () => ({
      ...(last && { ...readImages(last, images, asked), finishReason: 'completed' }),
      error,
    }),
    generated: () => [],
  }
}

const generate: Route = {
  endpoint: 'images.generate',
  path: /(?:^|\/)images\/generations$/,
  request: (body, _path, stream) => factsOf(body, stream || body['stream'] === 'true'),
  fields: ['usage', 'svg_usage', 'size', 'quality', 'background', 'output_format'],
  textFields: ['data'],
  isTextless: true,
  read: (answer, asked) => readImages(answer, countItems(answer['data']), asked),
  readStream: (_isPrepared, asked) => imageStream(asked),
  generated: () => [],
  prompt: (body) => texts(body['prompt']),
}

const { readStream: _, ...whole } = generate

export const images: readonly Route[] = [
  generate,
  { ...generate, endpoint: 'images.edit', path: /(?:^|\/)images\/edits$/ },
  {
    ...whole,
    endpoint: 'images.createVariation',
    path: /(?:^|\/)images\/variations$/,
    request(body) {
      const facts = factsOf(body, false)
      // The one model that ever made variations.
      return facts.model === UNKNOWN_MODEL ? { ...facts, model: 'dall-e-2' } : facts
    },
  },
]
