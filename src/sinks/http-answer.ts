// What an ingest endpoint's answer means for the batch it answers.

import { MeterError } from '../errors.ts'
import type { Delivery, RejectedEvent } from './sink.ts'

const MAX_REASON_LENGTH = 200

/** Statuses of 400 to 499 after which the same bytes may yet be taken. 409: another request with this key is under way. */
const TRANSIENT = new Set([408, 409, 425, 429])
const HINTS: Readonly<Record<number, string>> = {
  401: 'the API key was refused',
  403: 'the API key was refused',
  404: 'there is no ingest endpoint at this address',
  415: 'it takes another encoding or an older version of the schema',
}

/**
 * Everything that no retry and no smaller batch can cure pauses delivery: a refused key, a wrong address, a redirect
 * (which is never followed: it would carry the key to another host). A person changes something; no event is given up.
 */
export function deliveryOf(
  status: number,
  retryAfter: string | string[] | undefined,
  body: unknown,
  address: string,
  now: number = Date.now(),
): Delivery {
  if (status >= 200 && status < 300) return deliveredOf(body)
  const hint = HINTS[status]
  const message = `${address} answered ${status}${hint === undefined ? '' : `: ${hint}`}`
  if (status === 413) return { outcome: 'too-large', error: new MeterError('DELIVERY_REJECTED', message) }
  if (status === 400 || status === 422)
    return { outcome: 'rejected', error: new MeterError('DELIVERY_REJECTED', message) }
  if (status >= 500 || TRANSIENT.has(status)) {
    const afterMs = waitOf(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter, now)
    return { outcome: 'retry', error: new Error(message), ...(afterMs === undefined ? {} : { afterMs }) }
  }
  return { outcome: 'paused', error: new MeterError('DELIVERY_REJECTED', message) }
}

function deliveredOf(body: unknown): Delivery {
  const answer = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const rejected = Array.isArray(answer.rejected) ? answer.rejected.flatMap(rejectedOf) : []
  return {
    outcome: 'delivered',
    ...(rejected.length > 0 ? { rejected } : {}),
    ...(Number.isSafeInteger(answer.duplicates) ? { duplicates: answer.duplicates as number } : {}),
  }
}

function rejectedOf(entry: unknown): RejectedEvent[] {
  const { event_id, reason } = (entry ?? {}) as Record<string, unknown>
  if (typeof event_id !== 'string') return []
  const text = typeof reason === 'string' ? reason.slice(0, MAX_REASON_LENGTH) : 'no reason given'
  return [{ eventId: event_id, reason: text }]
}

/** `Retry-After` in either of its forms, a number of seconds or a date; `undefined` when it is neither. */
export function waitOf(retryAfter: string | undefined, now: number): number | undefined {
  if (retryAfter === undefined) return undefined
  if (/^\s*\d+(\.\d+)?\s*$/.test(retryAfter)) return Number(retryAfter) * 1000
  // Date.parse takes almost anything for a date ('-1' too): an HTTP date begins with the name of a day.
  const at = /^\s*[A-Z][a-z]{2}/.test(retryAfter) ? Date.parse(retryAfter) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
