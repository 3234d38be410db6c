// OpenAI's sound: transcribed, translated, spoken.
// Shapes: openai 7.57.0 resources/audio/{transcriptions,translations,speech}.d.ts.

import { codeOf, counts, isObject, textOf } from './counts.ts'
import { readSoundUsage, readSpeechUsage } from './openai-media-usage.ts'
import { factsOf } from './openai-request.ts'
import { texts } from './prompt.ts'
import type { Asked, Json, Reading, Route, StreamReader } from './provider.ts'

const transcriptions: Route = {
  endpoint: 'audio.transcriptions',
  path: /(?:^|\/)audio\/transcriptions$/,
  request: (body, _path, stream) => factsOf(body, stream || body['stream'] === 'true'),
  fields: ['model', 'usage', 'duration'],
  isTextless: true,
  // The response format may hide the length of the sound: that is said apart from missing tokens.
  isUsageOptional: true,
  read: (answer) => ({ ...readSoundUsage(answer), model: textOf(answer['model']) }),
  // `text`, `srt` and `vtt` are no JSON.
  readUnseen: () => ({ figures: { durationUnavailable: true } }),
  readStream: transcriptStream,
  generated: (answer) => texts(answer['text']),
  prompt: (body) => texts(body['prompt']),
}

function transcriptStream(): StreamReader {
  let done: Json | undefined
  const generated: string[] = []
  return {
    take(event) {
      if (event['type'] === 'transcript.text.done') done = event
      else if (event['type'] === 'transcript.text.delta' && typeof event['delta'] === 'string')
        generated.push(event['delta'])
      return event
    },
    reading: () => (done ? { ...readSoundUsage(done), finishReason: 'stop' } : {}),
    generated: () => generated,
  }
}

const speech: Route = {
  endpoint: 'audio.speech',
  path: /(?:^|\/)audio\/speech$/,
  request: (body) => factsOf(body, body['stream_format'] === 'sse'),
  fields: ['usage'],
  isTextless: true,
  read: (answer, asked) => ({
    ...spoken(asked),
    ...(readCharacters(answer['usage']) ?? readSpeechUsage(answer['usage'])),
  }),
  readUnseen: spoken,
  readStream: (_isPrepared, asked) => speechStream(asked),
  generated: () => [],
  prompt: (body) => texts(body['input'], body['instructions']),
}

/** Sound as it is played says nothing of its cost: then the characters are what is billed. */
function spoken(asked: Asked): Reading {
  const { input } = asked.body()
  if (typeof input !== 'string' || input === '') return {}
  let characters = 0
  for (const _ of input) characters++
  return { usage: { 'unit.input_characters': characters }, figures: { characterCount: characters } }
}

/** As logs keep what was spoken, for want of a usage object of the API's own. */
function readCharacters(usage: unknown): Reading | undefined {
  if (!isObject(usage) || !('characters' in usage)) return undefined
  const count = counts()
  const characters = count.need(usage, 'characters')
  const reading = count.reading({ 'unit.input_characters': characters }, usage, ['characters'])
  return { ...reading, figures: { characterCount: characters } }
}

/** As events it is billed by its tokens, and then the characters are not. */
function speechStream(asked: Asked): StreamReader {
  let done: Json | undefined
  let error: string | undefined
  return {
    take(event) {
      if (event['type'] === 'speech.audio.done') done = event
      else if (isObject(event['error'])) error = codeOf(event['error']['code']) ?? 'stream_error'
      return event
    },
    reading() {
      const tokens = readSpeechUsage(done?.['usage'])
      if (tokens.usage) return { ...tokens, finishReason: 'stop' }
      // It broke off, or the host does not count tokens: what is known is the text.
      const { usage, figures } = spoken(asked)
      return { usage, figures, ...(done && { finishReason: 'stop' }), error }
    },
    generated: () => [],
  }
}

const { readStream: _, ...whole } = transcriptions

export const audio: readonly Route[] = [
  transcriptions,
  {
    ...whole,
    endpoint: 'audio.translations',
    path: /(?:^|\/)audio\/translations$/,
  },
  speech,
]
