// The spool of one process, as the rest of delivery sees it.

import type { Teller } from '../health.ts'
import type { Cursor } from './cursor.ts'
import type { Segment } from './segments.ts'
import type { Damage, Tape } from './tape.ts'

export type Durability = 'memory' | 'os' | 'fsync'
export type OnSpoolFull = 'block' | 'drop-oldest' | 'drop-new'

export interface SpoolOptions extends Teller {
  /** `<dir>/spool`. */
  readonly root: string
  readonly durability: Durability
  readonly maxBytes: number
  readonly onFull: OnSpoolFull
  /** The sinks whose events must outlive the process. */
  readonly owes: readonly string[]
  /** Records of other kinds that must outlive the segments they were written in: every new one begins with them. */
  readonly opening?: (() => Iterable<readonly [kind: string, value: unknown]>) | undefined
  /** The oldest segment goes to make room; its events up to `endEvent` are lost to whoever has not read them. */
  readonly dropped: (segment: Segment) => void
  /** Everything has to be written anew: the folder is gone, or another process has taken it over (`isTaken`). */
  readonly uprooted: (isTaken: boolean) => void
  readonly damaged: (damage: Damage) => void
  /** Writing is tried again after it has failed: what is in memory only goes first, or cursors would pass over it. */
  readonly retried: () => void
  /** It was full and is not any more. */
  readonly roomMade: () => void
}

/** Where a record is. */
export interface Mark {
  readonly segment: number
  readonly offset: number
  readonly end: number
  /** How many events were written before it. */
  readonly index: number
}

/** One sink's view of the spool. */
export interface SpoolView {
  readonly cursor: Cursor
  readonly tape: Tape
  /** Saves the cursor, now or at the next beat, and removes the segments that nobody needs any more. */
  settled(isIdle: boolean): void
}

export interface Spool {
  /** Writes a record; gives its place, or `undefined` where it is in memory only. Never throws. */
  append(kind: string, json: string): Mark | undefined
  view(sink: string): SpoolView
  /** Events written so far. */
  readonly events: number
  readonly bytes: number
  readonly isFull: boolean
  /** Writing fails for now. */
  readonly isDown: boolean
  /** Resolves when all that was appended is on the disk itself; false where that cannot be. */
  sync(): Promise<boolean>
  /** From time to time: says that we live, and looks whether the folder is still ours. */
  beat(): void
  /** Removes the folder when everything is settled; else leaves it to the next process. */
  leave(isSettled: boolean): void
}
