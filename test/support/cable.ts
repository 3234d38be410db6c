// A wire between a client and a server that a test can cut, tangle, and mend, on a port that stays the same.

import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** `hangs` never answers, `resets` breaks the connection, `loses` does what is asked and breaks it then, `closed` does not even listen. */
export type Fault = 'up' | 'hangs' | 'resets' | 'loses' | 'closed' | 'html' | 'json' | number

export interface Cable extends AsyncDisposable {
  readonly url: string
  /** What arrived here: `POST /v1/leases`. */
  readonly lines: readonly string[]
  /** With a path, only for what is asked there. */
  be(fault: Fault, path?: string): Promise<void>
  /** Who stands behind it from now on. */
  plug(url: string): void
}

export async function cable(to: string): Promise<Cable> {
  let target = to
  let state: Fault = 'up'
  let only: string | undefined
  const lines: string[] = []

  async function forward(method: string, path: string, headers: Headers, body: Buffer, response: ServerResponse) {
    const answer = await fetch(target + path, {
      method,
      headers,
      ...(body.length > 0 && { body: new Uint8Array(body) }),
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    if (state === 'loses') response.destroy()
    else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(bytes)
  }

  const answers: Record<Exclude<Fault, number | 'up' | 'loses' | 'closed'>, (response: ServerResponse) => void> = {
    hangs: () => undefined,
    resets: (response) => void response.destroy(),
    html: (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>'),
    json: (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"version":1}'),
  }

  const server: Server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk as Uint8Array)
    lines.push(`${method} ${url}`)
    const fault = only === undefined || url.startsWith(only) ? state : 'up'
    if (typeof fault === 'number') return void response.writeHead(fault).end()
    if (fault !== 'up' && fault !== 'loses' && fault !== 'closed') return answers[fault](response)
    const kept = new Headers()
    for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') kept.set(name, value)
    for (const name of ['host', 'connection', 'content-length', 'transfer-encoding']) kept.delete(name)
    await forward(method, url, kept, Buffer.concat(chunks), response).catch(() => response.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo

  async function close(): Promise<void> {
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }

  return {
    url: `http://127.0.0.1:${port}`,
    lines,
    plug(url) {
      target = url
    },
    async be(fault, path) {
      only = path
      const wasOpen = server.listening
      state = fault
      if (fault === 'closed') {
        if (wasOpen) await close()
        return
      }
      // What hangs from before must not be answered late.
      server.closeAllConnections()
      if (!wasOpen) await once(server.listen(port, '127.0.0.1'), 'listening')
    },
    async [Symbol.asyncDispose]() {
      if (server.listening) await close()
    },
  }
}
