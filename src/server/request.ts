// A request of Node's HTTP server as the `Request` of the web.

import type { IncomingMessage, ServerResponse } from 'node:http'

/** Behind a proxy it is the proxy's: good for slowing somebody down, and for nothing that has to be true. */
const addresses = new WeakMap<Request, string>()

/** Where the connection of a request comes from; the empty text where nobody knows. */
export function addressOf(request: Request): string {
  return addresses.get(request) ?? ''
}

/** `undefined` for a method that no `Request` can have, such as `TRACE`. */
export function toRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | undefined {
  const { method = 'GET', url = '/' } = incoming
  const aborted = new AbortController()
  outgoing.once('close', () => {
    if (!outgoing.writableFinished) aborted.abort()
  })
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headers))
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  const hasBody = method !== 'GET' && method !== 'HEAD'
  try {
    // The host that a client names is of no use here, and could be anything.
    const request = new Request(new URL(`http://localhost${url.startsWith('/') ? url : '/'}`), {
      method,
      headers,
      signal: aborted.signal,
      ...(hasBody ? { body: bodyOf(incoming, outgoing), duplex: 'half' } : {}),
    } as RequestInit)
    addresses.set(request, incoming.socket.remoteAddress ?? '')
    return request
  } catch {
    return undefined
  }
}

/** Not `Readable.toWeb`, which ends the connection when the body is not wanted any more: the answer goes the same way. */
function bodyOf(incoming: IncomingMessage, outgoing: ServerResponse): ReadableStream<Uint8Array> {
  let isOver = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        incoming.on('data', onData)
        incoming.once('end', onEnd)
        incoming.once('close', onEnd)
        incoming.once('error', onError)
        incoming.pause()
        function onData(chunk: Buffer): void {
          // What still comes after the answer is nobody's.
          if (isOver || outgoing.writableEnded) return
          controller.enqueue(chunk)
          if ((controller.desiredSize ?? 0) <= 0) incoming.pause()
        }
        function onEnd(): void {
          if (isOver) return
          isOver = true
          if (incoming.complete) controller.close()
          else controller.error(new Error('The request was broken off.'))
        }
        function onError(error: Error): void {
          if (isOver) return
          isOver = true
          controller.error(error)
        }
      },
      pull() {
        incoming.resume()
      },
      cancel() {
        isOver = true
        incoming.resume()
      },
    },
    { highWaterMark: 0 },
  )
}
