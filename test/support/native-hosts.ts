// A host on loopback that answers each path with what the test has recorded of it: whole, as events, or as lines.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Recorded {
  readonly json?: unknown
  readonly events?: readonly unknown[]
  /** One object a line. */
  readonly lines?: readonly unknown[]
}

export interface NativeHost {
  readonly url: string
  readonly host: string
  /** What was asked, oldest first. */
  readonly requests: { readonly path: string; readonly body: string }[]
}

/** `answers` by the end of the path; streamed answers under the path and `#stream`, for requests that ask for it. */
export async function nativeHost(answers: Readonly<Record<string, Recorded>>): Promise<NativeHost> {
  const requests: { path: string; body: string }[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts).toString()
      const path = new URL(request.url ?? '/', 'http://host').pathname
      requests.push({ path, body })
      const isStream = /"stream":\s*true|name="stream"\r\n\r\ntrue/.test(body)
      const name = Object.keys(answers).find((one) => `${path}${isStream ? '#stream' : ''}`.endsWith(one))
      const answer = name === undefined ? undefined : answers[name]
      if (!answer) {
        response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"Not recorded."}')
        return
      }
      const [type, text] = answer.events
        ? ['text/event-stream', answer.events.map(eventOf).join('') + endOf(answer.events)]
        : answer.lines
          ? ['application/stream+json', answer.lines.map((it) => `${JSON.stringify(it)}\n`).join('')]
          : ['application/json', JSON.stringify(answer.json)]
      response.writeHead(200, { 'content-type': type }).end(text)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url: `http://${host}`, host, requests }
}

/** Under the name of its type, where it has one. */
function eventOf(data: unknown): string {
  const { type } = data as { type?: unknown }
  return `${typeof type === 'string' ? `event: ${type}\n` : ''}data: ${JSON.stringify(data)}\n\n`
}

/** Chunks of completions end with a word of their own; events that have types, with the last of them. */
function endOf([first]: readonly unknown[]): string {
  return typeof (first as { type?: unknown } | undefined)?.type === 'string' ? '' : 'data: [DONE]\n\n'
}
