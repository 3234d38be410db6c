// A request of a Stainless SDK in our words, and the head of its answer.

import type { AttemptResult, Exchange, ExchangeRequest, WireName } from './exchange.ts'
import { hostOf } from './host.ts'
import { observeResponse } from './response.ts'
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
    body: typeof given?.toJSON === 'function' ? undefined : isStreamed(body) ? { model: modelBeside(options) } : body,
    stream: options.stream === true || given?.stream === true,
  }
}

/** A form with a file that is read as it is sent: its fields cannot be looked at without reading the file. */
function isStreamed(body: unknown): boolean {
  const stream = body as { getReader?: unknown; [Symbol.asyncIterator]?: unknown } | null | undefined
  return typeof stream?.getReader === 'function' || typeof stream?.[Symbol.asyncIterator] === 'function'
}

/** The model that the SDK itself notes beside a form, for Azure's paths: openai 4.0 to 7.57. */
function modelBeside({ __metadata: beside }: RequestOptions): unknown {
  return beside?.['model']
}

export function resultOf({ status, headers }: Response): AttemptResult {
  // openai says `x-request-id`, anthropic `request-id`.
  return {
    status,
    requestId: headers.get('x-request-id') ?? headers.get('request-id') ?? undefined,
    contentType: headers.get('content-type') ?? undefined,
  }
}

export function arrived(response: Response, exchange: Exchange): void {
  exchange.answered(resultOf(response))
  // A 204 and an empty body are never read by the SDK.
  if (response.status === 204 || response.headers.get('content-length') === '0') exchange.end('complete')
  else observeResponse(response, exchange, exchange.form === 'events')
}
