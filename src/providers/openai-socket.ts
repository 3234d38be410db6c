// OpenAI's wire on WebSockets: Realtime, its transcriptions, Live with what it delegates, Responses.
// Shapes: openai 7.57.0 resources/realtime/realtime.d.ts, resources/live/live.d.ts, resources/responses/responses.d.ts.

import { capOf, codeOf, isObject, textOf } from './counts.ts'
import { liveRoutes } from './openai-live.ts'
import { readSoundUsage } from './openai-media-usage.ts'
import { factsOf } from './openai-request.ts'
import { created, errorOf, fields, jobOf, responsesStream, socket, whole, within } from './openai-socket-route.ts'
import { readRealtimeUsage, soundTokens } from './openai-socket-usage.ts'
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
import { switches } from './switches.ts'

const SWITCHES = new Set(['temperature', 'speed', 'parallel_tool_calls', 'max_output_tokens', 'service_tier', 'store'])

function realtimeFacts(body: Json): RequestFacts {
  const response = fields(within(body, 'event', 'response'))
  const session = fields(body['session'])
  const cap = response['max_output_tokens'] ?? session['max_output_tokens'] ?? session['max_response_output_tokens']
  return {
    model: textOf(session['model']) ?? textOf(body['model']) ?? UNKNOWN_MODEL,
    stream: true,
    maxOutputTokens: capOf(cap),
    metadata: switches({ ...session, ...response }, SWITCHES, []),
  }
}

/** Sound in base64, whatever the version calls it. */
const SOUND = new Set<unknown>(['response.output_audio.delta', 'response.audio.delta'])

function realtimeStream(_isPrepared: boolean, asked: Asked): StreamReader {
  let response: Json = {}
  let error: string | undefined
  let isOver = false
  let sound = 0
  const generated: string[] = []

  function read(): Reading {
    const reading = readRealtimeUsage(response['usage'])
    if (isOver) return { ...reading, ...(reading.usage && !reading.isPartial && jobOf(textOf(response['id']), asked)) }
    const session = asked.body()['session']
    const format = within(session, 'audio', 'output', 'format', 'type') ?? within(session, 'output_audio_format')
    const tokens = sound > 0 ? soundTokens(sound, format) : undefined
    // Nothing was reported; but what has been heard was made, and is of a known length.
    return tokens === undefined ? {} : { usage: { 'output.audio': tokens }, isPartial: true }
  }

  return {
    take(message) {
      const { type, delta } = message
      if (typeof delta === 'string') {
        if (SOUND.has(type)) sound += delta.length
        else generated.push(delta)
      } else if (type === 'error') error = errorOf(message)
      else if (isObject(message['response'])) {
        response = message['response']
        isOver = type === 'response.done'
      }
      return message
    },
    reading() {
      const details = response['status_details']
      const failure = within(details, 'error')
      return {
        ...read(),
        responseId: textOf(response['id']),
        finishReason: codeOf(within(details, 'reason')) ?? (isOver ? codeOf(response['status']) : undefined),
        error: error ?? (isObject(failure) ? errorOf({ error: failure }) : undefined),
      }
    },
    generated: () => generated,
  }
}

/** In front of the others: what a connection is asked for is told by its path alone. */
export const openaiSockets: readonly Route[] = [
  socket({
    endpoint: 'realtime',
    path: /(?:^|\/)realtime$/,
    request: realtimeFacts,
    readStream: realtimeStream,
    prompt: (body) => {
      const session = fields(body['session'])
      const {
        instructions = session['instructions'],
        tools = session['tools'],
        input = body['items'],
      } = fields(within(body, 'event', 'response'))
      return texts(instructions, tools, input)
    },
  }),
  socket({
    endpoint: 'realtime.transcriptions',
    isTextless: true,
    path: /(?:^|\/)realtime#transcription$/,
    request: ({ session }) => ({
      model:
        textOf(within(session, 'audio', 'input', 'transcription', 'model')) ??
        textOf(within(session, 'input_audio_transcription', 'model')) ??
        'unknown',
      stream: true,
    }),
    readStream: whole((message, asked) => {
      const id = textOf(message['item_id'])
      return { ...readSoundUsage(message), responseId: id, ...jobOf(id, asked) }
    }),
    prompt: () => [],
  }),
  socket({
    endpoint: 'responses',
    path: /(?:^|\/)responses$/,
    request(body) {
      const event = created(body)
      return factsOf(event, true, capOf(event['max_output_tokens']), ['tools'])
    },
    readStream: responsesStream,
    prompt: (body) => {
      const { input, instructions, tools, text } = created(body)
      return texts(input, instructions, tools, text)
    },
  }),
  ...liveRoutes,
]
