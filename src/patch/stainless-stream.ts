// The streams of the Stainless SDKs: their class is learnt from a probe, and every stream it makes is watched.

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
  iterator: () => AsyncIterator<unknown>
  readonly controller: AbortController
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
      const stream = await client.request({ method: 'post', path: '/', stream: true, [PROBE]: true } as RequestOptions)
      const Stream = (stream as { constructor: StreamClass }).constructor
      const owner = staticOwner(Stream, 'fromSSEResponse')
      if (!owner) throw new MeterError('BAD_INPUT', 'no static fromSSEResponse')
      if (patchedStreams.has(owner)) return
      patchedStreams.add(owner)
      const undo = replaceMethod(owner, 'fromSSEResponse', watchStreams)
      undos.push(() => {
        patchedStreams.delete(owner)
        undo()
      })
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

const patchedStreams = new WeakSet<object>()

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
    const { iterator } = stream
    const isAborted = () => controller.signal.aborted
    let isTaken = false
    stream.iterator = () => {
      const chunks = iterator.call(stream)
      // A second pass over a consumed stream throws in the SDK: it says nothing of the exchange.
      if (isTaken) return chunks
      isTaken = true
      return watchIterator(chunks, handed.exchange, handed.duringFirstStep, isAborted)
    }
    return stream
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
