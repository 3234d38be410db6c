// Events of one shape as one regular expression, which checks and takes apart in a fifth of the time of `JSON.parse` and what follows.

import { WIRE_NAMES } from '../../event.ts'
import { MAX_TENANT_ID_LENGTH } from '../../tenant.ts'
import {
  BILLABLE,
  COST_SOURCES,
  FIELD_KINDS,
  type FieldKind,
  MAX_TEXT_LENGTH,
  REQUIRED_FIELDS,
  USAGE_SOURCES,
} from '../../wire-fields.ts'
import { type Cell, EVENT_COLUMNS } from '../columns.ts'

type Reader = (written: string) => NonNullable<Cell> | undefined

// Only what is written in one way: without escapes, and numbers as JavaScript writes them, with at most the 15 digits
// that are exact. Nothing here can match a text in two ways, so that what does not match is found out in one pass.
const CHARACTERS = '[^"\\\\\\u0000-\\u001f\\u007f]*'
const TEXT = `"${CHARACTERS}"`
const COUNT = '(?:0|[1-9]\\d{0,14})'
const QUANTITY = '(?:0|[1-9]\\d{0,8}\\.\\d{0,5}[1-9]|0\\.\\d{0,5}[1-9]|[1-9]\\d{0,14})'
const SCALAR = `(?:${TEXT}|${QUANTITY}|true|false)`
const STATUS = '(?:0|[1-9]\\d{0,2})'
const USD = '\\d{1,6}(?:\\.\\d{1,12})?'

const listOf = (item: string) => `\\[(?:${item}(?:,${item})*)?\\]`
const recordOf = (value: string) => `\\{(?:${TEXT}:${value}(?:,${TEXT}:${value})*)?\\}`
const oneOf = (words: readonly string[]) => words.join('|')
const BILLABLE_AS = `"billable":"(?:${oneOf(BILLABLE)})"`
const REQUEST_ID = `"request_id":${TEXT}`
const ATTEMPT = `\\{(?:"status":${STATUS},)?(?:${BILLABLE_AS}(?:,${REQUEST_ID})?|${REQUEST_ID},${BILLABLE_AS})\\}`
const RATE = `"rate":${TEXT}`
const COST_AS = `"cost_usd":"${USD}"`
const COST_LINE = `\\{"bucket":${TEXT},"quantity":${QUANTITY},(?:${COST_AS},${RATE}|${RATE},${COST_AS})\\}`

/** How a field is written, with its value as the one group, and the cell that it makes. */
const FRAGMENTS: Partial<Record<FieldKind, readonly [pattern: string, read: Reader]>> = {
  id: [
    `"(${CHARACTERS})"`,
    (written) => (written !== '' && written.length <= MAX_TENANT_ID_LENGTH ? written : undefined),
  ],
  text: [`"(${CHARACTERS})"`, atMost],
  // Midnight as 24:00 is one, and 24:00:00.001 is no time at all.
  time: ['"(\\d{4}-\\d\\d-\\d\\dT(?:[01]\\d|2[0-3]):\\d\\d:\\d\\d\\.\\d{3})Z"', timeIn],
  count: [`(${COUNT})`, Number],
  calls: ['([1-9]\\d{0,14})', Number],
  number: [`(${QUANTITY})`, Number],
  boolean: ['(true|false)', (written) => (written === 'true' ? 1 : 0)],
  // Up to 999 dollars a number holds pico-dollars exactly.
  usd: ['"(\\d{1,3}(?:\\.\\d{1,12})?)"', picoIn],
  usageSource: [`"(${oneOf(USAGE_SOURCES)})"`, (written) => written],
  costSource: [`"(${oneOf(COST_SOURCES)})"`, (written) => written],
  // No more characters than a text may have: then it has neither too many members nor a text that is too long.
  quantities: [`(${recordOf(QUANTITY)})`, recordIn],
  scalars: [`(${recordOf(SCALAR)})`, recordIn],
  // Their members have other names in a row. No text without escapes holds `"name":`, so that these are the members.
  attempts: [`(${listOf(ATTEMPT)})`, (written) => atMost(written)?.replaceAll('"request_id":', '"requestId":')],
  costLines: [`(${listOf(COST_LINE)})`, (written) => atMost(written)?.replaceAll('"cost_usd":', '"costUsd":')],
}

function atMost(written: string): string | undefined {
  return written.length <= MAX_TEXT_LENGTH ? written : undefined
}

/** Of a name that comes twice only the last counts: that is for a parser. */
function recordIn(written: string): string | undefined {
  if (written === lastRecord) return written
  if (written.length > MAX_TEXT_LENGTH) return undefined
  const names: string[] = []
  // Every name ends in `":`. What begins with a colon is taken for one too: at worst it is parsed.
  for (let end = written.indexOf('":'); end >= 0; end = written.indexOf('":', end + 2)) {
    const name = written.slice(written.lastIndexOf('"', end - 1) + 1, end)
    if (names.length >= MOST_NAMES || names.includes(name)) return undefined
    names.push(name)
  }
  lastRecord = written
  return written
}

/** The next event often has the same. */
let lastRecord = '{}'

/** Each is looked for among all before it. */
const MOST_NAMES = 32

let second = ''
let secondMs = 0

/** The second is kept: the next event has the same. */
function timeIn(written: string): number | undefined {
  const start = written.slice(0, 20)
  if (start !== second) {
    const ms = Date.parse(`${start}000Z`)
    if (!(ms >= 0)) return undefined
    second = start
    secondMs = ms
  }
  return secondMs + Number(written.slice(20))
}

const PICO_PER_DOLLAR = 10 ** 12

function picoIn(written: string): number {
  const point = written.indexOf('.')
  if (point < 0) return Number(written) * PICO_PER_DOLLAR
  return Number(written.slice(0, point)) * PICO_PER_DOLLAR + Number(written.slice(point + 1).padEnd(12, '0'))
}

const COLUMN_OF = new Map(EVENT_COLUMNS.map(({ field }, at) => [WIRE_NAMES[field] as string, { field, at }]))
const REQUIRED_NAMES = REQUIRED_FIELDS.map((field) => WIRE_NAMES[field])
const VERSION = 'schema_version'
const EMPTY: readonly Cell[] = EVENT_COLUMNS.map(() => null)

export interface Pattern {
  /** Its cells in the order of `EVENT_COLUMNS`, if an event of this shape stands here. */
  read(json: string, start: number): Cell[] | undefined
  /** Behind the event that was read last. */
  readonly end: number
}

/** Of events with these names in this order; `undefined` where some of them are not for a pattern, or one that must be is missing. */
export function patternOf(names: readonly string[]): Pattern | undefined {
  if (REQUIRED_NAMES.some((name) => !names.includes(name))) return undefined
  const parts: string[] = []
  const cells: { readonly at: number; readonly read: Reader }[] = []
  for (const name of names) {
    const column = COLUMN_OF.get(name)
    const fragment = column && FRAGMENTS[FIELD_KINDS[column.field]]
    if (name === VERSION) parts.push(`"${VERSION}":1`)
    else if (fragment === undefined) return undefined
    else {
      parts.push(`"${name}":${fragment[0]}`)
      cells.push({ at: column!.at, read: fragment[1] })
    }
  }
  const expression = new RegExp(`\\{${parts.join(',')}\\}`, 'y')
  let end = 0

  return {
    get end() {
      return end
    },
    read(json, start) {
      expression.lastIndex = start
      const match = expression.exec(json)
      if (match === null) return undefined
      end = expression.lastIndex
      const row = EMPTY.slice()
      for (let group = 0; group < cells.length; group++) {
        const { at, read } = cells[group]!
        const cell = read(match[group + 1]!)
        if (cell === undefined) return undefined
        row[at] = cell
      }
      return row
    },
  }
}
