// Batches: frozen when made, and cut in halves when a sink cannot take them whole.

import { eventId, type LLMEvent } from '../event.ts'
import type { Batch } from '../sinks/sink.ts'
import type { Entry, Source } from './queue.ts'

/** A frozen batch, where it came from, and the position of its first event in all that its queue ever held. */
export interface Piece {
  readonly batch: Batch
  readonly entries: readonly Entry[]
  readonly start: number
  readonly from: Source
}

export function freeze(entries: readonly Entry[], start: number, from: Source, isBacklog: boolean): Piece {
  const json: string[] = []
  for (const entry of entries) if (entry.json !== undefined) json.push(entry.json)
  let events: readonly LLMEvent[] | undefined
  const batch: Batch = {
    id: eventId(Date.now()),
    get events() {
      events ??= Object.freeze(entries.map(({ event }) => event))
      return events
    },
    ...(json.length === entries.length && { json: Object.freeze(json) }),
    ...(isBacklog && { isBacklog }),
  }
  return { batch: Object.freeze(batch), entries, start, from }
}

/** Halves have ids of their own: other bytes under the same id would be a lie to whoever remembers ids. */
export function halve({ batch, entries, start, from }: Piece): [Piece, Piece] {
  const middle = entries.length >> 1
  const isBacklog = batch.isBacklog === true
  return [
    freeze(entries.slice(0, middle), start, from, isBacklog),
    freeze(entries.slice(middle), start + middle, from, isBacklog),
  ]
}
