// Events as rows of PostgreSQL: a batch is one parameter, a list of objects in JSON, whatever its size.

import { MeterError } from '../../errors.ts'
import { type LLMEvent, WIRE_NAMES } from '../../event.ts'
import { REQUIRED_FIELDS } from '../../wire-fields.ts'
import { type Cell, type Column, type ColumnType, EVENT_COLUMNS, toRow } from '../columns.ts'
import type { RejectedEvent } from '../sink.ts'
import { monthOf } from './months.ts'

const TYPES: Record<ColumnType, string> = {
  text: 'text',
  integer: 'bigint',
  real: 'double precision',
  boolean: 'boolean',
  json: 'jsonb',
  pico: 'bigint',
  time: 'bigint',
}

export function typeOf({ type }: Pick<Column, 'type'>): string {
  return TYPES[type]
}

const NAMES = EVENT_COLUMNS.map(({ name }) => name)
const COLUMNS = [...NAMES, 'id_month'].join(', ')
const RECORD = EVENT_COLUMNS.map((column) => `${column.name} ${typeOf(column)}`).join(', ')

/**
 * `$1` is declared text: for a parameter of type json some drivers would write the text as JSON once more. An estimate
 * gives way to what was reported, and any other event of a known id is passed over; the answer is how many were written.
 */
export const INSERT = `WITH given AS (
  SELECT * FROM json_to_recordset($1::text::json) AS given (${RECORD}, id_month text)
), written AS (
  INSERT INTO tallygate.events AS known (${COLUMNS}) SELECT ${COLUMNS} FROM given
  ON CONFLICT (event_id, id_month) DO UPDATE SET ${NAMES.map((name) => `${name} = excluded.${name}`).join(', ')}
  WHERE known.usage_source = 'estimated' AND excluded.usage_source = 'reported'
  RETURNING 1
)
SELECT count(*)::integer AS written FROM written`

/** Money and counts as text, since drivers make different things of 64 bits; JSON too, which `fromRow` reads. */
export const SELECTED = EVENT_COLUMNS.map(({ name, type }) => {
  if (type === 'boolean') return `${name}::integer AS ${name}`
  return type === 'text' || type === 'real' ? name : `${name}::text AS ${name}`
}).join(', ')

export interface Rows {
  /** For one `INSERT` after the other: the second has what was reported of the estimates in the first. */
  readonly lists: readonly { readonly json: string; readonly count: number }[]
  readonly months: ReadonlySet<string>
  /** Events of an id that another event of the batch has. */
  readonly repeated: number
  readonly rejected: readonly RejectedEvent[]
}

export function toRows(events: readonly LLMEvent[]): Rows {
  const rejected: RejectedEvent[] = []
  // One statement may write a row once only.
  const [first, second] = [new Map<string, string>(), new Map<string, string>()]
  const estimated = new Set<string>()
  const months = new Set<string>()
  let repeated = 0
  for (const event of events) {
    const { eventId, usageSource } = event
    try {
      const json = rowJson(event)
      const list = !first.has(eventId)
        ? first
        : estimated.has(eventId) && usageSource === 'reported'
          ? second
          : undefined
      if (list === undefined || list.has(eventId)) {
        repeated++
        continue
      }
      const month = monthOf(eventId)
      months.add(month)
      list.set(eventId, `${json},"id_month":"${month}"}`)
      if (usageSource === 'estimated') estimated.add(eventId)
    } catch (cause) {
      const reason = cause instanceof MeterError ? cause.message : 'a value does not fit its column'
      rejected.push({ eventId, reason })
    }
  }
  const lists = [first, second].filter(({ size }) => size > 0).map(listOf)
  return { lists, months, repeated, rejected }
}

/** In one order, so that two processes with the same events do not wait for each other in a circle. */
function listOf(rows: ReadonlyMap<string, string>): Rows['lists'][number] {
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, json]) => json)
  return { json: `[${sorted.join(',\n')}]`, count: sorted.length }
}

/** Throws a `MeterError` for a value that no column can hold. Without its last brace. */
function rowJson(event: LLMEvent): string {
  const cells = toRow(event)
  for (const field of REQUIRED_FIELDS)
    if (event[field] === undefined || event[field] === null)
      throw new MeterError('BAD_INPUT', `\`${WIRE_NAMES[field]}\` is missing`)
  let json = ''
  for (const [i, cell] of cells.entries()) {
    if (cell === null) continue
    const { name, type, field } = EVENT_COLUMNS[i]!
    // What makes two tenants one, or two events, is no repair.
    if ((field === 'eventId' || field === 'tenantId') && String(cell).includes('\0'))
      throw new MeterError('BAD_INPUT', `\`${name}\` holds a NUL, which PostgreSQL cannot`)
    json += `${json === '' ? '{' : ','}"${name}":${cellJson(type, cell)}`
  }
  return REFUSED.test(json) ? repaired(json) : json
}

function cellJson(type: ColumnType, cell: NonNullable<Cell>): string {
  switch (type) {
    case 'text':
      return JSON.stringify(cell)
    case 'boolean':
      return cell === 1 ? 'true' : 'false'
    // A number of JSON would do for PostgreSQL; a reader of the statement in a log may be none.
    case 'pico':
      return `"${cell}"`
    default:
      return String(cell)
  }
}

/** The escapes of a NUL, which text of PostgreSQL cannot hold, and of halves of a pair, which are no characters. */
const REFUSED = /\\u(0000|d[89a-f])/
/** An escape as JSON.stringify writes it, so that a backslash before a `u0000` stays what it is. */
const ESCAPE = /\\(u[0-9a-f]{4}|.)/g

/** As UTF-8 writes what is no character. */
function repaired(json: string): string {
  return json.replace(ESCAPE, (written) => (REFUSED.test(written) ? '\\ufffd' : written))
}
