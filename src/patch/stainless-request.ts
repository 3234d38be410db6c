// A request of a Stainless SDK in our words, and the head of its answer.

import type { AttemptResult, ExchangeRequest, WireName } from './exchange.ts'
import type { RequestOptions, StainlessClient } from './stainless.ts'

export function describe(
  wire: WireName,
  client: StainlessClient,
  options: RequestOptions,
): ExchangeRequest | undefined {
  const { path, body } = options
  if (typeof path !== 'string') return undefined
  const isAbsolute = path.startsWith('http')
  const base = isAbsolute ? path : (client.baseURL ?? options.defaultBaseURL)
  const question = path.indexOf('?')
  const given = body as { stream?: unknown; toJSON?: unknown } | null | undefined
  return {
    wire,
    method: options.method ?? 'get',
    host: hostOf(base),
    path: question < 0 ? path : path.slice(0, question),
    body: typeof given?.toJSON === 'function' ? undefined : body,
    stream: options.stream === true || given?.stream === true,
  }
}

const hosts = new Map<string, string>()

function hostOf(url: string): string {
  let host = hosts.get(url)
  if (host === undefined) {
    try {
      host = new URL(url).host
    } catch {
      host = 'unknown'
    }
    if (hosts.size >= 1000) hosts.clear()
    hosts.set(url, host)
  }
  return host
}

export function resultOf({ status, headers }: Response): AttemptResult {
  // openai says `x-request-id`, anthropic `request-id`.
  return {
    status,
    requestId: headers.get('x-request-id') ?? headers.get('request-id') ?? undefined,
    contentType: headers.get('content-type') ?? undefined,
  }
}
