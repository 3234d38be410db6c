// The administration APIs of the pretended providers on loopback: pages, limits of rate, ids that are null.

import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { anthropicAdmin } from './anthropic-admin.ts'
import type { Month } from './month.ts'
import { openaiAdmin } from './openai-admin.ts'
import type { AdminOptions, Answer, Answerer } from './report-page.ts'

export type { AdminOptions } from './report-page.ts'

export interface AdminApis {
  /** With `/v1`, as the SDK of OpenAI has it. */
  readonly openai: string
  readonly anthropic: string
  /** How many requests came, those that were refused included. */
  readonly requests: number
  close(): Promise<void>
}

export async function startAdminApis(month: Month, options: AdminOptions = {}): Promise<AdminApis> {
  const answerers: Readonly<Record<string, Answerer>> = {
    openai: openaiAdmin(month, options),
    anthropic: anthropicAdmin(month, options),
  }
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    const url = new URL(request.url ?? '/', 'http://loopback')
    const [, house = '', ...rest] = url.pathname.split('/')
    const { busyEvery = 0, retryAfter = 0 } = options
    if (busyEvery > 0 && requests % busyEvery === 0)
      return send(
        response,
        { status: 429, body: { error: { type: 'rate_limit_error' } } },
        { 'retry-after': `${retryAfter}` },
      )
    const answerer = answerers[house]
    send(response, answerer?.(`/${rest.join('/')}`, url.searchParams, request.headers) ?? { status: 404, body: {} })
  })
  server.unref()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    openai: `http://127.0.0.1:${port}/openai/v1`,
    anthropic: `http://127.0.0.1:${port}/anthropic`,
    get requests() {
      return requests
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function send(response: ServerResponse, { status, body }: Answer, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify(body))
}
