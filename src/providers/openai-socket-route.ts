// What the routes of OpenAI's WebSockets share: how a message is looked into, and which responses count once.
//
// The body of a request is what is known on its connection: `{ model, session, items, event, isShared }`, of which
// `event` is the message that asked for the response, and absent where none did.

import { codeOf, isObject } from './counts.ts'
import { responseStream } from './openai-responses.ts'
import type { Asked, Json, Reading, Route, StreamReader } from './provider.ts'

export function within(value: unknown, ...names: readonly string[]): unknown {
  for (const name of names) value = isObject(value) ? value[name] : undefined
  return value
}

export function fields(value: unknown): Json {
  return isObject(value) ? value : {}
}

/** A route whose answer is only ever a stream of messages. */
export function socket(
  route: Pick<Route, 'endpoint' | 'path' | 'request' | 'prompt' | 'isTextless'> & Required<Pick<Route, 'readStream'>>,
): Route {
  return { method: 'socket', fields: [], read: () => ({}), generated: () => [], ...route }
}

/** The code of an `error` message, in whichever of its shapes. */
export function errorOf(message: Json): string {
  const error = fields(message['error'])
  return codeOf(error['code']) ?? codeOf(error['type']) ?? codeOf(message['code']) ?? 'stream_error'
}

/** Two connections may tell of the same response: it counts once. */
export function jobOf(id: string | undefined, asked: Asked): Pick<Reading, 'job'> {
  return id !== undefined && asked.body()['isShared'] === true ? { job: { id, state: 'over' } } : {}
}

/** One message says it all. */
export function whole(read: (message: Json, asked: Asked) => Reading): NonNullable<Route['readStream']> {
  return (_isPrepared, asked) => {
    let reading: Reading = {}
    return {
      take(message) {
        reading =
          message['type'] === 'error'
            ? { error: errorOf(message) }
            : { ...read(message, asked), finishReason: 'completed' }
        return message
      },
      reading: () => reading,
      generated: () => [],
    }
  }
}

/** `{ type: 'response.create', stream_id?, model, input, ... }`, or the fields of it in `response`, as first shown. */
export function created(body: Json): Json {
  const event = fields(body['event'])
  return isObject(event['response']) ? event['response'] : event
}

export function responsesStream(_isPrepared: boolean, asked: Asked): StreamReader {
  const inner = responseStream({ facts: asked.facts, path: asked.path, body: () => created(asked.body()) })
  let error: string | undefined
  return {
    take(message) {
      if (message['type'] === 'error') error = errorOf(message)
      return inner.take(message)
    },
    reading() {
      const reading = inner.reading()
      const once = reading.usage && !reading.isPartial ? jobOf(reading.responseId, asked) : {}
      return { ...reading, ...(error !== undefined && { error }), ...once }
    },
    generated: () => inner.generated(),
  }
}
