// Prices events of the PostgreSQL ledger again: page by page, and what they cost before is kept.

import type { LLMEvent } from '../../event.ts'
import type { Postgres } from '../../postgres/client.ts'
import { inSchema } from '../../postgres/migrate.ts'
import { EVENT_COLUMNS, fromRow, toRow } from '../columns.ts'
import type { EventFilter, Reprice } from '../ledger.ts'
import { filter } from '../totals.ts'
import { monthOf } from './months.ts'
import { SELECTED, typeOf } from './rows.ts'
import { numbered } from './sums.ts'

type Query = Postgres['query']

const PAGE = 1000
/** What a new price changes on an event. */
const CHANGED = EVENT_COLUMNS.map((column, index) => ({ ...column, index })).filter(({ name }) =>
  ['cost_pico', 'cost_source', 'cost_lines', 'price_version', 'metadata'].includes(name),
)
/** The events and the record of what they cost in one statement, so that neither is there without the other. */
const UPDATE = `WITH given AS (
  SELECT * FROM json_to_recordset($1::text::json) AS given (event_id text, id_month text, ${CHANGED.map(
    (column) => `${column.name} ${typeOf(column)}`,
  ).join(', ')})
), kept AS (
  INSERT INTO tallygate.repricings
    (event_id, repriced_at, from_cost, from_source, from_version, to_cost, to_source, to_version)
  SELECT known.event_id, $2::bigint, known.cost_pico, known.cost_source, known.price_version,
    given.cost_pico, given.cost_source, given.price_version
  FROM given JOIN tallygate.events AS known USING (event_id, id_month)
)
UPDATE tallygate.events AS known SET ${CHANGED.map(({ name }) => `${name} = given.${name}`).join(', ')}
FROM given WHERE known.event_id = given.event_id AND known.id_month = given.id_month`

/** Shows every event of the query to `reprice`, the oldest first; with `now` writes what it gives. */
export async function repriceEvents(
  query: Query,
  schema: string,
  which: EventFilter,
  reprice: Reprice,
  now: number | undefined,
): Promise<void> {
  const { where, values } = filter(which)
  const from = where === '' ? ' WHERE' : `${where} AND`
  const page = `SELECT ${SELECTED} FROM tallygate.events${from} (at, event_id) > (:at, :id) ORDER BY events.at, events.event_id LIMIT ${PAGE}`
  let after = { at: Number.MIN_SAFE_INTEGER, id: '' }
  for (;;) {
    const { sql, params } = numbered({ sql: page, values: { ...values, ...after } })
    const events = (await query(inSchema(sql, schema), params)).map(fromRow)
    const changed = events.flatMap((event) => {
      const priced = reprice(event)
      return priced ? [changeOf({ ...priced, eventId: event.eventId })] : []
    })
    if (now !== undefined && changed.length > 0) await query(inSchema(UPDATE, schema), [`[${changed.join(',')}]`, now])
    const last = events.at(-1)
    if (!last || events.length < PAGE) return
    after = { at: Date.parse(last.timestamp), id: last.eventId }
  }
}

function changeOf(event: LLMEvent): string {
  const row = toRow(event)
  const cells = CHANGED.map(({ name, type, index }) => {
    const cell = row[index] ?? null
    if (cell === null) return `"${name}":null`
    return `"${name}":${type === 'json' ? String(cell) : JSON.stringify(String(cell))}`
  })
  const id = JSON.stringify(event.eventId)
  return `{"event_id":${id},"id_month":"${monthOf(event.eventId)}",${cells.join(',')}}`
}
