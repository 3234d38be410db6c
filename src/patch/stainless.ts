// The waist of the Stainless SDKs, openai and @anthropic-ai/sdk: `makeRequest` on the client's prototype.
//
// Seams, with the versions they were seen in:
// - `makeRequest(options | Promise<options>, retriesRemaining, retryOf, span?)`: openai 4.0 to 7.57, @anthropic-ai/sdk
//   0.20 to 1.12. Once per attempt; `retriesRemaining` is null on the first. Gives `{ response, options, controller }`.
// - `shouldRetry(response)`: same versions; sees every answer that is not 2xx.
// - static `Stream.fromSSEResponse(response, controller, ...)` and the own, writable `stream.iterator`: same versions.
// - openai 7 `parseResponseWithTimeout` calls `retryRequest` after a 200 whose body stalled: `makeRequest` then runs
//   outside the first call of it, with the same options object.

import { AsyncLocalStorage } from 'node:async_hooks'
import { MeterError } from '../errors.ts'
import type { Exchange, ExchangeRequest, Observer, SdkName } from './exchange.ts'
import { dressRefusal } from './refusal.ts'
import { observeResponse } from './response.ts'
import { isProbe, probeAnswer, streamPatch } from './stainless-stream.ts'
import { ownerOf, replaceMethod } from './undo.ts'

export interface RequestOptions {
  readonly method?: string
  readonly path?: string
  readonly body?: unknown
  readonly stream?: boolean
  readonly signal?: AbortSignal | null
  readonly defaultBaseURL?: string
}

export interface StainlessClient {
  readonly baseURL: string
  request(options: RequestOptions): Promise<unknown>
}

export interface ResponseProps {
  response: Response
  options: RequestOptions
  controller: AbortController
}

type MakeRequest = (
  this: StainlessClient,
  input: RequestOptions | Promise<RequestOptions>,
  retriesRemaining?: number | null,
  ...rest: unknown[]
) => Promise<ResponseProps>

/** The error base of one SDK copy, for refusals. */
type ErrorClass = new (...args: never[]) => Error

/** A class of an SDK copy, as `locate.ts` found it or the application handed it over. */
export interface StainlessCopy {
  readonly Client: { readonly prototype: object }
  readonly APIError: ErrorClass | undefined
}

/** The exchange whose request is being sent, and its options: what nested `makeRequest` and `shouldRetry` belong to. */
interface Sending {
  readonly exchange: Exchange
  readonly options: RequestOptions
}
const sending = new AsyncLocalStorage<Sending>()
const exchanges = new WeakMap<RequestOptions, Exchange>()

/** Stands in the waist of one copy; gives the undo. `observer` is asked on every call and may be gone. */
export function patchStainless(sdk: SdkName, copy: StainlessCopy, observer: () => Observer | undefined): () => void {
  const owner = ownerOf(copy.Client.prototype, 'makeRequest')
  if (!owner)
    throw new MeterError('BAD_INPUT', `This copy of ${sdk} has no \`makeRequest\`: its version is not supported.`)
  return standIn(sdk, owner, copy.APIError, observer)
}

/** The same on one client only, and on what its `withOptions` makes. */
export function patchStainlessClient(
  sdk: SdkName,
  client: object,
  APIError: ErrorClass | undefined,
  observer: () => Observer | undefined,
): () => void {
  const undos = [standIn(sdk, client, APIError, observer)]
  if (typeof (client as { withOptions?: unknown }).withOptions === 'function') {
    undos.push(
      replaceMethod(
        client,
        'withOptions',
        (original: (this: object, ...args: unknown[]) => object, isActive) =>
          function withOptions(this: object, ...args: unknown[]) {
            const made = original.apply(this, args)
            if (isActive()) undos.push(patchStainlessClient(sdk, made, APIError, observer))
            return made
          },
      ),
    )
  }
  return () => {
    for (const undo of undos.reverse()) undo()
  }
}

function standIn(
  sdk: SdkName,
  owner: object,
  APIError: ErrorClass | undefined,
  observer: () => Observer | undefined,
): () => void {
  const undos: (() => void)[] = []
  const streams = streamPatch(undos)

  const makeRequest = (original: MakeRequest, isActive: () => boolean): MakeRequest =>
    function makeRequest(input, retriesRemaining, ...rest) {
      const watcher = isActive() ? observer() : undefined
      if (!watcher) return original.call(this, input, retriesRemaining, ...rest)
      const now = sending.getStore()
      if (now && (retriesRemaining != null || now.options === input)) {
        // One more try of the call being sent, or the prototype's waist below a wrapped client's: whoever sends it sees its end.
        if (retriesRemaining != null) now.exchange.attempt()
        return original.call(this, input, retriesRemaining, ...rest)
      }
      const known = retriesRemaining != null ? exchanges.get(input as RequestOptions) : undefined
      if (known) return send(this, known, input as RequestOptions, undefined, [retriesRemaining, ...rest])
      return begin(this, watcher, watcher.capture(), input, [retriesRemaining, ...rest])
    } satisfies MakeRequest

  async function begin(
    client: StainlessClient,
    watcher: Observer,
    captured: unknown,
    input: RequestOptions | Promise<RequestOptions>,
    rest: unknown[],
  ): Promise<ResponseProps> {
    const given = await input
    if (isProbe(given)) return probeAnswer(given)
    const request = describe(sdk, client, given)
    const exchange = request && watcher.begin(captured, request)
    if (!exchange) return callOriginal(client, given, rest)
    try {
      const admission = exchange.admit()
      if (admission) await admission
    } catch (refusal) {
      throw refusal instanceof MeterError ? dressRefusal(refusal, APIError, 'stainless') : refusal
    }
    if (request.stream) await streams.learn(client, watcher)
    const isPrepared = exchange.body !== given.body
    const options = isPrepared ? { ...given, body: exchange.body } : given
    return send(client, exchange, options, isPrepared ? given : undefined, rest)
  }

  async function send(
    client: StainlessClient,
    exchange: Exchange,
    options: RequestOptions,
    unprepared: RequestOptions | undefined,
    rest: unknown[],
  ): Promise<ResponseProps> {
    exchanges.set(options, exchange)
    exchange.attempt()
    let props: ResponseProps
    try {
      props = await sending.run({ exchange, options }, () => callOriginal(client, options, rest))
    } catch (error) {
      const { status, message } = error as { status?: unknown; message?: unknown }
      if (unprepared && exchange.retryWithout(status, message))
        return send(client, exchange, unprepared, undefined, rest)
      exchange.end(options.signal?.aborted ? 'aborted' : 'failed', error)
      throw error
    }
    arrived(props, exchange)
    return props
  }

  let originalMakeRequest: MakeRequest
  function callOriginal(client: StainlessClient, options: RequestOptions, rest: unknown[]): Promise<ResponseProps> {
    return originalMakeRequest.call(client, options, rest[0] as number | null, ...rest.slice(1))
  }

  undos.push(
    replaceMethod(owner, 'makeRequest', (original: MakeRequest, isActive) => {
      originalMakeRequest = original
      return makeRequest(original, isActive)
    }),
  )
  if (typeof (owner as { shouldRetry?: unknown }).shouldRetry === 'function')
    undos.push(replaceMethod(owner, 'shouldRetry', watchShouldRetry))
  return () => {
    for (const undo of undos.reverse()) undo()
  }
}

type ShouldRetry = (this: unknown, response: Response, ...rest: unknown[]) => unknown

function watchShouldRetry(original: ShouldRetry, isActive: () => boolean): ShouldRetry {
  return function shouldRetry(response, ...rest) {
    if (isActive()) sending.getStore()?.exchange.attemptFailed(resultOf(response))
    return original.call(this, response, ...rest)
  }
}

function arrived(props: ResponseProps, exchange: Exchange): void {
  const { response } = props
  exchange.answered(resultOf(response))
  // A 204 and an empty body are never read by the SDK.
  if (response.status === 204 || response.headers.get('content-length') === '0') exchange.end('complete')
  else observeResponse(response, exchange, props.options.stream === true)
}

function resultOf(response: Response) {
  const { headers } = response
  return {
    status: response.status,
    // openai says `x-request-id`, anthropic `request-id`.
    requestId: headers.get('x-request-id') ?? headers.get('request-id') ?? undefined,
  }
}

const hosts = new Map<string, string>()

function describe(sdk: SdkName, client: StainlessClient, options: RequestOptions): ExchangeRequest | undefined {
  const { path, body } = options
  if (typeof path !== 'string') return undefined
  const isAbsolute = path.startsWith('http')
  const base = isAbsolute ? path : (client.baseURL ?? options.defaultBaseURL)
  const question = path.indexOf('?')
  return {
    sdk,
    method: options.method ?? 'get',
    host: hostOf(base),
    path: question < 0 ? path : path.slice(0, question),
    body,
    stream: options.stream === true || (body as { stream?: unknown } | null | undefined)?.stream === true,
  }
}

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
