// Keeps events in memory: for the tests of whoever uses this library.

import type { LLMEvent } from '../event.ts'
import type { Batch, Delivery, Sink } from './sink.ts'

export interface MemorySink extends Sink {
  /** Every event once, in the order of arrival; an estimate gives way to what was reported under its id. */
  readonly events: readonly LLMEvent[]
  /** Every batch as it came, repeated ones too. */
  readonly batches: readonly Batch[]
  clear(): void
}

/**
 * @example
 * const sink = memorySink()
 * const meter = new Meter({ sinks: [sink] })
 * await meter.flush()
 * expect(sink.events[0]?.tenantId).toBe('acme')
 */
export function memorySink(): MemorySink {
  const events = new Map<string, LLMEvent>()
  const batches: Batch[] = []

  function take(batch: Batch): Delivery {
    batches.push(batch)
    let duplicates = 0
    for (const event of batch.events) {
      const known = events.get(event.eventId)
      if (!known || (known.usageSource === 'estimated' && event.usageSource === 'reported'))
        events.set(event.eventId, event)
      else duplicates++
    }
    return { outcome: 'delivered', duplicates }
  }

  return {
    name: 'memory',
    isVolatile: true,
    get events() {
      return [...events.values()]
    },
    batches,
    clear() {
      events.clear()
      batches.length = 0
    },
    send: async (batch) => take(batch),
    sendSync: take,
  }
}
