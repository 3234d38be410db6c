// `POST /v1/ingest`: a batch from its bytes to the ledger, and what became of each of its events.

import { fromWire, type LLMEvent, SCHEMA_VERSION } from '../event.ts'
import type { Ledger } from '../sinks/ledger.ts'
import { createRowReader } from '../sinks/wire/rows.ts'
import { checkWireBatch, checkWireEvent, explainWireBatch, explainWireEvent } from '../wire.ts'
import { MAX_BATCH_EVENTS } from '../wire-fields.ts'
import type { Admission, Place } from './admission.ts'
import { answer, refusal } from './answer.ts'
import { busy, declaredBytes, parseText, receive, textOf, unpack } from './body.ts'
import { type ReadBatch, type Refused, readInPlace } from './in-place.ts'
import { shapeFault } from './json-shape.ts'
import { type Caller, eventOf } from './keys.ts'
import type { Metrics } from './metrics.ts'
import type { Outage } from './outage.ts'
import { REPORTS_HEADER } from './reports.ts'

export interface BatchOptions {
  readonly ledger: Ledger
  readonly maxBodyBytes: number
  readonly metrics: Metrics
  readonly outage: Outage
  readonly admission: Admission
  /** The ledger has taken something. */
  readonly works: () => void
  /** The answer where it has not: with its error, or without one where it was not even asked. */
  readonly unavailable: (cause?: unknown) => Response
}

/** zod takes a while over each: a batch of nonsense must not hold up everybody else's. */
const MAX_EXPLAINED = 100
/** A sender stops reading at four megabytes, and would take every event for accepted. */
const MAX_ANSWER_LENGTH = 2 * 1024 * 1024
/**
 * Never aborts: what is under way at the ledger keeps its turn until it is done, whether its sender still waits or not.
 * Otherwise senders that give up would pile up more statements than there are turns.
 */
const PATIENT = new AbortController().signal

interface Rejection {
  readonly event_id: string | null
  readonly reason: string
}

export function createBatches(options: BatchOptions): (request: Request, caller: Caller) => Promise<Response> {
  const { ledger, maxBodyBytes, metrics, outage, admission, works, unavailable } = options
  const reader = createRowReader()

  async function take(request: Request, caller: Caller, place: Place): Promise<Response> {
    const body = await receive(request, maxBodyBytes, (bytes) => place.grow(bytes))
    if (body instanceof Response) return body
    metrics.received(body.bytes.length)
    if (!(await place.turn(request.signal))) return busy()
    if (outage.isFresh) return unavailable()
    const plain = await unpack(body, maxBodyBytes)
    if (plain instanceof Response) return plain
    metrics.unpacked(plain.length)
    const text = textOf(plain)
    if (text instanceof Response) return text
    const inPlace = readInPlace(text, caller, reader, () => shapeFault(plain) === undefined)
    if (inPlace !== undefined) return write(inPlace)
    const parsed = parseText(text, plain)
    if (parsed instanceof Response) return parsed
    const read = await readParsed(parsed.value, caller)
    return read instanceof Response ? read : write(read)
  }

  async function write({ count, batch, refused }: ReadBatch): Promise<Response> {
    const rejected: Rejection[] = []
    for (const one of refused)
      if ('value' in one)
        rejected.push({ event_id: idOf(one.value), reason: await reasonFor(one.value, rejected.length) })
      else rejected.push({ event_id: one.eventId, reason: one.reason })
    const delivery = await ledger.send(batch, PATIENT)
    switch (delivery.outcome) {
      case 'delivered': {
        works()
        for (const { eventId, reason } of delivery.rejected ?? []) rejected.push({ event_id: eventId, reason })
        return told(count, delivery.duplicates ?? 0, rejected)
      }
      case 'too-large':
        return refusal(413, 'The ledger takes smaller batches.')
      case 'rejected':
        return refusal(422, 'The ledger refused the batch.')
      case 'retry':
      case 'paused':
        return unavailable(delivery.error)
    }
  }

  function told(count: number, duplicates: number, rejected: readonly Rejection[]): Response {
    const accepted = count - duplicates - rejected.length
    metrics.events('accepted', accepted)
    metrics.events('duplicate', duplicates)
    metrics.events('rejected', rejected.length)
    const length = rejected.reduce((sum, { event_id, reason }) => sum + 6 * (event_id?.length ?? 0) + reason.length, 0)
    // In halves the reasons of each fit; what is in the ledger already counts as a duplicate then.
    if (length > MAX_ANSWER_LENGTH) return refusal(413, 'More is wrong with these events than fits into an answer.')
    return answer(200, { accepted, duplicates, rejected }, ledger.report === undefined ? {} : REPORTS_HEADER)
  }

  return async (request, caller) => {
    // Before anything is read: what cannot be written now is not held in memory either.
    if (outage.isFresh) return unavailable()
    const place = admission.enter(declaredBytes(request))
    if (place === undefined) return busy()
    try {
      return await take(request, caller, place)
    } finally {
      place.leave()
    }
  }
}

function idOf(event: unknown): string | null {
  const id = (event as { event_id?: unknown } | null)?.event_id
  return typeof id === 'string' ? id : null
}

/** A batch as whatever came, by the rules that hold for everybody. */
async function readParsed(value: unknown, caller: Caller): Promise<ReadBatch | Response> {
  if (!checkWireBatch(value)) return refusal(400, (await explainWireBatch(value)) ?? 'The body is no batch.')
  // Not a 400, after which a sender gives events up: a newer sender pauses and keeps them until this server is newer too.
  if (value.schema_version > SCHEMA_VERSION)
    return refusal(415, `This server takes schema versions up to ${SCHEMA_VERSION}.`)
  if (value.events.length > MAX_BATCH_EVENTS) return refusal(413, `A batch is at most ${MAX_BATCH_EVENTS} events.`)
  const events: LLMEvent[] = []
  const refused: Refused[] = []
  for (const event of value.events) {
    if (!checkWireEvent(event)) {
      refused.push({ value: event })
      continue
    }
    const counted = eventOf(fromWire(event as Record<string, unknown>), caller)
    if (typeof counted !== 'string') events.push(counted)
    else refused.push({ eventId: idOf(event)!, reason: counted })
  }
  return { count: value.events.length, batch: { id: value.batch_id, events }, refused }
}

async function reasonFor(event: unknown, explained: number): Promise<string> {
  const reason = explained < MAX_EXPLAINED ? await explainWireEvent(event) : undefined
  return reason ?? 'This is no event of the wire.'
}
