// Stripe billing meters: version 1, one event a request, and the high-throughput stream of version 2.

import type { LLMEvent } from '../event.ts'
import {
  checkEstimates,
  checkMeters,
  createProgress,
  delivered,
  type Estimates,
  type Measurement,
  open,
  type Progress,
  refuse,
  type Value,
} from './billing/measure.ts'
import { type Answer, checkBaseUrl, checkKey, codeIn, createClient, failureOf, unreachable } from './billing/post.ts'
import type { Batch, Delivery, Sink } from './sink.ts'

export interface StripeSinkOptions {
  /** A restricted key that may write meter events is enough. */
  readonly apiKey: string
  /** What to bill, by the `event_name` of the meter: `{ llm_tokens: 'tokens' }`. Values are sent as text, exactly. */
  readonly meters: Readonly<Record<string, Value>>
  /** The id of the Stripe customer who pays: `cus_...`. Left out, the tenant's id. */
  readonly customer?: ((event: LLMEvent) => string | undefined) | undefined
  /** Further dimensions of the payload. */
  readonly payload?: ((event: LLMEvent) => Readonly<Record<string, string>>) | undefined
  /** The key in the payload that the meter takes the customer from; `stripe_customer_id`. */
  readonly customerKey?: string | undefined
  /** The key in the payload that the meter takes the value from; `value`. */
  readonly valueKey?: string | undefined
  /** What becomes of the estimate of a job that was not over: `'hold'` leaves it to what is reported later, `'bill'` bills it for good. `'hold'`. */
  readonly estimates?: Estimates | undefined
  /** `https://api.stripe.com`. */
  readonly url?: string | undefined
}

export interface StripeStreamSinkOptions extends StripeSinkOptions {
  /** Where the stream is: `https://meter-events.stripe.com`. */
  readonly streamUrl?: string | undefined
}

/** docs.stripe.com/api/billing/meter-event/create, read 2026-11-21: `identifier` has at most 100 characters. */
const MAX_IDENTIFIER = 100
/** Of 1,000 a second that an account may send: docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api, 2026-11-21. */
const AT_ONCE = 8
/** docs.stripe.com/api/v2/billing-meter-stream, read 2026-11-21. */
const MOST_IN_STREAM = 100
/** Of the example at docs.stripe.com/api/v2/billing/meter-event-stream/create, read 2026-11-22. */
const VERSION = '2026-03-25.dahlia'
const NAME = 'Stripe'

/**
 * Meter events one by one. An identifier counts once within at least 24 hours: an event that comes again is answered
 * with an error, which is taken for what it is.
 *
 * @example
 * const customers = new Map([['acme', 'cus_123']])
 * const sink = stripeSink({
 *   apiKey,
 *   meters: { llm_cost_nano: 'nano-usd' },
 *   customer: ({ tenantId = '' }) => customers.get(tenantId),
 * })
 */
export function stripeSink(options: StripeSinkOptions): Sink {
  const { base, authorization, progressOf, payloadOf } = setUp(options)
  const client = createClient(AT_ONCE)

  async function sendOne(progress: Progress, one: Measurement, signal: AbortSignal): Promise<Delivery | undefined> {
    const form = new URLSearchParams({
      event_name: one.meter,
      identifier: one.key,
      timestamp: String(secondsOf(one.event)),
    })
    for (const [key, value] of Object.entries(payloadOf(one))) form.set(`payload[${key}]`, value)
    const answer = await client.ask({
      method: 'POST',
      url: `${base}/v1/billing/meter_events`,
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      signal,
    })
    if (answer.status < 300) progress.done.add(one.key)
    else if (isDuplicate(answer)) {
      progress.done.add(one.key)
      progress.duplicates++
    } else if (answer.status === 400 || answer.status === 422) refuse(progress, one, reasonOf(answer))
    else return failureOf(NAME, answer)
    return undefined
  }

  return {
    name: 'stripe',
    async send(batch, signal) {
      const progress = progressOf(batch)
      const waiting = open(progress)
      let failure: Delivery | undefined
      const workers = Array.from({ length: Math.min(AT_ONCE, waiting.length) }, async () => {
        for (let one = waiting.shift(); one !== undefined && failure === undefined; one = waiting.shift())
          try {
            failure = (await sendOne(progress, one, signal)) ?? failure
          } catch (cause) {
            failure = unreachable(NAME, cause)
          }
      })
      await Promise.all(workers)
      return failure ?? delivered(progress)
    },
    close: () => client.close(),
  }
}

/**
 * Meter events by the stream of version 2, 100 a request. What is wrong with one of them, and what came twice, Stripe
 * tells later, in its events `v1.billing.meter.error_report_triggered` and `v1.billing.meter.no_meter_found`.
 */
export function stripeStreamSink(options: StripeStreamSinkOptions): Sink {
  const { base, authorization, progressOf, payloadOf } = setUp(options)
  const stream = checkBaseUrl('streamUrl', options.streamUrl ?? 'https://meter-events.stripe.com')
  const client = createClient(2)
  /** Lives for 15 minutes. */
  let session: string | undefined

  async function openSession(signal: AbortSignal): Promise<Answer | undefined> {
    const answer = await client.ask({
      method: 'POST',
      url: `${base}/v2/billing/meter_event_session`,
      headers: { authorization, 'stripe-version': VERSION },
      signal,
    })
    const token = (answer.body as { authentication_token?: unknown } | undefined)?.authentication_token
    if (answer.status >= 300 || typeof token !== 'string')
      return answer.status < 300 ? { ...answer, status: 502 } : answer
    session = token
    return undefined
  }

  async function sendSome(some: readonly Measurement[], signal: AbortSignal): Promise<Answer> {
    const events = some.map((one) => ({
      event_name: one.meter,
      identifier: one.key,
      timestamp: new Date(one.event.timestamp).toISOString(),
      payload: payloadOf(one),
    }))
    for (let isFirst = true; ; isFirst = false) {
      if (session === undefined) {
        const failed = await openSession(signal)
        if (failed) return failed
      }
      const answer = await client.ask({
        method: 'POST',
        url: `${stream}/v2/billing/meter_event_stream`,
        headers: { authorization: `Bearer ${session}`, 'content-type': 'application/json', 'stripe-version': VERSION },
        body: JSON.stringify({ events }),
        signal,
      })
      // A session ends after 15 minutes, whenever that is; a second refusal is one of the key.
      if (answer.status !== 401) return answer
      session = undefined
      if (!isFirst) return answer
    }
  }

  return {
    name: 'stripe-stream',
    async send(batch, signal) {
      const progress = progressOf(batch)
      try {
        const waiting = open(progress)
        for (let at = 0; at < waiting.length; at += MOST_IN_STREAM) {
          const some = waiting.slice(at, at + MOST_IN_STREAM)
          const answer = await sendSome(some, signal)
          if (answer.status < 300) for (const { key } of some) progress.done.add(key)
          else if (answer.status === 400 || answer.status === 422) {
            // The whole request is refused for one of them: cut in halves until that is alone.
            if (batch.events.length > 1)
              return { outcome: 'rejected', error: new Error(`${NAME} refused the batch (${reasonOf(answer)})`) }
            for (const one of some) refuse(progress, one, reasonOf(answer))
          } else return failureOf(NAME, answer)
        }
        return delivered(progress)
      } catch (cause) {
        return unreachable(NAME, cause)
      }
    },
    close: () => client.close(),
  }
}

function setUp(options: StripeSinkOptions) {
  const { customer = ({ tenantId }: LLMEvent) => tenantId, payload = () => ({}) } = options
  const { customerKey = 'stripe_customer_id', valueKey = 'value' } = options
  const progressOf: (batch: Batch) => Progress = createProgress({
    meters: checkMeters('meters', options.meters),
    account: customer,
    maxKeyLength: MAX_IDENTIFIER,
    estimates: checkEstimates(options.estimates),
  })
  return {
    base: checkBaseUrl('url', options.url ?? 'https://api.stripe.com'),
    authorization: `Bearer ${checkKey(options.apiKey)}`,
    progressOf,
    payloadOf: ({ event, account, value }: Measurement): Record<string, string> => ({
      ...payload(event),
      [customerKey]: account,
      [valueKey]: value,
    }),
  }
}

function secondsOf({ timestamp }: LLMEvent): number {
  return Math.floor(Date.parse(timestamp) / 1000)
}

interface StripeError {
  readonly error?: { readonly code?: unknown; readonly message?: unknown }
}

/**
 * 400 with `stripe-should-retry: false`; documented with a code that is not always sent: github.com/langfuse/langfuse
 * pull request 16292, whose billing stood still on it, 2026.
 */
function isDuplicate({ status, body }: Answer): boolean {
  const { code, message } = (body as StripeError | undefined)?.error ?? {}
  return (
    status === 400 && (code === 'duplicate_meter_event' || (typeof message === 'string' && DUPLICATE.test(message)))
  )
}

const DUPLICATE = /already exists with identifier|duplicate identifier/i

function reasonOf({ status, body }: Answer): string {
  const code = codeIn((body as StripeError | undefined)?.error?.code)
  return `${NAME} answered ${status}${code === undefined ? '' : ` ${code}`}`
}
