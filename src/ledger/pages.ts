// The events themselves: newest first, a page at a time, each page beginning where the last one ended.

import { MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import { EVENT_COLUMNS, fromRow } from '../sinks/columns.ts'
import { monthOf } from '../sinks/postgres/months.ts'
import { SELECTED } from '../sinks/postgres/rows.ts'
import { type Dialect, POSTGRES_DIALECT, type Row } from './dialect.ts'
import { checkCount, checkQuery, type Query } from './query.ts'
import { createDraft, type Statement } from './statement.ts'

export interface EventsOptions extends Query {
  /** Where the last page ended: its `next`. */
  readonly cursor?: string | undefined
  /** Events of a page: 100 unless told, 1000 at most. */
  readonly limit?: number | undefined
  /** Calls that failed or broke off only. */
  readonly errorsOnly?: boolean | undefined
  /** The oldest first, in place of the newest; false. */
  readonly oldestFirst?: boolean | undefined
}

export interface EventsPage {
  readonly events: readonly LLMEvent[]
  /** For the page after this one; left out on the last. */
  readonly next?: string
}

const USUAL_PAGE = 100
const MOST_PAGE = 1000
const NAMES = EVENT_COLUMNS.map(({ name }) => name).join(', ')

export function checkEvents({
  cursor,
  limit = USUAL_PAGE,
  errorsOnly: _,
  oldestFirst: __,
  ...query
}: EventsOptions): void {
  if (cursor !== undefined) placeOf(cursor)
  checkCount('limit', limit, 1, MOST_PAGE)
  checkQuery(query)
}

export function eventsStatement(dialect: Dialect, options: EventsOptions): Statement {
  const { cursor, limit = USUAL_PAGE, errorsOnly = false, oldestFirst = false, ...asked } = options
  // Of a query that says nothing of the time, SQLite reads and sorts all events instead of taking the index by time.
  const query = { ...asked, since: asked.since ?? Number.MIN_SAFE_INTEGER }
  const [after, direction] = oldestFirst ? ['>', 'ASC'] : ['<', 'DESC']
  const { bind, conditions, values } = createDraft(dialect)
  const more: string[] = []
  if (cursor !== undefined) {
    const { at, id } = placeOf(cursor)
    more.push(`(at, event_id) ${after} (${bind(at)}, ${bind(id)})`)
  }
  if (errorsOnly) more.push('error IS NOT NULL')
  // By the table's name: PostgreSQL would take `at` for the text that is selected under it.
  const sql = `SELECT ${selected(dialect)} FROM ${dialect.events}${conditions(query, ...more)}
ORDER BY events.at ${direction}, events.event_id ${direction} LIMIT ${bind(BigInt(limit + 1))}`
  return { sql, values }
}

export function toPage(rows: readonly Row[], { limit = USUAL_PAGE }: EventsOptions): EventsPage {
  const events = rows.slice(0, limit).map(fromRow)
  const last = events.at(-1)
  if (rows.length <= limit || last === undefined) return { events }
  const place = `${Date.parse(last.timestamp)} ${last.eventId}`
  return { events, next: Buffer.from(place).toString('base64url') }
}

export function eventStatement(dialect: Dialect, id: string): Statement {
  const { bind, values } = createDraft(dialect)
  // The partition follows from the id.
  const month = dialect === POSTGRES_DIALECT ? ` AND id_month = ${bind(monthOf(id))}` : ''
  return { sql: `SELECT ${selected(dialect)} FROM ${dialect.events} WHERE event_id = ${bind(id)}${month}`, values }
}

function selected(dialect: Dialect): string {
  return dialect === POSTGRES_DIALECT ? SELECTED : NAMES
}

function placeOf(cursor: unknown): { at: bigint; id: string } {
  const text = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : ''
  const match = /^(-?\d{1,15}) ([^\0]+)$/s.exec(text)
  if (!match) throw new MeterError('BAD_INPUT', 'Expected `cursor` to be the `next` of the page before.')
  return { at: BigInt(match[1]!), id: match[2]! }
}
