// One listening port for one provider: takes requests in, plays their answers out, and notes what became of them.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Charge } from './bill.ts'
import { type Plan, planOf } from './faults.ts'
import { formFields } from './multipart.ts'
import type { Reply } from './reply.ts'
import { acceptSockets } from './sockets.ts'
import { type Billable, isJson, type ReceivedRequest, type Wire } from './wire.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** What the ports of one emulator share. */
export interface Desk {
  nextSerial(): string
  now(): Date
  /** Notes a request that takes no script. */
  note(request: ReceivedRequest): void
  /** Notes the request and finds its script. */
  receive(request: ReceivedRequest): Reply
  charge(charge: Charge): void
  /** Something about a request has changed. */
  changed(): void
}

export interface Port {
  readonly host: string
  close(): Promise<void>
}

export async function listen(wire: Wire, desk: Desk, port: number, keepsProcessAlive: boolean): Promise<Port> {
  let isClosing = false
  // An idle connection that the server drops by itself meets a client about to use it.
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (incoming, response) => {
    serve(wire, desk, incoming, response, () => isClosing).catch(() => response.destroy())
  })
  const sockets = acceptSockets(wire, desk)
  server.on('upgrade', sockets.upgrade)
  if (!keepsProcessAlive) {
    server.unref()
    server.on('connection', (socket) => socket.unref())
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const { port: given } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${given}`,
    close: () =>
      new Promise((resolve) => {
        isClosing = true
        server.close(() => resolve())
        server.closeAllConnections()
        sockets.close()
      }),
  }
}

async function serve(
  wire: Wire,
  desk: Desk,
  incoming: IncomingMessage,
  response: ServerResponse,
  isClosing: () => boolean,
): Promise<void> {
  const serial = desk.nextSerial()
  const body = await bodyOf(incoming)
  const url = new URL(incoming.url ?? '/', 'http://emulator')
  const request: Writable<ReceivedRequest> = {
    provider: wire.provider,
    method: incoming.method ?? 'GET',
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
    body,
    at: desk.now(),
    requestId: `req_${serial}`,
    status: undefined,
    eventsSent: 0,
    aborted: false,
    ended: false,
  }
  const gone = new AbortController()
  let isCut = false
  // Writing to a client that has left is an error; that it left is noted on `close`.
  response.on('error', () => gone.abort())
  response.once('close', () => {
    request.aborted = !isCut && !isClosing() && !response.writableFinished
    request.ended = true
    gone.abort()
    desk.changed()
  })

  let plan: Plan
  let reply: Reply
  try {
    reply = desk.receive(request)
    desk.changed()
    const { method, path, query, headers, requestId, at: now } = request
    const json = isJson(body) ? body : {}
    plan = planOf({ method, path, query, headers, body: json, reply, serial, requestId, now }, wire)
  } catch (error) {
    // A script's own function threw: shown to the client, and marked so that no SDK tries again.
    response.writeHead(501, { 'content-type': 'text/plain', 'x-should-retry': 'false' })
    response.end(`The script of this reply failed: ${String(error)}`)
    return
  }

  if (reply.hangUp) {
    isCut = true
    response.destroy()
    return
  }
  if (reply.hang) return
  if (reply.delayMs !== undefined && (await pause(reply.delayMs, gone.signal))) return

  const charges = openCharges(plan, request)
  for (const charge of charges) desk.charge(charge)
  response.writeHead(plan.status, { 'content-type': plan.contentType, ...plan.headers })
  response.flushHeaders()
  request.status = plan.status
  desk.changed()
  const between = plan.answer.events ? reply.msBetweenEvents : undefined
  for (const { text, event } of plan.pieces) {
    const waits = event !== undefined && between !== undefined && request.eventsSent > 0
    if (waits && (await pause(between, gone.signal))) return
    for (const bytes of split(text, reply.splitBytes)) {
      if (!response.write(bytes)) await drained(response, gone.signal)
      // Readers join what has arrived by the time they look, so each part gets a turn of the event loop.
      if (reply.splitBytes !== undefined) await nextTurn()
    }
    if (gone.signal.aborted) return
    if (event === undefined) continue
    request.eventsSent += 1
    for (const charge of charges) if (event.generated !== undefined) charge.generated = event.generated
    desk.changed()
  }
  if (plan.stop === 'stall') return
  if (plan.stop === 'cut') {
    isCut = true
    // Not `destroy`, which would drop what is still to be written.
    response.socket?.destroySoon()
    return
  }
  for (const charge of charges) if (plan.isWhole) charge.generated = undefined
  response.end()
}

/** An answer that is not streamed has been generated in whole by the time its first byte is sent. */
function openCharges({ answer, status }: Plan, { provider, requestId, at }: ReceivedRequest): Charge[] {
  const { billable = [], events } = answer
  if (status >= 300) return []
  const all = Array.isArray(billable) ? (billable as readonly Billable[]) : [billable as Billable]
  return all.map((one) => ({ provider, requestId, at, billable: one, generated: events ? 0 : undefined }))
}

async function bodyOf(incoming: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  if (parts.length === 0) return undefined
  const bytes = Buffer.concat(parts)
  const type = incoming.headers['content-type']
  if (type?.startsWith('multipart/form-data')) return formFields(bytes, type)
  const text = bytes.toString()
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Resolves to whether the client has gone meanwhile. */
function pause(ms: number, gone: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      gone.removeEventListener('abort', end)
      resolve(gone.aborted)
    }
    const timer = setTimeout(end, ms)
    timer.unref()
    if (gone.aborted) end()
    else gone.addEventListener('abort', end)
  })
}

function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      response.off('drain', end)
      gone.removeEventListener('abort', end)
      resolve()
    }
    if (gone.aborted) return resolve()
    response.once('drain', end)
    gone.addEventListener('abort', end)
  })
}

function* split(text: string, size: number | undefined): Generator<string | Uint8Array> {
  if (size === undefined) {
    yield text
    return
  }
  const bytes = Buffer.from(text)
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}
