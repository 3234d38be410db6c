// The net: the waist of everything that calls `globalThis.fetch`, below frameworks with clients of their own, copies of
// SDKs that no patch reaches, and plain calls. It meters the exchanges with known hosts that no waist above has seen.
//
// What it cannot see: a `fetch` that was taken hold of before (`const f = fetch`), `fetch` and `request` imported from
// undici, node:http, and clients with a `fetch` of their own that is none of these.

import { AsyncLocalStorage } from 'node:async_hooks'
import { LimitExceededError, MeterError, MissingTenantError } from '../errors.ts'
import { type Exchange, endOf, type Observer } from './exchange.ts'
import { refusalResponse } from './fetch-refusal.ts'
import {
  asksForStream,
  bodyOf,
  type FetchInit,
  type FetchInput,
  isRequest,
  mayChange,
  originOf,
  urlOf,
  withBody,
} from './fetch-request.ts'
import { sending as sendingOfGoogle } from './genai.ts'
import { observeResponse } from './response.ts'
import { resultOf } from './stainless-request.ts'
import { sending as sendingOfStainless } from './stainless-seams.ts'

export type Fetch = typeof globalThis.fetch
type Send = (init: FetchInit) => Promise<Response>

interface Shared {
  /** The exchange that is being sent: seen once, however often `fetch` was wrapped, and by whom. */
  readonly sending: AsyncLocalStorage<Exchange>
  /** Set while a call runs that is to go by unseen. */
  readonly passing: AsyncLocalStorage<true>
  /** What each wrapper is known as, to whoever patches `fetch` again. */
  readonly places: WeakMap<Fetch, object>
}

// One for every copy of this package in the process: what one of them counts, the other lets pass.
const KEY = Symbol.for('tallygate.fetch')
const registry = globalThis as { [KEY]?: Shared }
const { sending, passing, places } = (registry[KEY] ??= {
  sending: new AsyncLocalStorage<Exchange>(),
  passing: new AsyncLocalStorage<true>(),
  places: new WeakMap(),
})

/** Runs `fn`, whose calls of `fetch` are none of ours. */
export function letPass<T>(fn: () => T): T {
  return passing.run(true, fn)
}

/** Stands for a wrapper of `fetch`: the same for as long as it is in front, a new one where a stranger has replaced it since. */
export function fetchPlace(): object {
  return places.get(globalThis.fetch) ?? {}
}

/** Stands in front of `globalThis.fetch`, at `place`; gives the undo. */
export function patchFetch(place: object, observer: () => Observer | undefined): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'fetch')
  const original = globalThis.fetch
  if (typeof original !== 'function' || !descriptor?.configurable)
    throw new MeterError('BAD_INPUT', 'There is no `globalThis.fetch` here that can be replaced.')
  let isActive = true
  const hosts = knownHosts()

  // A proxy, so that its name, its text and every property that anybody gives it are those of the original, also when we are gone.
  const watched = new Proxy(original, {
    apply(target, self, args: [FetchInput, FetchInit]) {
      const watcher = isActive ? observer() : undefined
      const host = watcher && hosts(watcher, args[0])
      if (!host || isBeneath()) return Reflect.apply(target, self, args)
      return watch(watcher, host, args[0], args[1], (init) => Reflect.apply(target, self, [args[0], init]))
    },
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      // The text of a proxy says nothing of the function behind it.
      return value === Function.prototype.toString ? () => Function.prototype.toString.call(target) : value
    },
  })
  places.set(watched, place)
  Object.defineProperty(globalThis, 'fetch', {
    value: watched,
    writable: true,
    configurable: true,
    enumerable: descriptor.enumerable === true,
  })
  return () => {
    isActive = false
    // Where a stranger has wrapped us since, we stay in the chain and let everything pass.
    if (Object.getOwnPropertyDescriptor(globalThis, 'fetch')?.value === watched)
      Object.defineProperty(globalThis, 'fetch', descriptor)
  }
}

const ORIGINS_REMEMBERED = 1000

/** Which host a call is for, where it is one that the observer knows: one look into a map for all the others. */
function knownHosts(): (watcher: Observer, input: FetchInput) => string | null {
  let of: Observer | undefined
  const known = new Map<string, string | null>()
  return (watcher, input) => {
    let origin: string
    try {
      origin = originOf(input)
    } catch {
      // What cannot be made a text of: `fetch` itself will say so.
      return null
    }
    if (of !== watcher) known.clear()
    of = watcher
    const seen = known.get(origin)
    if (seen !== undefined) return seen
    const host = hostOf(origin)
    const answer = host !== undefined && watcher.knowsHost(host) ? host : null
    if (known.size >= ORIGINS_REMEMBERED) known.clear()
    known.set(origin, answer)
    return answer
  }
}

function hostOf(origin: string): string | undefined {
  try {
    const { protocol, host } = new URL(origin)
    return protocol === 'https:' || protocol === 'http:' ? host : undefined
  } catch {
    return undefined
  }
}

/** A waist above has the call already, or a wrapper of ours in front of this one: what is sent beneath is a part of it. */
function isBeneath(): boolean {
  if (passing.getStore()) return true
  const exchange = sending.getStore() ?? sendingOfStainless.getStore()?.exchange ?? sendingOfGoogle.getStore()?.exchange
  return exchange?.hasEnded === false
}

async function watch(
  watcher: Observer,
  host: string,
  input: FetchInput,
  init: FetchInit,
  send: Send,
): Promise<Response> {
  const captured = watcher.capture()
  const asked = addressOf(input)
  // Of what is sent to such a host, only POST carries what a model is asked: nothing else is read.
  const method = String(init?.method ?? (isRequest(input) ? input.method : 'GET')).toLowerCase()
  const found = asked && method === 'post' ? bodyOf(input, init) : {}
  const body = found instanceof Promise ? await found : found
  const stream = asked !== undefined && asksForStream(asked.pathname, body)
  const request = asked && { method, host, path: asked.pathname, body: body.form ?? body.text, stream }
  const exchange = request && watcher.begin(captured, { wire: 'any', ...request })
  if (!exchange) return send(init)
  try {
    const admission = exchange.admit()
    if (admission) await admission
  } catch (refusal) {
    const isRefusal = refusal instanceof LimitExceededError || refusal instanceof MissingTenantError
    if (isRefusal) return refusalResponse(refusal, exchange.provider, asked.href)
    throw refusal
  }
  const text = stream && body.text !== undefined && mayChange(input, init) ? exchange.encoded(body.text) : body.text
  const changed = text === undefined || text === body.text ? undefined : withBody(init, text)
  const signal = init?.signal ?? (isRequest(input) ? input.signal : undefined)
  const response = await sent(exchange, changed ?? init, send, signal)
  if (changed && !response.ok && exchange.retryWithout(response.status, await complaintOf(response))) {
    response.body?.cancel().catch(() => undefined)
    return arrived(exchange, await sent(exchange, init, send, signal))
  }
  return arrived(exchange, response)
}

function addressOf(input: FetchInput): URL | undefined {
  try {
    return new URL(urlOf(input))
  } catch {
    return undefined
  }
}

async function sent(
  exchange: Exchange,
  init: FetchInit,
  send: Send,
  signal: AbortSignal | null | undefined,
): Promise<Response> {
  exchange.attempt()
  try {
    const response = await sending.run(exchange, send, init)
    if (!response.ok) exchange.attemptFailed(resultOf(response))
    return response
  } catch (error) {
    // An abort with a reason of the caller's own has that reason for an error; a time-out is no wish of anybody's.
    const isAborted = signal?.aborted === true && (error as Error | undefined)?.name !== 'TimeoutError'
    exchange.end(isAborted ? 'aborted' : endOf(error), error)
    throw error
  }
}

/** What the host says against a request to which we have added. */
async function complaintOf(response: Response): Promise<string> {
  if (response.status !== 400 && response.status !== 422) return ''
  try {
    return await response.clone().text()
  } catch {
    return ''
  }
}

function arrived(exchange: Exchange, response: Response): Response {
  if (!response.ok) {
    exchange.end('failed', { status: response.status })
    return response
  }
  const result = resultOf(response)
  exchange.answered(result)
  // A host that does not stream answers in whole, whatever was asked.
  const isWhole = result.contentType?.startsWith('application/json') === true
  if (response.body === null) exchange.end('complete')
  else observeResponse(response, exchange, exchange.form === 'events' && !isWhole)
  return response
}
