// A batch as the meters of this very package write it, read where it stands: its rows are made of the text, without an object between.

import { fromWire, type LLMEvent } from '../event.ts'
import { type Cell, EVENT_COLUMNS, toRow } from '../sinks/columns.ts'
import type { Batch } from '../sinks/sink.ts'
import { batchOfRows, type RowReader } from '../sinks/wire/rows.ts'
import { checkWireEvent } from '../wire.ts'
import { MAX_BATCH_EVENTS } from '../wire-fields.ts'
import { type Caller, eventOf, projectFault } from './keys.ts'

/** An event that is not taken: as it came where it is none of the wire, or why it may not come under its key. */
export type Refused = { readonly value: unknown } | { readonly eventId: string; readonly reason: string }

export interface ReadBatch {
  readonly count: number
  /** What is right in it. */
  readonly batch: Batch
  /** What is not, in its order. */
  readonly refused: readonly Refused[]
}

const ID = '[^"\\\\\\u0000-\\u001f\\u007f]{1,256}'
const HEAD = new RegExp(`\\{"schema_version":1,"batch_id":"(${ID})","events":\\[`, 'y')
const END = ']}'
const [QUOTE, COMMA, BACKSLASH, OPENS, CLOSES] = [0x22, 0x2c, 0x5c, 0x7b, 0x7d]

const EVENT_ID = EVENT_COLUMNS.findIndex(({ field }) => field === 'eventId')
const PROJECT = EVENT_COLUMNS.findIndex(({ field }) => field === 'project')

/** Of so many events the reader has to know one in two: a batch of which it knows less is quicker parsed as a whole. */
const LOOKED_AT = 32

/**
 * A batch of the text of a body, by the rules of `checkWireBatch` and `checkWireEvent`; `undefined` where it is for a
 * parser, which may find that it is a batch or that it is not. `isPlain` says whether what a parser is given of it may be
 * given to one, and is asked only then.
 */
export function readInPlace(
  text: string,
  caller: Pick<Caller, 'project'>,
  reader: RowReader,
  isPlain: () => boolean,
): ReadBatch | undefined {
  HEAD.lastIndex = 0
  const id = HEAD.exec(text)?.[1]
  if (id === undefined) return undefined
  const rows: Cell[][] = []
  const refused: Refused[] = []
  /** Where the event of each row begins and ends, two places for each; or, by the first of these, what a parser made of it. */
  const places: number[] = []
  const parsed = new Map<number, LLMEvent>()
  let count = 0
  let odd = 0
  let at = HEAD.lastIndex
  for (;;) {
    if (++count > MAX_BATCH_EVENTS) return undefined
    const row = reader.read(text, at)
    const end = row === undefined ? endOf(text, at) : reader.end
    if (end === undefined) return undefined
    if (row === undefined) {
      if (++odd * 2 > count && count >= LOOKED_AT) return undefined
      if ((odd === 1 && !isPlain()) || !take(text.slice(at, end))) return undefined
    } else place(row, at, end)
    at = end
    if (text.charCodeAt(at) !== COMMA) break
    at++
  }
  if (text.length !== at + END.length || !text.endsWith(END)) return undefined

  function place(row: Cell[], start: number, end: number): void {
    const fault = projectFault(row[PROJECT] as string | null, caller)
    if (fault !== undefined) {
      refused.push({ eventId: row[EVENT_ID] as string, reason: fault })
      return
    }
    if (caller.project !== undefined) row[PROJECT] = caller.project
    rows.push(row)
    places.push(start, end)
  }

  /** False where it is no JSON, or more than a row holds. */
  function take(json: string): boolean {
    try {
      const value: unknown = JSON.parse(json)
      reader.learn(json)
      if (!checkWireEvent(value)) {
        refused.push({ value })
        return true
      }
      const event = eventOf(fromWire(value as Record<string, unknown>), caller)
      if (typeof event === 'string') {
        refused.push({ eventId: (value as { event_id: string }).event_id, reason: event })
        return true
      }
      rows.push(toRow(event))
      parsed.set(places.length, event)
      places.push(0, 0)
      return true
    } catch {
      return false
    }
  }

  function events(): LLMEvent[] {
    return rows.map((_, index) => {
      const known = parsed.get(index * 2)
      if (known !== undefined) return known
      const json = text.slice(places[index * 2], places[index * 2 + 1])
      return eventOf(fromWire(JSON.parse(json) as Record<string, unknown>), caller) as LLMEvent
    })
  }

  return { count, batch: batchOfRows(id, rows, events), refused }
}

/** Behind the object that stands in a text from `start` on, if one stands there and has an end. */
function endOf(text: string, start: number): number | undefined {
  if (text.charCodeAt(start) !== OPENS) return undefined
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === QUOTE) {
      for (at++; at < text.length; at++) {
        const inside = text.charCodeAt(at)
        if (inside === QUOTE) break
        if (inside === BACKSLASH) at++
      }
    } else if (code === OPENS) depth++
    else if (code === CLOSES && --depth === 0) return at + 1
  }
  return undefined
}
