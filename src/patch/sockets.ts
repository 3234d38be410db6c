// The waist of openai's WebSockets: Realtime, Live and Responses, below every class of them.
//
// The classes are in modules of their own, which load the optional package `ws`; none of them is loaded here. All stand
// on two emitters that load nothing, and are reached through those (seen in 4.77 to 7.57):
// - `_emit(name, ...args)` of `lib/EventEmitter` (Realtime) and `core/EventEmitter` (Responses, Live): every message of
//   the provider comes by as `_emit('event', message)`, before its listeners get it.
// - `this.socket = ...` in the constructors: the emitters have no `socket`, so an accessor on their prototype hears of
//   each connection once, while it is being dialled, and leaves the property as it would have been without it.
// - the methods of the classes: see socket-methods.ts.

import type { Observer } from './exchange.ts'
import { putOn } from './refusal.ts'
import { createLine } from './socket-line.ts'
import { watchMethods } from './socket-methods.ts'
import { type Message, openAITalk } from './socket-talk.ts'
import {
  type Connection,
  connections,
  type Place,
  quietly,
  type Transport,
  type Watched,
  watchedBy,
} from './socket-watch.ts'
import { ownerOf, replaceMethod } from './undo.ts'

/** The emitter that a class, or a connection, of openai stands on; `undefined` for anything else. */
export function emitterOf(target: unknown): object | undefined {
  const prototype = typeof target === 'function' ? (target as { prototype?: unknown }).prototype : target
  if (typeof prototype !== 'object' || prototype === null || !('send' in prototype)) return undefined
  const emitter = ownerOf(prototype, '_emit')
  return emitter && '_hasListener' in emitter ? emitter : undefined
}

/** Stands below every class on this emitter; gives the undo. */
export function patchSockets(emitter: object, observer: () => Observer | undefined): () => void {
  const place: Place = { observer, undos: [], lines: new Set(), isActive: true }
  place.undos.push(replaceMethod(emitter, '_emit', watchEvents(place)))
  if (!('socket' in emitter)) place.undos.push(catchSockets(emitter, place))
  return () => leave(place)
}

/** The same on one connection only. */
export function patchSocket(connection: object, observer: () => Observer | undefined): () => void {
  if (connections.get(connection)?.place.isActive) return () => {}
  const place: Place = { observer, undos: [], lines: new Set(), only: connection, isActive: true }
  place.undos.push(replaceMethod(connection, '_emit', watchEvents(place)))
  watch(connection as Connection, place)
  return () => leave(place)
}

/** What is under way is recorded as far as it has come: nobody will see the rest of it. */
function leave(place: Place): void {
  for (const line of place.lines) line.end('stopped')
  place.isActive = false
  for (const undo of place.undos.reverse()) undo()
}

type Emit = (this: Connection, name: string, ...args: unknown[]) => unknown

const watchEvents =
  (place: Place) =>
  (original: Emit): Emit =>
    function _emit(name, ...args) {
      const watched = watchedBy(place, this)
      if (watched) quietly(place, () => hear(this, watched, name, args[0]))
      return original.call(this, name, ...args)
    }

function hear(connection: Connection, watched: Watched, name: string, value: unknown): void {
  if (name === 'event') watched.line.received(value as Message)
  else if (name === 'reconnected') watchEnd(connection, watched)
  else if (name === 'error' && value instanceof Error && value.cause !== undefined && value.cause === watched.refusal)
    // The SDK has put the refusal into an error of its own: that shall be one too.
    putOn(value, watched.refusal as Error)
}

function catchSockets(emitter: object, place: Place): () => void {
  Object.defineProperty(emitter, 'socket', {
    configurable: true,
    enumerable: false,
    get: () => undefined,
    set(this: Connection, socket: Transport) {
      Object.defineProperty(this, 'socket', { value: socket, writable: true, enumerable: true, configurable: true })
      if (place.isActive) quietly(place, () => admit(this, watch(this, place)))
    },
  })
  return () => {
    delete (emitter as { socket?: unknown }).socket
  }
}

/** `undefined` for a connection that is not metered. */
function watch(connection: Connection, place: Place): Watched | undefined {
  const { observer } = place
  const url = new URL(String(connection.url))
  const talk = openAITalk(url)
  if (!talk) {
    observer()?.problem('A kind of connection of openai that reports no usage, or is not known, is not metered.')
    return undefined
  }
  const watched: Watched = {
    place,
    refusal: undefined,
    isSilent: false,
    isLeaving: false,
    line: createLine({
      place: { wire: 'openai', host: url.host, path: url.pathname.replace(/\/$/, '') },
      talk,
      observer,
      refuse: (refusal) => tell(connection, watched, refusal),
    }),
  }
  connections.set(connection, watched)
  watchMethods(connection, place)
  watchEnd(connection, watched)
  return watched
}

function watchEnd({ socket }: Connection, watched: Watched): void {
  const { line, place } = watched
  place.lines.add(line)
  const ended = () => {
    place.lines.delete(line)
    quietly(place, () => line.end(watched.isLeaving ? 'stopped' : 'failed'))
  }
  if (typeof socket?.on === 'function') socket.on('close', ended)
  else socket?.addEventListener?.('close', ended)
}

/** As the SDK tells of everything that fails on a connection: as an `error` event, or an unhandled rejection where nobody listens. */
function tell(connection: Connection, watched: Watched, refusal: unknown): void {
  watched.refusal = refusal
  connection._onError(null, refusal instanceof Error ? refusal.message : String(refusal), refusal)
}

/** Whoever may have no response gets no connection: closed before a byte is sent, and told once the caller can listen. */
function admit(connection: Connection, watched: Watched | undefined): void {
  if (!watched) return
  const refuse = (refusal: unknown) =>
    process.nextTick(() => {
      tell(connection, watched, refusal)
      watched.isSilent = true
      connection.close({ code: 1000, reason: 'refused' })
    })
  try {
    void watched.line.open()?.catch(refuse)
  } catch (refusal) {
    refuse(refusal)
  }
}
