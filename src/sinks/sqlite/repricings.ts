// Prices events of the SQLite ledger again: page by page, all of it or nothing, and what they cost before is kept.

import type { DatabaseSync } from 'node:sqlite'
import type { LLMEvent } from '../../event.ts'
import { parseUsd } from '../../money.ts'
import { inTransaction } from '../../sqlite/transaction.ts'
import { EVENT_COLUMNS, fromRow, toRow } from '../columns.ts'
import type { EventFilter, Reprice } from '../ledger.ts'
import { filter } from '../totals.ts'

const PAGE = 1000
/** What a new price changes on an event. */
const CHANGED = EVENT_COLUMNS.map(({ name }, index) => ({ name, index })).filter(({ name }) =>
  ['cost_pico', 'cost_source', 'cost_lines', 'price_version', 'metadata'].includes(name),
)
const NAMES = EVENT_COLUMNS.map(({ name }) => name).join(', ')
const UPDATE = `UPDATE events SET ${CHANGED.map(({ name }) => `${name} = ?`).join(', ')} WHERE event_id = ?`
const KEEP = `INSERT INTO repricings
  (event_id, repriced_at, from_cost, from_source, from_version, to_cost, to_source, to_version)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

/** Shows every event of the query to `reprice`, the oldest first, in one state of the ledger; writes nothing. */
export function visitEvents(db: DatabaseSync, query: EventFilter, reprice: Reprice): void {
  db.exec('BEGIN')
  try {
    for (const event of eventsOf(db, query)) reprice(event)
  } finally {
    db.exec('COMMIT')
  }
}

/** The same, and writes what it gives. One transaction: no report ever sees a half of it. */
export function repriceEvents(db: DatabaseSync, query: EventFilter, reprice: Reprice, now: number): void {
  inTransaction(db, () => {
    const update = db.prepare(UPDATE)
    const keep = db.prepare(KEEP)
    for (const event of eventsOf(db, query)) {
      const priced = reprice(event)
      if (!priced) continue
      const row = toRow(priced)
      update.run(...CHANGED.map(({ index }) => row[index]!), event.eventId)
      keep.run(event.eventId, now, ...priceOf(event), ...priceOf(priced))
    }
  })
}

function priceOf({ costUsd, costSource, priceVersion }: LLMEvent): [bigint | null, string | null, string | null] {
  return [costUsd === undefined ? null : parseUsd(costUsd)!, costSource ?? null, priceVersion ?? null]
}

/** A page at a time, so that a ledger of any size fits in memory. */
function* eventsOf(db: DatabaseSync, query: EventFilter): Generator<LLMEvent> {
  const { where, values } = filter(query)
  const from = where === '' ? ' WHERE' : `${where} AND`
  const statement = db.prepare(
    `SELECT ${NAMES} FROM events${from} (at, event_id) > (:at, :id) ORDER BY at, event_id LIMIT ${PAGE}`,
  )
  statement.setReadBigInts(true)
  let after = { at: -1, id: '' }
  for (;;) {
    const rows = statement.all({ ...values, ...after })
    yield* rows.map(fromRow)
    const last = rows.at(-1)
    if (!last || rows.length < PAGE) return
    after = { at: Number(last['at']), id: String(last['event_id']) }
  }
}
