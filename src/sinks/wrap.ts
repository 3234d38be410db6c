// Sinks around sinks: some of the events, other events, several places.

import { expected, MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import type { MeterReport } from './meter-report.ts'
import type { Batch, Delivery, RejectedEvent, Sink } from './sink.ts'

/** What a wrapper makes of a batch: made once, so that a retry carries the same. */
interface Made {
  readonly batch: Batch
  readonly rejected: readonly RejectedEvent[]
}

/**
 * Passes on the events that `keep` wants; the others count as delivered. An event at which it throws is refused.
 *
 * @example
 * const paying = filter(httpSink({ url: 'https://example.com/v1/ingest' }), ({ tenantId }) => tenantId !== 'internal')
 */
export function filter(sink: Sink, keep: (event: LLMEvent) => boolean): Sink {
  checkFunction('keep', keep)
  return wrap(sink, 'filter', (event) => (keep(event) ? event : undefined))
}

/**
 * Passes on what `change` makes of each event; nothing where it gives nothing. An event at which it throws is refused.
 * The id stays, since it is what makes an event count once.
 *
 * @example
 * const anonymous = map(httpSink({ url: 'https://example.com/v1/ingest' }), ({ userId, ...event }) => event)
 */
export function map(sink: Sink, change: (event: LLMEvent) => LLMEvent | undefined): Sink {
  checkFunction('change', change)
  return wrap(sink, 'map', change)
}

function wrap(sink: Sink, name: string, change: (event: LLMEvent) => LLMEvent | undefined): Sink {
  checkSink(sink)
  const made = new WeakMap<Batch, Made>()

  function make({ id, events, json, isBacklog }: Batch): Made {
    const kept: LLMEvent[] = []
    const lines: string[] = []
    const rejected: RejectedEvent[] = []
    for (const [i, event] of events.entries()) {
      try {
        const changed = change(event)
        if (!changed) continue
        const isSame = changed === event
        kept.push(isSame ? event : { ...changed, eventId: event.eventId })
        if (isSame && json) lines.push(json[i]!)
      } catch {
        // What the error says can quote the event.
        rejected.push({ eventId: event.eventId, reason: `\`${name}\` threw` })
      }
    }
    const hasLines = json !== undefined && lines.length === kept.length
    return {
      batch: { id, events: kept, ...(hasLines && { json: lines }), ...(isBacklog && { isBacklog }) },
      rejected,
    }
  }

  function madeOf(batch: Batch): Made {
    const known = made.get(batch) ?? make(batch)
    made.set(batch, known)
    return known
  }

  return {
    name: sink.name,
    ...(sink.isVolatile && { isVolatile: true }),
    async send(batch, signal) {
      const { batch: inner, rejected } = madeOf(batch)
      return withRejected(inner.events.length === 0 ? DONE : await sink.send(inner, signal), rejected)
    },
    ...(sink.sendSync && {
      sendSync(batch: Batch) {
        const { batch: inner, rejected } = madeOf(batch)
        return withRejected(inner.events.length === 0 ? DONE : sink.sendSync!(inner), rejected)
      },
    }),
    ...(sink.report && { report: (report: MeterReport, signal: AbortSignal) => sink.report!(report, signal) }),
    ...(sink.close && { close: () => sink.close!() }),
  }
}

const DONE: Delivery = { outcome: 'delivered', duplicates: 0 }

function withRejected(delivery: Delivery, rejected: readonly RejectedEvent[]): Delivery {
  if (delivery.outcome !== 'delivered' || rejected.length === 0) return delivery
  return { ...delivery, rejected: [...rejected, ...(delivery.rejected ?? [])] }
}

/**
 * One sink of several: a batch is delivered when all have it, and is sent again only to those that have not. The slowest
 * decides; sinks that are to wait for themselves alone go side by side into `new Meter({ sinks })`.
 *
 * @example
 * const both = fanOut([httpSink({ url: 'https://east.example.com/v1/ingest' }), jsonlSink({ path: 'events.jsonl' })])
 */
export function fanOut(sinks: readonly Sink[], { name = 'fan-out' }: { readonly name?: string } = {}): Sink {
  if (!Array.isArray(sinks) || sinks.length === 0)
    throw new MeterError('BAD_OPTION', expected('sinks', 'a list of at least one sink', sinks))
  for (const sink of sinks) checkSink(sink)
  const taken = new WeakMap<Batch, Map<Sink, Delivery>>()
  const takenOf = (batch: Batch) => {
    const known = taken.get(batch) ?? new Map<Sink, Delivery>()
    taken.set(batch, known)
    return known
  }

  async function ask(sink: Sink, batch: Batch, signal: AbortSignal): Promise<Delivery> {
    const known = takenOf(batch).get(sink)
    if (known) return known
    try {
      return note(sink, batch, await sink.send(batch, signal))
    } catch (cause) {
      return { outcome: 'retry', error: cause instanceof Error ? cause : new Error(`${sink.name} failed`) }
    }
  }

  function note(sink: Sink, batch: Batch, delivery: Delivery): Delivery {
    if (delivery.outcome === 'delivered') takenOf(batch).set(sink, delivery)
    return delivery
  }

  const canWait = sinks.every(({ sendSync }) => sendSync !== undefined)
  return {
    name,
    ...(sinks.every(({ isVolatile }) => isVolatile) && { isVolatile: true }),
    async send(batch, signal) {
      const delivery = together(sinks, await Promise.all(sinks.map((sink) => ask(sink, batch, signal))))
      if (delivery.outcome === 'delivered') taken.delete(batch)
      return delivery
    },
    ...(canWait && {
      sendSync: (batch: Batch) =>
        together(
          sinks,
          sinks.map((sink) => takenOf(batch).get(sink) ?? note(sink, batch, sink.sendSync!(batch))),
        ),
    }),
    ...(sinks.some(({ report }) => report !== undefined) && {
      // To all of them, whatever one says: a report that is kept twice changes nothing.
      async report(report: MeterReport, signal: AbortSignal) {
        const kept = await Promise.allSettled(sinks.map(async (sink) => sink.report?.(report, signal) ?? false))
        const failed = kept.find((one) => one.status === 'rejected')
        if (failed) throw failed.reason
        return kept.some((one) => one.status === 'fulfilled' && one.value)
      },
    }),
    async close() {
      await Promise.all(sinks.map((sink) => sink.close?.()))
    },
  }
}

/** The first of these that any of them says: what one refuses is not given up before every other has it. */
const ORDER = ['retry', 'paused', 'too-large', 'rejected'] as const

function together(sinks: readonly Sink[], deliveries: readonly Delivery[]): Delivery {
  for (const outcome of ORDER) {
    const at = deliveries.findIndex((delivery) => delivery.outcome === outcome)
    if (at === -1) continue
    const waits = deliveries.flatMap((delivery) => (delivery.outcome === 'retry' ? (delivery.afterMs ?? []) : []))
    const longest = outcome === 'retry' && waits.length > 0 ? { afterMs: Math.max(...waits) } : {}
    return { ...deliveries[at]!, ...longest } as Delivery
  }
  const all = deliveries.flatMap((delivery, i) =>
    delivery.outcome === 'delivered'
      ? (delivery.rejected ?? []).map(({ eventId, reason }) => ({ eventId, reason: `${sinks[i]!.name}: ${reason}` }))
      : [],
  )
  const rejected = [...new Map(all.map((one) => [one.eventId, one])).values()]
  const duplicates = Math.min(
    ...deliveries.map((delivery) => (delivery.outcome === 'delivered' ? (delivery.duplicates ?? 0) : 0)),
  )
  return { outcome: 'delivered', duplicates, ...(rejected.length > 0 ? { rejected } : {}) }
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new MeterError('BAD_OPTION', expected(name, 'a function', value))
}

function checkSink(value: Sink): void {
  if (typeof value?.send !== 'function' || typeof value.name !== 'string')
    throw new MeterError('BAD_OPTION', expected('sink', 'a sink', value))
}
