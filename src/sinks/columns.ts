// An event as a row of a table: one column for each field, so that any of them can be asked for in SQL.

import { MeterError } from '../errors.ts'
import { EVENT_FIELDS, type EventField, type LLMEvent, WIRE_NAMES } from '../event.ts'
import { formatUsd, parseUsd } from '../money.ts'
import { FIELD_KINDS, type FieldKind, MAX_EVENT_PICO } from '../wire-fields.ts'

export type ColumnType = 'text' | 'integer' | 'real' | 'boolean' | 'json' | 'pico' | 'time'

export interface Column {
  readonly field: EventField
  readonly name: string
  readonly type: ColumnType
}

const TYPES: Record<FieldKind, ColumnType> = {
  id: 'text',
  time: 'time',
  text: 'text',
  count: 'integer',
  calls: 'integer',
  number: 'real',
  boolean: 'boolean',
  usd: 'pico',
  usageSource: 'text',
  costSource: 'text',
  quantities: 'json',
  quantitiesByName: 'json',
  scalars: 'json',
  bounds: 'json',
  flags: 'json',
  attempts: 'json',
  costLines: 'json',
}

/** Named as on the wire, but for those that change their form: epoch milliseconds and whole pico-dollars. */
const RENAMED: Partial<Record<EventField, string>> = { timestamp: 'at', costUsd: 'cost_pico', resaleUsd: 'resale_pico' }

export const EVENT_COLUMNS: readonly Column[] = EVENT_FIELDS.map((field) => ({
  field,
  name: RENAMED[field] ?? WIRE_NAMES[field],
  type: TYPES[FIELD_KINDS[field]],
}))

export type Cell = string | number | bigint | null

/** The cells of an event in the order of `EVENT_COLUMNS`. Throws a `MeterError` for a value that its column cannot hold. */
export function toRow(event: LLMEvent): Cell[] {
  return EVENT_COLUMNS.map((column) => {
    const value: unknown = event[column.field]
    if (value === undefined || value === null) return null
    const cell = toCell(column.type, value)
    if (cell === undefined)
      throw new MeterError(
        'BAD_INPUT',
        `\`${WIRE_NAMES[column.field]}\` holds a ${typeof value} that its column cannot`,
      )
    return cell
  })
}

function toCell(type: ColumnType, value: unknown): Cell | undefined {
  switch (type) {
    case 'text':
      return typeof value === 'string' ? value : undefined
    case 'integer':
      return Number.isSafeInteger(value) ? (value as number) : undefined
    case 'real':
      return Number.isFinite(value) ? (value as number) : undefined
    case 'boolean':
      return typeof value === 'boolean' ? Number(value) : undefined
    case 'json':
      return json(value)
    case 'pico': {
      const pico = typeof value === 'string' ? parseUsd(value) : undefined
      return pico !== undefined && pico <= MAX_EVENT_PICO && pico >= -MAX_EVENT_PICO ? pico : undefined
    }
    case 'time': {
      const at = typeof value === 'string' ? Date.parse(value) : Number.NaN
      return Number.isNaN(at) ? undefined : at
    }
  }
}

function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    // The error of a circular object names its properties, which are none of our business.
    return undefined
  }
}

/** The event that a row holds; its cells by the names of `EVENT_COLUMNS`. */
export function fromRow(row: Readonly<Record<string, unknown>>): LLMEvent {
  const event: Record<string, unknown> = {}
  for (const { field, name, type } of EVENT_COLUMNS) {
    const cell = row[name]
    if (cell !== null && cell !== undefined) event[field] = fromCell(type, cell)
  }
  return event as unknown as LLMEvent
}

function fromCell(type: ColumnType, cell: unknown): unknown {
  switch (type) {
    case 'text':
      return cell
    case 'integer':
    case 'real':
      return Number(cell)
    case 'boolean':
      return Number(cell) === 1
    case 'json':
      return JSON.parse(String(cell))
    case 'pico':
      return formatUsd(BigInt(cell as bigint))
    case 'time':
      return new Date(Number(cell)).toISOString()
  }
}
