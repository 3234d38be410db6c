// The net: the waist of everything that calls `globalThis.fetch`, below frameworks with clients of their own, copies of
// SDKs that no patch reaches, and plain calls. It meters the exchanges with known hosts that no waist above has seen.
//
// What it cannot see: a `fetch` that was taken hold of before (`const f = fetch`), `fetch` and `request` imported from
// undici, node:http, and clients with a `fetch` of their own that is none of these.

import { AsyncLocalStorage } from 'node:async_hooks'
import { LimitExceededError, MeterError, MissingTenantError } from '../errors.ts'
import { answerOf, FURTHER, placeOf, sendOwn } from './beneath.ts'
import { type Exchange, endOf, type Observer } from './exchange.ts'
import { refusalResponse } from './fetch-refusal.ts'
import {
  addressOf,
  asksForStream,
  bodyOf,
  type FetchInit,
  type FetchInput,
  isRequest,
  mayChange,
  withBody,
} from './fetch-request.ts'
import { exchangeOfGoogle } from './genai-sending.ts'
import { guarded } from './guarded.ts'
import { knownHosts } from './known-hosts.ts'
import { observeResponse } from './response.ts'
import { arrived as arrivedAtSdk, resultOf } from './stainless-request.ts'
import { sending as sendingOfStainless } from './stainless-seams.ts'

export type Fetch = typeof globalThis.fetch
type FetchArgs = [input: FetchInput, init?: FetchInit]
type Send = (...args: FetchArgs) => Promise<Response>

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
    apply(target, self, args: FetchArgs) {
      const watcher = isActive ? observer() : undefined
      if (!watcher || passing.getStore()) return Reflect.apply(target, self, args)
      const send: Send = (...sent) => Reflect.apply(target, self, sent)
      const above = callAbove()
      const beneath = above && sendBeneath(above, watcher, args, send)
      if (beneath) return beneath
      const host = hosts(watcher, args[0])
      // What else is sent beneath a call that goes on is a part of it, unless it is for the very host that bills.
      const isPart = above?.exchange.hasEnded === false && above.exchange.host !== host
      return host && !isPart ? watch(watcher, host, args, send) : send(...args)
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

interface Above {
  readonly exchange: Exchange
  readonly arrive?: (response: Response, exchange: Exchange) => void
}

/** A waist above that has the call already, or a wrapper of ours in front of this one, and how its answer is watched. */
function callAbove(): Above | undefined {
  const [net, stainless] = [sending.getStore(), sendingOfStainless.getStore()]
  if (net) return { exchange: net, arrive: observe }
  if (stainless) return { exchange: stainless.exchange, arrive: arrivedAtSdk }
  // This SDK reads its answers by itself, and has no middleware.
  const google = exchangeOfGoogle()
  return google && { exchange: google }
}

/** A request that the call above sends, and any further one for the same; `undefined` for what is neither. */
function sendBeneath(
  { exchange, arrive }: Above,
  watcher: Observer,
  args: FetchArgs,
  send: Send,
): Promise<Response> | undefined {
  const url = addressOf(args[0])
  if (!url || !exchange.isFor(url.href)) return undefined
  const place = placeOf(exchange)
  if (place === 'own') return sendOwn(exchange, () => send(...args), arrive)
  if (place === 'none') return undefined
  watcher.problem(FURTHER)
  return watch(watcher, url.host, args, send, exchange)
}

/** A client's own `fetch`, below its middleware, which may call it more than once. */
export function fetchBelow(original: Fetch, observer: () => Observer | undefined): Fetch {
  return (...args) => {
    const watcher = observer()
    const above = watcher && !passing.getStore() ? callAbove() : undefined
    return (above && sendBeneath(above, watcher!, args, original)) ?? original(...args)
  }
}

async function watch(
  watcher: Observer,
  host: string,
  [input, init]: FetchArgs,
  send: Send,
  above?: Exchange,
): Promise<Response> {
  const captured = watcher.capture()
  const asked = addressOf(input)
  const looked = guarded(watcher, 'A call of `fetch`', () => {
    // Of what is sent to such a host, only POST carries what a model is asked: nothing else is read.
    const method = String(init?.method ?? (isRequest(input) ? input.method : 'GET')).toLowerCase()
    return { method, found: asked && method === 'post' ? bodyOf(input, init) : {} }
  })
  if (!looked) return send(input, init)
  const { method, found } = looked
  const body = found instanceof Promise ? await found : found
  const stream = asked !== undefined && asksForStream(asked.pathname, body)
  const request = asked && {
    method,
    host,
    path: asked.pathname,
    body: body.form ?? body.text,
    stream,
    get isFixed() {
      return body.text === undefined || !mayChange(input, init)
    },
    // Google's stream is one list unless events are asked for.
    isWhole: asked.pathname.includes(':stream') && asked.searchParams.get('alt') !== 'sse',
  }
  const exchange = request && watcher.begin(captured, Object.assign(request, { wire: above?.wire ?? ('any' as const) }))
  if (!exchange) return send(input, init)
  if (above?.isHiding && body.text?.includes('"include_usage"')) exchange.isPrepared()
  try {
    const admission = exchange.admit()
    if (admission) await admission
  } catch (refusal) {
    const isRefusal = refusal instanceof LimitExceededError || refusal instanceof MissingTenantError
    if (isRefusal) return refusalResponse(refusal, exchange.provider, asked.href)
    throw refusal
  }
  const encoded = () => ((stream || exchange.isCapped) && !request.isFixed ? exchange.encoded(body.text!) : body.text)
  const text = encoded()
  const changed = text === undefined || text === body.text ? undefined : withBody(init, text)
  const signal = init?.signal ?? (isRequest(input) ? input.signal : undefined)
  const response = await sent(exchange, () => send(input, changed ?? init), signal)
  if (changed && !response.ok && exchange.retryWithout(response.status, await complaintOf(response))) {
    response.body?.cancel().catch(() => undefined)
    const plain = exchange.isCapped ? withBody(init, encoded()!) : init
    return arrived(exchange, await sent(exchange, () => send(input, plain), signal))
  }
  return arrived(exchange, response)
}

async function sent(
  exchange: Exchange,
  send: () => Promise<Response>,
  signal: AbortSignal | null | undefined,
): Promise<Response> {
  exchange.attempt()
  try {
    const response = await sending.run(exchange, send)
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
  if (response.ok) answerOf(exchange, response, observe)
  else exchange.end('failed', { status: response.status })
  return response
}

function observe(response: Response, exchange: Exchange): void {
  const result = resultOf(response)
  exchange.answered(result)
  // A host that does not stream answers in whole, whatever was asked.
  const isWhole = result.contentType?.startsWith('application/json') === true
  if (response.body === null) exchange.end('complete')
  else observeResponse(response, exchange, exchange.form === 'events' && !isWhole)
}
