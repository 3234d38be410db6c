// The body of an answer as the caller reads it raw: the same bytes, watched, less what the caller did not ask for.

import { type Exchange, HIDDEN } from './exchange.ts'
import { sseSplitter } from './sse.ts'

/** What an answer read as bytes may hold in memory while it is put together; above it the usage is not looked for. */
const MAX_JSON_CHARACTERS = 64 * 1024 * 1024

/** The same bytes, less what is hidden. Nothing is read before the first `pull`: SDKs look at `response.body` for their debug log. */
export function tap(
  body: ReadableStream<Uint8Array>,
  exchange: Exchange,
  isStream: boolean,
): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  const through = isStream ? eventsThrough(exchange) : textThrough(exchange)
  return new ReadableStream<Uint8Array>(
    {
      type: 'bytes',
      async pull(controller) {
        reader ??= body.getReader()
        try {
          for (;;) {
            const { done, value } = await reader.read()
            const out = done ? through.end() : through.push(value)
            if (out.byteLength > 0) controller.enqueue(out as Uint8Array<ArrayBuffer>)
            if (done) {
              controller.close()
              // A reader with its own buffer (`mode: 'byob'`) waits until its last request is answered, even with nothing.
              ;(controller as ReadableByteStreamController).byobRequest?.respond(0)
              return
            }
            if (out.byteLength > 0) return
          }
        } catch (error) {
          exchange.end('failed', error)
          controller.error(error)
        }
      },
      cancel(reason) {
        exchange.end('stopped')
        return reader ? reader.cancel(reason) : body.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

const NOTHING = new Uint8Array(0)

interface Through {
  push(bytes: Uint8Array): Uint8Array
  end(): Uint8Array
}

function textThrough(exchange: Exchange): Through {
  const decoder = new TextDecoder()
  let text = ''
  let isTooLong = false
  const add = (more: string) => {
    if (text.length + more.length > MAX_JSON_CHARACTERS) isTooLong = true
    text = isTooLong ? '' : text + more
  }
  return {
    push(bytes) {
      if (!isTooLong) add(decoder.decode(bytes, { stream: true }))
      return bytes
    },
    end() {
      add(decoder.decode())
      if (isTooLong) exchange.end('unread')
      else exchange.answerText(text)
      return NOTHING
    },
  }
}

/** Server-sent events: untouched bytes while nothing is hidden, rewritten from the first event on that is. */
function eventsThrough(exchange: Exchange): Through {
  const splitter = sseSplitter()
  const encoder = new TextEncoder()
  return {
    push(bytes) {
      let out = ''
      for (const { raw, data } of splitter.push(bytes)) {
        if (data === undefined || data.startsWith('[DONE]')) {
          out += raw
          continue
        }
        let parsed: unknown
        try {
          parsed = JSON.parse(data)
        } catch {
          exchange.malformed()
          out += raw
          continue
        }
        const shown = exchange.chunk(parsed)
        if (shown === HIDDEN) continue
        out += shown === parsed ? raw : raw.replace(/^data:.*$/m, () => `data: ${JSON.stringify(shown)}`)
      }
      return encoder.encode(out)
    },
    end() {
      const rest = splitter.rest()
      exchange.end(rest.trim() === '' ? 'complete' : 'failed')
      return encoder.encode(rest)
    },
  }
}
