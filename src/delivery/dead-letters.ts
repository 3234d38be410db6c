// Events that a sink refused for good, on disk with the reason, until a person looks at them.

import { toWire } from '../event.ts'
import type { Teller } from './health.ts'
import type { Entry } from './queue.ts'

/** One line of a file below `<dir>/dead-letters`. */
export interface DeadLetter {
  readonly sink: string
  readonly reason: string
  /** When it was refused, ISO 8601 in UTC. */
  readonly at: string
  /** As it is on the wire. */
  readonly event: Readonly<Record<string, unknown>>
}

export interface DeadLetters {
  /** Never throws. */
  keep(sink: string, reason: string, entries: readonly Entry[]): void
}

/** A flood of refusals must not fill the disk: beyond, they are counted and told of, but not kept. */
const MAX_BYTES = 64 * 1024 * 1024

export function createDeadLetters(root: string, { tell, clear }: Teller): DeadLetters {
  return {
    keep(sink, reason, entries) {
      const { mkdirSync, statSync } = process.getBuiltinModule('node:fs')
      const path = `${root}/${fileOf(sink)}`
      try {
        mkdirSync(root, { recursive: true, mode: 0o700 })
        if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_BYTES) {
          const message = `${path} is full: events that ${sink} refuses are counted, and kept no more`
          tell({ kind: 'delivery', message }, 'dead-letters:full')
          return
        }
        const at = new Date().toISOString()
        const lines = entries.map((entry) => `${JSON.stringify({ sink, reason, at, event: wireOf(entry) })}\n`)
        // Opened for each: whoever sends them again moves the file away, and the next begins a new one.
        appendLines(path, lines.join(''))
        clear('dead-letters')
      } catch (cause) {
        tell({ kind: 'delivery', message: `Dead letters cannot be written to ${path}`, cause }, 'dead-letters')
      }
    },
  }
}

/** The name of the file with what a sink has refused. */
export function fileOf(sink: string): string {
  return `${encodeURIComponent(sink)}.jsonl`
}

/** On lines of their own: the last line that is there may be of a process that died while it wrote it. */
export function appendLines(path: string, text: string): void {
  if (text === '') return
  const { closeSync, fstatSync, openSync, readSync, writeSync } = process.getBuiltinModule('node:fs')
  const last = Buffer.alloc(1, '\n')
  const fd = openSync(path, 'a+', 0o600)
  try {
    const { size } = fstatSync(fd)
    if (size > 0) readSync(fd, last, 0, 1, size - 1)
    const bytes = Buffer.from(`${last[0] === NEW_LINE ? '' : '\n'}${text}${text.endsWith('\n') ? '' : '\n'}`)
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
  } finally {
    closeSync(fd)
  }
}

const NEW_LINE = 10

function wireOf(entry: Entry): unknown {
  if (entry.json === undefined) return toWire(entry.event)
  try {
    return JSON.parse(entry.json)
  } catch {
    return { event_id: entry.event.eventId, unreadable: entry.json }
  }
}
