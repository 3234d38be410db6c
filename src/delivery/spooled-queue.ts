// A queue that is a window over the spool: what finds no room in memory is read from disk again when its turn comes.

import { createFifo } from './fifo.ts'
import { lossEvent, lossOf } from './loss.ts'
import { countWithin, type Entry, type Queue, readEntry } from './queue.ts'
import type { Spool } from './spool/contract.ts'
import type { Loss } from './spool/cursor.ts'
import { EVENT } from './spool/record.ts'
import type { Segment } from './spool/segments.ts'

export interface SpooledQueueOptions {
  readonly sink: string
  /** Entries in memory, at most. */
  readonly maxSize: number
  /** Tells of events that were given up. */
  readonly dropped: (count: number) => void
  /** The spool is full and takes nothing new: what comes stays in memory where there is room, and else is given up. */
  readonly isRefusing: () => boolean
}

export interface SpooledQueue extends Queue {
  /** The oldest segment goes: what was not read of it is lost. */
  segmentGone(segment: Segment): void
  /** The spool begins anew with what is in memory; what was on disk is lost, or another process has it. */
  uprooted(isTaken: boolean): void
  /** What was in memory only has been written: it is read again in its turn where others stand before it. */
  landed(): void
}

/** Of all the JSON that is kept in memory; an event can have a megabyte of tags. */
const MAX_BYTES = 8 * 1024 * 1024

export function createSpooledQueue(
  spool: Spool,
  { sink, maxSize, dropped, isRefusing }: SpooledQueueOptions,
): SpooledQueue {
  const view = spool.view(sink)
  const { cursor, tape } = view
  const memory = createFifo<Entry>(Number.POSITIVE_INFINITY)
  let bytes = 0
  /** The index of the next event to be read from disk, while there are any. */
  let unread: number | undefined
  let left = 0
  let loss: Loss | undefined
  /** On its way to the sink. */
  let told: { readonly entry: Entry; readonly loss: Loss } | undefined

  const onDisk = () => (unread === undefined ? 0 : spool.events - unread)

  function lose(count: number): void {
    if (count <= 0) return
    left += count
    loss = lossOf(count, loss)
    cursor.lose(loss)
    dropped(count)
  }

  function hold(entry: Entry): void {
    memory.push(entry)
    bytes += entry.json?.length ?? 0
  }

  function recount(): void {
    bytes = 0
    for (const { json } of memory.entries()) bytes += json?.length ?? 0
  }

  function readOn(count: number, room: number): Entry[] {
    const entries: Entry[] = []
    let sum = 0
    while (entries.length < count && sum < room && unread !== undefined) {
      const record = tape.next()
      if (record === undefined) {
        // Fewer than were written: a line could not be read.
        const missing = onDisk()
        unread = undefined
        lose(missing)
      } else if (record.kind === EVENT) {
        const { segment, offset } = record.end
        entries.push(readEntry(record.json, { segment, offset, end: offset, index: unread }))
        sum += record.json.length
        unread++
      }
      if (unread === spool.events) unread = undefined
    }
    return entries
  }

  return {
    get size() {
      return memory.size + onDisk() + (loss === undefined ? 0 : 1)
    },
    get left() {
      return left
    },
    push(entry) {
      const { mark } = entry
      if (mark === undefined) {
        if (isRefusing() && (unread !== undefined || memory.size >= maxSize)) {
          // Counted as if it had been here, so that positions go on.
          lose(1)
          return
        }
        hold(entry)
        if (memory.size > maxSize) {
          const [oldest] = memory.take(1)
          bytes -= oldest?.json?.length ?? 0
          // What is on disk as well goes back there; it stood before all that is on disk only.
          if (oldest?.mark === undefined) lose(1)
          else goBack(oldest)
        }
      } else if (unread === undefined) {
        if (memory.size < maxSize && (bytes < MAX_BYTES || memory.size === 0)) hold(entry)
        else {
          unread = mark.index
          tape.moveTo(mark)
        }
      }
    },
    take(count, room) {
      if (loss !== undefined && told === undefined) {
        told = { loss, entry: { event: lossEvent(loss), isLoss: true } }
        loss = undefined
        left++
        return [told.entry]
      }
      const entries = memory.size > 0 ? memory.take(countWithin(memory.entries(), count, room)) : readOn(count, room)
      if (memory.size === 0) bytes = 0
      else for (const { json } of entries) bytes -= json?.length ?? 0
      left += entries.length
      return entries
    },
    settled(entries) {
      for (const entry of entries) {
        if (entry === told?.entry) {
          told = undefined
          cursor.lose(loss)
        } else if (entry.mark !== undefined && (unread === undefined || entry.mark.index < unread))
          cursor.moveTo({ segment: entry.mark.segment, offset: entry.mark.end })
      }
      view.settled(memory.size === 0 && unread === undefined)
    },
    held: () => memory.entries(),
    segmentGone({ number, endEvent }) {
      if (unread === undefined || unread >= endEvent) return
      const lost = endEvent - unread
      unread = endEvent === spool.events ? undefined : endEvent
      tape.moveTo({ segment: number + 1, offset: 0 })
      lose(lost)
    },
    uprooted(isTaken) {
      const gone = onDisk()
      unread = undefined
      if (isTaken) left += gone
      else lose(gone)
    },
    landed() {
      const first = unread
      if (first === undefined) return
      memory.sift(({ mark }) => mark === undefined || mark.index < first)
      recount()
    },
  }

  /** Everything that is in memory and on disk is read from there again. */
  function goBack({ mark }: Entry): void {
    memory.sift((entry) => entry.mark === undefined)
    recount()
    unread = mark!.index
    tape.moveTo(mark!)
  }
}
