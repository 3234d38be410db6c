// OpenAI's Live: sessions billed by the second, and what they delegate to responses and decisions.
// Shapes: openai 7.57.0 resources/live/live.d.ts (SessionUsage, ResponseEvent, DecisionEvent).

import { codeOf, isObject, textOf } from './counts.ts'
import { errorOf, fields, jobOf, responsesStream, socket, whole, within } from './openai-socket-route.ts'
import { readSessionUsage } from './openai-socket-usage.ts'
import { readResponseUsage } from './openai-usage.ts'
import { type Json, type RequestFacts, type Route, type StreamReader, UNKNOWN_MODEL } from './provider.ts'

/** Billed by the second, with no tokens of its own. */
function sessionStream(): StreamReader {
  let usage: unknown
  let id: string | undefined
  let error: string | undefined
  let closed: Json | undefined
  return {
    take(message) {
      if (isObject(message['usage'])) usage = message['usage']
      id ??= textOf(within(message, 'session', 'id'))
      if (message['type'] === 'session.closed') closed = message
      if (message['type'] === 'error') error = errorOf(message)
      return message
    },
    reading() {
      const reading = readSessionUsage(usage)
      const common = { responseId: id, finishReason: codeOf(closed?.['reason']), error }
      // A session that nobody has seen the end of was billed for its seconds so far, at least.
      if (!closed) return { usage: {}, ...reading, isPartial: true, ...common }
      return { ...reading, ...common, ...(id !== undefined && { job: { id, state: 'over' as const } }) }
    },
    generated: () => [],
  }
}

function sessionFacts(body: Json): RequestFacts {
  const session = { ...fields(body['session']), ...fields(within(body, 'event', 'session')) }
  return { model: textOf(session['model']) ?? UNKNOWN_MODEL, stream: true, maxOutputTokens: 0 }
}

const SESSION = '(?:^|/)live/sessions(?:/[^/]+/(?:attach|fork))?'

export const liveRoutes: readonly Route[] = [
  socket({
    endpoint: 'live',
    isTextless: true,
    path: new RegExp(`${SESSION}$`),
    request: sessionFacts,
    readStream: sessionStream,
    prompt: () => [],
  }),
  socket({
    endpoint: 'live.responses',
    path: new RegExp(`${SESSION}#responses$`),
    request: ({ session }) => ({
      model: textOf(within(session, 'delegation', 'model')) ?? UNKNOWN_MODEL,
      stream: true,
    }),
    readStream: responsesStream,
    prompt: () => [],
  }),
  socket({
    endpoint: 'live.decisions',
    path: new RegExp(`${SESSION}#decisions$`),
    request: ({ session }) => ({
      model: textOf(within(session, 'delegation', 'model')) ?? UNKNOWN_MODEL,
      stream: true,
    }),
    readStream: whole((message, asked) => {
      const decision = fields(message['decision'])
      const id = textOf(decision['id'])
      return {
        ...readResponseUsage(decision['usage']),
        model: textOf(decision['model']),
        variant: 'decisions',
        responseId: id,
        ...jobOf(id, asked),
      }
    }),
    prompt: () => [],
  }),
]
