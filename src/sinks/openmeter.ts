// OpenMeter: CloudEvents, and a failed request of which nobody knows how much was taken.

import { expected, MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import { checkEstimates, type Estimates, heldBack, oneOfEach } from './billing/measure.ts'
import { checkBaseUrl, checkKey, createClient, failureOf, unreachable } from './billing/post.ts'
import type { Batch, Delivery, RejectedEvent, Sink } from './sink.ts'

export interface OpenMeterSinkOptions {
  /** `https://openmeter.cloud`, or where you host it. */
  readonly url: string
  /** Left out for one of your own that asks for none. */
  readonly apiKey?: string | undefined
  /** The `type` that your meters filter by; `tallygate.call`. */
  readonly type?: string | undefined
  /** The `source`; with the id it makes an event count once. `tallygate`. */
  readonly source?: string | undefined
  /** Whom it is counted for. Left out, the tenant's id. */
  readonly subject?: ((event: LLMEvent) => string | undefined) | undefined
  /** What meters add up and group by; instead of provider, model, the counts of tokens and the cost. */
  readonly data?: ((event: LLMEvent) => Readonly<Record<string, string | number | boolean>>) | undefined
  /** What becomes of the estimate of a job that was not over: `'hold'` leaves it to what is reported later, `'bill'` sends it for good. `'hold'`. */
  readonly estimates?: Estimates | undefined
  /** After a failed request: asks which of its events are there before it sends them again, and whether they are afterwards. True. */
  readonly verify?: boolean | undefined
}

const NAME = 'OpenMeter'
/** A request stops at the first event that fails, and keeps those before it: the fewer, the less is in doubt. */
const MOST = 25
/** Events are shown some seconds after they were taken. */
const SHOWN_AFTER_MS = 5000
const LOOKS = 6

interface CloudEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  readonly type: string
  readonly subject: string
  readonly time: string
  readonly data: Readonly<Record<string, unknown>>
}

interface Progress {
  readonly waiting: Map<string, CloudEvent>
  /** A request with these failed: they may be there, and an id may be taken without its event. */
  readonly doubtful: Set<string>
  /** Sent again and accepted: to be looked for. */
  readonly unseen: Set<string>
  readonly rejected: RejectedEvent[]
  looks: number
}

/**
 * Its deduplication is off unless it is set up with Redis, and where it is on an id is taken before its event is stored
 * (github.com/openmeterio/openmeter issue 5118, 10 September 2026, open): after a failed write the second try is
 * answered with success and counts for nothing. So what failed is looked for before and after it is sent again, and what
 * is nowhere to be seen is set aside with that reason.
 */
export function openMeterSink(options: OpenMeterSinkOptions): Sink {
  const { type = 'tallygate.call', source = 'tallygate', verify = true } = options
  const { subject = ({ tenantId }: LLMEvent) => tenantId, data = dataOf } = options
  const estimates = checkEstimates(options.estimates)
  const url = `${checkBaseUrl('url', options.url)}/api/v1/events`
  for (const [name, value] of Object.entries({ type, source }))
    if (typeof value !== 'string' || value === '') throw new MeterError('BAD_OPTION', expected(name, 'a text', value))
  const authorization = options.apiKey === undefined ? {} : { authorization: `Bearer ${checkKey(options.apiKey)}` }
  const client = createClient(2)
  const known = new WeakMap<Batch, Progress>()

  function progressOf(batch: Batch): Progress {
    const progress = known.get(batch) ?? begin(batch)
    known.set(batch, progress)
    return progress
  }

  function begin({ events }: Batch): Progress {
    const waiting = new Map<string, CloudEvent>()
    const rejected: RejectedEvent[] = []
    for (const event of oneOfEach(events)) {
      const { eventId: id } = event
      try {
        const who = subject(event)
        const at = Date.parse(event.timestamp)
        const why = heldBack(event, estimates)
        if (why !== undefined) rejected.push({ eventId: id, reason: why })
        else if (typeof who !== 'string' || who === '')
          rejected.push({ eventId: id, reason: 'nobody is named who pays for it' })
        else if (Number.isNaN(at)) rejected.push({ eventId: id, reason: 'its `timestamp` is no time' })
        else {
          const time = new Date(at).toISOString()
          waiting.set(id, { specversion: '1.0', id, source, type, subject: who, time, data: { ...data(event) } })
        }
      } catch {
        rejected.push({ eventId: id, reason: 'what to count could not be read from it' })
      }
    }
    return { waiting, doubtful: new Set(), unseen: new Set(), rejected, looks: 0 }
  }

  async function isThere(id: string, signal: AbortSignal): Promise<boolean> {
    const answer = await client.ask({
      method: 'GET',
      url: `${url}?${new URLSearchParams({ id, limit: '1' })}`,
      headers: authorization,
      signal,
    })
    if (answer.status >= 300)
      throw Object.assign(new Error(`it answered ${answer.status}`), { name: `HTTP ${answer.status}` })
    const list = Array.isArray(answer.body) ? answer.body : ((answer.body as { items?: unknown } | null)?.items ?? [])
    return (list as { event?: { id?: unknown; source?: unknown } }[]).some(
      ({ event }) => event?.id === id && event.source === source,
    )
  }

  async function sendAll(progress: Progress, batch: Batch, signal: AbortSignal): Promise<Delivery | undefined> {
    const { waiting, doubtful, unseen } = progress
    if (verify)
      for (const id of doubtful)
        if (await isThere(id, signal)) {
          doubtful.delete(id)
          waiting.delete(id)
        }
    while (waiting.size > 0) {
      const some = [...waiting.values()].slice(0, MOST)
      const doubt = () => {
        for (const { id } of some) doubtful.add(id)
      }
      let answer: Awaited<ReturnType<typeof client.ask>>
      try {
        answer = await client.ask({
          method: 'POST',
          url,
          // Compared as it stands, before a `; charset`: ingest/httpdriver/ingest.go at 7e57a39, 2026-11-21.
          headers: { ...authorization, 'content-type': 'application/cloudevents-batch+json' },
          body: JSON.stringify(some),
          signal,
        })
      } catch (cause) {
        doubt()
        throw cause
      }
      if (answer.status >= 300) {
        if (answer.status >= 500) doubt()
        if (answer.status === 413) return { outcome: 'too-large', error: new Error(`${NAME} answered 413`) }
        if (answer.status !== 400 && answer.status !== 422) return failureOf(NAME, answer)
        const error = new Error(`${NAME} answered ${answer.status}`)
        if (batch.events.length > 1) return { outcome: 'rejected', error }
        for (const { id } of some) {
          waiting.delete(id)
          progress.rejected.push({ eventId: id, reason: error.message })
        }
        continue
      }
      for (const { id } of some) {
        waiting.delete(id)
        if (verify && doubtful.delete(id)) unseen.add(id)
      }
    }
    return undefined
  }

  async function lookFor(progress: Progress, signal: AbortSignal): Promise<Delivery | undefined> {
    for (const id of progress.unseen) if (await isThere(id, signal)) progress.unseen.delete(id)
    if (progress.unseen.size === 0) return undefined
    if (++progress.looks < LOOKS) {
      const error = new Error(`${NAME} does not show yet what it has accepted`)
      return { outcome: 'retry', error, afterMs: SHOWN_AFTER_MS }
    }
    const reason = `${NAME} accepted it after a failed request, and does not have it: its id may be taken without its event`
    for (const eventId of progress.unseen) progress.rejected.push({ eventId, reason })
    progress.unseen.clear()
    return undefined
  }

  return {
    name: 'openmeter',
    async send(batch, signal) {
      const progress = progressOf(batch)
      try {
        const failure = (await sendAll(progress, batch, signal)) ?? (await lookFor(progress, signal))
        if (failure) return failure
        return { outcome: 'delivered', ...(progress.rejected.length > 0 ? { rejected: progress.rejected } : {}) }
      } catch (cause) {
        return unreachable(NAME, cause)
      }
    },
    close: () => client.close(),
  }
}

/** Its price list asks for `provider` and `model`. Money as text: a JSON number is a double. */
function dataOf(event: LLMEvent): Record<string, string | number> {
  const { provider, model, inputTokens, outputTokens, totalTokens, cachedTokens, reasoningTokens, costUsd, feature } =
    event
  const all = {
    provider,
    model,
    feature,
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    total_tokens: totalTokens,
    cached_tokens: cachedTokens,
    reasoning_tokens: reasoningTokens,
    cost_usd: costUsd,
    calls: event.calls ?? 1,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<
    string,
    string | number
  >
}
