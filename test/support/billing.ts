// Contract servers of billing services, which behave as badly as the real ones. Each rule names its source.

import { listen } from '../../src/server/serve.ts'

type Misbehaviour = (request: Request) => Response | undefined

export interface BillingServer<Stored> extends AsyncDisposable {
  readonly url: string
  /** What is counted, in the order of arrival. */
  readonly stored: Stored[]
  readonly requests: { readonly path: string; readonly text: string; readonly headers: Headers }[]
  /** Answers the next requests in its place; one that gives `undefined` leaves the request to it. */
  misbehave(...answers: Misbehaviour[]): void
  /** Does what every third request asks for, and answers 503 all the same. */
  loseAnswers(): void
}

type Route<Stored> = (
  request: { path: string; text: string; url: URL; headers: Headers; method: string },
  stored: Stored[],
) => Response

async function billingServer<Stored>(key: string | undefined, route: Route<Stored>): Promise<BillingServer<Stored>> {
  const stored: Stored[] = []
  const requests: { path: string; text: string; headers: Headers }[] = []
  const scripted: Misbehaviour[] = []
  let isLosing = false
  const server = await listen(async (request) => {
    const url = new URL(request.url)
    const { headers, method } = request
    const text = method === 'POST' ? await request.text() : ''
    requests.push({ path: url.pathname, text, headers })
    const answer = scripted.shift()?.(request)
    if (answer) return answer
    const isSession = headers.get('authorization')?.startsWith('Bearer session-')
    if (key !== undefined && !isSession && headers.get('authorization') !== `Bearer ${key}`)
      return Response.json({ error: { message: 'a secret' } }, { status: 401 })
    const done = route({ path: url.pathname, text, url, headers, method }, stored)
    return isLosing && requests.length % 3 === 0 ? new Response(null, { status: 503 }) : done
  })
  return {
    url: server.url,
    stored,
    requests,
    misbehave: (...answers) => void scripted.push(...answers),
    loseAnswers: () => {
      isLosing = true
    },
    [Symbol.asyncDispose]: () => server.close(),
  }
}

export interface StripeEvent {
  readonly event_name: string
  readonly identifier: string
  readonly timestamp: string
  readonly payload: Readonly<Record<string, string>>
}

const DAY = 86_400

/**
 * Version 1: one event a request, a form; a repeated identifier is 400 without a code (stripe-node 23.1.0 d.ts, langfuse
 * pull request 16292, 2026); timestamps up to 35 days back and 5 minutes ahead (docs.stripe.com recording-usage-api,
 * 2026-11-21). Version 2: a session for 15 minutes, 100 events a request, duplicates dropped later without a word
 * (docs.stripe.com/api/v2/billing-meter-stream, 2026-11-22).
 */
export function stripe(): Promise<BillingServer<StripeEvent> & { expireSessions(): void }> {
  let session = 0
  let valid = ''
  const made = billingServer<StripeEvent>('sk_test', ({ path, text, headers }, stored) => {
    const refuse = (code: string | undefined, message: string) =>
      Response.json(
        { error: { type: 'invalid_request_error', code, message } },
        { status: 400, headers: { 'stripe-should-retry': 'false' } },
      )
    const fault = ({ event_name, identifier, timestamp, payload }: StripeEvent) => {
      if (!event_name || !payload['stripe_customer_id']?.startsWith('cus_'))
        return refuse('resource_missing', 'No such customer: a secret')
      if (!/^\d+(\.\d+)?$/.test(payload['value'] ?? '')) return refuse('parameter_invalid_string', 'value is no number')
      if (identifier.length > 100) return refuse('parameter_invalid', 'identifier is too long')
      const age = Date.now() / 1000 - Number(timestamp)
      if (age > 35 * DAY) return refuse('timestamp_too_far_in_past', 'too old')
      if (age < -300) return refuse('timestamp_in_future', 'too new')
      return undefined
    }
    if (path === '/v1/billing/meter_events') {
      const form = new URLSearchParams(text)
      const payload = Object.fromEntries(
        [...form].flatMap(([name, value]) => {
          const key = /^payload\[(.+)\]$/.exec(name)?.[1]
          return key === undefined ? [] : [[key, value]]
        }),
      )
      const one = {
        event_name: form.get('event_name')!,
        identifier: form.get('identifier')!,
        timestamp: form.get('timestamp')!,
        payload,
      }
      const refused = fault(one)
      if (refused) return refused
      if (stored.some(({ identifier }) => identifier === one.identifier))
        return refuse(undefined, `An event already exists with identifier ${one.identifier}.`)
      stored.push(one)
      return Response.json({ object: 'billing.meter_event' })
    }
    if (path === '/v2/billing/meter_event_session') {
      valid = `session-${++session}`
      return Response.json({ object: 'v2.billing.meter_event_session', authentication_token: valid })
    }
    if (path !== '/v2/billing/meter_event_stream') return new Response(null, { status: 404 })
    if (headers.get('authorization') !== `Bearer ${valid}`)
      return Response.json({ error: { code: 'billing_meter_event_session_expired' } }, { status: 401 })
    const { events } = JSON.parse(text) as { events: StripeEvent[] }
    if (events.length > 100) return refuse('too_many_events', 'at most 100')
    for (const one of events) {
      const refused = fault({ ...one, timestamp: String(Date.parse(one.timestamp) / 1000) })
      if (refused) return refused
    }
    for (const one of events) if (!stored.some(({ identifier }) => identifier === one.identifier)) stored.push(one)
    return Response.json({})
  })
  return made.then((server) => Object.assign(server, { expireSessions: () => void (valid = '') }))
}

export interface LagoEvent {
  readonly transaction_id: string
  readonly external_subscription_id: string
  readonly code: string
  readonly timestamp: string
  readonly precise_total_amount_cents?: string
  readonly properties: Readonly<Record<string, unknown>>
}

/** All or nothing, with the places of those that are wrong or there already: lago-api create_batch_service.rb, August 2026. */
export function lago(): Promise<BillingServer<LagoEvent>> {
  return billingServer<LagoEvent>('lago-key', ({ path, text }, stored) => {
    if (path !== '/api/v1/events/batch') return new Response(null, { status: 404 })
    const { events } = JSON.parse(text) as { events: LagoEvent[] }
    const refuse = (error_details: unknown) =>
      Response.json(
        { status: 422, error: 'Unprocessable Entity', code: 'validation_errors', error_details },
        { status: 422 },
      )
    if (events.length > 100) return refuse({ events: ['too_many_events'] })
    const details: Record<string, unknown> = {}
    for (const [i, one] of events.entries()) {
      const isThere = [...stored, ...events.slice(0, i)].some(
        ({ transaction_id }) => transaction_id === one.transaction_id,
      )
      if (isThere) details[i] = { transaction_id: ['value_already_exist'] }
      else if (one.external_subscription_id === 'none')
        details[i] = { external_subscription_id: ['subscription_not_found'] }
    }
    if (Object.keys(details).length > 0) return refuse(details)
    stored.push(...events)
    return Response.json({ events })
  })
}

export interface CloudEvent {
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: Readonly<Record<string, unknown>>
}

export type OpenMeterServer = BillingServer<CloudEvent> & {
  /** The write of the event at this place of the next request fails; its id is taken all the same. */
  failAt(place: number): void
}

/**
 * The content type is compared as it stands; the loop stops at the first event that fails, and keeps those before it
 * (ingest/httpdriver/ingest.go and ingest/service.go at 7e57a39, 2026-11-21); an id is taken before its event is written
 * and never given back (issue 5118, 2026-09-10).
 */
export async function openMeter(): Promise<OpenMeterServer> {
  const taken = new Set<string>()
  let failing: number | undefined
  const server = await billingServer<CloudEvent>('om-key', ({ path, text, url, headers, method }, stored) => {
    if (path !== '/api/v1/events') return new Response(null, { status: 404 })
    if (method === 'GET')
      return Response.json(stored.filter(({ id }) => id === url.searchParams.get('id')).map((event) => ({ event })))
    if (headers.get('content-type') !== 'application/cloudevents-batch+json') return new Response(null, { status: 400 })
    const place = failing
    failing = undefined
    for (const [i, one] of (JSON.parse(text) as CloudEvent[]).entries()) {
      const key = `${one.source} ${one.id}`
      if (taken.has(key)) continue
      taken.add(key)
      if (i === place) return new Response(null, { status: 500 })
      stored.push(one)
    }
    return new Response(null, { status: 204 })
  })
  return Object.assign(server, { failAt: (place: number) => void (failing = place) })
}
