// The ingest endpoint as a function from a request to an answer. The contract is docs/wire.md.

import { MeterError } from '../errors.ts'
import { fromWire, type LLMEvent, SCHEMA_VERSION } from '../event.ts'
import { createProblems, type Problem } from '../problems.ts'
import type { Ledger } from '../sinks/ledger.ts'
import { checkWireBatch, checkWireEvent, explainWireBatch, explainWireEvent } from '../wire.ts'
import { MAX_BATCH_EVENTS } from '../wire-fields.ts'
import { answer, refusal, wrongMethod } from './answer.ts'
import { readJson } from './body.ts'
import { createKeyring } from './keyring.ts'
import { dropLimit, readLimits, tenantOf, writeLimit } from './limits.ts'

export interface IngestOptions {
  readonly ledger: Ledger
  /** Any of them opens every address but `/healthz`. */
  readonly apiKeys: readonly string[]
  /** The largest body that is taken, packed or unpacked; 8 MiB. */
  readonly maxBodyBytes?: number | undefined
  /** Told when the ledger fails; without it, that is a warning of the process. */
  readonly onProblem?: ((problem: Problem) => void) | undefined
  /** Epoch milliseconds: decides which window is the current one. */
  readonly now?: (() => number) | undefined
}

export type RequestHandler = (request: Request) => Promise<Response>

const MAX_BODY_BYTES = 8 * 1024 * 1024
const LIMITS = '/v1/limits/'
const RETRY_AFTER_SECONDS = 5
/** zod takes a while over each: a batch of nonsense must not hold up everybody else's. */
const MAX_EXPLAINED = 100

/**
 * Serves `POST /v1/ingest`, `/v1/limits/{tenant}` and `GET /healthz` from a ledger, in any framework that speaks
 * `Request` and `Response`. `serve()` puts it on a port of its own.
 *
 * @example
 * const ingest = createIngest({ ledger: sqliteLedger({ path: 'ledger.db' }), apiKeys: ['k-1'] })
 * app.all('/v1/*', (c) => ingest(c.req.raw))
 */
export function createIngest(options: IngestOptions): RequestHandler {
  const { ledger, maxBodyBytes = MAX_BODY_BYTES, now = Date.now } = options
  const opens = createKeyring(options.apiKeys)
  const problems = createProblems({ onProblem: options.onProblem, raiseOnError: false })

  async function route(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    const { method } = request
    if (pathname === '/healthz') return method === 'GET' ? answer(200, { ok: true }) : wrongMethod('GET')
    const isIngest = pathname === '/v1/ingest'
    if (!isIngest && !pathname.startsWith(LIMITS)) return refusal(404, 'There is nothing at this address.')
    if (!opens(request.headers.get('authorization')))
      return refusal(401, 'The API key is missing or unknown: send it as `Authorization: Bearer <key>`.', {
        'www-authenticate': 'Bearer',
      })
    if (isIngest) return method === 'POST' ? takeBatch(request) : wrongMethod('POST')
    const tenantId = tenantOf(pathname.slice(LIMITS.length))
    if (method === 'GET') return readLimits(ledger, tenantId, now())
    if (method === 'DELETE') return dropLimit(ledger, tenantId, searchParams.get('per'), now())
    if (method !== 'PUT') return wrongMethod('GET, PUT, DELETE')
    const body = await readJson(request, maxBodyBytes)
    return body instanceof Response ? body : writeLimit(ledger, tenantId, body.value, now())
  }

  async function takeBatch(request: Request): Promise<Response> {
    const body = await readJson(request, maxBodyBytes)
    if (body instanceof Response) return body
    const { value } = body
    if (!checkWireBatch(value)) return refusal(400, (await explainWireBatch(value)) ?? 'The body is no batch.')
    // Not a 400, after which a sender gives events up: a newer sender pauses and keeps them until this server is newer too.
    if (value.schema_version > SCHEMA_VERSION)
      return refusal(415, `This server takes schema versions up to ${SCHEMA_VERSION}.`)
    if (value.events.length > MAX_BATCH_EVENTS) return refusal(413, `A batch is at most ${MAX_BATCH_EVENTS} events.`)
    const events: LLMEvent[] = []
    const rejected: { event_id: string | null; reason: string }[] = []
    for (const event of value.events) {
      if (checkWireEvent(event)) events.push(fromWire(event as Record<string, unknown>))
      else rejected.push({ event_id: idOf(event), reason: await reasonFor(event, rejected.length) })
    }
    const delivery = await ledger.send({ id: value.batch_id, events }, request.signal)
    switch (delivery.outcome) {
      case 'delivered': {
        for (const { eventId, reason } of delivery.rejected ?? []) rejected.push({ event_id: eventId, reason })
        const duplicates = delivery.duplicates ?? 0
        return answer(200, { accepted: value.events.length - duplicates - rejected.length, duplicates, rejected })
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

  /** 503: the sender keeps its events and comes back. What is wrong here is for our own log and not for strangers. */
  function unavailable(cause: unknown): Response {
    const message = cause instanceof MeterError ? cause.message : 'The ledger behind the ingest endpoint failed.'
    problems.report({ kind: 'ledger', message, cause }, `ledger:${message}`)
    return refusal(503, 'The ledger is not available.', { 'retry-after': String(RETRY_AFTER_SECONDS) })
  }

  return async (request) => {
    try {
      return await route(request)
    } catch (cause) {
      if (cause instanceof MeterError && cause.code === 'BAD_INPUT') return refusal(400, cause.message)
      return unavailable(cause)
    }
  }
}

function idOf(event: unknown): string | null {
  const id = (event as { event_id?: unknown } | null)?.event_id
  return typeof id === 'string' && id.length <= 256 ? id : null
}

async function reasonFor(event: unknown, explained: number): Promise<string> {
  const reason = explained < MAX_EXPLAINED ? await explainWireEvent(event) : undefined
  return reason ?? 'This is no event of the wire.'
}
