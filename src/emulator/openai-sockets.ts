// OpenAI on WebSockets: Realtime, Responses, and Live with what it delegates.

import type { Charge } from './bill.ts'
import { NOTHING } from './generation.ts'
import { failure, realtimeTalk, SPOKEN_BYTES } from './openai-realtime.ts'
import type { Opening, Step, Talk } from './sockets.ts'
import { type Answer, type Call, isJson, type Json } from './wire.ts'

export function openaiTalk(opening: Opening): Talk | undefined {
  const { path } = opening
  if (path.endsWith('/realtime')) return realtimeTalk(opening)
  if (path.endsWith('/responses')) return responsesTalk(opening)
  if (path.endsWith('/live/sessions')) return liveTalk(opening)
  return undefined
}

/** Responses over HTTP as a stream, each event with the lane that it belongs to. */
function respondWith({ wire }: Opening, body: Json, wrap: (event: Json) => Json): Step {
  const answer = (call: Call): Answer => {
    const streamed = { ...call, path: '/v1/responses', body: { ...body, stream: true } }
    const { status, events = [], billable } = wire.answer(streamed)
    const wrapped = [...events].map((event) => ({ ...event, data: wrap(event.data as Json) }))
    return { status, events: wrapped, ...(billable !== undefined && { billable }) }
  }
  return { body, answer }
}

function responsesTalk(opening: Opening): Talk {
  return {
    greeting: [],
    failure: (call, message) => {
      const { stream_id } = call.body
      return { ...failure(call, message), ...(stream_id !== undefined && { stream_id }) }
    },
    hear(message) {
      if (message.type !== 'response.create') return []
      const { type: _, stream_id, ...body } = message
      const lane = stream_id === undefined ? {} : { stream_id }
      return [{ ...respondWith(opening, body, (event) => ({ ...event, ...lane })), body: message }]
    },
  }
}

function liveTalk(opening: Opening): Talk {
  const { serial } = opening
  const id = `live_${serial}`
  let session: Json = { id, status: 'active', expires_at: 0 }
  let count = 0
  let seconds = 0
  const event = (type: string, rest: Json): Json => ({ type, event_id: `event_${serial}_${count++}`, ...rest })
  const extras: { sessionSeconds?: number } = {}
  const billable = {
    get model() {
      return String(session['model'])
    },
    endpoint: 'live',
    responseId: id,
    terms: {},
    counts: NOTHING,
    extras,
    usage: () => ({ seconds }),
  }
  const meter: Charge = {
    provider: 'openai',
    requestId: `req_${serial}`,
    at: opening.now(),
    billable,
    generated: undefined,
  }

  return {
    greeting: [],
    meter,
    failure,
    hear(message) {
      switch (message.type) {
        case 'session.start': {
          session = { ...session, ...(isJson(message.session) ? message.session : {}) }
          return [{ say: event('session.started', { session, client_event_id: message.event_id }) }]
        }
        case 'session.input_audio.append': {
          seconds += Buffer.byteLength(String(message.audio), 'base64') / SPOKEN_BYTES
          extras.sessionSeconds = Math.ceil(seconds)
          return [{ say: event('session.usage.updated', { usage: { seconds } }) }]
        }
        case 'response.create': {
          const { model } = isJson(session.delegation) ? session.delegation : {}
          const body = { model, input: 'what was said', instructions: 'in the session' }
          const step = respondWith(opening, body, (inner) =>
            event('response.event', { event: inner, delegation_id: `dlg_${serial}` }),
          )
          return [step]
        }
        case 'session.close':
          return [
            { say: event('session.closed', { reason: 'close_requested', session, usage: { seconds } }) },
            { close: 1000 },
          ]
        default:
          return []
      }
    },
  }
}
