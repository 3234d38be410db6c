// Events that a sink refused for good: counted, told of, and kept as dead letters.

import { MeterError } from '../errors.ts'
import type { RejectedEvent } from '../sinks/sink.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { Teller } from './health.ts'
import type { Entry } from './queue.ts'
import type { FlushFailure } from './teller.ts'

export interface RefusalOptions extends Teller {
  readonly name: string
  readonly deadLetters: DeadLetters | undefined
  readonly failed: (error: Error, failure: FlushFailure) => void
}

export interface Refusals {
  readonly count: number
  /** Gives up what the sink refused of a batch that it took; gives how many it has. */
  sift(entries: readonly Entry[], refused: readonly RejectedEvent[]): number
  giveUp(entries: readonly Entry[], outcome: 'rejected' | 'too-large', error: Error): void
}

export function createRefusals({ name, deadLetters, tell, failed }: RefusalOptions): Refusals {
  let count = 0

  function giveUp(entries: readonly Entry[], outcome: 'rejected' | 'too-large', error: Error): void {
    count += entries.length
    const message = `${name} refused event ${entries[0]?.event.eventId} for good: ${error.message}`
    tell({ kind: 'delivery', message, cause: error }, `delivery:${name}:rejected:${error.message}`)
    deadLetters?.keep(name, error.message, entries)
    failed(error, failureOf(name, outcome, entries, false))
  }

  return {
    get count() {
      return count
    },
    sift(entries, refused) {
      if (refused.length === 0) return entries.length
      const reasons = new Map(refused.map(({ eventId, reason }) => [eventId, reason]))
      let taken = 0
      for (const entry of entries) {
        const reason = reasons.get(entry.event.eventId)
        if (reason === undefined) taken++
        else giveUp([entry], 'rejected', new MeterError('DELIVERY_REJECTED', reason))
      }
      return taken
    },
    giveUp,
  }
}

/** Hardly anybody looks at the events, which may have to be read from their JSON for it. */
export function failureOf(
  sink: string,
  outcome: FlushFailure['outcome'],
  entries: readonly Entry[],
  kept: boolean,
): FlushFailure {
  return {
    sink,
    outcome,
    get events() {
      return entries.map(({ event }) => event)
    },
    kept,
  }
}
