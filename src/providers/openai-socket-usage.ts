// OpenAI's usage on a WebSocket, in disjoint buckets.
// Shapes: openai 7.57.0 resources/realtime/realtime.d.ts (RealtimeResponseUsage), resources/live/live.d.ts (SessionUsage).

import { type Counts, counts, isObject, type Quantities, type UsageReading } from './counts.ts'
import { checkUsage, usageShape } from './invariants.ts'
import { RESPONSE, totals } from './openai-usage.ts'
import type { Json } from './provider.ts'

const TOTALS = Object.values(RESPONSE)
/** In the order in which a discount on them saves more. */
const KINDS = ['text', 'image', 'audio'] as const
type ByKind = Record<(typeof KINDS)[number], number>

const [IN, OUT, CACHED] = [
  'input_token_details',
  'output_token_details',
  'input_token_details.cached_tokens_details',
] as const

/** openai 7.57.0 realtime.d.ts, RealtimeResponseUsage. */
const REALTIME_SHAPE = usageShape({
  sums: [
    { whole: 'total_tokens', parts: ['input_tokens', 'output_tokens'] },
    { whole: 'input_tokens', flag: IN, when: IN, parts: KINDS.map((kind) => `${IN}.${kind}_tokens`) },
    { whole: 'output_tokens', flag: OUT, when: OUT, parts: [`${OUT}.text_tokens`, `${OUT}.audio_tokens`] },
    {
      whole: `${IN}.cached_tokens`,
      flag: 'cached_tokens_details',
      when: CACHED,
      parts: KINDS.map((kind) => `${CACHED}.${kind}_tokens`),
    },
  ],
  subsets: [{ of: 'input_tokens', flag: 'cached_tokens', parts: [`${IN}.cached_tokens`] }],
})

/** Input counts hold cached ones, which are told by kind; output is text and sound. */
export function readRealtimeUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const { input, output } = totals(count, usage, RESPONSE, 0)
  const asked = usage['input_token_details']
  const made = usage['output_token_details']
  const cached = count.check(asked, 'cached_tokens')
  const quantities = splitInput(count, byKind(count, asked), cachedByKind(count, asked), input, cached)
  const text = count.of(made, 'text_tokens')
  const audio = count.of(made, 'audio_tokens')
  // What is not named is sound, which is dearer, unless no sound was made at all.
  const rest = Math.max(0, output - text - audio)
  quantities['output.text'] = audio > 0 ? text : text + rest
  quantities['output.audio'] = audio > 0 ? audio + rest : 0
  checkUsage(count, usage, REALTIME_SHAPE)
  return count.reading(quantities, usage, TOTALS)
}

function splitInput(
  count: Counts,
  parts: ByKind,
  reads: ByKind | undefined,
  input: number,
  cached: number,
): Quantities {
  const rest = input - parts.text - parts.audio - parts.image
  if (rest > 0) parts[parts.audio > 0 ? 'audio' : 'text'] += rest
  const isTooMuch = cached > input || KINDS.some((kind) => reads !== undefined && reads[kind] > parts[kind])
  if (isTooMuch) count.flag('subset', 'cached_tokens')
  const quantities: Quantities = {}
  // Where the numbers do not fit, nobody knows which is wrong: no discount is believed.
  let left = isTooMuch ? 0 : cached
  for (const kind of KINDS) {
    const read = Math.min(left, reads ? reads[kind] : parts[kind])
    left -= read
    quantities[`input.${kind}`] = parts[kind] - read
    quantities[`input.${kind}.cache_read`] = read
  }
  return quantities
}

function byKind(count: Counts, details: unknown): ByKind {
  return {
    text: count.of(details, 'text_tokens'),
    image: count.of(details, 'image_tokens'),
    audio: count.of(details, 'audio_tokens'),
  }
}

function cachedByKind(count: Counts, details: unknown): ByKind | undefined {
  const cached = isObject(details) ? details['cached_tokens_details'] : undefined
  return isObject(cached) ? byKind(count, cached) : undefined
}

/** Seconds of a Live session so far: a running total, never to be added up. */
export function readSessionUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const count = counts()
  const { seconds } = usage
  // Nothing says how a second that has begun is billed: as a whole one, like those of transcriptions.
  const isFraction = typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0
  const raw: Json = { seconds: isFraction ? Math.ceil(seconds) : seconds }
  return count.reading({ 'unit.session_seconds': count.need(raw, 'seconds') }, usage, ['seconds'])
}

/** Bytes of sound to a token of output: a token is 50 ms (platform guide on Realtime costs, 2026-11). */
const BYTES_OF_TOKEN: Readonly<Record<string, number>> = {
  // 24 kHz, 16 bits.
  'audio/pcm': 2400,
  pcm16: 2400,
  // 8 kHz, 8 bits.
  'audio/pcmu': 400,
  'audio/pcma': 400,
  g711_ulaw: 400,
  g711_alaw: 400,
}

/** Tokens of the sound that has arrived, so many characters of base64; `undefined` for a format that says nothing of its length. */
export function soundTokens(characters: number, format: unknown): number | undefined {
  const bytes = BYTES_OF_TOKEN[typeof format === 'string' ? format : 'pcm16']
  return bytes === undefined ? undefined : Math.ceil((characters * 3) / 4 / bytes)
}
