// What waits for one sink: an interface for what is in memory, what is on disk as well, and what a dead process left there.

import { fromWire, type LLMEvent } from '../event.ts'
import { createFifo } from './fifo.ts'
import type { Mark } from './spool/contract.ts'

/** An event on its way to the sinks; the same object in every queue. */
export interface Entry {
  readonly event: LLMEvent
  /** As it is on the wire, where it was written already. */
  readonly json?: string | undefined
  /** Where it is in the spool of this process; absent while it is in memory only. */
  mark?: Mark | undefined
  /** Tells of events that were given up: it is made anew from the cursor, which knows of them. */
  readonly isLoss?: boolean
}

/**
 * An event as it was read from disk. Most sinks take its JSON as it is, so that it is turned into an event for whoever
 * asks for one, and then once.
 */
export function readEntry(json: string, mark?: Mark): Entry {
  let event: LLMEvent | undefined
  return {
    json,
    mark,
    get event() {
      event ??= eventIn(json)
      return event
    },
  }
}

/** What is no JSON though its checksum is right is an event without what an event needs: a sink refuses it, and says so. */
function eventIn(json: string): LLMEvent {
  try {
    return fromWire(JSON.parse(json) as Record<string, unknown>)
  } catch {
    return { eventId: /"event_id":"([^"\\]*)"/.exec(json)?.[1] ?? '' } as LLMEvent
  }
}

/** Where batches come from. */
export interface Source {
  take(count: number, bytes: number): Entry[]
  /** What was taken, oldest first, has been delivered or given up. */
  settled(entries: readonly Entry[]): void
}

export interface Queue extends Source {
  readonly size: number
  /** How many entries have left at the front, taken or dropped: the position of the front in all that ever came. */
  readonly left: number
  push(entry: Entry): void
  /** Entries that are in memory. */
  held(): Iterable<Entry>
}

export function createMemoryQueue(maxSize: number, dropped: (count: number) => void): Queue {
  const fifo = createFifo<Entry>(maxSize)
  return {
    get size() {
      return fifo.size
    },
    get left() {
      return fifo.left
    },
    push(entry) {
      if (fifo.push(entry)) dropped(1)
    },
    take: (count, bytes) => fifo.take(countWithin(fifo.entries(), count, bytes)),
    settled() {},
    held: () => fifo.entries(),
  }
}

/** How many of the first entries make a batch: at least one, however large it is. */
export function countWithin(entries: Iterable<Entry>, most: number, bytes: number): number {
  let count = 0
  let sum = 0
  for (const { json } of entries) {
    sum += json?.length ?? 0
    if (count === most || (count > 0 && sum > bytes)) break
    count++
  }
  return count
}
