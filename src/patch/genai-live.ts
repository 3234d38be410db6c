// The waist of @google/genai's WebSocket: `Live.prototype.connect`, and what the session that it gives sends.
//
// Seams (1.0 to 3.1): `connect({ model, config, callbacks })` looks at the callbacks anew for each message, so those that
// it gets are ours, and call the application's. `Session.prototype.sendClientContent`, `sendRealtimeInput` and
// `sendToolResponse` are found on the first session; they give nothing back, and send at once.
//
// A refused connection rejects `connect`. On an open one a refusal arrives in `callbacks.onerror`, like everything else
// that fails there; where the application has none, it is thrown from what it sends.

import { MeterError } from '../errors.ts'
import type { Observer } from './exchange.ts'
import { googleTalk } from './genai-talk.ts'
import { createNotes } from './notes.ts'
import { dressRefusal, type ErrorClass } from './refusal.ts'
import { createLine, type Line } from './socket-line.ts'
import type { Message } from './socket-talk.ts'
import { ownerOf, replaceMethod } from './undo.ts'

interface Live {
  readonly apiClient: { getWebsocketBaseUrl(): string; getBaseUrl(): string }
}

interface ConnectParameters {
  readonly model: string
  config?: unknown
  readonly callbacks?: Callbacks
}

interface Callbacks {
  onmessage?: ((message: Message) => void) | null
  onerror?: ((event: unknown) => void) | null
  onclose?: ((event: unknown) => void) | null
}

type Connect = (this: Live, params: ConnectParameters) => Promise<object>
type Send = (this: object, params?: unknown) => void

/** What is sent, as the protocol calls it. */
const SENDERS: Readonly<Record<string, string>> = {
  sendClientContent: 'clientContent',
  sendRealtimeInput: 'realtimeInput',
  sendToolResponse: 'toolResponse',
}

const lineOf = createNotes<Line>()

/** `owner` has `connect`: a prototype, or one client's own `live`. Gives the undo. */
export function patchLive(
  owner: object,
  ApiError: () => ErrorClass | undefined,
  observer: () => Observer | undefined,
): () => void {
  const lines = new Set<Line>()
  const undos: (() => void)[] = []
  const patched = new Set<object>()
  let isActive = true
  const dress = (refusal: unknown) =>
    refusal instanceof MeterError ? dressRefusal(refusal, ApiError(), 'google') : refusal

  const connect = (original: Connect): Connect =>
    async function connect(params) {
      const own = params?.callbacks
      if (!isActive || !observer() || typeof own !== 'object' || own === null) return original.call(this, params)
      const { line, callbacks } = converse(this, params, own)
      try {
        await line.open()
      } catch (refusal) {
        throw dress(refusal)
      }
      lines.add(line)
      const copy = { ...params, callbacks }
      let session: object
      try {
        session = await original.call(this, copy)
      } catch (error) {
        lines.delete(line)
        line.end('failed')
        throw error
      } finally {
        // In Vertex mode the SDK writes its defaults into what it was given.
        if (copy.config !== params.config) params.config = copy.config
      }
      lineOf.set(session, line)
      watchSenders(session)
      return session
    }

  function converse(live: Live, params: ConnectParameters, own: Callbacks): { line: Line; callbacks: Callbacks } {
    const line = createLine({
      place: { wire: 'google', host: hostOf(live), path: '/ws/BidiGenerateContent' },
      talk: googleTalk(params.model, params.config),
      observer,
      refuse(refusal, isLate) {
        const error = dress(refusal) as Error
        if (own.onerror) own.onerror({ type: 'error', error, message: error.message })
        else if (!isLate) throw error
        else
          observer()?.problem('What was sent on a connection of google was refused, and it has no `onerror` to tell.')
      },
    })
    const quietly = (fn: () => void) => {
      try {
        if (isActive) fn()
      } catch (cause) {
        observer()?.problem('A message on a connection of google could not be looked at.', cause)
      }
    }
    return {
      line,
      callbacks: {
        ...own,
        onmessage(message) {
          quietly(() => line.received(message))
          return own.onmessage!(message)
        },
        onerror: (event) => own.onerror?.(event),
        onclose(event) {
          lines.delete(line)
          quietly(() => line.end('failed'))
          return own.onclose?.(event)
        },
      },
    }
  }

  function watchSenders(session: object): void {
    for (const name in SENDERS) {
      const prototype = ownerOf(session, name)
      if (!prototype || patched.has(prototype)) continue
      undos.push(replaceMethod(prototype, name, watchSend(SENDERS[name]!)))
    }
    const prototype = ownerOf(session, 'sendClientContent')
    if (prototype) patched.add(prototype)
  }

  const watchSend =
    (name: string) =>
    (original: Send): Send =>
      function send(params) {
        const line = isActive ? lineOf.get(this) : undefined
        if (!line) return original.call(this, params)
        const message = { [name]: params ?? {} }
        line.send(message, (sent) => {
          try {
            original.call(this, sent === message ? params : sent[name])
          } catch (error) {
            // What it was given is no message of this kind.
            line.failedToSend()
            throw error
          }
        })
      }

  undos.push(replaceMethod(owner, 'connect', connect))
  return () => {
    for (const line of lines) line.end('stopped')
    isActive = false
    for (const undo of undos.reverse()) undo()
  }
}

function hostOf({ apiClient }: Live): string {
  try {
    return new URL(apiClient.getWebsocketBaseUrl()).host
  } catch {
    return 'unknown'
  }
}
