// The events that have come into a ledger since it was last asked, in the order in which they came.

import type { LLMEvent } from '../event.ts'
import { eventId } from '../event.ts'
import { EVENT_COLUMNS, fromRow } from '../sinks/columns.ts'
import { SELECTED } from '../sinks/postgres/rows.ts'
import { UNTIMED } from '../sinks/postgres/schema.ts'
import { POSTGRES_DIALECT, type Row } from './dialect.ts'
import type { Query } from './query.ts'
import type { Source } from './source.ts'
import { createDraft } from './statement.ts'

export interface Arrivals {
  /** What has come since the last time. The first time: nothing, from here on it counts. */
  next(): Promise<LLMEvent[]>
}

export interface ArrivalsOptions extends Pick<Query, 'where'> {
  /** Epoch milliseconds. */
  readonly now?: (() => number) | undefined
}

/** At once; what is left comes the next time. */
const MOST = 1000

export function createArrivals(source: Source, options: ArrivalsOptions = {}): Arrivals {
  return source.dialect === POSTGRES_DIALECT ? byId(source, options) : byRow(source, options)
}

/** SQLite numbers its rows as they come. */
function byRow({ dialect, ask }: Source, { where }: ArrivalsOptions): Arrivals {
  const names = EVENT_COLUMNS.map(({ name }) => name).join(', ')
  let cursor: number | undefined

  return {
    async next() {
      const [newest] = await ask({ sql: 'SELECT max(rowid) AS row FROM events', values: [] })
      const last = Number(newest?.['row'] ?? 0)
      // Fewer than there were: events were deleted, or it is another file.
      if (cursor === undefined || last <= cursor) {
        cursor = last
        return []
      }
      const { bind, conditions, values } = createDraft(dialect)
      const isNew = `rowid > ${bind(BigInt(cursor))} AND rowid <= ${bind(BigInt(last))}`
      const sql = `SELECT rowid AS row, ${names} FROM events${conditions({ where }, isNew)} ORDER BY rowid LIMIT ${bind(BigInt(MOST))}`
      const rows = await ask({ sql, values })
      cursor = rows.length < MOST ? last : Number(rows.at(-1)!['row'])
      return rows.map(fromRow)
    },
  }
}

/** How long after its call ended an event is waited for. Most come within the few seconds between two deliveries. */
const WITHIN_MS = 120_000

/**
 * PostgreSQL numbers nothing, and an id tells when the call ended. What comes later than two minutes after that is passed
 * over, and of ids that tell no time what was called longer ago.
 */
function byId({ dialect, ask }: Source, { where, now = Date.now }: ArrivalsOptions): Arrivals {
  let seen: Set<string> | undefined

  async function ids(): Promise<string[]> {
    const { bind, conditions, values } = createDraft(dialect)
    const since = now() - WITHIN_MS
    const timed = conditions({ where }, `event_id >= ${bind(eventId(since).slice(0, 13))}`, `id_month <> '${UNTIMED}'`)
    const untimed = conditions({ since, where }, `id_month = '${UNTIMED}'`)
    const from = `SELECT event_id FROM ${dialect.events}`
    const rows = await ask({ sql: `${from}${timed} UNION ALL ${from}${untimed} ORDER BY event_id`, values })
    return rows.map((row) => row['event_id'] as string)
  }

  async function eventsOf(wanted: readonly string[]): Promise<Row[]> {
    const { bind, values } = createDraft(dialect)
    const list = wanted.map((id) => bind(id)).join(', ')
    const sql = `SELECT ${SELECTED} FROM ${dialect.events} WHERE event_id IN (${list}) ORDER BY events.event_id`
    return ask({ sql, values })
  }

  return {
    async next() {
      const known = await ids()
      const fresh = known.filter((id) => seen !== undefined && !seen.has(id))
      const taken = fresh.slice(0, MOST)
      const rows = taken.length === 0 ? [] : await eventsOf(taken)
      const left = new Set(fresh.slice(MOST))
      seen = new Set(known.filter((id) => !left.has(id)))
      return rows.map(fromRow)
    },
  }
}
