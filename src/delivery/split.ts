// Batches: frozen when made, and cut in halves when a sink cannot take them whole.

import { eventId, type LLMEvent } from '../event.ts'
import type { Batch } from '../sinks/sink.ts'

/** A frozen batch and the position of its first event in all that its queue ever held. */
export interface Piece {
  readonly batch: Batch
  readonly start: number
}

export function freeze(events: readonly LLMEvent[], start: number): Piece {
  return { batch: Object.freeze({ id: eventId(Date.now()), events: Object.freeze(events) }), start }
}

/** Halves have ids of their own: other bytes under the same id would be a lie to whoever remembers ids. */
export function halve({ batch, start }: Piece): [Piece, Piece] {
  const middle = batch.events.length >> 1
  return [freeze(batch.events.slice(0, middle), start), freeze(batch.events.slice(middle), start + middle)]
}
