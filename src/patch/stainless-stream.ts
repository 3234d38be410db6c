// The streams of the Stainless SDKs: their class is learnt from a probe, and every stream it makes is watched.
//
// Seams: static `Stream.fromSSEResponse(response, controller, ...)` and the own, writable `stream.iterator`: openai 4.28 to
// 7.57, @anthropic-ai/sdk 0.20 to 1.12; in openai 4.0 `Stream.prototype[Symbol.asyncIterator]` and the own
// `stream.response`; the own `parseResponse(client, props)` of what `client.request` gives: the same.

import { MeterError } from '../errors.ts'
import type { Observer } from './exchange.ts'
import { handOver } from './response.ts'
import type { RequestOptions, ResponseProps, StainlessClient } from './stainless.ts'
import { watchIterator } from './stream.ts'
import { replaceMethod } from './undo.ts'

type StreamClass = {
  fromSSEResponse(response: Response, controller: AbortController, ...rest: unknown[]): ParsedStream
}

interface ParsedStream {
  iterator: () => AsyncGenerator<unknown>
  readonly controller: AbortController
}

interface Unparsed extends Promise<unknown> {
  parseResponse?(...args: readonly unknown[]): Promise<unknown>
}

/** `parseResponse(props)` in openai 4 and @anthropic-ai/sdk before 0.50, `parseResponse(client, props)` since. */
function parsedBy({ parseResponse }: Unparsed, client: object, props: ResponseProps): Promise<unknown> | undefined {
  return parseResponse && (parseResponse.length < 2 ? parseResponse(props) : parseResponse(client, props))
}

const PROBE = Symbol('tallygate.probe')

/**
 * The Stream class of a copy is not on its main export. One probe through the SDK's own parser, answered here with an
 * empty Response before anything is sent, gives a stream, and so its class: no path into the package, so it works in bundles.
 */
export function streamPatch(undos: (() => void)[]) {
  let learning: Promise<void> | undefined

  async function probe(client: StainlessClient, watcher: Observer): Promise<void> {
    try {
      const options = { method: 'post', path: '/', stream: true, [PROBE]: true } as RequestOptions
      const unparsed = client.request(options) as Unparsed
      // Parsed for a client that logs nothing: the application's logger shall not see a request that it never made.
      const quiet = Object.create(client, { logLevel: { value: 'off' } }) as object
      const stream = await (parsedBy(unparsed, quiet, probeAnswer(options)) ?? unparsed)
      const owner = staticOwner((stream as { constructor: StreamClass }).constructor, 'fromSSEResponse')
      if (owner) undos.push(watchOnce(owner, 'fromSSEResponse', watchStreams))
      else if (isStreamOfItsResponse(stream))
        undos.push(watchOnce(Object.getPrototypeOf(stream) as object, Symbol.asyncIterator, watchIteration))
      else throw new MeterError('BAD_INPUT', 'no static fromSSEResponse')
    } catch (cause) {
      watcher.problem('Streams of this SDK copy are metered on their bytes: its Stream class was not found.', cause)
    }
  }

  return {
    learn(client: StainlessClient, watcher: Observer): Promise<void> {
      return (learning ??= probe(client, watcher))
    },
  }
}

/** Stream classes that are watched: once each, for as long as a patch of their SDK stands. */
const watched = new WeakMap<object, { users: number; undo: () => void }>()

function watchOnce(owner: object, name: PropertyKey, watch: typeof watchStreams | typeof watchIteration): () => void {
  const known = watched.get(owner) ?? { users: 0, undo: replaceMethod(owner, name, watch as typeof watchStreams) }
  watched.set(owner, known)
  known.users++
  return () => {
    if (--known.users > 0) return
    watched.delete(owner)
    known.undo()
  }
}

type FromSSEResponse = (
  this: unknown,
  response: Response,
  controller: AbortController,
  ...rest: unknown[]
) => ParsedStream

function watchStreams(original: FromSSEResponse, isActive: () => boolean): FromSSEResponse {
  return function fromSSEResponse(response, controller, ...rest) {
    const stream = original.call(this, response, controller, ...rest)
    const handed = isActive() ? handOver(response) : undefined
    if (!handed) return stream
    const make = stream.iterator
    const isAborted = () => controller.signal.aborted
    stream.iterator = function iterator() {
      return watchIterator(make.call(stream), handed, isAborted)
    }
    return stream
  }
}

interface StreamOfItsResponse extends AsyncIterable<unknown> {
  readonly response: Response
  readonly controller: AbortController
}

function isStreamOfItsResponse(stream: unknown): stream is StreamOfItsResponse {
  return typeof stream === 'object' && stream !== null && Symbol.asyncIterator in stream && 'response' in stream
}

type Iterate = (this: StreamOfItsResponse) => AsyncGenerator<unknown>

function watchIteration(original: Iterate, isActive: () => boolean): Iterate {
  return function () {
    const handed = isActive() ? handOver(this.response) : undefined
    const inner = original.call(this)
    return handed ? watchIterator(inner, handed, () => this.controller.signal.aborted) : inner
  }
}

function staticOwner(Class: object, name: string): object | undefined {
  for (let at: object | null = Class; at && at !== Function.prototype; at = Object.getPrototypeOf(at))
    if (Object.hasOwn(at, name)) return at
  return undefined
}

/** Our own request for a Stream: answered here, before anything is sent. */
export function isProbe(options: RequestOptions): boolean {
  return PROBE in options
}

export function probeAnswer(options: RequestOptions): ResponseProps {
  const controller = new AbortController()
  return Object.assign({ response: new Response(''), options, controller }, { requestLogID: '', startTime: Date.now() })
}
