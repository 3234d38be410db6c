// The waist of the second client within @google/genai, which its `interactions` are made through.
//
// Seams, with the versions they were seen in:
// - `GeminiNextGenInteractions.create(params, options)` and its `getClient(version)`: 2.32 to 3.1. A call may make several
//   requests (continuations), the later ones while its stream is read.
// - `ClientSDK.prototype._do(Request, options)`: the same; once for each of those requests. Gives `{ ok, value }` with
//   the Response, or `{ ok, error }`.
// - `HTTPClient.prototype.request(Request)`, as the client's `_httpClient`: the same; once per attempt.
// - before that, 1.52 to 2.0: a Stainless client, as the `_client` of the resource.

import { MeterError } from '../errors.ts'
import type { ExchangeRequest, Observer } from './exchange.ts'
import { type Sending, sendingInteractions as sending } from './genai-sending.ts'
import { dressRefusal, type ErrorClass } from './refusal.ts'
import { observeResponse } from './response.ts'
import { patchStainless, patchStainlessClient } from './stainless.ts'
import { ownerOf, replaceMethod } from './undo.ts'

type Watching = () => Observer | undefined

interface Client {
  readonly _httpClient: object
  readonly interactions?: object
}

interface Interactions {
  getClient(version?: unknown): Client
}

type Result = { readonly ok: true; readonly value: Response } | { readonly ok: false; readonly error: unknown }
type Do = (this: object, request: Request, ...rest: unknown[]) => Promise<Result>
type Send = (this: object, request: Request) => Promise<Response>
type Create = (this: Interactions, ...args: unknown[]) => Promise<unknown>

/**
 * Stands in that waist, of every client (`copy`) or of one, whose `interactions` these are; gives the undos. A seam that
 * is not there is reported, and leaves the rest of the SDK as it is.
 */
export function patchInteractions(
  interactions: object | undefined,
  ApiError: () => ErrorClass | undefined,
  observer: Watching,
  scope: 'copy' | 'client',
): (() => void)[] {
  if (!interactions) return []
  try {
    const { _client: stainless } = interactions as { _client?: object }
    if (stainless && scope === 'client') return [patchStainlessClient('google', stainless, undefined, observer)]
    if (stainless)
      return [patchStainless('google', { Client: { prototype: stainless }, APIError: undefined }, observer)]
    return patchResource(interactions as Interactions, ApiError, observer, scope)
  } catch (cause) {
    // Whoever patches is not there to be told yet.
    queueMicrotask(() =>
      observer()?.problem(
        'The interactions of this copy of @google/genai are not metered: its version is not supported.',
        cause,
      ),
    )
    return []
  }
}

function patchResource(
  interactions: Interactions,
  ApiError: () => ErrorClass | undefined,
  observer: Watching,
  scope: 'copy' | 'client',
): (() => void)[] {
  const level = Symbol('interactions')
  const probe = interactions.getClient()
  const doing = ownerOf(probe, '_do')
  const http = ownerOf(probe._httpClient, 'request')
  const creating = ownerOf(interactions, 'create')
  if (!doing || !http || !creating)
    throw new MeterError('BAD_INPUT', 'no `_do`, no `_httpClient.request` or no `create`')
  const watch = watchRequests(level, ApiError, observer)
  const create = replaceMethod(scope === 'copy' ? creating : interactions, 'create', keepCaller(observer))
  if (scope === 'copy')
    return [create, replaceMethod(doing, '_do', watch), replaceMethod(http, 'request', watchAttempts(level))]
  const undos = [create]
  // A client's own interactions are made through clients of their own, one for each version of the API.
  const seen = new WeakSet<object>()
  const own = (client: Client): Client => {
    for (const part of [client, client.interactions]) {
      if (!part || seen.has(part)) continue
      seen.add(part)
      undos.push(replaceMethod(part, '_do', watch))
    }
    if (!seen.has(client._httpClient)) {
      seen.add(client._httpClient)
      undos.push(replaceMethod(client._httpClient, 'request', watchAttempts(level)))
    }
    return client
  }
  undos.push(
    replaceMethod(
      interactions,
      'getClient',
      (original: Interactions['getClient'], isActive) =>
        function getClient(this: Interactions, version) {
          const client = original.call(this, version)
          return isActive() ? own(client) : client
        },
    ),
  )
  return undos
}

/** Every request of a call is made in the name of whoever made the call, whoever reads its stream. */
function keepCaller(observer: Watching) {
  return (original: Create, isActive: () => boolean): Create =>
    async function create(...args) {
      const watcher = isActive() ? observer() : undefined
      if (!watcher) return original.apply(this, args)
      const captured = watcher.capture()
      const made = await original.apply(this, args)
      if (made instanceof ReadableStream) keepReading(made, (step) => watcher.resume(captured, step))
      return made
    }
}

/** A stream asks for its next part within the step that reads it. */
function keepReading(stream: ReadableStream, inTheirName: <T>(step: () => T) => T): void {
  for (const [name, steps] of READERS) {
    const open = (stream as unknown as Record<PropertyKey, unknown>)[name]
    if (typeof open !== 'function') continue
    const value = (...args: unknown[]): object => {
      const reader = open.apply(stream, args) as Record<string, (...args: unknown[]) => unknown>
      for (const step of steps) {
        const own = reader[step]
        if (typeof own !== 'function') continue
        Object.defineProperty(reader, step, {
          configurable: true,
          writable: true,
          value: (...given: unknown[]) => inTheirName(() => own.apply(reader, given)),
        })
      }
      return reader
    }
    Object.defineProperty(stream, name, { value, configurable: true, writable: true })
  }
}

const READERS = [
  [Symbol.asyncIterator, ['next', 'return']],
  ['values', ['next', 'return']],
  ['getReader', ['read']],
] as const

function watchRequests(level: symbol, ApiError: () => ErrorClass | undefined, observer: Watching) {
  return (original: Do, isActive: () => boolean): Do =>
    async function _do(request, ...rest) {
      const watcher = isActive() ? observer() : undefined
      if (!watcher || sending.getStore()?.request === request) return original.call(this, request, ...rest)
      const captured = watcher.capture()
      const described = await describe(request, watcher)
      const exchange = described && watcher.begin(captured, described)
      if (!exchange) return original.call(this, request, ...rest)
      try {
        const admission = exchange.admit()
        if (admission) await admission
      } catch (refusal) {
        throw refusal instanceof MeterError ? dressRefusal(refusal, ApiError(), 'google') : refusal
      }
      const result = await send({ exchange, request, level }, () => original.call(this, request, ...rest))
      if (!result.ok) {
        exchange.end(request.signal.aborted ? 'aborted' : 'failed', result.error)
        return result
      }
      const { value: response } = result
      if (!response.ok) {
        exchange.end('failed', { status: response.status })
        return result
      }
      exchange.answered({ status: response.status, contentType: response.headers.get('content-type') ?? undefined })
      observeResponse(response, exchange, exchange.form === 'events')
      return result
    }
}

async function send(now: Sending, original: () => Promise<Result>): Promise<Result> {
  try {
    return await sending.run(now, original)
  } catch (error) {
    now.exchange.end('failed', error)
    throw error
  }
}

const watchAttempts =
  (level: symbol) =>
  (original: Send, isActive: () => boolean): Send =>
    async function request(sent) {
      const now = isActive() ? sending.getStore() : undefined
      if (now?.level !== level) return original.call(this, sent)
      now.exchange.attempt()
      const response = await original.call(this, sent)
      if (!response.ok) now.exchange.attemptFailed({ status: response.status })
      return response
    }

/** A request that cannot be looked at goes out all the same. */
async function describe(request: Request, watcher: Observer): Promise<ExchangeRequest | undefined> {
  try {
    const { host, pathname } = new URL(request.url)
    const isJson = request.headers.get('content-type')?.startsWith('application/json') === true
    return {
      wire: 'google',
      method: request.method.toLowerCase(),
      host,
      path: pathname,
      body: isJson && request.body ? await request.clone().text() : undefined,
      stream: request.headers.get('accept')?.startsWith('text/event-stream') === true,
    }
  } catch (cause) {
    watcher.problem(
      'A request of the interactions of @google/genai is in a shape that is not known: it is not metered.',
      cause,
    )
    return undefined
  }
}
