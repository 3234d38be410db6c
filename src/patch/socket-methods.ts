// What an application does on a connection of openai: `send` and its like, found on the classes as they are first used.
//
// `send(event)`: all versions. `sendRaw(data)`: Responses and Live, 6.22 to 7.57. `sendResponseCreate(event)`: Realtime
// in 7.57. None of them throws: what fails goes through `_onError(event, message, cause)` to the listeners of `error`.

import type { Message } from './socket-talk.ts'
import { type Connection, type Place, quietly, watchedBy } from './socket-watch.ts'
import { ownerOf, replaceMethod } from './undo.ts'

type Method = (this: Connection, ...args: unknown[]) => unknown

/** A message as it is handed over, read and put back into the form in which it came. */
interface Form {
  read(given: unknown): Message | undefined
  write(message: Message): unknown
}

const OBJECT: Form = {
  read: (given) => (typeof given === 'object' && given !== null ? (given as Message) : undefined),
  write: (message) => message,
}

const TEXT: Form = {
  read(given) {
    if (typeof given !== 'string') return undefined
    try {
      return OBJECT.read(JSON.parse(given))
    } catch {
      return undefined
    }
  },
  write: (message) => JSON.stringify(message),
}

const SENDERS: Readonly<Record<string, Form>> = { send: OBJECT, sendRaw: TEXT, sendResponseCreate: OBJECT }

const replaced = new WeakMap<Place, Set<unknown>>()

export function watchMethods(connection: object, place: Place): void {
  for (const name in SENDERS) replace(connection, name, place, sender(place, SENDERS[name]!))
  replace(connection, 'close', place, leaver(place))
  replace(connection, '_onError', place, complainer(place))
}

/** On the class, once for each; on the connection itself where only that is watched. */
function replace(connection: object, name: string, place: Place, make: (original: Method) => Method): void {
  const owner = ownerOf(connection, name)
  if (!owner) return
  const target = place.only ?? owner
  // A class inherits some and has others of its own: each method is told apart by what it is.
  const method = (target as Record<string, unknown>)[name]
  let known = replaced.get(place)
  if (!known) replaced.set(place, (known = new Set()))
  if (known.has(method)) return
  place.undos.push(replaceMethod(target, name, make))
  known.add((target as Record<string, unknown>)[name])
}

const sender =
  (place: Place, form: Form) =>
  (original: Method): Method =>
    function send(given, ...rest) {
      const watched = watchedBy(place, this)
      const message = watched && form.read(given)
      if (!message) return original.call(this, given, ...rest)
      let isSent = false
      const go = (sent: Message) => {
        isSent = true
        original.call(this, sent === message ? given : form.write(sent), ...rest)
      }
      try {
        watched.line.send(message, go)
      } catch (cause) {
        // Of the SDK's own, which shall reach the caller, or a fault of ours, which shall not keep it from sending.
        if (isSent) throw cause
        go(message)
        place.observer()?.problem('A message to be sent to openai could not be looked at.', cause)
      }
      return undefined
    }

const leaver =
  (place: Place) =>
  (original: Method): Method =>
    function close(...args) {
      const watched = watchedBy(place, this)
      if (watched) watched.isLeaving = true
      return original.call(this, ...args)
    }

const complainer =
  (place: Place) =>
  (original: Method): Method =>
    function _onError(event, ...args) {
      const watched = watchedBy(place, this)
      if (watched?.isSilent) return undefined
      // Not an error of the provider: if something is being sent, this is what became of it.
      if (watched && !event) quietly(place, () => watched.line.failedToSend())
      return original.call(this, event, ...args)
    }
