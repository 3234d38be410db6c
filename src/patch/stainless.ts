// The waist of the Stainless SDKs, openai and @anthropic-ai/sdk: `makeRequest` on the client's prototype.
//
// Seams, with the versions they were seen in:
// - `makeRequest(options | Promise<options>, retriesRemaining, retryOf, span?)`: openai 4.0 to 7.57, @anthropic-ai/sdk
//   0.20 to 1.12. Once per attempt; `retriesRemaining` is null on the first. Gives `{ response, options, controller }`.
// - the smaller ones inside it: see stainless-seams.ts; those of its streams: see stainless-stream.ts.
// - openai 7 `parseResponseWithTimeout` calls `retryRequest` after a 200 whose body stalled: `makeRequest` then runs
//   outside the first call of it, with the same options object.

import { MeterError } from '../errors.ts'
import type { Exchange, Observer, SdkName } from './exchange.ts'
import { createNotes } from './notes.ts'
import { dressRefusal, type ErrorClass } from './refusal.ts'
import { observeResponse } from './response.ts'
import { describe, resultOf } from './stainless-request.ts'
import { patchSeams, type Sending, sending } from './stainless-seams.ts'
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

/** A class of an SDK copy, as `locate.ts` found it or the application handed it over. */
export interface StainlessCopy {
  readonly Client: { readonly prototype: object }
  readonly APIError: ErrorClass | undefined
}

type Watching = () => Observer | undefined

/** Stands in the waist of one copy; gives the undo. `observer` is asked on every call and may be gone. */
export function patchStainless(sdk: SdkName, copy: StainlessCopy, observer: Watching): () => void {
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
  observer: Watching,
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
            // Not undone but silenced with its parent: an application may make such a client for each request.
            if (isActive()) patchStainlessClient(sdk, made, APIError, () => (isActive() ? observer() : undefined))
            return made
          },
      ),
    )
  }
  return () => {
    for (const undo of undos.reverse()) undo()
  }
}

const exchanges = createNotes<Exchange>()

function standIn(sdk: SdkName, owner: object, APIError: ErrorClass | undefined, observer: Watching): () => void {
  const undos: (() => void)[] = []
  const streams = streamPatch(undos)
  const level = Symbol(sdk)

  const makeRequest = (original: MakeRequest, isActive: () => boolean): MakeRequest =>
    function makeRequest(input, retriesRemaining, ...rest) {
      const callOriginal = (options: typeof input) => original.call(this, options, retriesRemaining, ...rest)
      const watcher = isActive() ? observer() : undefined
      if (!watcher) return callOriginal(input)
      const now = sending.getStore()
      if (now && (retriesRemaining != null || now.options === input)) {
        // One more try of the call being sent, or a waist below the one that sends it: whoever sends it sees its end.
        if (retriesRemaining != null && now.level === level) now.exchange.attempt()
        return callOriginal(input)
      }
      const known = retriesRemaining != null ? exchanges.get(input as RequestOptions) : undefined
      if (known) return send(known, input as RequestOptions, callOriginal, false)
      return begin(this, watcher, watcher.capture(), input, callOriginal)
    } satisfies MakeRequest

  async function begin(
    client: StainlessClient,
    watcher: Observer,
    captured: unknown,
    input: RequestOptions | Promise<RequestOptions>,
    callOriginal: (options: RequestOptions) => Promise<ResponseProps>,
  ): Promise<ResponseProps> {
    const options = await input
    if (isProbe(options)) return probeAnswer(options)
    const request = describe(sdk, client, options)
    const exchange = request && watcher.begin(captured, request)
    if (!exchange) return sending.getStore() ? sending.run(undefined, callOriginal, options) : callOriginal(options)
    const isOpaque = request.body === undefined && options.body !== undefined
    if (!isOpaque) await admit(exchange)
    if (request.stream) await streams.learn(client, watcher)
    return send(exchange, options, callOriginal, isOpaque)
  }

  async function admit(exchange: Exchange): Promise<void> {
    try {
      const admission = exchange.admit()
      if (admission) await admission
    } catch (refusal) {
      throw refusal instanceof MeterError ? dressRefusal(refusal, APIError, 'stainless') : refusal
    }
  }

  async function send(
    exchange: Exchange,
    options: RequestOptions,
    callOriginal: (options: RequestOptions) => Promise<ResponseProps>,
    isOpaque: boolean,
  ): Promise<ResponseProps> {
    exchanges.set(options, exchange)
    exchange.attempt()
    const now: Sending = {
      exchange,
      options,
      level,
      admit: isOpaque ? () => admit(exchange) : undefined,
      complaint: undefined,
    }
    let props: ResponseProps
    try {
      props = await sending.run(now, callOriginal, options)
    } catch (error) {
      const { status } = error as { status?: unknown }
      const complaint = await now.complaint?.catch(() => undefined)
      if (complaint !== undefined && exchange.retryWithout(status, complaint))
        return send(exchange, options, callOriginal, false)
      exchange.end(options.signal?.aborted ? 'aborted' : 'failed', error)
      throw error
    }
    arrived(props, exchange)
    return props
  }

  undos.push(replaceMethod(owner, 'makeRequest', makeRequest), ...patchSeams(owner, level))
  return () => {
    for (const undo of undos.reverse()) undo()
  }
}

function arrived({ response, options }: ResponseProps, exchange: Exchange): void {
  exchange.answered(resultOf(response))
  // A 204 and an empty body are never read by the SDK.
  if (response.status === 204 || response.headers.get('content-length') === '0') exchange.end('complete')
  else observeResponse(response, exchange, options.stream === true)
}
