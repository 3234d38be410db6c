// Events into a ledger, in batches: what waits is tried again, and what is refused is found one by one.

import type { LLMEvent } from '../event.ts'
import type { EventLedger } from '../sinks/ledger.ts'
import type { Delivery } from '../sinks/sink.ts'
import { Stop } from './command.ts'

export interface Numbered {
  readonly line: number
  readonly event: LLMEvent
}

export interface Written {
  readonly added: number
  readonly known: number
  readonly refused: readonly { readonly line: number; readonly reason: string }[]
}

/** A ledger that others write to is free within this time, or something is wrong with it. */
const PATIENCE_MS = 30_000
const PAUSE_MS = 250

/** Throws a `Stop` where the ledger cannot be written. */
export async function writeEvents(ledger: EventLedger, rows: readonly Numbered[]): Promise<Written> {
  if (rows.length === 0) return { added: 0, known: 0, refused: [] }
  const delivery = await sent(
    ledger,
    rows.map(({ event }) => event),
  )
  if (delivery.outcome === 'delivered') {
    const reasons = new Map(delivery.rejected?.map(({ eventId, reason }) => [eventId, reason]))
    const refused = rows.flatMap(({ line, event }) => {
      const reason = reasons.get(event.eventId)
      return reason === undefined ? [] : [{ line, reason: `The ledger refuses it: ${reason}.` }]
    })
    const known = delivery.duplicates ?? 0
    return { added: rows.length - known - refused.length, known, refused }
  }
  if (delivery.outcome !== 'rejected' && delivery.outcome !== 'too-large') throw new Stop(1, delivery.error.message)
  if (rows.length === 1)
    return {
      added: 0,
      known: 0,
      refused: [{ line: rows[0]!.line, reason: `The ledger refuses it: ${delivery.error.message}` }],
    }
  const middle = Math.ceil(rows.length / 2)
  const [first, second] = [
    await writeEvents(ledger, rows.slice(0, middle)),
    await writeEvents(ledger, rows.slice(middle)),
  ]
  return {
    added: first.added + second.added,
    known: first.known + second.known,
    refused: [...first.refused, ...second.refused],
  }
}

async function sent(ledger: EventLedger, events: readonly LLMEvent[]): Promise<Delivery> {
  const until = Date.now() + PATIENCE_MS
  for (;;) {
    const delivery = await ledger.send({ id: 'import', events }, AbortSignal.timeout(PATIENCE_MS))
    if (delivery.outcome !== 'retry' || Date.now() > until) return delivery
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
}
