// What is sent next to one sink: its own queue, in turns with what earlier processes left for it.

import type { Entry, Queue, Source } from './queue.ts'
import { freeze, halve, type Piece } from './split.ts'

export interface IntakeOptions {
  readonly queue: Queue
  readonly maxBatchSize: number
  /** Events in a batch where more than one batch of them wait. */
  readonly largeBatch: number
  readonly maxBatchBytes: number
  /** The disk could not be read. */
  readonly unreadable: (cause: unknown, isBacklog: boolean) => void
}

export interface Intake {
  /** Neither delivered nor given up, of the own queue. */
  readonly queued: number
  readonly added: number
  readonly settledUpTo: number
  readonly isEmpty: boolean
  readonly hasBacklog: boolean
  /** Everything before this position may be sent, whether or not it fills a batch. */
  due(position: number): void
  /** The batch to be sent now; the same one until it is settled. */
  next(which: 'own' | 'own-first' | 'any'): Piece | undefined
  isOwn(piece: Piece): boolean
  /** False for a piece that was settled before. */
  has(piece: Piece): boolean
  settle(piece: Piece): void
  halve(piece: Piece): void
  addBacklog(source: Source): void
  held(): Iterable<Entry>
}

export function createIntake({ queue, maxBatchSize, largeBatch, maxBatchBytes, unreadable }: IntakeOptions): Intake {
  /** Frozen batches, oldest first: more than one only while a batch is being cut up. */
  const pieces: Piece[] = []
  const backlogs: Source[] = []
  let due = 0
  let isBacklogsTurn = true

  const isDue = () => queue.size > 0 && (queue.size >= maxBatchSize || queue.left < due)

  function fromQueue(): Piece | undefined {
    if (!isDue()) return undefined
    const start = queue.left
    try {
      const entries = queue.take(largeBatch, maxBatchBytes)
      if (entries.length > 0) pieces.push(freeze(entries, start, queue, false))
    } catch (cause) {
      unreadable(cause, false)
    }
    return pieces[0]
  }

  function fromBacklog(): Piece | undefined {
    for (let source = backlogs[0]; source !== undefined; source = backlogs[0]) {
      try {
        const entries = source.take(largeBatch, maxBatchBytes)
        if (entries.length > 0) {
          pieces.push(freeze(entries, 0, source, true))
          return pieces[0]
        }
      } catch (cause) {
        unreadable(cause, true)
      }
      backlogs.shift()
    }
    return undefined
  }

  return {
    get queued() {
      return pieces.reduce((sum, { from, entries }) => sum + (from === queue ? entries.length : 0), queue.size)
    },
    get added() {
      return queue.left + queue.size
    },
    get settledUpTo() {
      return pieces.find(({ from }) => from === queue)?.start ?? queue.left
    },
    get isEmpty() {
      return pieces.length + queue.size === 0
    },
    get hasBacklog() {
      return backlogs.length > 0
    },
    due(position) {
      due = Math.max(due, position)
    },
    next(which) {
      if (pieces.length > 0) return pieces[0]
      if (which === 'own') return fromQueue()
      const isOwnFirst = which === 'own-first' || !isBacklogsTurn
      const isOwn = isDue() && (isOwnFirst || backlogs.length === 0)
      isBacklogsTurn = isOwn
      return isOwn ? fromQueue() : (fromBacklog() ?? fromQueue())
    },
    isOwn: ({ from }) => from === queue,
    has: (piece) => pieces.includes(piece),
    settle(piece) {
      pieces.splice(pieces.indexOf(piece), 1)
      try {
        piece.from.settled(piece.entries)
      } catch (cause) {
        unreadable(cause, piece.from !== queue)
      }
    },
    halve(piece) {
      pieces.splice(pieces.indexOf(piece), 1, ...halve(piece))
    },
    addBacklog(source) {
      backlogs.push(source)
    },
    *held() {
      for (const { from, entries } of pieces) if (from === queue) yield* entries
      yield* queue.held()
    },
  }
}
