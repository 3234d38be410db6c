// OpenAI's Realtime: a response where it is asked for, or where the emulated speaker pauses, and transcriptions beside it.

import { type Counts, generate, NOTHING, progressOf, reported } from './generation.ts'
import type { Opening, Step, Talk } from './sockets.ts'
import { type Answer, asCount, type Call, isJson, type Json, type SseEvent } from './wire.ts'
import { countTokens } from './words.ts'

/** A second of sound in, 24 kHz and 16 bits: after so much of it, the emulated speaker pauses. */
export const SPOKEN_BYTES = 48_000
/** A token of sound out, 50 ms of it. */
const TOKEN_OF_SOUND = Buffer.alloc(2400).toString('base64')

export function realtimeTalk(opening: Opening): Talk {
  const { serial, query, headers } = opening
  const isBeta = headers['openai-beta'] !== undefined
  let session: Json = {
    type: query['intent'] ?? 'realtime',
    object: 'realtime.session',
    id: `sess_${serial}`,
    model: query['model'] ?? 'gpt-realtime',
    instructions: 'Be brief.',
    tools: [],
    ...(isBeta
      ? { modalities: ['text', 'audio'], turn_detection: { type: 'server_vad' }, output_audio_format: 'pcm16' }
      : {
          output_modalities: ['audio'],
          max_output_tokens: 'inf',
          audio: {
            input: { transcription: null, turn_detection: { type: 'server_vad' } },
            output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: 'marin' },
          },
        }),
  }
  const items: Json[] = []
  let heard = 0
  let count = 0
  const event = (type: string, rest: Json): Json => ({ type, event_id: `event_${serial}_${count++}`, ...rest })

  function committed(): Step[] {
    const item = `item_${serial}_${count}`
    heard = 0
    const input = inputOf(session)
    const steps: Step[] = [{ say: event('input_audio_buffer.committed', { item_id: item, previous_item_id: null }) }]
    const { model } = isJson(input.transcription) ? input.transcription : {}
    if (typeof model === 'string') steps.push(transcription(model, item))
    return steps
  }

  function transcription(model: string, item: string): Step {
    const answer = ({ reply, requestId }: Call): Answer => {
      const { seconds, text = 'Hello there.' } = reply
      const { audioInputTokens = 10, outputTokens = countTokens(text) } = reply
      const usage =
        seconds === undefined
          ? {
              type: 'tokens',
              input_tokens: audioInputTokens,
              output_tokens: outputTokens,
              total_tokens: audioInputTokens + outputTokens,
              input_token_details: { audio_tokens: audioInputTokens, text_tokens: 0 },
            }
          : { type: 'duration', seconds }
      const told = { item_id: item, content_index: 0, transcript: text, usage: reported(reply, usage) }
      const counts =
        seconds === undefined ? { ...NOTHING, audioInput: audioInputTokens, output: outputTokens } : NOTHING
      const billable = {
        model,
        endpoint: 'realtime.transcriptions',
        responseId: requestId,
        terms: {},
        counts,
        extras: seconds === undefined ? {} : { inputSeconds: seconds },
        usage: () => usage,
      }
      const data = event('conversation.item.input_audio_transcription.completed', told)
      return { status: 200, events: [{ data, generated: outputTokens }], billable }
    }
    return { body: { type: 'transcription', item_id: item }, answer }
  }

  function respond(asked: Json): Step {
    const response = isJson(asked.response) ? asked.response : {}
    return { body: asked, answer: (call) => realtimeAnswer(call, { session, response, items, event, isBeta }) }
  }

  return {
    greeting: [event('session.created', { session })],
    failure,
    hear(message) {
      switch (message.type) {
        case 'session.update': {
          session = { ...session, ...(isJson(message.session) ? message.session : {}) }
          return [{ say: event('session.updated', { session }) }]
        }
        case 'conversation.item.create': {
          if (isJson(message.item)) items.push(message.item)
          return [
            { say: event(isBeta ? 'conversation.item.created' : 'conversation.item.added', { item: message.item }) },
          ]
        }
        case 'input_audio_buffer.append': {
          heard += Buffer.byteLength(String(message.audio), 'base64')
          if (heard < SPOKEN_BYTES || !inputOf(session).turn_detection) return []
          const stopped = { say: event('input_audio_buffer.speech_stopped', { item_id: `item_${serial}` }) }
          return [stopped, ...committed(), respond({})]
        }
        case 'input_audio_buffer.commit':
          return committed()
        case 'response.create':
          return [respond(message)]
        default:
          return []
      }
    },
  }
}

function inputOf(session: Json): Json {
  const audio = isJson(session.audio) ? session.audio : {}
  if (isJson(audio.input)) return audio.input
  return { transcription: session.input_audio_transcription, turn_detection: session.turn_detection }
}

interface Setting {
  readonly session: Json
  readonly response: Json
  readonly items: readonly Json[]
  readonly isBeta: boolean
  event(type: string, rest: Json): Json
}

function realtimeAnswer(call: Call, { session, response, items, event, isBeta }: Setting): Answer {
  const { reply, serial } = call
  const { audioOutputTokens = 0, cachedAudioTokens = 0, imageInputTokens = 0, errorCode } = reply
  const tokens = countTokens([session.instructions, response.instructions, items])
  const cap = asCount(response.max_output_tokens) ?? asCount(session.max_output_tokens)
  const generation = generate({ tokens, cap, serial }, { ...reply, webSearches: 0 })
  const { counts } = generation
  const id = `resp_${serial}`
  const item = `item_${serial}`
  const usage = (of: Counts): Json => {
    const input = of.input + of.audioInput + of.cacheRead + cachedAudioTokens + imageInputTokens
    const cached = of.cacheRead + cachedAudioTokens
    return {
      total_tokens: input + of.output + audioOutputTokens,
      input_tokens: input,
      output_tokens: of.output + audioOutputTokens,
      input_token_details: {
        text_tokens: of.input + of.cacheRead,
        audio_tokens: of.audioInput + cachedAudioTokens,
        image_tokens: imageInputTokens,
        cached_tokens: cached,
        cached_tokens_details: { text_tokens: of.cacheRead, audio_tokens: cachedAudioTokens, image_tokens: 0 },
      },
      output_token_details: { text_tokens: of.output, audio_tokens: audioOutputTokens },
    }
  }
  const shell = {
    object: 'realtime.response',
    id,
    status_details: null,
    output: [],
    metadata: response.metadata ?? null,
  }
  const place = { response_id: id, item_id: item, output_index: 0, content_index: 0 }
  const progress = progressOf(generation)
  const text = audioOutputTokens > 0 ? (isBeta ? 'audio_transcript' : 'output_audio_transcript') : 'output_text'
  const names = { text: isBeta && text === 'output_text' ? 'text' : text, sound: isBeta ? 'audio' : 'output_audio' }
  const deltas: SseEvent[] = (generation.choices[0]?.pieces ?? []).map((delta) => ({
    data: event(`response.${names.text}.delta`, { ...place, delta }),
    generated: progress(),
  }))
  const sound: SseEvent[] = Array.from({ length: audioOutputTokens }, () => ({
    data: event(`response.${names.sound}.delta`, { ...place, delta: TOKEN_OF_SOUND }),
  }))
  const failed = errorCode !== undefined
  const over = {
    ...shell,
    status: failed ? 'failed' : 'completed',
    ...(failed && { status_details: { type: 'failed', error: { type: 'server_error', code: errorCode } } }),
    usage: reported(reply, usage(counts)),
  }
  return {
    status: 200,
    events: [
      { data: event('response.created', { response: { ...shell, status: 'in_progress', usage: null } }), generated: 0 },
      { data: event('response.output_item.added', { response_id: id, output_index: 0, item: { id: item } }) },
      ...deltas,
      ...sound,
      { data: event('response.output_item.done', { response_id: id, output_index: 0, item: { id: item } }) },
      { data: event('response.done', { response: over }) },
    ],
    billable: {
      model: String(session.model),
      endpoint: 'realtime',
      responseId: id,
      terms: {},
      counts,
      extras: { audioCacheRead: cachedAudioTokens, audioOutput: audioOutputTokens, imageInput: imageInputTokens },
      usage,
    },
  }
}

export function failure({ reply, requestId }: Call, message: string): Json {
  const { status = 500, errorCode } = reply
  const type = status >= 500 ? 'server_error' : 'invalid_request_error'
  const error = { type, code: errorCode ?? type, message, param: null, event_id: null }
  return { type: 'error', event_id: `event_${requestId}`, status, error }
}
