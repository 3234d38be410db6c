// The segments that this process writes: one open at a time, each begun with a header and closed when it is full.

import { type SpoolFolder, segmentPath } from './folder.ts'
import { encodeHeader, encodeRecord, type SegmentHeader } from './record.ts'

export interface Segment {
  readonly number: number
  /** Up to the end of its last whole record. */
  bytes: number
  /** How many events had been written at its end. */
  endEvent: number
  /** Its bytes are on the disk itself, as far as a power failure goes: up to here. */
  synced: number
}

export interface SegmentWriter {
  /** Oldest first; the last one is open. */
  readonly segments: Segment[]
  readonly bytes: number
  /** Throws what the disk throws; what was written of the record until then is taken back. */
  write(line: Buffer): Segment
  /** Forgets what is open after a fault: the next write begins a new segment. */
  abandon(): void
  remove(segment: Segment): void
  /** Whether the file that is open has been deleted behind our back. */
  readonly isDeleted: boolean
  sync(): Promise<void>
}

export interface SegmentOptions {
  readonly folder: SpoolFolder
  readonly header: SegmentHeader
  readonly segmentBytes: number
  /** The folder's own entry for a new file must survive a power failure too. */
  readonly syncsFolder: boolean
  /** Records that a new segment begins with. */
  readonly opening: (() => Iterable<readonly [kind: string, value: unknown]>) | undefined
}

export function createSegmentWriter(options: SegmentOptions): SegmentWriter {
  const segments: Segment[] = []
  const header = Buffer.from(encodeHeader(options.header))
  let fd: number | undefined
  let number = 0
  let total = 0
  /** What the open segment began with. */
  let begun = header.length

  function open(): Segment {
    const { fsyncSync, closeSync, openSync } = process.getBuiltinModule('node:fs')
    const { path } = options.folder
    number++
    // Not the append mode: what a failed write left behind is written over. `wx`: nobody else's file.
    fd = openSync(segmentPath(path, number), 'wx', 0o600)
    const segment = { number, bytes: 0, endEvent: 0, synced: 0 }
    segments.push(segment)
    try {
      put(segment, header)
      for (const [kind, value] of options.opening?.() ?? []) put(segment, encodeRecord(kind, JSON.stringify(value)))
      begun = segment.bytes
      if (options.syncsFolder) {
        const folder = openSync(path, 'r')
        fsyncSync(folder)
        closeSync(folder)
      }
    } catch (error) {
      remove(segment)
      throw error
    }
    return segment
  }

  function put(segment: Segment, line: Buffer): void {
    const { writeSync } = process.getBuiltinModule('node:fs')
    // A disk that is nearly full takes a part.
    for (let at = 0; at < line.length; ) {
      const written = writeSync(fd!, line, at, line.length - at, segment.bytes + at)
      if (written === 0) throw Object.assign(new Error('The disk took nothing'), { code: 'ENOSPC' })
      at += written
    }
    segment.bytes += line.length
    total += line.length
  }

  function close(): void {
    const closing = fd
    fd = undefined
    if (closing !== undefined) process.getBuiltinModule('node:fs').closeSync(closing)
  }

  function remove(segment: Segment): void {
    if (segment === segments.at(-1)) close()
    segments.splice(segments.indexOf(segment), 1)
    total -= segment.bytes
    process.getBuiltinModule('node:fs').rmSync(segmentPath(options.folder.path, segment.number), { force: true })
  }

  return {
    segments,
    get bytes() {
      return total
    },
    write(line) {
      let segment = fd === undefined ? undefined : segments.at(-1)
      if (
        segment !== undefined &&
        // One that begins with many records is larger, or there would soon be a segment for each.
        segment.bytes + line.length > Math.max(options.segmentBytes, begun * 2) &&
        segment.bytes > begun
      ) {
        close()
        segment = undefined
      }
      // A new segment may begin with records, which are made in the same bytes.
      const bytes = segment === undefined && options.opening ? Buffer.from(line) : line
      segment ??= open()
      const before = segment.bytes
      try {
        put(segment, bytes)
      } catch (error) {
        try {
          process.getBuiltinModule('node:fs').ftruncateSync(fd!, before)
        } catch {
          // The next reader passes over half a record by its checksum.
        }
        throw error
      }
      return segment
    },
    abandon() {
      try {
        close()
      } catch {
        fd = undefined
      }
    },
    remove,
    get isDeleted() {
      if (fd === undefined) return false
      return process.getBuiltinModule('node:fs').fstatSync(fd).nlink === 0
    },
    async sync() {
      const { open: openFile } = process.getBuiltinModule('node:fs').promises
      for (const segment of [...segments]) {
        const upTo = segment.bytes
        if (segment.synced >= upTo) continue
        // By a handle of its own: the one that is written may be closed meanwhile.
        const file = await openFile(segmentPath(options.folder.path, segment.number), 'r+').catch(absent)
        if (file === undefined) continue
        try {
          await file.datasync()
        } finally {
          await file.close()
        }
        segment.synced = Math.max(segment.synced, upTo)
      }
    },
  }
}

/** A segment that was removed holds nothing that anybody waits for. */
function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
