// Puts a function from a request to an answer on a port.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { createIngest, type IngestOptions, type RequestHandler } from './ingest.ts'

export interface ListenOptions {
  /** 0, the default, takes any free port. */
  readonly port?: number | undefined
  /** `127.0.0.1`: other machines are let in by an explicit `0.0.0.0` only. */
  readonly host?: string | undefined
  /** How long `close()` waits for requests under way; 5000. */
  readonly graceMs?: number | undefined
}

export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Takes no new connection, answers what is under way, and resolves when every connection is gone. */
  close(): Promise<void>
}

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
  const { port = 0, host = '127.0.0.1', graceMs = 5000 } = options
  let closing: Promise<void> | undefined

  const server = createServer((incoming, outgoing) => {
    void respond(handler, incoming, outgoing, () => closing !== undefined)
  })
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
      server.close(() => {
        clearTimeout(timer)
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
  } catch {
    // The client went away, or a handler that never throws threw: there is nobody left to answer well.
    if (outgoing.headersSent) outgoing.destroy()
    else outgoing.writeHead(500, { connection: 'close' }).end()
  }
}

/** `undefined` for a method that no `Request` can have, such as `TRACE`. */
function toRequest(incoming: IncomingMessage, outgoing: ServerResponse): Request | undefined {
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
    return new Request(new URL(`http://localhost${url.startsWith('/') ? url : '/'}`), {
      method,
      headers,
      signal: aborted.signal,
      ...(hasBody ? { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' } : {}),
    } as RequestInit)
  } catch {
    return undefined
  }
}
