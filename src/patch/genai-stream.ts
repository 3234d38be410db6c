// What @google/genai gives its callers to read: answers, the events of streams, and the loop of automatic function calling.

import { type Exchange, endOf, HIDDEN, type Observer } from './exchange.ts'
import { endWhenForgotten } from './forgotten.ts'
import { endingOf } from './refusal.ts'
import { observeResponse } from './response.ts'

export interface HttpResponse {
  json(): Promise<unknown>
  /** What files are downloaded from. */
  readonly responseInternal?: Response
  readonly headers?: Record<string, string>
}

/** An answer that is not streamed: the SDK reads it once; of a file it reads the body itself. */
export function watchAnswer(response: HttpResponse, exchange: Exchange): HttpResponse {
  if (response.responseInternal && (exchange.form === 'lines' || exchange.form === 'bytes')) {
    observeResponse(response.responseInternal, exchange, false)
    return response
  }
  watchJson(response, exchange, (json) => {
    exchange.answer(json)
    return json
  })
  return response
}

function watchJson(response: HttpResponse, exchange: Exchange, take: (json: unknown) => unknown): void {
  const { json } = response
  Object.defineProperty(response, 'json', {
    configurable: true,
    writable: true,
    value: () =>
      json.call(response).then(take, (error: unknown) => {
        exchange.end(endOf(error), error)
        throw error
      }),
  })
}

/** The generator of a stream, as one that reports its end: a `break` in the caller's loop reaches only `return`. */
export function watchEvents(
  events: AsyncIterable<HttpResponse>,
  exchange: Exchange,
  signal: AbortSignal | undefined,
  abort: () => void,
): AsyncIterable<HttpResponse> {
  const inner = events[Symbol.asyncIterator]()
  const isAborted = () => signal?.aborted === true
  const take = (result: IteratorResult<HttpResponse>): IteratorResult<HttpResponse> => {
    if (result.done) exchange.end(isAborted() ? 'aborted' : 'complete')
    else
      watchJson(result.value, exchange, (json) => {
        const shown = exchange.chunk(json)
        return shown === HIDDEN ? json : shown
      })
    return result
  }
  const fail = (error: unknown): never => {
    exchange.end(isAborted() ? 'aborted' : 'failed', error)
    throw error
  }
  let isCut = false
  const cutShort = (error: Error): Promise<never> => {
    isCut = true
    exchange.end('stopped')
    // Its generator lets go of the body and leaves the request open.
    abort()
    inner.return?.().catch(() => undefined)
    return Promise.reject(error)
  }
  const watched: AsyncIterableIterator<HttpResponse> = {
    [Symbol.asyncIterator]: () => watched,
    next() {
      exchange.isBeingRead = true
      const ending = isCut ? undefined : endingOf(exchange)
      if (ending) return cutShort(ending)
      return inner.next().then(take, fail)
    },
    return(value?: unknown) {
      exchange.end(isAborted() ? 'aborted' : 'stopped')
      return inner.return ? inner.return(value) : Promise.resolve({ value, done: true as const })
    },
    throw(error?: unknown) {
      exchange.end('stopped')
      return inner.throw ? inner.throw(error) : Promise.reject(error)
    },
  }
  endWhenForgotten(watched, exchange)
  return watched
}

type ProcessAfcStream = (this: unknown, params: unknown) => Promise<AsyncGenerator<unknown>>

/** Every request of the loop is made in the name of whoever asked for the stream, whoever reads it. */
export function keepTenant(observer: () => Observer | undefined) {
  return (original: ProcessAfcStream, isActive: () => boolean): ProcessAfcStream =>
    async function processAfcStream(params) {
      const watcher = isActive() ? observer() : undefined
      if (!watcher) return original.call(this, params)
      const captured = watcher.capture()
      const loop = await original.call(this, params)
      for (const step of ['next', 'return', 'throw'] as const) {
        const own = loop[step] as (this: unknown, value?: unknown) => Promise<IteratorResult<unknown>>
        const inTheirName = (value?: unknown) => watcher.resume(captured, () => own.call(loop, value))
        Object.defineProperty(inTheirName, 'name', { value: own.name })
        loop[step] = inTheirName
      }
      return loop
    }
}
