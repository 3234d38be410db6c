// The waist of @google/genai: `ApiClient.request` and `requestStream`, below chats, automatic function calling and hops.
//
// Seams, with the versions they were seen in (1.0 to 3.1):
// - `ApiClient.prototype.request({ path, body, httpMethod, httpOptions, abortSignal })` gives an HttpResponse whose
//   `json()` the SDK calls once; `requestStream` gives an async generator of them, one an event. ApiClient is not
//   exported: an instance hangs on every client as `apiClient`.
// - `ApiClient.prototype.apiCall(url, init, retryOptions, timeout, abortSignal, fetchFn)`: 2.32 to 3.1; its sixth
//   argument is called once per attempt. Retries happen only with `httpOptions.retryOptions`.
// - `Models.prototype.processAfcStream`: gives a generator whose requests go out while it is read.

import { AsyncLocalStorage } from 'node:async_hooks'
import { MeterError } from '../errors.ts'
import { type Exchange, type ExchangeRequest, HIDDEN, type Observer } from './exchange.ts'
import { dressRefusal, type ErrorClass } from './refusal.ts'
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

interface HttpResponse {
  json(): Promise<unknown>
  readonly headers?: Record<string, string>
}

type Request = (this: ApiClient, request: ApiRequest) => Promise<HttpResponse>
type RequestStream = (this: ApiClient, request: ApiRequest) => Promise<AsyncIterable<HttpResponse>>

/** One copy of the SDK: the parts of a client made from it, since only the client class is exported. */
export interface GenAiCopy {
  readonly apiClient: object
  readonly models: object | undefined
  /** Looked for when a call is refused: the client class alone does not lead to it. */
  readonly ApiError: () => ErrorClass | undefined
}

/** The request that is being sent: what its attempts belong to, and how a waist below knows that it is counted already. */
interface Sending {
  readonly exchange: Exchange
  readonly request: ApiRequest
}

// One for every copy of this package in the process: a client wrapped by one may be of an SDK patched by the other.
const KEY = Symbol.for('tallygate.sending.google')
const shared = globalThis as { [KEY]?: AsyncLocalStorage<Sending> }
const sending = (shared[KEY] ??= new AsyncLocalStorage<Sending>())

// A stream that nobody ever reads is only known to be over when its generator is collected.
const forgotten = new FinalizationRegistry<Exchange>((exchange) => exchange.end('unread'))

/** Stands in the waist of one copy; gives the undo. `owner` is a prototype, or one client's own `apiClient`. */
export function patchGenAi(
  { apiClient, models, ApiError }: GenAiCopy,
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

  async function admit(api: ApiClient, request: ApiRequest, stream: boolean): Promise<Exchange | undefined> {
    const watcher = observer()
    const exchange = watcher?.begin(watcher.capture(), describe(api, request, stream))
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
          const response = await send(exchange, request, () => original.call(this, request))
          watchJson(
            response,
            (json) => {
              exchange.answer(json)
              return json
            },
            exchange,
          )
          return response
        },
    ),
    replaceMethod(
      client,
      'requestStream',
      (original: RequestStream, isActive) =>
        async function requestStreamWatched(this: ApiClient, request: ApiRequest) {
          const exchange = isActive() && !isSending(request) ? await admit(this, request, true) : undefined
          if (!exchange) return original.call(this, request)
          const events = await send(exchange, request, () => original.call(this, request))
          return watchEvents(events, exchange, request)
        },
    ),
  ]
  const calling = at(apiClient, 'apiCall')
  if (calling) undos.push(replaceMethod(calling, 'apiCall', watchAttempts))
  const looping = models && ownerOf(models, 'processAfcStream')
  if (looping && scope === 'copy') undos.push(replaceMethod(looping, 'processAfcStream', keepTenant(observer)))
  return () => {
    for (const undo of undos.reverse()) undo()
  }
}

/** Counted already: this is the prototype's waist, below a wrapped client's. */
function isSending(request: ApiRequest): boolean {
  return sending.getStore()?.request === request
}

async function send<T>(exchange: Exchange, request: ApiRequest, original: () => Promise<T>): Promise<T> {
  exchange.attempt()
  try {
    const result = await sending.run({ exchange, request }, original)
    exchange.answered({ status: 200 })
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

function watchAttempts(original: ApiCall, isActive: () => boolean): ApiCall {
  return function apiCall(url, init, retryOptions, timeout, abortSignal, fetchFn, ...rest) {
    const exchange = isActive() ? sending.getStore()?.exchange : undefined
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
}

function watchJson(response: HttpResponse, take: (json: unknown) => unknown, exchange: Exchange): void {
  const { json } = response
  Object.defineProperty(response, 'json', {
    configurable: true,
    writable: true,
    value: () =>
      json.call(response).then(take, (error: unknown) => {
        exchange.malformed()
        exchange.end('failed', error)
        throw error
      }),
  })
}

/** The generator of a stream, as one that reports its end: a `break` in the caller's loop reaches only `return`. */
function watchEvents(
  events: AsyncIterable<HttpResponse>,
  exchange: Exchange,
  request: ApiRequest,
): AsyncIterable<HttpResponse> {
  const inner = events[Symbol.asyncIterator]()
  const isAborted = () => request.abortSignal?.aborted === true
  const take = (result: IteratorResult<HttpResponse>): IteratorResult<HttpResponse> => {
    if (result.done) exchange.end(isAborted() ? 'aborted' : 'complete')
    else
      watchJson(
        result.value,
        (json) => {
          const shown = exchange.chunk(json)
          return shown === HIDDEN ? json : shown
        },
        exchange,
      )
    return result
  }
  const fail = (error: unknown): never => {
    exchange.end(isAborted() ? 'aborted' : 'failed', error)
    throw error
  }
  const watched: AsyncIterableIterator<HttpResponse> = {
    [Symbol.asyncIterator]: () => watched,
    next: () => inner.next().then(take, fail),
    return(value?: unknown) {
      exchange.end(isAborted() ? 'aborted' : 'stopped')
      return inner.return ? inner.return(value) : Promise.resolve({ value, done: true as const })
    },
    throw(error?: unknown) {
      exchange.end('stopped')
      return inner.throw ? inner.throw(error) : Promise.reject(error)
    },
  }
  forgotten.register(watched, exchange)
  return watched
}

type ProcessAfcStream = (this: unknown, params: unknown) => Promise<AsyncGenerator<unknown>>

/** Every request of the loop is made in the name of whoever asked for the stream, whoever reads it. */
function keepTenant(observer: () => Observer | undefined) {
  return (original: ProcessAfcStream, isActive: () => boolean): ProcessAfcStream =>
    async function processAfcStream(params) {
      const watcher = isActive() ? observer() : undefined
      if (!watcher) return original.call(this, params)
      const captured = watcher.capture()
      const loop = await original.call(this, params)
      for (const step of ['next', 'return', 'throw'] as const) {
        const own = loop[step].bind(loop) as (value?: unknown) => Promise<IteratorResult<unknown>>
        Object.defineProperty(loop, step, {
          configurable: true,
          writable: true,
          value: (value?: unknown) => watcher.resume(captured, () => own(value)),
        })
      }
      return loop
    }
}

function describe(client: ApiClient, request: ApiRequest, stream: boolean): ExchangeRequest {
  const base = request.httpOptions?.baseUrl ?? client.getBaseUrl()
  const question = request.path.indexOf('?')
  let host: string
  try {
    host = new URL(base).host
  } catch {
    host = 'unknown'
  }
  return {
    sdk: 'google',
    method: request.httpMethod.toLowerCase(),
    host,
    path: question < 0 ? request.path : request.path.slice(0, question),
    body: request.body,
    stream,
  }
}
