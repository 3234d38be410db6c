// Keeps events in memory: for the tests of whoever uses this library.

import type { LLMEvent } from '../event.ts'
import type { Batch, Delivery, Sink } from './sink.ts'

export interface MemorySink extends Sink {
  /** Every event once, in the order of arrival. */
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
    const before = events.size
    for (const event of batch.events) if (!events.has(event.eventId)) events.set(event.eventId, event)
    return { outcome: 'delivered', duplicates: batch.events.length - (events.size - before) }
  }

  return {
    name: 'memory',
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
