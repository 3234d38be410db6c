// Turns an answer and its script into what is really written: the pieces of a body, and where it stops.

import { comments, encodeEvent } from './sse.ts'
import type { Answer, Call, Failure, SseEvent, Wire } from './wire.ts'

/** One write. `event` where it is a whole event of the stream. */
export interface Piece {
  readonly text: string
  readonly event?: SseEvent
}

/** What follows the last piece. */
export type Stop = 'end' | 'stall' | 'cut'

export interface Plan {
  readonly status: number
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly pieces: Iterable<Piece>
  readonly stop: Stop
  /** All that the model generated is sent. */
  readonly isWhole: boolean
  readonly answer: Answer
}

type Body = Pick<Plan, 'pieces' | 'stop' | 'isWhole'>

export function planOf(call: Call, wire: Wire): Plan {
  const { reply, requestId } = call
  const answer = answerOf(call, wire)
  const isStream = reply.body === undefined && answer.events !== undefined
  const type = isStream ? 'text/event-stream; charset=utf-8' : (answer.contentType ?? 'application/json')
  return {
    status: answer.status,
    contentType: reply.contentType ?? (reply.body === undefined ? type : 'text/html; charset=utf-8'),
    headers: { ...wire.headers(requestId), ...lowerCase(reply.headers ?? {}) },
    ...bodyOf(answer, call, wire),
    answer,
  }
}

function bodyOf(answer: Answer, call: Call, wire: Wire): Body {
  if (call.reply.body !== undefined) return wholeBody(call.reply.body, call)
  return answer.events
    ? streamed([...answer.events], call, wire)
    : wholeBody(answer.text ?? JSON.stringify(answer.json), call)
}

function lowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
}

function answerOf(call: Call, wire: Wire): Answer {
  const { reply, requestId } = call
  const { status = 200 } = reply
  if (reply.body !== undefined) return { status }
  if (status >= 400 && reply.errorAfterEvents === undefined) {
    return { status, json: wire.failure(failureOf(call, status), requestId) }
  }
  const answer = wire.answer(call)
  return status >= 400 || answer.status !== 200 ? answer : { ...answer, status }
}

function failureOf({ reply }: Call, status: number): Failure {
  return { status, message: reply.errorMessage, code: reply.errorCode }
}

function wholeBody(body: string, { reply }: Call): Body {
  const text = reply.truncateJson ? body.slice(0, Math.ceil(body.length / 2)) : body
  const stop = reply.stallBody ? 'stall' : reply.cutBody ? 'cut' : 'end'
  const kept = stop === 'end' ? text : text.slice(0, Math.ceil(text.length / 2))
  return { pieces: padded(kept, reply.padToBytes ?? 0), stop, isWhole: true }
}

function* padded(text: string, bytes: number): Generator<Piece> {
  const isObject = text.startsWith('{')
  const missing = bytes - Buffer.byteLength(text) - (isObject ? '"padding":"",'.length : 0)
  if (missing <= 0) {
    yield { text }
    return
  }
  yield { text: isObject ? '{"padding":"' : text }
  const fill = isObject ? 'x' : ' '
  for (let left = missing; left > 0; left -= 65_536) yield { text: fill.repeat(Math.min(left, 65_536)) }
  if (isObject) yield { text: `",${text.slice(1)}` }
}

function streamed(events: readonly SseEvent[], call: Call, wire: Wire): Body {
  const { reply } = call
  const half = Math.ceil(events.length / 2)
  const ends: [Stop, number | undefined][] = [
    ['cut', reply.cutAfterEvents ?? (reply.cutBody ? half : undefined)],
    ['stall', reply.stallAfterEvents ?? (reply.stallBody ? half : undefined)],
    ['end', reply.errorAfterEvents],
  ]
  // The earliest end wins; one that the stream never reaches changes nothing.
  const reached = ends.filter((end): end is [Stop, number] => end[1] !== undefined && end[1] <= events.length)
  const [stop, after] = reached.sort((a, b) => a[1] - b[1])[0] ?? (['end', events.length] as const)
  const fails = stop === 'end' && reached.length > 0
  const pieces = eventPieces(events.slice(0, after), fails, call, wire)
  return { pieces, stop, isWhole: stop === 'end' && !fails }
}

function* eventPieces(events: readonly SseEvent[], fails: boolean, call: Call, wire: Wire): Generator<Piece> {
  const { lineEnd, provider } = wire
  const { reply } = call
  if (reply.padToBytes !== undefined) {
    const length = events.reduce((sum, event) => sum + Buffer.byteLength(encodeEvent(event, lineEnd)), 0)
    for (const text of comments(reply.padToBytes - length, lineEnd)) yield { text }
  }
  for (const [index, event] of events.entries()) {
    yield { text: encodeEvent(event, lineEnd), event }
    if (index === 0 && reply.malformedLine !== undefined) yield { text: `${reply.malformedLine}${lineEnd}${lineEnd}` }
  }
  if (!fails) return
  const status = reply.status !== undefined && reply.status >= 400 ? reply.status : (OVERLOADED[provider] ?? 503)
  const event = wire.failureEvent(failureOf(call, status), call, events.length)
  yield { text: encodeEvent(event, lineEnd), event }
}

const OVERLOADED: Readonly<Record<string, number>> = { anthropic: 529 }
