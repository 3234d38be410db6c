// The body of an answer as the caller reads it raw: the same bytes, watched, less what the caller did not ask for.

import { type AnswerForm, type Exchange, endOf, HIDDEN } from './exchange.ts'
import { lineReader } from './lines.ts'
import { endingOf } from './refusal.ts'
import { dataOf, type RawEvent, sseSplitter } from './sse.ts'

/** What an answer read as bytes may hold in memory while it is put together; above it the usage is not looked for. */
const MAX_JSON_CHARACTERS = 64 * 1024 * 1024

/** The same bytes, less what is hidden. Nothing is read before the first `pull`, so the body may still be read past it. */
export function tap(
  bodyOf: () => ReadableStream<Uint8Array>,
  exchange: Exchange,
  isStream: boolean,
): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  let broken: { readonly error: unknown } | undefined
  let through: Through | undefined
  // Made when something is read: SDKs look at a body for their debug log, and never read it then.
  const reading = () => (through ??= throughOf(exchange, isStream))
  return new ReadableStream<Uint8Array>(
    {
      type: 'bytes',
      async pull(controller) {
        if (broken) return controller.error(broken.error)
        for (;;) {
          const ending = endingOf(exchange)
          if (ending) {
            exchange.end('stopped')
            // It closes the connection; what that comes to is nobody's business.
            reader?.cancel(ending).catch(() => undefined)
            return controller.error(ending)
          }
          let step: ReadableStreamReadResult<Uint8Array>
          try {
            exchange.isBeingRead = true
            reader ??= bodyOf().getReader()
            step = await reader.read()
          } catch (error) {
            exchange.end(endOf(error), error)
            // What came before the break is the caller's; the error follows with the next read.
            const rest = reading().rest()
            if (rest.byteLength === 0) return controller.error(error)
            broken = { error }
            return controller.enqueue(rest)
          }
          const out = step.done ? reading().end() : reading().push(step.value)
          if (out.byteLength > 0) controller.enqueue(out)
          if (step.done) {
            controller.close()
            // A reader with its own buffer (`mode: 'byob'`) waits until its last request is answered, even with nothing.
            ;(controller as ReadableByteStreamController).byobRequest?.respond(0)
            return
          }
          if (out.byteLength > 0) return
        }
      },
      cancel(reason) {
        exchange.end('stopped')
        return reader ? reader.cancel(reason) : bodyOf().cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

type Bytes = Uint8Array<ArrayBuffer>
const NOTHING: Bytes = new Uint8Array(0)

export interface Through {
  push(bytes: Uint8Array): Bytes
  end(): Bytes
  /** What is held back when the body breaks off. */
  rest(): Bytes
}

/** How a body is read on its way. */
export function throughOf(exchange: Exchange, isStream: boolean): Through {
  return isStream ? streamThrough(exchange) : (THROUGH[exchange.form] ?? textThrough)(exchange)
}

/** A byte stream takes the memory of what it is given, and this memory may be the caller's. */
const copyOf = (bytes: Uint8Array): Bytes => new Uint8Array(bytes)

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
      return copyOf(bytes)
    },
    end() {
      add(decoder.decode())
      if (isTooLong) exchange.end('unread')
      else exchange.answerText(text)
      return NOTHING
    },
    rest: () => NOTHING,
  }
}

/** Objects of one line each. A file that holds anything else is the application's own. */
function linesThrough(exchange: Exchange): Through {
  const decoder = new TextDecoder()
  const reader = lineReader(exchange)
  return {
    push(bytes) {
      if (!reader.isOther) reader.push(decoder.decode(bytes, { stream: true }))
      return copyOf(bytes)
    },
    end() {
      reader.push(decoder.decode())
      reader.end()
      exchange.end('complete')
      return NOTHING
    },
    rest: () => NOTHING,
  }
}

/** Of sound, or of a file, only its end is of interest. */
function bytesThrough(exchange: Exchange): Through {
  return {
    push: copyOf,
    end() {
      exchange.end('complete')
      return NOTHING
    },
    rest: () => NOTHING,
  }
}

const THROUGH: Partial<Record<AnswerForm, (exchange: Exchange) => Through>> = {
  lines: linesThrough,
  bytes: bytesThrough,
}

const OPEN_BRACE = 123

/** A stream of events; one that begins with an object is one of an object a line, as Cohere's first version and Ollama send it. */
function streamThrough(exchange: Exchange): Through {
  let through: Through | undefined
  const chosen = (first?: number) =>
    (through ??= first === OPEN_BRACE ? linesThrough(exchange) : eventsThrough(exchange))
  return {
    push: (bytes) => (bytes.byteLength === 0 ? NOTHING : chosen(bytes[0]).push(bytes)),
    end: () => chosen().end(),
    rest: () => chosen().rest(),
  }
}

/** Server-sent events: the very bytes where nothing is hidden, and else event by event. */
function eventsThrough(exchange: Exchange): Through {
  const { isHiding } = exchange
  const splitter = sseSplitter()
  const encoder = new TextEncoder()

  function shown({ raw, data }: RawEvent): string {
    if (data === undefined || data.startsWith('[DONE]')) return raw
    let parsed: unknown
    try {
      parsed = JSON.parse(data)
    } catch {
      exchange.malformed()
      return raw
    }
    const chunk = exchange.chunk(parsed)
    if (chunk === HIDDEN) return ''
    return chunk === parsed ? raw : withData(raw, JSON.stringify(chunk))
  }

  return {
    push(bytes) {
      let out = ''
      for (const event of splitter.push(bytes)) out += shown(event)
      return isHiding ? encoder.encode(out) : copyOf(bytes)
    },
    end() {
      const raw = splitter.rest()
      // An event that ends with the body, without its blank line, is one all the same.
      const out = raw.trim() === '' ? raw : shown({ raw, data: dataOf(raw) })
      exchange.end('complete')
      return isHiding ? encoder.encode(out) : NOTHING
    },
    rest() {
      const raw = splitter.rest()
      return isHiding ? encoder.encode(raw) : NOTHING
    },
  }
}

/** The event with other data: its first `data:` line has it all, the others go. */
function withData(raw: string, data: string): string {
  let isFirst = true
  return raw.replace(/^data:[^\r\n]*(?:\r\n|\r|\n)?/gm, (line) => {
    if (!isFirst) return ''
    isFirst = false
    return `data: ${data}${/[\r\n]*$/.exec(line)?.[0] ?? ''}`
  })
}
