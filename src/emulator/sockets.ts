// WebSockets of the emulator: takes connections in, plays out what is answered on them, and notes what became of it.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import type { WebSocket, WebSocketServer } from 'ws'
import type { Charge } from './bill.ts'
import { googleTalk } from './google-live.ts'
import { openaiTalk } from './openai-sockets.ts'
import type { Reply } from './reply.ts'
import type { Desk } from './server.ts'
import { type Answer, type Billable, type Call, isJson, type Json, type ReceivedRequest, type Wire } from './wire.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** What follows from a message of the client: something that is said at once, or a scripted answer that is charged. */
export type Step =
  | { readonly say: Json }
  | { readonly body: Json; answer(call: Call): Answer }
  /** The provider ends the connection. */
  | { readonly close: number }

/** One connection, as its provider holds it. */
export interface Talk {
  readonly greeting: readonly Json[]
  /** What grows, and is charged, for as long as the connection is open. */
  readonly meter?: Charge
  hear(message: Json): readonly Step[]
  /** The provider's own message for a request that failed. */
  failure(call: Call, message: string): Json
}

/** What a talk may know of its connection. */
export interface Opening {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: ReceivedRequest['headers']
  readonly serial: string
  readonly wire: Wire
  now(): Date
}

const TALKS: Readonly<Partial<Record<string, (opening: Opening) => Talk | undefined>>> = {
  openai: openaiTalk,
  google: googleTalk,
}

/** Handles the upgrades of one port. */
export function acceptSockets(wire: Wire, desk: Desk) {
  const open = new Set<Duplex>()
  let server: Promise<WebSocketServer> | undefined

  async function upgrade(incoming: IncomingMessage, stream: Duplex, head: Buffer): Promise<void> {
    open.add(stream)
    stream.once('close', () => open.delete(stream))
    stream.on('error', () => stream.destroy())
    const url = new URL(incoming.url ?? '/', 'http://emulator')
    const query = Object.fromEntries(url.searchParams)
    const headers = Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)]))
    const opening = { path: url.pathname, query, headers, serial: desk.nextSerial(), wire, now: () => desk.now() }
    const talk = TALKS[wire.provider]?.(opening)
    const request: Writable<ReceivedRequest> = {
      ...received(desk, opening, `req_${opening.serial}`),
      method: incoming.method ?? 'GET',
      status: talk ? 101 : 404,
    }
    desk.note(request)
    if (!talk) return decline(stream, '404 Not Found', 'The emulator speaks no WebSocket on this path.')
    server ??= import('ws').then((ws) => new ws.WebSocketServer({ noServer: true }))
    let accepting: WebSocketServer
    try {
      accepting = await server
    } catch {
      server = undefined
      return decline(stream, '501 Not Implemented', 'The emulator speaks WebSockets by the package `ws`: install it.')
    }
    accepting.handleUpgrade(incoming, stream, head, (socket) => {
      converse(socket, talk, (body) => ({
        ...received(desk, opening, `req_${desk.nextSerial()}`),
        method: 'SOCKET',
        body,
      }))
      socket.once('close', () => {
        request.ended = true
        desk.changed()
      })
      desk.changed()
    })
  }

  function converse(socket: WebSocket, talk: Talk, receive: (body: Json) => Writable<ReceivedRequest>): void {
    const gone = new AbortController()
    let turn = Promise.resolve()
    socket.on('error', () => socket.terminate())
    socket.once('close', () => gone.abort())
    if (talk.meter) desk.charge(talk.meter)
    for (const greeting of talk.greeting) socket.send(JSON.stringify(greeting))
    socket.on('message', (data) => {
      const message = parsed((data as Buffer).toString())
      for (const step of message ? talk.hear(message) : []) {
        if ('say' in step) turn = turn.then(() => say(socket, step.say))
        else if ('close' in step) turn = turn.then(() => socket.close(step.close))
        else {
          const request = receive(step.body)
          const reply = desk.receive(request)
          desk.changed()
          turn = turn.then(() => respond(socket, talk, step, request, reply, gone.signal))
        }
      }
    })
  }

  async function respond(
    socket: WebSocket,
    talk: Talk,
    step: Extract<Step, { body: Json }>,
    request: Writable<ReceivedRequest>,
    reply: Reply,
    gone: AbortSignal,
  ): Promise<void> {
    const end = () => {
      request.ended = true
      request.aborted = gone.aborted
      desk.changed()
    }
    if (reply.hangUp) socket.terminate()
    if (reply.delayMs !== undefined) await pause(reply.delayMs, undefined, { signal: gone }).catch(() => undefined)
    if (reply.hang || reply.hangUp || gone.aborted) return end()
    const serial = request.requestId.slice('req_'.length)
    const { path, query, headers, requestId, at: now } = request
    const call: Call = { method: 'POST', path, query, headers, body: step.body, reply, serial, requestId, now }
    const { status = 200, errorAfterEvents } = reply
    const answer = status >= 400 && errorAfterEvents === undefined ? { status } : step.answer(call)
    request.status = answer.status
    const events = [...(answer.events ?? [])]
    const charges = answer.status < 300 ? chargesOf(answer, request) : []
    for (const charge of charges) desk.charge(charge)
    const last = Math.min(
      reply.cutAfterEvents ?? Infinity,
      reply.stallAfterEvents ?? Infinity,
      errorAfterEvents ?? Infinity,
    )
    for (const { data, generated } of events.slice(0, last)) {
      if (gone.aborted) return end()
      if (reply.msBetweenEvents !== undefined && request.eventsSent > 0)
        await pause(reply.msBetweenEvents, undefined, { signal: gone }).catch(() => undefined)
      say(socket, data)
      request.eventsSent += 1
      for (const charge of charges) if (generated !== undefined) charge.generated = generated
      if (request.eventsSent === 1 && reply.malformedLine !== undefined) socket.send(reply.malformedLine)
      desk.changed()
    }
    if (last === reply.cutAfterEvents) socket.terminate()
    else if (answer.status >= 400 || last === errorAfterEvents)
      say(socket, talk.failure(call, reply.errorMessage ?? `Emulated ${status}.`))
    else if (last >= events.length) for (const charge of charges) charge.generated = undefined
    end()
  }

  return {
    upgrade(incoming: IncomingMessage, stream: Duplex, head: Buffer): void {
      upgrade(incoming, stream, head).catch(() => stream.destroy())
    },
    /** Ends every connection without a word. */
    close(): void {
      for (const stream of open) stream.destroy()
    },
  }
}

function received(desk: Desk, { wire, path, query, headers }: Opening, requestId: string): Writable<ReceivedRequest> {
  return {
    provider: wire.provider,
    method: 'GET',
    path,
    query,
    headers,
    body: undefined,
    at: desk.now(),
    requestId,
    status: undefined,
    eventsSent: 0,
    aborted: false,
    ended: false,
  }
}

function say(socket: WebSocket, data: unknown): void {
  if (socket.readyState === socket.OPEN) socket.send(typeof data === 'string' ? data : JSON.stringify(data))
}

function chargesOf({ billable = [] }: Answer, { provider, requestId, at }: ReceivedRequest): Charge[] {
  const all = Array.isArray(billable) ? (billable as readonly Billable[]) : [billable as Billable]
  return all.map((one) => ({ provider, requestId, at, billable: one, generated: 0 }))
}

function decline(stream: Duplex, status: string, why: string): void {
  stream.end(`HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\ncontent-length: ${why.length}\r\n\r\n${why}`)
}

function parsed(text: string): Json | undefined {
  try {
    const json: unknown = JSON.parse(text)
    return isJson(json) ? json : undefined
  } catch {
    return undefined
  }
}
