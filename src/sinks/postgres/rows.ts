// Events as rows of PostgreSQL: a batch is one parameter for each of its columns, a list, whatever its size.

import { MeterError } from '../../errors.ts'
import { WIRE_NAMES } from '../../event.ts'
import { REQUIRED_FIELDS } from '../../wire-fields.ts'
import { type Cell, type Column, type ColumnType, EVENT_COLUMNS } from '../columns.ts'
import type { Batch, RejectedEvent } from '../sink.ts'
import { countOf, rowAt } from '../wire/rows.ts'
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

/** Money and counts as text, since drivers make different things of 64 bits; JSON too, which `fromRow` reads. */
export const SELECTED = EVENT_COLUMNS.map(({ name, type }) => {
  if (type === 'boolean') return `${name}::integer AS ${name}`
  return type === 'text' || type === 'real' ? name : `${name}::text AS ${name}`
}).join(', ')

const UPDATED = EVENT_COLUMNS.map(({ name }) => `${name} = excluded.${name}`).join(', ')
const inserts = new Map<string, string>()

/**
 * Inserts the columns of these positions. The parameters are declared text: what a driver makes of a list by itself is
 * its own affair. An estimate gives way to what was reported of the same project, and any other event of a known id is
 * passed over; the answer is how many were written.
 */
function sqlOf(columns: readonly number[]): string {
  const key = columns.join()
  const known = inserts.get(key)
  if (known !== undefined) return known
  const names = [...columns.map((at) => EVENT_COLUMNS[at]!.name), 'id_month'].join(', ')
  const lists = [...columns.map((at) => typeOf(EVENT_COLUMNS[at]!)), 'text'].map(
    (type, i) => `$${i + 1}::text::${type}[]`,
  )
  const sql = `WITH written AS (
  INSERT INTO tallygate.events AS known (${names}) SELECT ${names} FROM unnest(${lists.join(', ')}) AS given (${names})
  ON CONFLICT (event_id, id_month) DO UPDATE SET ${UPDATED}
  WHERE known.usage_source = 'estimated' AND excluded.usage_source = 'reported'
    AND known.project IS NOT DISTINCT FROM excluded.project
  RETURNING 1
)
SELECT count(*)::integer AS written FROM written`
  if (inserts.size >= MOST_INSERTS) inserts.clear()
  inserts.set(key, sql)
  return sql
}

const MOST_INSERTS = 64

export interface Insert {
  readonly sql: string
  readonly params: readonly string[]
  readonly count: number
}

export interface Rows {
  /** The second list has what was reported of the estimates in the first, and goes after it. */
  readonly lists: readonly (readonly Row[])[]
  readonly months: ReadonlySet<string>
  /** Events of an id that another event of the batch has. */
  readonly repeated: number
  readonly rejected: readonly RejectedEvent[]
}

export interface Row {
  readonly id: string
  readonly month: string
  readonly cells: readonly Cell[]
}

const EVENT_ID = EVENT_COLUMNS.findIndex(({ field }) => field === 'eventId')
const TENANT_ID = EVENT_COLUMNS.findIndex(({ field }) => field === 'tenantId')
const PROJECT = EVENT_COLUMNS.findIndex(({ field }) => field === 'project')
const USAGE_SOURCE = EVENT_COLUMNS.findIndex(({ field }) => field === 'usageSource')
const REQUIRED = REQUIRED_FIELDS.map((field) => EVENT_COLUMNS.findIndex((column) => column.field === field))

export function toRows(batch: Batch): Rows {
  const rejected: RejectedEvent[] = []
  // One statement may write a row once only.
  const [first, second] = [new Map<string, Row>(), new Map<string, Row>()]
  const months = new Set<string>()
  let repeated = 0
  const count = countOf(batch)
  for (let at = 0; at < count; at++) {
    try {
      const cells = checked(rowAt(batch, at))
      const id = cells[EVENT_ID] as string
      const before = first.get(id)
      const isBetter =
        before?.cells[USAGE_SOURCE] === 'estimated' &&
        cells[USAGE_SOURCE] === 'reported' &&
        before.cells[PROJECT] === cells[PROJECT]
      const list = before === undefined ? first : isBetter ? second : undefined
      if (list === undefined || list.has(id)) {
        repeated++
        continue
      }
      const month = monthOf(id)
      months.add(month)
      list.set(id, { id, month, cells })
    } catch (cause) {
      const reason = cause instanceof MeterError ? cause.message : 'a value does not fit its column'
      rejected.push({ eventId: batch.events[at]!.eventId, reason })
    }
  }
  const lists = [first, second].filter(({ size }) => size > 0).map(inOrder)
  return { lists, months, repeated, rejected }
}

/** In one order, so that two processes with the same events do not wait for each other in a circle. */
function inOrder(rows: ReadonlyMap<string, Row>): readonly Row[] {
  return [...rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** Throws a `MeterError` for what no column can hold. */
function checked(cells: Cell[]): Cell[] {
  for (const at of REQUIRED)
    if (cells[at] === null) throw new MeterError('BAD_INPUT', `\`${WIRE_NAMES[EVENT_COLUMNS[at]!.field]}\` is missing`)
  // What makes two tenants one, or two events, is no repair.
  for (const at of [EVENT_ID, TENANT_ID])
    if (String(cells[at]).includes('\0'))
      throw new MeterError('BAD_INPUT', `\`${EVENT_COLUMNS[at]!.name}\` holds a NUL, which PostgreSQL cannot`)
  return cells
}

/** Only the columns that any of the rows has something in. */
export function insertOf(rows: readonly Row[]): Insert {
  const columns = EVENT_COLUMNS.flatMap((_, at) => (rows.some(({ cells }) => cells[at] !== null) ? [at] : []))
  const params = columns.map((at) => listOf(rows, at, EVENT_COLUMNS[at]!.type))
  params.push(`{${rows.map(({ month }) => `"${month}"`).join(',')}}`)
  return { sql: sqlOf(columns), params, count: rows.length }
}

/** As PostgreSQL writes an array. */
function listOf(rows: readonly Row[], at: number, type: ColumnType): string {
  let list = ''
  for (const { cells } of rows) {
    const cell = cells[at] ?? null
    const element = cell === null ? 'NULL' : typeof cell === 'string' ? quoted(storable(cell, type)) : String(cell)
    list += list === '' ? element : `,${element}`
  }
  return `{${list}}`
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** The escapes of a NUL, which text of PostgreSQL cannot hold, and of halves of a pair, which are no characters. */
const REFUSED = /\\u(0000|d[89a-f])/
/** An escape as JSON.stringify writes it, so that a backslash before a `u0000` stays what it is. */
const ESCAPE = /\\(u[0-9a-f]{4}|.)/g

/** As UTF-8 writes what is no character. */
function storable(text: string, type: ColumnType): string {
  if (type !== 'json') return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
  return REFUSED.test(text) ? text.replace(ESCAPE, (written) => (REFUSED.test(written) ? '\\ufffd' : written)) : text
}
