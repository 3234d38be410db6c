// Watching a stream that the SDK parses: its iterator is wrapped, so that class, identity and helpers stay the SDK's.

import { type Exchange, HIDDEN } from './exchange.ts'

export const AsyncIteratorPrototype = Object.getPrototypeOf(
  Object.getPrototypeOf(Object.getPrototypeOf((async function* () {})())),
) as object

/**
 * The iterator of the one pass over a stream: every chunk goes through the exchange before it goes on.
 *
 * `duringFirstStep` runs the first synchronous step of the SDK's generator: that is where it takes `response.body`,
 * and the one moment at which the body must be the untapped one.
 */
export function watchIterator(
  inner: AsyncIterator<unknown>,
  exchange: Exchange,
  duringFirstStep: <T>(step: () => T) => T,
  isAborted: () => boolean,
): AsyncIterableIterator<unknown> {
  let isStarted = false

  function take(result: IteratorResult<unknown>): IteratorResult<unknown> | Promise<IteratorResult<unknown>> {
    if (result.done) {
      // An abort in mid-stream ends the SDK's iterator quietly, without a throw.
      exchange.end(isAborted() ? 'aborted' : 'complete')
      return result
    }
    const shown = exchange.chunk(result.value)
    if (shown === HIDDEN) return inner.next().then(take, fail)
    if (shown !== result.value) result.value = shown
    return result
  }

  function fail(error: unknown): never {
    exchange.end(isAborted() ? 'aborted' : 'failed', error)
    throw error
  }

  return Object.assign(Object.create(AsyncIteratorPrototype) as AsyncIterableIterator<unknown>, {
    next() {
      if (isStarted) return inner.next().then(take, fail)
      isStarted = true
      return duringFirstStep(() => inner.next()).then(take, fail)
    },
    return(value?: unknown) {
      exchange.end(isAborted() ? 'aborted' : 'stopped')
      return inner.return ? inner.return(value) : Promise.resolve({ value, done: true as const })
    },
    throw(error?: unknown) {
      exchange.end('stopped')
      return inner.throw ? inner.throw(error) : Promise.reject(error)
    },
  })
}
