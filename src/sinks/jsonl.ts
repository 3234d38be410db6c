// Appends events to a file, one line of JSON each, as they are on the wire.

import { dirname } from 'node:path'
import { expected, MeterError } from '../errors.ts'
import { type LLMEvent, toWire } from '../event.ts'
import { createRecent } from './recent.ts'
import type { Batch, Delivery, RejectedEvent, Sink } from './sink.ts'

type Fs = typeof import('node:fs')

export interface JsonlSinkOptions {
  /** The file; its folder is made when the first event comes. Several processes may append to one. */
  readonly path: string
  /** Waits until the lines are on the disk itself; false. */
  readonly fsync?: boolean | undefined
  /** A file that would grow beyond is set aside as `<path>.<time>` and begun anew. */
  readonly maxBytes?: number | undefined
  /** Sets the file aside likewise with the first event of another day, in UTC; false. */
  readonly daily?: boolean | undefined
}

interface OpenFile {
  readonly fd: number
  readonly inode: number
  /** Whether what is in it ends with a line break. */
  isWhole: boolean
}

/** Somebody has to change something; after any other failure the next try may work. */
const SETTINGS: Readonly<Record<string, string>> = {
  EACCES: 'may not be written by this user',
  EPERM: 'may not be written by this user',
  EROFS: 'is on a disk that is read-only',
  EISDIR: 'is a folder',
  ENOTDIR: 'is in no folder',
}
const NEWLINE = 0x0a

/**
 * An event that is sent again goes into the file once, as far as this process remembers; after a crash it can be there
 * twice: whoever reads counts by `event_id`, and takes what was reported in the place of its estimate.
 *
 * @example
 * const meter = new Meter({ sinks: [jsonlSink({ path: '/var/log/llm.jsonl', daily: true })] })
 */
export function jsonlSink(options: JsonlSinkOptions): Sink {
  const { path, fsync = false, maxBytes, daily = false } = options
  if (typeof path !== 'string' || path === '')
    throw new MeterError('BAD_OPTION', expected('path', 'the path of a file', path))
  if (maxBytes !== undefined && !(Number.isSafeInteger(maxBytes) && maxBytes > 0))
    throw new MeterError('BAD_OPTION', expected('maxBytes', 'a whole number above 0', maxBytes))
  const recent = createRecent()
  let open: OpenFile | undefined

  function write(batch: Batch): { readonly delivery: Delivery; readonly fd?: number } {
    if (batch.events.length === 0) return { delivery: { outcome: 'delivered' } }
    const { taken, text, duplicates, rejected } = linesOf(batch)
    const delivery: Delivery = { outcome: 'delivered', duplicates, ...(rejected.length > 0 ? { rejected } : {}) }
    if (taken.length === 0) return { delivery }
    // Not imported: node:fs takes 4 ms of CPU to load.
    const fs = process.getBuiltinModule('node:fs')
    try {
      const bytes = Buffer.from(text)
      const file = fileFor(fs, bytes.length)
      append(fs, file, bytes)
      for (const event of taken) recent.add(event)
      return { delivery, fd: file.fd }
    } catch (cause) {
      return { delivery: failure(cause) }
    }
  }

  function linesOf({ events, json }: Batch) {
    const rejected: RejectedEvent[] = []
    const taken: LLMEvent[] = []
    const ids = new Map<string, LLMEvent>()
    let text = ''
    let duplicates = 0
    for (const [i, event] of events.entries()) {
      const before = ids.get(event.eventId)
      const isBetter = before ? isBetterThan(before, event) : recent.replaces(event)
      if ((before || recent.has(event)) && !isBetter) {
        duplicates++
        continue
      }
      try {
        text += `${json?.[i] ?? JSON.stringify(toWire(event))}\n`
        taken.push(event)
        ids.set(event.eventId, event)
      } catch {
        rejected.push({ eventId: event.eventId, reason: 'it cannot be written as JSON' })
      }
    }
    return { taken, text, duplicates, rejected }
  }

  /** The file as it is now: another process may have set it aside, or somebody have deleted it. */
  function fileFor(fs: Fs, bytes: number): OpenFile {
    const there = fs.statSync(path, { throwIfNoEntry: false })
    if (open !== undefined && there?.ino !== open.inode) shut(fs)
    if (there && there.size > 0 && isOver(there.size + bytes, there.mtimeMs)) {
      shut(fs)
      setAside(fs)
    }
    open ??= openFile(fs)
    return open
  }

  function isOver(size: number, changedAt: number): boolean {
    if (maxBytes !== undefined && size > maxBytes) return true
    return daily && dayOf(changedAt) !== dayOf(Date.now())
  }

  function setAside(fs: Fs): void {
    const time = new Date().toISOString().replaceAll(':', '')
    for (let number = 1; ; number++) {
      const name = `${path}.${time}${number === 1 ? '' : `-${number}`}`
      if (fs.existsSync(name)) continue
      try {
        fs.renameSync(path, name)
      } catch (error) {
        // Another process was first.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
      return
    }
  }

  function openFile(fs: Fs): OpenFile {
    fs.mkdirSync(dirname(path), { recursive: true })
    const fd = fs.openSync(path, 'a+')
    const { ino, size } = fs.fstatSync(fd)
    const last = Buffer.alloc(1)
    if (size > 0) fs.readSync(fd, last, 0, 1, size - 1)
    return { fd, inode: ino, isWhole: size === 0 || last[0] === NEWLINE }
  }

  /** A line that broke off, ours or that of a process that died, ends where the next begins. */
  function append(fs: Fs, file: OpenFile, bytes: Buffer): void {
    const all = file.isWhole ? bytes : Buffer.concat([Buffer.of(NEWLINE), bytes])
    file.isWhole = false
    for (let at = 0; at < all.length; ) at += fs.writeSync(file.fd, all, at)
    file.isWhole = true
  }

  function failure(cause: unknown): Delivery {
    const code = String((cause as NodeJS.ErrnoException)?.code)
    const setting = SETTINGS[code]
    const words = setting ?? (code === 'ENOSPC' ? 'cannot grow: the disk is full' : 'could not be written')
    const message = `The file ${path} ${words} (${code})`
    return setting === undefined
      ? { outcome: 'retry', error: new Error(message, { cause }) }
      : { outcome: 'paused', error: new MeterError('DELIVERY_REJECTED', message, { cause }) }
  }

  function shut(fs: Fs): void {
    const closing = open
    open = undefined
    if (closing) fs.closeSync(closing.fd)
  }

  return {
    name: 'jsonl',
    async send(batch) {
      const { delivery, fd } = write(batch)
      if (!fsync || fd === undefined) return delivery
      const fs = process.getBuiltinModule('node:fs')
      return new Promise((resolve) =>
        fs.fdatasync(fd, (cause) => resolve(cause && cause.code !== 'EBADF' ? failure(cause) : delivery)),
      )
    },
    sendSync(batch) {
      const { delivery, fd } = write(batch)
      if (!fsync || fd === undefined) return delivery
      try {
        process.getBuiltinModule('node:fs').fdatasyncSync(fd)
        return delivery
      } catch (cause) {
        return failure(cause)
      }
    },
    async close() {
      shut(process.getBuiltinModule('node:fs'))
    },
  }
}

function isBetterThan(before: LLMEvent, event: LLMEvent): boolean {
  return before.usageSource === 'estimated' && event.usageSource === 'reported'
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
