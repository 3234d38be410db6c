// Lago: batches of events, of which one that is there already makes all of them fail.

import type { LLMEvent } from '../event.ts'
import { formatUsd, parseUsd } from '../money.ts'
import {
  checkEstimates,
  checkMeters,
  createProgress,
  delivered,
  type Estimates,
  type Measurement,
  open,
  refuse,
  type Value,
} from './billing/measure.ts'
import { type Answer, checkBaseUrl, checkKey, codeIn, createClient, failureOf, unreachable } from './billing/post.ts'
import type { Sink } from './sink.ts'

export interface LagoSinkOptions {
  readonly apiKey: string
  /** What to bill, by the `code` of the billable metric: `{ llm_cost: 'cost' }`. It goes into `properties.value`. */
  readonly meters: Readonly<Record<string, Value>>
  /** The external id of the subscription that pays. Left out, the tenant's id. */
  readonly subscription?: ((event: LLMEvent) => string | undefined) | undefined
  /** Properties beside `value`, `provider` and `model`, for filters and groups. */
  readonly properties?: ((event: LLMEvent) => Readonly<Record<string, string | number>>) | undefined
  /** What becomes of the estimate of a job that was not over: `'hold'` leaves it to what is reported later, `'bill'` bills it for good. `'hold'`. */
  readonly estimates?: Estimates | undefined
  /** `https://api.getlago.com`, or where you host it. */
  readonly url?: string | undefined
}

const NAME = 'Lago'
/** `LAGO_EVENTS_BATCH_MAX_LENGTH`; more is 422 `too_many_events`. lago-api create_batch_service.rb, August 2026. */
const MOST = 100
/** A transaction id is a column of text. */
const MAX_KEY = 255

/**
 * A transaction id counts once: where Lago stores events in PostgreSQL it refuses the whole batch for one that it has,
 * naming its place, and this sends the others again; where it stores them in ClickHouse it drops the second one later.
 */
export function lagoSink(options: LagoSinkOptions): Sink {
  const { subscription = ({ tenantId }: LLMEvent) => tenantId, properties = () => ({}) } = options
  const url = `${checkBaseUrl('url', options.url ?? 'https://api.getlago.com')}/api/v1/events/batch`
  const headers = { authorization: `Bearer ${checkKey(options.apiKey)}`, 'content-type': 'application/json' }
  const meters = checkMeters('meters', options.meters)
  const estimates = checkEstimates(options.estimates)
  const progressOf = createProgress({ meters, account: subscription, maxKeyLength: MAX_KEY, estimates })
  const client = createClient(2)

  const bodyOf = (some: readonly Measurement[]) =>
    JSON.stringify({
      events: some.map(({ event, meter, account, value, key }) => ({
        transaction_id: key,
        external_subscription_id: account,
        code: meter,
        // Seconds, to the millisecond.
        timestamp: (Date.parse(event.timestamp) / 1000).toFixed(3),
        ...(isMoney(meters[meter]) && { precise_total_amount_cents: centsOf(value) }),
        properties: { provider: event.provider, model: event.model, ...properties(event), value },
      })),
    })

  return {
    name: 'lago',
    async send(batch, signal) {
      const progress = progressOf(batch)
      try {
        for (let some = open(progress).slice(0, MOST); some.length > 0; some = open(progress).slice(0, MOST)) {
          const answer = await client.ask({ method: 'POST', url, headers, body: bodyOf(some), signal })
          if (answer.status < 300) for (const { key } of some) progress.done.add(key)
          else if (answer.status === 422 || answer.status === 400) {
            const faults = faultsOf(answer, some.length)
            if (faults.size === 0) {
              // It does not say which: cut in halves until that is alone.
              const error = new Error(`${NAME} answered ${answer.status}`)
              if (batch.events.length > 1) return { outcome: 'rejected', error }
              for (const one of some) refuse(progress, one, error.message)
            }
            for (const [at, reason] of faults) {
              const one = some[at]!
              if (reason !== undefined) refuse(progress, one, `${NAME}: ${reason}`)
              else {
                progress.done.add(one.key)
                progress.duplicates++
              }
            }
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

const EXISTS = 'value_already_exist'

/**
 * The places of the events that a batch was refused for, with the reason, or nothing for one that is there already.
 * `{ "error_details": { "3": { "transaction_id": ["value_already_exist"] } } }`: lago-api create_batch_service.rb, August 2026.
 */
function faultsOf({ body }: Answer, count: number): Map<number, string | undefined> {
  const faults = new Map<number, string | undefined>()
  const details: unknown = (body as { error_details?: unknown } | undefined)?.error_details
  if (typeof details !== 'object' || details === null) return faults
  for (const [place, fields] of Object.entries(details)) {
    const at = /^\d+$/.test(place) ? Number(place) : Number.NaN
    if (!(at < count)) continue
    const named = Object.entries((fields ?? {}) as Record<string, unknown>).flatMap(([field, codes]) =>
      (Array.isArray(codes) ? codes : [codes]).map((code) => [field, code] as const),
    )
    const others = named.filter(([field, code]) => field !== 'transaction_id' || code !== EXISTS)
    const reason = others.map(([field, code]) => `${codeIn(field) ?? '?'} ${codeIn(code) ?? '?'}`).join(', ')
    faults.set(at, named.length > 0 && others.length === 0 ? undefined : reason || 'refused without a reason')
  }
  return faults
}

function isMoney(value: Value | undefined): boolean {
  return value === 'cost' || value === 'resale'
}

/** Exact, with as many digits behind the point as it takes. */
function centsOf(dollars: string): string {
  return formatUsd(100n * parseUsd(dollars)!)
}
