// The waist of the Stainless SDKs, openai, @anthropic-ai/sdk and groq-sdk: `makeRequest` on the client's prototype.
//
// Seams, with the versions they were seen in:
// - `makeRequest(options | Promise<options>, retriesRemaining, retryOf, span?)`: openai 4.0 to 7.57, @anthropic-ai/sdk
//   0.20 to 1.12, groq-sdk 1.6. Once per attempt; `retriesRemaining` is null on the first. Gives `{ response, options, controller }`.
// - the smaller ones inside it: see stainless-seams.ts; those of its streams: see stainless-stream.ts.
// - openai 7 `parseResponseWithTimeout` calls `retryRequest` after a 200 whose body stalled: `makeRequest` then runs
//   outside the first call of it, with the same options object.

import { MeterError } from '../errors.ts'
import { answerOf } from './beneath.ts'
import type { Exchange, Observer, SdkName } from './exchange.ts'
import { type Fetch, fetchBelow } from './fetch.ts'
import { guarded } from './guarded.ts'
import { createNotes } from './notes.ts'
import { dressEnding, dressRefusal, type ErrorClass } from './refusal.ts'
import { arrived, describe } from './stainless-request.ts'
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
  readonly middleware?: readonly unknown[]
  readonly __metadata?: Readonly<Record<string, unknown>>
}

export interface StainlessClient {
  readonly baseURL: string
  /** @anthropic-ai/sdk 0.137 and later: runs around each attempt, and may send more than one request. */
  readonly middleware?: readonly unknown[]
  fetch?: Fetch
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
  const undos: (() => void)[] = []
  standIn({ sdk, owner, APIError: copy.APIError, observer, streams: streamPatch(undos), undos })
  return () => undoAll(undos)
}

/** The same on one client only, and on what its `withOptions` makes. */
export function patchStainlessClient(
  sdk: SdkName,
  client: object,
  APIError: ErrorClass | undefined,
  observer: Watching,
): () => void {
  const undos: (() => void)[] = []
  const streams = streamPatch(undos)

  function patch(owner: object, watching: Watching, into: (() => void)[]): void {
    standIn({ sdk, owner, APIError, observer: watching, streams, undos: into })
    if (typeof (owner as { withOptions?: unknown }).withOptions !== 'function') return
    into.push(
      replaceMethod(
        owner,
        'withOptions',
        (original: (this: object, ...args: unknown[]) => object, isActive) =>
          function withOptions(this: object, ...args: unknown[]) {
            const made = original.apply(this, args)
            // Silenced with its parent and never undone: an application may make such a client for each request.
            if (isActive()) patch(made, () => (isActive() ? watching() : undefined), [])
            return made
          },
      ),
    )
  }

  patch(client, observer, undos)
  return () => undoAll(undos)
}

function undoAll(undos: (() => void)[]): void {
  for (const undo of undos.reverse()) undo()
}

/** What stands below the middleware of clients, for as long as they live; it passes everything where nobody observes. */
const below = new WeakSet<Fetch>()

const exchanges = createNotes<Exchange>()

/** Where a patch stands: on a prototype or on one client. */
interface Place {
  readonly sdk: SdkName
  readonly owner: object
  readonly APIError: ErrorClass | undefined
  readonly observer: Watching
  readonly streams: ReturnType<typeof streamPatch>
  readonly undos: (() => void)[]
}

function standIn({ sdk, owner, APIError, observer, streams, undos }: Place): void {
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
      if (known && !known.hasEnded) return send(known, input as RequestOptions, callOriginal, false, false)
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
    const wire = sdk === 'groq' ? 'openai' : sdk
    const request = guarded(watcher, `A request of ${sdk}`, () => describe(wire, client, options))
    const exchange = request && watcher.begin(captured, request)
    if (!exchange) return sending.getStore() ? sending.run(undefined, callOriginal, options) : callOriginal(options)
    if (client.middleware?.length || options.middleware?.length) standBelow(client, watcher)
    const isOpaque = request.body === undefined && options.body !== undefined
    if (!isOpaque) {
      const admission = admit(exchange)
      if (admission) await admission
    }
    dressEnding(exchange, APIError, 'stainless')
    if (request.stream) await streams.learn(client, watcher)
    // Awaited, since a promise that is returned takes two turns of the queue more.
    return await send(exchange, options, callOriginal, request.stream || isOpaque, isOpaque)
  }

  function standBelow(client: StainlessClient, watcher: Observer): void {
    try {
      const { fetch } = client
      if (typeof fetch !== 'function' || below.has(fetch)) return
      const watched = fetchBelow(fetch, observer)
      // A frozen client keeps its own.
      if (Reflect.set(client, 'fetch', watched)) below.add(watched)
    } catch (cause) {
      watcher.problem(`What the middleware of a client of ${sdk} sends cannot be seen one by one.`, cause)
    }
  }

  function admit(exchange: Exchange): void | Promise<void> {
    try {
      return exchange.admit()?.catch(refuse)
    } catch (refusal) {
      return refuse(refusal)
    }
  }

  function refuse(refusal: unknown): never {
    throw refusal instanceof MeterError ? dressRefusal(refusal, APIError, 'stainless') : refusal
  }

  async function send(
    exchange: Exchange,
    options: RequestOptions,
    callOriginal: (options: RequestOptions) => Promise<ResponseProps>,
    isTextNeeded: boolean,
    isOpaque: boolean,
  ): Promise<ResponseProps> {
    exchanges.set(options, exchange)
    exchange.attempt()
    const now: Sending = {
      exchange,
      options,
      level,
      isTextNeeded: isTextNeeded || exchange.isCapped,
      admit: isOpaque ? () => admit(exchange) : undefined,
      admission: undefined,
      complaint: undefined,
    }
    let props: ResponseProps
    try {
      props = await sending.run(now, callOriginal, options)
    } catch (error) {
      const { status } = error as { status?: unknown }
      const complaint = await now.complaint
      if (complaint !== undefined && exchange.retryWithout(status, complaint))
        return send(exchange, options, callOriginal, isTextNeeded, false)
      exchange.end(options.signal?.aborted ? 'aborted' : 'failed', error)
      throw error
    }
    if (isAnswer(props?.response)) answerOf(exchange, props.response, arrived)
    else {
      observer()?.problem(
        `A copy of ${sdk} gives its answers in a shape that is not known: the usage of its calls is estimated.`,
      )
      exchange.answered({})
      exchange.end('unread')
    }
    return props
  }

  undos.push(replaceMethod(owner, 'makeRequest', makeRequest))
  try {
    patchSeams(owner, level, undos)
  } catch (error) {
    // A seam that cannot be replaced: half a patch would be worse than none.
    undoAll(undos)
    throw error
  }
}

/** A new major may give something else, and the caller's call goes on. */
function isAnswer(response: Response | undefined): boolean {
  return typeof response?.status === 'number' && typeof response.headers?.get === 'function'
}
