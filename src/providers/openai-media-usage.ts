// OpenAI's usage of sound and images, in disjoint buckets.
// Shapes: openai 7.57.0 resources/audio/transcriptions.d.ts (Transcription.Tokens, .Duration), resources/images.d.ts
// (ImagesResponse.Usage, .SvgUsage), resources/responses/responses.d.ts (ToolUsage.ImageGen).

import { counts, isObject, textOf, type UsageReading } from './counts.ts'
import { checkUsage, usageShape } from './invariants.ts'
import { RESPONSE, readResponseUsage, totals } from './openai-usage.ts'
import type { Figures, Json, Reading } from './provider.ts'

const TOTALS = Object.values(RESPONSE)
const TOTAL = { whole: 'total_tokens', parts: ['input_tokens', 'output_tokens'] } as const

const SOUND_SHAPE = usageShape({
  sums: [
    TOTAL,
    ...['input_token_details', 'input_tokens_details'].map((details) => ({
      whole: 'input_tokens',
      flag: 'input_token_details',
      when: details,
      parts: [`${details}.text_tokens`, `${details}.audio_tokens`],
    })),
  ],
})

const SPEECH_SHAPE = usageShape({ sums: [TOTAL] })

const IMAGE_SHAPE = usageShape({
  sums: [
    TOTAL,
    ...['input_tokens', 'output_tokens'].map((whole) => ({
      whole,
      flag: `${whole}_details`,
      when: `${whole}_details`,
      parts: [`${whole}_details.text_tokens`, `${whole}_details.image_tokens`],
    })),
    {
      whole: 'cached_tokens',
      flag: 'cached_tokens_details',
      when: 'cached_tokens_details',
      parts: ['cached_tokens_details.cached_text_tokens', 'cached_tokens_details.cached_image_tokens'],
    },
  ],
  subsets: [{ of: 'input_tokens', flag: 'cached_tokens', parts: ['cached_tokens'] }],
})

/** Of transcribed sound: its tokens, or how long it is. Neither, where the response format leaves both out. */
export function readSoundUsage(answer: Json): Pick<Reading, 'usage' | 'flags' | 'reported' | 'isPartial' | 'figures'> {
  const { usage } = answer
  if (isObject(usage) && usage['type'] !== 'duration' && !('seconds' in usage)) return readSoundTokens(usage)
  const count = counts()
  const isBilled = isObject(usage) && 'seconds' in usage
  const length = isBilled ? usage['seconds'] : lengthOf(answer['duration'])
  if (length === undefined || length === null) return { figures: { durationUnavailable: true } }
  // Billed by the second that has begun: the reference shows `duration: 8.47` beside `usage.seconds: 9`.
  const isFraction = !isBilled && typeof length === 'number' && length >= 0 && Number.isFinite(length)
  const raw = { seconds: isFraction ? Math.ceil(length) : length }
  const seconds = count.need(raw, 'seconds')
  const reading = count.reading({ 'unit.input_seconds': seconds }, raw, ['seconds'])
  return reading.isPartial ? reading : { ...reading, figures: { durationSeconds: isFraction ? length : seconds } }
}

/** Older answers of `verbose_json` have it as text. */
function lengthOf(duration: unknown): unknown {
  return typeof duration === 'string' && /^\d+(?:\.\d+)?$/.test(duration) ? Number(duration) : duration
}

function readSoundTokens(usage: Json): UsageReading {
  const count = counts()
  const { input, output } = totals(count, usage, RESPONSE, 0)
  const details = usage['input_token_details'] ?? usage['input_tokens_details']
  const text = count.of(details, 'text_tokens')
  const audio = count.of(details, 'audio_tokens')
  const quantities = {
    'input.text': text,
    // What is not named is of the dearer kind.
    'input.audio': Math.max(audio, input - text),
    'output.text': output,
  }
  checkUsage(count, usage, SOUND_SHAPE)
  return count.reading(quantities, usage, TOTALS)
}

/** Of speech: text in, sound out. */
export function readSpeechUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const { input, output } = totals(count, usage, RESPONSE, 0)
  checkUsage(count, usage, SPEECH_SHAPE)
  return count.reading({ 'input.text': input, 'output.audio': output }, usage, TOTALS)
}

/** Of images: text and images in, each cached or not, and images out. */
export function readImageUsage(usage: unknown): UsageReading & Pick<Reading, 'figures'> {
  if (!isObject(usage)) return {}
  const count = counts()
  const { input, output } = totals(count, usage, RESPONSE, 0)
  const asked = usage['input_tokens_details']
  const made = usage['output_tokens_details']
  const image = count.of(asked, 'image_tokens')
  const named = image + count.of(asked, 'text_tokens')
  // What is not named is of the dearest kind that is: an image, where there is one.
  const rest = Math.max(0, input - named)
  const inputImage = image > 0 ? image + rest : 0
  const inputText = image > 0 ? named - image : named + rest
  const [cachedText, cachedImage] = cachedOf(usage, count, inputText, inputImage)
  const outputText = count.of(made, 'text_tokens')
  const outputImage = Math.max(count.of(made, 'image_tokens'), output - outputText)
  checkUsage(count, usage, IMAGE_SHAPE)
  const reading = count.reading(
    {
      'input.text': inputText - cachedText,
      'input.text.cache_read': cachedText,
      'input.image': inputImage - cachedImage,
      'input.image.cache_read': cachedImage,
      'output.text': outputText,
      'output.image': outputImage,
    },
    usage,
    TOTALS,
  )
  const dimensions = {
    inputTextTokens: inputText,
    cachedInputTextTokens: cachedText,
    inputImageTokens: inputImage,
    cachedInputImageTokens: cachedImage,
    outputImageTokens: outputImage,
  }
  const figures: Figures = Object.fromEntries(Object.entries(dimensions).filter(([, tokens]) => tokens > 0))
  return { ...reading, figures }
}

/** How much of the text and of the images was read from the cache; nothing, where the numbers do not fit. */
function cachedOf(usage: Json, count: ReturnType<typeof counts>, text: number, image: number): [number, number] {
  const details = usage['cached_tokens_details']
  const cached = count.check(usage, 'cached_tokens')
  const cachedText = isObject(details) ? count.check(details, 'cached_text_tokens') : Math.min(cached, text)
  const cachedImage = isObject(details) ? count.check(details, 'cached_image_tokens') : cached - cachedText
  if (cachedText <= text && cachedImage <= image) return [cachedText, cachedImage]
  count.flag('subset', 'cached_tokens')
  return [0, 0]
}

/** Drawn by a language model, which is billed at its own prices. */
export function readSvgUsage(svg: unknown): { readonly model: string; readonly reading: UsageReading } | undefined {
  const model = isObject(svg) ? textOf(svg['model']) : undefined
  if (!isObject(svg) || model === undefined) return undefined
  const { reasoning_tokens } = svg
  return { model, reading: readResponseUsage({ ...svg, output_tokens_details: { reasoning_tokens } }) }
}
