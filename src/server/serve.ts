// Puts a function from a request to an answer on a port.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createIngest, type IngestOptions, type RequestHandler } from './ingest.ts'
import { toRequest } from './request.ts'

export interface ListenOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number | undefined
  /** `127.0.0.1`: other machines are let in by an explicit `0.0.0.0` only. */
  readonly host?: string | undefined
  /** How long `close()` waits for requests under way; 5000. */
  readonly graceMs?: number | undefined
  /** How long the headers of a request may take to arrive; 10,000. */
  readonly headersTimeoutMs?: number | undefined
  /** How long all of a request may take to arrive; 60,000. */
  readonly requestTimeoutMs?: number | undefined
  /** Connections at once, of which further ones are closed; 1000. */
  readonly maxConnections?: number | undefined
}

export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Takes no new connection, answers what is under way, and resolves when every connection is gone. */
  close(): Promise<void>
}

/** Longer than a proxy keeps one open that it does not use (nginx: 60 s), so that it is never closed under its hands. */
const KEEP_ALIVE_MS = 65_000
/** On a connection where nothing moves, the longest: the ledger takes at most 60 s for a batch that waited 10 s. */
const SILENCE_MS = 120_000
/** Who was answered before all of the body came has so long to read that while the rest is thrown away. */
const LINGER_MS = 5000
const UNUSED_MS = 100

/**
 * An ingest endpoint on a port of its own. The ledger stays the caller's to close.
 *
 * @example
 * await using server = await serve({ port: 8787, ledger: sqliteLedger({ path: 'ledger.db' }), apiKeys: ['k-1'] })
 */
export async function serve(options: IngestOptions & ListenOptions): Promise<RunningServer> {
  return listen(createIngest(options), options)
}

export async function listen(handler: RequestHandler, options: ListenOptions = {}): Promise<RunningServer> {
  const { port = 0, host = '127.0.0.1', graceMs = 5000, maxConnections = 1000 } = options
  const { headersTimeoutMs = 10_000, requestTimeoutMs = 60_000 } = options
  let closing: Promise<void> | undefined

  const settings = {
    headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, headersTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  }
  /** Connections over which nothing was asked so far: the server does not count them among the idle ones. */
  const unused = new Set<Socket>()
  const server = createServer(settings, (incoming, outgoing) => {
    unused.delete(incoming.socket)
    void respond(handler, incoming, outgoing, () => closing !== undefined)
  })
  server.on('connection', (socket: Socket) => {
    unused.add(socket)
    socket.once('close', () => unused.delete(socket))
  })
  server.maxConnections = maxConnections
  server.timeout = SILENCE_MS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })

  function close(): Promise<void> {
    closing ??= new Promise((resolve) => {
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      // What was asked right before has so long to be seen.
      const soon = setTimeout(() => {
        for (const socket of unused) socket.destroy()
      }, UNUSED_MS)
      server.close(() => {
        clearTimeout(timer)
        clearTimeout(soon)
        resolve()
      })
      server.closeIdleConnections()
    })
    return closing
  }

  const { port: bound } = server.address() as AddressInfo
  const shownHost = host.includes(':') ? `[${host}]` : host
  return { url: `http://${shownHost}:${bound}`, port: bound, close, [Symbol.asyncDispose]: close }
}

async function respond(
  handler: RequestHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  isClosing: () => boolean,
): Promise<void> {
  try {
    const request = toRequest(incoming, outgoing)
    const response = request === undefined ? new Response(null, { status: 400 }) : await handler(request)
    const body = Buffer.from(await response.arrayBuffer())
    outgoing.statusCode = response.status
    outgoing.setHeaders(response.headers)
    outgoing.setHeader('content-length', body.length)
    // Otherwise a client that keeps its connection busy keeps the server from closing.
    if (isClosing()) outgoing.setHeader('connection', 'close')
    outgoing.end(body)
    if (!incoming.complete) passOver(incoming)
  } catch {
    // The client went away, or a handler that never throws threw: there is nobody left to answer well.
    if (outgoing.headersSent) outgoing.destroy()
    else outgoing.writeHead(500, { connection: 'close' }).end()
  }
}

/** Closed at once, the connection would be reset under a client that is still sending and has not read the answer. */
function passOver(incoming: IncomingMessage): void {
  const { socket } = incoming
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  const done = () => clearTimeout(timer)
  timer.unref()
  incoming.once('end', done).once('close', done)
  incoming.on('error', () => undefined)
  incoming.resume()
}
