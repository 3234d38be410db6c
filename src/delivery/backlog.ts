// What a dead process owed to one sink, as a source of batches.

import { lossEvent } from './loss.ts'
import { type Entry, readEntry, type Source } from './queue.ts'
import type { AdoptedSpool } from './spool/adopted.ts'
import { EVENT } from './spool/record.ts'
import type { Place } from './spool/tape.ts'

export interface Backlog extends Source {
  /** Bytes that are left, of this sink's and of others'. */
  readonly bytes: number
}

export function createBacklog(spool: AdoptedSpool, sink: string): Backlog {
  const view = spool.view(sink)
  const { cursor, tape } = view
  const ends = new WeakMap<Entry, Place>()
  let lost: Entry | undefined

  return {
    get bytes() {
      return spool.bytes
    },
    /** Nothing at the end, and then everything of it is settled: it is asked for more only when it holds no more. */
    take(count, room) {
      if (cursor.loss !== undefined) {
        lost = { event: lossEvent(cursor.loss) }
        return [lost]
      }
      const entries: Entry[] = []
      for (let sum = 0; entries.length < count && sum < room; ) {
        const record = tape.next()
        if (record === undefined) break
        if (record.kind !== EVENT) continue
        const entry = readEntry(record.json)
        ends.set(entry, record.end)
        entries.push(entry)
        sum += record.json.length
      }
      if (entries.length === 0) view.settled(true)
      return entries
    },
    settled(entries) {
      for (const entry of entries) {
        const end = ends.get(entry)
        if (end !== undefined) cursor.moveTo(end)
        else if (entry === lost) cursor.lose(undefined)
      }
      view.settled(false)
    },
  }
}
