// What leaves this process by HTTP, seen from below: Node's own channels tell of every request, whoever makes it.
//
// Channels, with the Nodes they were tried in (20.19 to 26.10):
// - `undici:request:create`: Node's own `fetch`, and every copy of undici, all of which publish under this name.
// - `http.client.request.start`: node:http and node:https, which node-fetch, axios and the package `ws` use.

import type { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Exchange } from './exchange.ts'
import { exchangeOfGoogle } from './genai-sending.ts'
import { sending as sendingOfStainless } from './stainless-seams.ts'

export interface Watcher {
  /**
   * Asked for each request of this process: what counts it, where it is one that is billed. Must look at the host
   * first, and cheaply: most are none of a meter's business. `path` with its query. Never throws.
   */
  counterOf(host: string, method: string, path: string): ((isMetered: boolean) => void) | undefined
}

interface Shared {
  readonly watchers: Set<Watcher>
  /** Exchanges that have begun to send and have no answer yet, and whose request was not seen, by host. */
  readonly unseen: Map<string, Set<Exchange>>
  /** Hosts with a WebSocket that some meter listens on, or did. */
  readonly listenedTo: Set<string>
  stop?: (() => void) | undefined
}

// Shared by every copy of this package in the process: what one of them meters is not outside the meter of another.
const KEY = Symbol.for('tallygate.traffic')
const registry = globalThis as { [KEY]?: Shared }
const shared: Shared = (registry[KEY] ??= { watchers: new Set(), unseen: new Map(), listenedTo: new Set() })
const { watchers, unseen, listenedTo } = shared

/** From now on `watcher` is asked; nothing listens while nobody watches. Gives the end of it. */
export function watchTraffic(watcher: Watcher): () => void {
  watchers.add(watcher)
  shared.stop ??= listen()
  return () => {
    watchers.delete(watcher)
    if (watchers.size > 0) return
    shared.stop?.()
    shared.stop = undefined
    unseen.clear()
  }
}

/** Whether more than one meter of this process watches. */
export function areOthersWatching(): boolean {
  return watchers.size > 1
}

function listen(): () => void {
  subscribe('undici:request:create', onUndici)
  subscribe('http.client.request.start', onHttp)
  return () => {
    unsubscribe('undici:request:create', onUndici)
    unsubscribe('http.client.request.start', onHttp)
  }
}

/** An exchange sends: the request that follows is its own. */
export function expectRequest(host: string, exchange: Exchange): void {
  if (watchers.size === 0) return
  const waiting = unseen.get(host)
  if (waiting) waiting.add(exchange)
  else unseen.set(host, new Set([exchange]))
}

/** It was answered, or has ended: a request that nobody has seen by now went another way. */
export function expectNoMore(host: string, exchange: Exchange): void {
  if (watchers.size > 0) unseen.get(host)?.delete(exchange)
}

/** A meter listens on a WebSocket to this host: what is dialled there is its own. */
export function listensTo(host: string): void {
  if (listenedTo.size >= HOSTS_LISTENED_TO) listenedTo.clear()
  listenedTo.add(host)
}

const HOSTS_LISTENED_TO = 1000

/**
 * A request belongs to the exchange in whose async context it is sent. A connection pool that makes requests wait may
 * send them in another context: then it is that of the exchange which has waited longest for its own to be seen.
 */
function isOfExchange(host: string): boolean {
  const waiting = unseen.get(host)
  const exchange = exchangeHere()
  if (exchange) {
    waiting?.delete(exchange)
    return true
  }
  const first = waiting?.values().next().value
  if (!first) return false
  waiting!.delete(first)
  return true
}

const FETCH = Symbol.for('tallygate.fetch')

/** The net is one for every copy of this package too, and may not be loaded at all. */
function sendingOfFetch(): Exchange | undefined {
  return (globalThis as { [FETCH]?: { readonly sending: AsyncLocalStorage<Exchange> } })[FETCH]?.sending.getStore()
}

function exchangeHere(): Exchange | undefined {
  // The net's is of one request, also where that is a further one of a call above.
  const net = sendingOfFetch()
  if (net?.hasEnded === false) return net
  const exchange = sendingOfStainless.getStore()?.exchange ?? exchangeOfGoogle()
  return exchange?.hasEnded === false ? exchange : undefined
}

interface UndiciMessage {
  readonly request: {
    readonly origin?: string | URL
    readonly method: string
    readonly path: string
    readonly upgrade?: unknown
  }
}

function onUndici(message: unknown): void {
  const { origin, method, path, upgrade } = (message as UndiciMessage).request
  if (origin === undefined) return
  const host = hostOf(typeof origin === 'string' ? origin : origin.origin)
  if (upgrade === 'websocket') tellOfSocket(host, path)
  else tell(host, method, path)
}

const ORIGINS_REMEMBERED = 1000
const hosts = new Map<string, string>()

/** The same text for the same origin, whose hash is known then: a cut one would be hashed for each request. */
function hostOf(origin: string): string {
  let host = hosts.get(origin)
  if (host === undefined) {
    if (hosts.size >= ORIGINS_REMEMBERED) hosts.clear()
    hosts.set(origin, (host = origin.slice(origin.indexOf('//') + 2)))
  }
  return host
}

interface HttpMessage {
  readonly request: { readonly method: string; readonly path: string; getHeader(name: string): unknown }
}

function onHttp(message: unknown): void {
  const { request } = message as HttpMessage
  const host = request.getHeader('host')
  if (typeof host !== 'string') return
  if (request.method === 'GET' && request.getHeader('upgrade') === 'websocket') tellOfSocket(host, request.path)
  else tell(host, request.method, request.path)
}

/** An SDK dials before its connection can be listened on, some of them after a turn or two. */
const LISTENING_BY_MS = 1000

/** Which of several connections to a host is listened on cannot be told from below: only a host with none is told of. */
function tellOfSocket(host: string, path: string): void {
  const counters = [...watchers].map((watcher) => watcher.counterOf(host, 'socket', path))
  if (counters.every((count) => count === undefined)) return
  const wait = setTimeout(() => {
    for (const count of counters) count?.(listenedTo.has(host))
  }, LISTENING_BY_MS)
  wait.unref()
}

function tell(host: string, method: string, path: string): void {
  let isMetered: boolean | undefined
  for (const watcher of watchers) watcher.counterOf(host, method, path)?.((isMetered ??= isOfExchange(host)))
}
