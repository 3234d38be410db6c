// Reads the records of a spool in their order, from any place on, a piece of a segment at a time.

import { segmentPath } from './folder.ts'
import { decodeHeader, decodeRecord, hasRecord, type SpoolRecord } from './record.ts'

/** Where a record begins or ends. */
export interface Place {
  readonly segment: number
  readonly offset: number
}

export interface TapeRecord extends SpoolRecord {
  /** Where the next one begins. */
  readonly end: Place
}

/** What a tape passed over: a line that is no record, or the end of a line that was never finished. */
export interface Damage {
  readonly what: 'torn' | 'corrupt' | 'foreign' | 'newer'
  readonly reason: string
  readonly place: Place
  readonly line: Buffer
}

export interface Tape {
  /** The next record before the end, `undefined` at the end. */
  next(): TapeRecord | undefined
  readonly place: Place
  moveTo(place: Place): void
  close(): void
}

export interface TapeOptions {
  readonly folder: () => string
  /** The segments there are, in their order; of the one that is being written, up to where. */
  readonly segments: () => readonly { readonly number: number; readonly bytes: number }[]
  readonly damaged: (damage: Damage) => void
}

const PIECE_BYTES = 64 * 1024
const NEW_LINE = 10

export function createTape(start: Place, { folder, segments, damaged }: TapeOptions): Tape {
  let place = start
  let open: { fd: number; segment: number } | undefined
  /** Read ahead, from `place` on. */
  let ahead: Buffer = Buffer.alloc(0)

  function shut(): void {
    if (open !== undefined) process.getBuiltinModule('node:fs').closeSync(open.fd)
    open = undefined
    ahead = Buffer.alloc(0)
  }

  /** The segment that `place` is in, or the first after it; `undefined` when there is none. */
  function current(): { number: number; bytes: number } | undefined {
    for (const segment of segments()) {
      if (segment.number < place.segment) continue
      if (segment.number > place.segment) moveTo({ segment: segment.number, offset: 0 })
      if (place.offset < segment.bytes) return segment
    }
    return undefined
  }

  function moveTo(next: Place): void {
    if (open !== undefined && open.segment !== next.segment) shut()
    ahead = Buffer.alloc(0)
    place = next
  }

  /** The next line of a segment without its line break; the rest of it where there is none. */
  function line({ number, bytes }: { number: number; bytes: number }): { bytes: Buffer; isWhole: boolean } {
    for (let searched = 0; ; ) {
      const at = ahead.indexOf(NEW_LINE, searched)
      if (at >= 0) return { bytes: ahead.subarray(0, at), isWhole: true }
      searched = ahead.length
      const left = bytes - place.offset - ahead.length
      if (left <= 0) return { bytes: ahead, isWhole: false }
      const more = read(number, place.offset + ahead.length, Math.min(left, PIECE_BYTES))
      if (more.length === 0) return { bytes: ahead, isWhole: false }
      ahead = ahead.length === 0 ? more : Buffer.concat([ahead, more])
    }
  }

  function read(segment: number, offset: number, length: number): Buffer {
    const { openSync, readSync } = process.getBuiltinModule('node:fs')
    open ??= { fd: openSync(segmentPath(folder(), segment), 'r'), segment }
    const piece = Buffer.allocUnsafe(length)
    return piece.subarray(0, readSync(open.fd, piece, 0, length, offset))
  }

  function pass(length: number): void {
    ahead = ahead.subarray(length)
    place = { segment: place.segment, offset: place.offset + length }
  }

  return {
    get place() {
      return place
    },
    moveTo,
    close: shut,
    next() {
      for (let segment = current(); segment !== undefined; segment = current()) {
        const found = line(segment)
        const at = place
        if (!found.isWhole) {
          damaged({ what: 'torn', reason: 'it was never finished', place: at, line: found.bytes })
          moveTo({ segment: segment.number, offset: segment.bytes })
          continue
        }
        pass(found.bytes.length + 1)
        if (at.offset === 0) {
          const header = decodeHeader(found.bytes.toString('utf8'))
          if (typeof header !== 'string') continue
          if (header === 'foreign' && hasRecord(read(segment.number, 0, Math.min(segment.bytes, PIECE_BYTES)))) {
            damaged({ what: 'corrupt', reason: 'it is no header', place: at, line: found.bytes })
            continue
          }
          damaged({ what: header, reason: REASONS[header], place: at, line: Buffer.alloc(0) })
          moveTo({ segment: segment.number, offset: segment.bytes })
          continue
        }
        const record = decodeRecord(found.bytes)
        if (typeof record !== 'string') return { ...record, end: place }
        damaged({ what: 'corrupt', reason: record, place: at, line: found.bytes })
      }
      return undefined
    },
  }
}

const REASONS = {
  foreign: 'it is no segment of a spool',
  newer: 'it was written by a newer version of tallygate',
} as const
