// The spool of this process: what was recorded is on disk before the caller goes on, and stays until every sink has it.

import { createCommits } from './commits.ts'
import type { Mark, Spool, SpoolOptions, SpoolView } from './contract.ts'
import { type Cursor, newCursor } from './cursor.ts'
import { beat, newFolder, release, remove, type SpoolFolder } from './folder.ts'
import { EVENT, encodeRecord } from './record.ts'
import { downMessage, fullMessage, uprootedMessage } from './said.ts'
import { createSegmentWriter, type SegmentWriter } from './segments.ts'
import { createTape } from './tape.ts'

export const BEAT_MS = 10_000
/** After so long without a beat nobody may write before a look at the folder: others take a silent spool over after 60 s. */
const SILENT_MS = 25_000
const RETRY_MS = 1000
const SEGMENT_BYTES = 4 * 1024 * 1024
const SAVE_EVERY_MS = 100

export function createSpool(options: SpoolOptions): Spool {
  const { root, durability, maxBytes, tell, clear } = options
  const views: SpoolView[] = []
  /** Where the last event ends. */
  let lastEvent = { segment: 0, offset: 0 }
  let folder: SpoolFolder | undefined
  let writer: SegmentWriter | undefined
  let events = 0
  let beatAt = 0
  let beatTime = 0
  let retryAt: number | undefined
  let isDown = false
  let isFull = false
  const commits = createCommits(() => writer?.sync() ?? Promise.resolve(), failed)

  function newWriter(home: SpoolFolder): SegmentWriter {
    const { pid } = process
    const host = process.getBuiltinModule('node:os').hostname()
    return createSegmentWriter({
      folder: home,
      header: { owes: options.owes, pid, host },
      segmentBytes: Math.max(4096, Math.min(SEGMENT_BYTES, Math.floor(maxBytes / 4))),
      syncsFolder: durability === 'fsync',
      opening: options.opening,
    })
  }

  function open(): SegmentWriter {
    const { mkdirSync } = process.getBuiltinModule('node:fs')
    const made = newFolder(root)
    mkdirSync(made.path, { recursive: true, mode: 0o700 })
    folder = made
    beatNow()
    return (writer = newWriter(made))
  }

  function beatNow(): void {
    beat(folder!)
    beatAt = performance.now()
    beatTime = Date.now()
  }

  /** Whether the folder is where we left it; where it is not, a new one takes its place. */
  function stillOurs(): void {
    const { existsSync } = process.getBuiltinModule('node:fs')
    if (folder === undefined) return
    if (existsSync(folder.path)) {
      beatNow()
      return
    }
    const isTaken = writer !== undefined && writer.segments.length > 0 && !writer.isDeleted
    writer?.abandon()
    for (const view of views) view.tape.close()
    tell({ kind: 'delivery', message: uprootedMessage(root, isTaken) }, 'spool:uprooted')
    folder = undefined
    writer = undefined
    open()
    for (const view of views) view.cursor.moveTo({ segment: 0, offset: 0 })
    lastEvent = { segment: 0, offset: 0 }
    options.uprooted(isTaken)
    clear('spool:uprooted')
  }

  function failed(cause: unknown): void {
    writer?.abandon()
    retryAt = performance.now() + RETRY_MS
    const code = (cause as NodeJS.ErrnoException | null)?.code
    // The folder may be gone: the next attempt looks.
    if (code === 'ENOENT') beatAt = Number.NEGATIVE_INFINITY
    if (isDown) return
    isDown = true
    tell({ kind: 'delivery', message: downMessage(root, cause), cause }, 'spool:down')
  }

  function append(kind: string, json: string): Mark | undefined {
    if (retryAt !== undefined && !isTimeToRetry(retryAt)) return undefined
    try {
      if (performance.now() - beatAt > SILENT_MS || Math.abs(Date.now() - beatTime) > SILENT_MS) stillOurs()
      const into = writer ?? open()
      // Only now: what is above may write records of its own, into the same bytes.
      const line = encodeRecord(kind, json)
      const size = line.length
      if (into.bytes + size > maxBytes && !makeRoom(size, into)) return undefined
      const before = into.segments.at(-1)
      const segment = into.write(line)
      if (kind === EVENT) {
        segment.endEvent = ++events
        lastEvent = { segment: segment.number, offset: segment.bytes }
      }
      // Where no events come, nobody else would ever remove what else was written.
      else if (segment !== before) trim()
      if (isDown) works()
      if (durability === 'fsync') commits.begin()
      return { segment: segment.number, offset: segment.bytes - size, end: segment.bytes, index: events - 1 }
    } catch (cause) {
      failed(cause)
      return undefined
    }
  }

  function isTimeToRetry(at: number): boolean {
    if (performance.now() < at) return false
    retryAt = undefined
    options.retried()
    // The first of what was kept has failed again.
    return retryAt === undefined
  }

  function works(): void {
    isDown = false
    clear('spool:down')
  }

  function makeRoom(size: number, into: SegmentWriter): boolean {
    trim()
    if (into.bytes + size <= maxBytes) return true
    if (!isFull) {
      isFull = true
      tell({ kind: 'delivery', message: fullMessage(root, maxBytes, options.onFull) }, 'spool:full')
    }
    // Nobody waits in the middle of a call's end: `block` holds the next calls back before they are sent.
    if (options.onFull === 'block') return true
    if (options.onFull === 'drop-new') return false
    while (into.bytes + size > maxBytes && into.segments.length > 0) {
      const [oldest] = into.segments
      options.dropped(oldest!)
      into.remove(oldest!)
    }
    return true
  }

  /** Removes what every sink has: each cursor is on disk before a segment goes. */
  function trim(): void {
    const into = writer
    if (into === undefined || views.length === 0) return
    const last = into.segments.at(-1)?.number ?? 0
    const needed = Math.min(...views.map(({ cursor: { place } }) => (isAtEnd(place) ? last : place.segment)))
    if (into.segments.length < 2 || into.segments[0]!.number >= needed) return
    for (const { cursor } of views) cursor.save()
    while (into.segments.length > 1 && into.segments[0]!.number < needed) into.remove(into.segments[0]!)
    if (!isFull || into.bytes > maxBytes / 2) return
    isFull = false
    clear('spool:full')
    options.roomMade()
  }

  function isAtEnd({ segment, offset }: Cursor['place']): boolean {
    return segment === lastEvent.segment && offset === lastEvent.offset
  }

  function quietly(work: () => void): void {
    try {
      work()
    } catch (cause) {
      failed(cause)
    }
  }

  return {
    append,
    get events() {
      return events
    },
    get bytes() {
      return writer?.bytes ?? 0
    },
    get isFull() {
      return isFull
    },
    get isDown() {
      return isDown
    },
    view(sink) {
      const cursor = newCursor(() => folder!.path, sink)
      const segments = () => writer?.segments ?? []
      const tape = createTape(cursor.place, { folder: () => folder!.path, segments, damaged: options.damaged })
      const view: SpoolView = {
        cursor,
        tape,
        settled(isIdle) {
          if (folder === undefined) return
          const age = performance.now() - cursor.savedAt
          if (age > SAVE_EVERY_MS || (isIdle && age > SAVE_EVERY_MS / 5)) quietly(() => cursor.save())
          quietly(trim)
        },
      }
      views.push(view)
      return view
    },
    async sync() {
      if (folder === undefined) return !isDown
      const wasDown = isDown
      await commits.all()
      return !wasDown && !isDown
    },
    beat() {
      if (folder === undefined) return
      quietly(() => {
        stillOurs()
        for (const { cursor } of views) cursor.save()
      })
    },
    leave(isSettled) {
      const leaving = folder
      if (leaving === undefined) return
      quietly(() => {
        for (const { tape } of views) tape.close()
        writer?.abandon()
        writer = undefined
        folder = undefined
        if (isSettled) {
          remove(leaving)
          return
        }
        folder = leaving
        for (const { cursor } of views) cursor.save()
        folder = undefined
        release(root, leaving)
      })
    },
  }
}
