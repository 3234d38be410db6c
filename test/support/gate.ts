// A gate before a server on loopback: it counts the requests, and from one of them on it refuses, cuts off or answers nothing.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Gate extends AsyncDisposable {
  /** In place of the server's own address. */
  readonly url: string
  /** Those that were let through. */
  readonly passed: number
  /** From the nth request on that is let through; `undefined` opens it again. */
  shut(how: 'busy' | 'cut' | 'silent', after: number): void
  open(): void
  /** Resolves when a request stands before the gate. */
  readonly stopped: Promise<void>
}

export async function gate(target: string): Promise<Gate> {
  const { origin, pathname } = new URL(target)
  let [passed, most] = [0, Number.POSITIVE_INFINITY]
  let how: 'busy' | 'cut' | 'silent' = 'busy'
  let meet: () => void = () => undefined
  const stopped = new Promise<void>((resolve) => (meet = resolve))

  const server = createServer((request, response) => {
    if (passed >= most) {
      meet()
      if (how === 'busy') response.writeHead(429, { 'retry-after': '0' }).end('{}')
      else if (how === 'cut') request.socket.destroy()
      return
    }
    passed += 1
    void pass(`${origin}${request.url}`, request.headers as Record<string, string>, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname === '/' ? '' : pathname}`,
    get passed() {
      return passed
    },
    shut(mode, after) {
      ;[how, most] = [mode, passed + after]
    },
    open() {
      most = Number.POSITIVE_INFINITY
    },
    stopped,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function pass(url: string, headers: Record<string, string>, response: ServerResponse): Promise<void> {
  const { host: _, connection: __, ...rest } = headers
  const answer = await fetch(url, { headers: rest })
  response.writeHead(answer.status, { 'content-type': 'application/json' })
  response.end(Buffer.from(await answer.arrayBuffer()))
}
