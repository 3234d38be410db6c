// The waist of @google/genai: `ApiClient.request` and `requestStream`, below chats, automatic function calling and hops.
//
// Seams, with the versions they were seen in (1.0 to 3.1):
// - `ApiClient.prototype.request({ path, body, httpMethod, httpOptions, abortSignal })` gives an HttpResponse whose
//   `json()` the SDK calls once; `requestStream` gives an async generator of them, one an event. ApiClient is not
//   exported: an instance hangs on every client as `apiClient`.
// - `ApiClient.prototype.apiCall(url, init, retryOptions, timeout, abortSignal, fetchFn)`: 2.32 to 3.1; its sixth
//   argument is called once per attempt. Retries happen only with `httpOptions.retryOptions`.
// - `Models.prototype.processAfcStream`: gives a generator whose requests go out while it is read.

import { MeterError } from '../errors.ts'
import type { Exchange, ExchangeRequest, Observer } from './exchange.ts'
import { patchInteractions } from './genai-interactions.ts'
import { patchLive } from './genai-live.ts'
import { type Sending, sending } from './genai-sending.ts'
import { type HttpResponse, keepTenant, watchAnswer, watchEvents } from './genai-stream.ts'
import { guarded } from './guarded.ts'
import { hostOf } from './host.ts'
import { dressEnding, dressRefusal, type ErrorClass } from './refusal.ts'
import { ownerOf, replaceMethod } from './undo.ts'

interface ApiClient {
  getBaseUrl(): string
}

interface ApiRequest {
  readonly path: string
  readonly body?: unknown
  readonly httpMethod: string
  readonly httpOptions?: { readonly baseUrl?: string }
  readonly abortSignal?: AbortSignal
}

type Request = (this: ApiClient, request: ApiRequest) => Promise<HttpResponse>
type RequestStream = (this: ApiClient, request: ApiRequest) => Promise<AsyncIterable<HttpResponse>>

/** One copy of the SDK: the parts of a client made from it, since only the client class is exported. */
export interface GenAiCopy {
  readonly apiClient: object
  readonly models: object | undefined
  readonly live: object | undefined
  readonly interactions: object | undefined
  /** Looked for when a call is refused: the client class alone does not lead to it. */
  readonly ApiError: () => ErrorClass | undefined
}

/** Stands in the waist of one copy; gives the undo. `owner` is a prototype, or one client's own `apiClient`. */
export function patchGenAi(
  { apiClient, models, live, interactions, ApiError }: GenAiCopy,
  observer: () => Observer | undefined,
  scope: 'copy' | 'client' = 'copy',
): () => void {
  const at = (object: object, name: string) => (scope === 'client' ? object : ownerOf(object, name))
  const client = at(apiClient, 'request')
  if (!client || !ownerOf(apiClient, 'requestStream'))
    throw new MeterError(
      'BAD_INPUT',
      'This copy of @google/genai has no `ApiClient.request`: its version is not supported.',
    )

  const level = Symbol('google')

  async function admit(api: ApiClient, request: ApiRequest, stream: boolean): Promise<Exchange | undefined> {
    const watcher = observer()
    if (!watcher) return undefined
    const described = guarded(watcher, 'A request of @google/genai', () => describe(api, request, stream))
    const exchange = described && watcher.begin(watcher.capture(), described)
    if (!exchange) return undefined
    try {
      const admission = exchange.admit()
      if (admission) await admission
    } catch (refusal) {
      throw refusal instanceof MeterError ? dressRefusal(refusal, ApiError(), 'google') : refusal
    }
    return exchange
  }

  const undos = [
    replaceMethod(
      client,
      'request',
      (original: Request, isActive) =>
        async function requestWatched(this: ApiClient, request: ApiRequest) {
          const exchange = isActive() && !isSending(request) ? await admit(this, request, false) : undefined
          if (!exchange) return original.call(this, request)
          const sent = capped(request, exchange)
          return watchAnswer(await send({ exchange, request: sent, level }, () => original.call(this, sent)), exchange)
        },
    ),
    replaceMethod(
      client,
      'requestStream',
      (original: RequestStream, isActive) =>
        async function requestStreamWatched(this: ApiClient, request: ApiRequest) {
          const exchange = isActive() && !isSending(request) ? await admit(this, request, true) : undefined
          if (!exchange) return original.call(this, request)
          dressEnding(exchange, exchange.isPaidAsItComes ? ApiError() : undefined, 'google')
          const ending = exchange.isPaidAsItComes ? new AbortController() : undefined
          const sent = capped(ending ? withSignal(request, ending.signal) : request, exchange)
          const events = await send({ exchange, request: sent, level }, () => original.call(this, sent))
          return watchEvents(events, exchange, request.abortSignal, () => ending?.abort())
        },
    ),
  ]
  const calling = at(apiClient, 'apiCall')
  if (calling) undos.push(replaceMethod(calling, 'apiCall', watchAttempts(level)))
  const looping = models && ownerOf(models, 'processAfcStream') && at(models, 'processAfcStream')
  if (looping) undos.push(replaceMethod(looping, 'processAfcStream', keepTenant(observer)))
  const talking = live && ownerOf(live, 'connect') && at(live, 'connect')
  if (talking) undos.push(patchLive(talking, ApiError, observer))
  undos.push(...patchInteractions(interactions, ApiError, observer, scope))
  return () => {
    for (const undo of undos.reverse()) undo()
  }
}

/** As a limit lets it be sent; the SDK's own object stays as it is. */
function capped(request: ApiRequest, exchange: Exchange): ApiRequest {
  return exchange.isCapped ? { ...request, body: exchange.encoded(request.body as string) } : request
}

function withSignal(request: ApiRequest, signal: AbortSignal): ApiRequest {
  const { abortSignal } = request
  return { ...request, abortSignal: abortSignal ? AbortSignal.any([abortSignal, signal]) : signal }
}

/** Counted already: this is the prototype's waist, below a wrapped client's. */
function isSending(request: ApiRequest): boolean {
  return sending.getStore()?.request === request
}

async function send<T>(now: Sending<ApiRequest>, original: () => Promise<T>): Promise<T> {
  const { exchange, request } = now
  exchange.attempt()
  try {
    const result = await sending.run(now, original)
    const { headers } = result as { headers?: Record<string, string> }
    exchange.answered({ status: 200, contentType: headers?.['content-type'] })
    return result
  } catch (error) {
    exchange.end(request.abortSignal?.aborted ? 'aborted' : 'failed', error)
    throw error
  }
}

type ApiCall = (
  this: unknown,
  url: string,
  init: RequestInit,
  retryOptions: unknown,
  timeout: unknown,
  abortSignal: unknown,
  fetchFn?: typeof fetch,
  ...rest: unknown[]
) => Promise<Response>

const watchAttempts =
  (level: symbol) =>
  (original: ApiCall, isActive: () => boolean): ApiCall =>
    function apiCall(url, init, retryOptions, timeout, abortSignal, fetchFn, ...rest) {
      const now = isActive() ? sending.getStore() : undefined
      const exchange = now?.level === level ? now.exchange : undefined
      if (!exchange || !retryOptions)
        return original.call(this, url, init, retryOptions, timeout, abortSignal, fetchFn, ...rest)
      let count = 0
      const watched: typeof fetch = async (...args) => {
        if (count++ > 0) exchange.attempt()
        const response = await (fetchFn ?? fetch)(...args)
        if (!response.ok) exchange.attemptFailed({ status: response.status })
        return response
      }
      return original.call(this, url, init, retryOptions, timeout, abortSignal, watched, ...rest)
    }

function describe(client: ApiClient, request: ApiRequest, stream: boolean): ExchangeRequest {
  const base = request.httpOptions?.baseUrl ?? client.getBaseUrl()
  const question = request.path.indexOf('?')
  return {
    wire: 'google',
    method: request.httpMethod.toLowerCase(),
    host: hostOf(base),
    path: question < 0 ? request.path : request.path.slice(0, question),
    body: request.body,
    stream,
    isFixed: typeof request.body !== 'string',
  }
}
