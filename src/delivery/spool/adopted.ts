// The spool of a process that is dead, taken over: what it still owes to each sink, read from disk and removed when all have it.

import { type Cursor, openCursor } from './cursor.ts'
import { beat, release, remove, type SpoolFolder, segmentPath, segmentsIn } from './folder.ts'
import { decodeHeader, hasRecord, type SegmentHeader, type SpoolRecord } from './record.ts'
import { createTape, type Damage, type Tape } from './tape.ts'

export interface AdoptedView {
  readonly cursor: Cursor
  readonly tape: Tape
  settled(isEmpty: boolean): void
}

export interface AdoptedSpool {
  readonly id: string
  readonly bytes: number
  readonly owes: readonly string[]
  view(sink: string): AdoptedView
  /** Every record, from the first that is left on. */
  records(): Iterable<SpoolRecord>
  /** When it was written to last, in epoch milliseconds. */
  readonly writtenAt: number
  /** Nothing of it is removed until the function that it gives is called; after `false` it is left to the next process that looks. */
  retain(): (isSettled?: boolean) => void
  /** False where another process has it now. */
  beat(): boolean
  /** Gives it up, with what is left of it. */
  leave(): void
}

export interface AdoptedOptions {
  readonly root: string
  readonly folder: SpoolFolder
  readonly header: Pick<SegmentHeader, 'owes'>
  /** Once for each damage, however many sinks come by it. */
  readonly damaged: (damage: Damage) => void
  /** Nobody here needs it any more: it is gone, or left to the next process. */
  readonly emptied: () => void
}

const SAVE_EVERY_MS = 100

/**
 * What a spool says of itself: the header of its oldest segment that has one. `undefined` where there is none yet, in a
 * word what else it is, and `damaged` where there are records of ours and no header can be read.
 */
export function headerOf({ path }: SpoolFolder): SegmentHeader | 'foreign' | 'newer' | 'damaged' | undefined {
  let found: 'foreign' | 'newer' | 'damaged' | undefined
  for (const { number, bytes } of segmentsIn(path)) {
    if (bytes === 0) continue
    const start = startOf(segmentPath(path, number), bytes)
    const text = start.toString('utf8')
    const end = text.indexOf('\n')
    // A header that was never finished has no record behind it.
    if (end < 0 && text.startsWith('tallygate-spool 1 ')) continue
    const header = decodeHeader(end < 0 ? text : text.slice(0, end))
    if (typeof header !== 'string') return header
    // Every segment says the same: a later one stands in for it.
    const what = header === 'foreign' && hasRecord(start) ? 'damaged' : header
    if (what === 'newer' || found === undefined || found === 'foreign') found = what
  }
  return found
}

function startOf(path: string, bytes: number): Buffer {
  const { closeSync, openSync, readSync } = process.getBuiltinModule('node:fs')
  const fd = openSync(path, 'r')
  try {
    const start = Buffer.alloc(Math.min(bytes, 64 * 1024))
    return start.subarray(0, readSync(fd, start, 0, start.length, 0))
  } finally {
    closeSync(fd)
  }
}

export function createAdoptedSpool({ root, folder, header, damaged, emptied }: AdoptedOptions): AdoptedSpool {
  const segments = segmentsIn(folder.path)
  const views = new Map<string, AdoptedView>()
  const pending = new Set<unknown>(header.owes)
  let retained = 0
  let isLeft = false
  let isForAnother = false
  const strange = new Set<number>()
  const seen = new Set<string>()

  function once(damage: Damage): void {
    const { segment, offset } = damage.place
    if (damage.what === 'foreign' || damage.what === 'newer') strange.add(segment)
    const key = `${segment}:${offset}`
    if (seen.has(key)) return
    seen.add(key)
    damaged(damage)
  }

  /** Each cursor is on disk before a segment goes. */
  function trim(): void {
    if (retained > 0 || views.size < header.owes.length) return
    const needed = Math.min(...[...views.values()].map(({ cursor }) => cursor.place.segment))
    if (segments.length === 0 || segments[0]!.number >= needed) return
    for (const { cursor } of views.values()) cursor.save()
    const { rmSync } = process.getBuiltinModule('node:fs')
    while (segments.length > 0 && segments[0]!.number < needed) {
      const { number } = segments.shift()!
      if (!strange.has(number)) rmSync(segmentPath(folder.path, number), { force: true })
    }
  }

  /** Whoever needed it needs it no more. */
  function done(who: unknown): void {
    if (!pending.delete(who) || pending.size > 0 || isLeft) return
    if (isForAnother) release(root, folder)
    else remove(folder, strange)
    emptied()
  }

  function isPlace({ segment, offset }: Cursor['place']): boolean {
    const there = segments.find(({ number }) => number === segment)
    return offset >= 0 && (there ? offset <= there.bytes : segment < (segments.at(-1)?.number ?? 0))
  }

  const tapeAt = (cursor: Pick<Cursor, 'place'>) =>
    createTape(cursor.place, { folder: () => folder.path, segments: () => segments, damaged: once })

  return {
    id: folder.id,
    owes: header.owes,
    get bytes() {
      return segments.reduce((sum, { bytes }) => sum + bytes, 0)
    },
    get writtenAt() {
      const newest = segments.at(-1)
      if (newest === undefined) return Date.now()
      return process.getBuiltinModule('node:fs').statSync(segmentPath(folder.path, newest.number)).mtimeMs
    },
    view(sink) {
      const cursor = openCursor(() => folder.path, sink, isPlace)
      const tape = tapeAt(cursor)
      const view: AdoptedView = {
        cursor,
        tape,
        settled(isEmpty) {
          if (performance.now() - cursor.savedAt > SAVE_EVERY_MS) cursor.save()
          trim()
          if (!isEmpty) return
          tape.close()
          cursor.save()
          done(sink)
        },
      }
      views.set(sink, view)
      return view
    },
    *records() {
      const tape = tapeAt({ place: { segment: 0, offset: 0 } })
      try {
        for (let record = tape.next(); record !== undefined; record = tape.next()) yield record
      } finally {
        tape.close()
      }
    },
    retain() {
      const token = {}
      pending.add(token)
      retained++
      return (isSettled = true) => {
        if (!pending.has(token)) return
        if (isSettled) retained--
        else isForAnother = true
        done(token)
      }
    },
    beat() {
      if (!process.getBuiltinModule('node:fs').existsSync(folder.path)) return false
      beat(folder)
      return true
    },
    leave() {
      for (const { cursor, tape } of views.values()) {
        tape.close()
        cursor.save()
      }
      isLeft = true
      release(root, folder)
    },
  }
}
