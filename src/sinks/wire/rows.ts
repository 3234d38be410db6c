// Rows from the JSON of the wire, without an object between where events of the same shape came before.

import type { LLMEvent } from '../../event.ts'
import { type Cell, toRow } from '../columns.ts'
import type { Batch } from '../sink.ts'
import { type Pattern, patternOf } from './patterns.ts'

export interface RowReader {
  /**
   * The cells of the event that stands in a text from `start` on, the ones that `toRow` gives for it. It is an event of
   * the wire then, in every respect. `undefined` for anything else, and for much that is one: it has to be parsed.
   */
  read(json: string, start: number): Cell[] | undefined
  /** Behind the event that was read last. */
  readonly end: number
  /** Shows it an event that it could not read. */
  learn(json: string): void
}

/** A sender has a handful: with a cost and without, streamed or not, failed. */
const MOST_PATTERNS = 16
/** To make a pattern takes as long as to parse a hundred events. */
const SEEN_BEFORE = 3
const MOST_SHAPES = 256
/** Afterwards only one event of so many is looked at: some can never be read, and a stranger may send nothing else. */
const LOOKS = 1000
const LOOK_AT = 64

export function createRowReader(): RowReader {
  /** The one that was of use last in front. */
  const patterns: Pattern[] = []
  const seen = new Map<string, number>()
  let looks = 0
  let end = 0

  return {
    get end() {
      return end
    },
    read(json, start) {
      for (let at = 0; at < patterns.length; at++) {
        const pattern = patterns[at]!
        const row = pattern.read(json, start)
        if (row === undefined) continue
        end = pattern.end
        if (at > 0) patterns.unshift(...patterns.splice(at, 1))
        return row
      }
      return undefined
    },
    learn(json) {
      if (++looks > LOOKS && looks % LOOK_AT !== 0) return
      const names = namesIn(json)
      const shape = names?.join()
      if (names === undefined || shape === undefined) return
      const times = (seen.get(shape) ?? 0) + 1
      if (seen.size >= MOST_SHAPES) seen.clear()
      seen.set(shape, times)
      if (times !== SEEN_BEFORE) return
      const pattern = patternOf(names)
      if (pattern === undefined) return
      patterns.unshift(pattern)
      const forgotten = patterns.splice(MOST_PATTERNS)
      // What was pushed out may come back.
      if (forgotten.length > 0) seen.clear()
    },
  }
}

function namesIn(json: string): string[] | undefined {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null ? Object.keys(value) : undefined
  } catch {
    return undefined
  }
}

/** The rows of batches that whoever made them has read already. */
const known = new WeakMap<Batch, readonly Cell[][]>()

/** A batch of rows, each of an event that `events` gives at the same place. */
export function batchOfRows(id: string, rows: readonly Cell[][], read: () => readonly LLMEvent[]): Batch {
  let events: readonly LLMEvent[] | undefined
  const batch: Batch = {
    id,
    get events() {
      return (events ??= read())
    },
  }
  known.set(batch, rows)
  return batch
}

/** How many events a batch has, none of which is made for that. */
export function countOf(batch: Batch): number {
  return (known.get(batch) ?? batch.json ?? batch.events).length
}

let reader: RowReader | undefined

/** The cells of one event of a batch. Throws a `MeterError` for a value that its column cannot hold. */
export function rowAt(batch: Batch, at: number): Cell[] {
  const rows = known.get(batch)
  if (rows !== undefined) return rows[at]!
  const json = batch.json?.[at]
  if (json === undefined) return toRow(batch.events[at]!)
  reader ??= createRowReader()
  const row = reader.read(json, 0)
  if (row !== undefined && reader.end === json.length) return row
  reader.learn(json)
  return toRow(batch.events[at]!)
}
