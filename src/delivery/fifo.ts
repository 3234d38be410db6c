// A queue of bounded length that gives up its oldest entries first.

export interface Fifo<T> {
  readonly size: number
  /** How many entries have left at the front, taken or dropped: the position of the front in all that ever came. */
  readonly left: number
  /** True when the oldest entry had to go to make room. */
  push(entry: T): boolean
  take(count: number): T[]
  /** What there is, oldest first. */
  entries(): Iterable<T>
  /** Takes out what is not wanted any more; gives how much that was. */
  sift(isWanted: (entry: T) => boolean): number
}

const COMPACT_AT = 1024

export function createFifo<T>(maxSize: number): Fifo<T> {
  let entries: (T | undefined)[] = []
  let front = 0
  let left = 0

  function advance(count: number): void {
    left += count
    front += count
    if (front >= COMPACT_AT && front * 2 >= entries.length) {
      entries = entries.slice(front)
      front = 0
    }
  }

  return {
    get size() {
      return entries.length - front
    },
    get left() {
      return left
    },
    push(entry) {
      entries.push(entry)
      if (entries.length - front <= maxSize) return false
      entries[front] = undefined
      advance(1)
      return true
    },
    take(count) {
      const taken = entries.slice(front, front + count) as T[]
      entries.fill(undefined, front, front + taken.length)
      advance(taken.length)
      return taken
    },
    *entries() {
      for (let at = front; at < entries.length; at++) yield entries[at] as T
    },
    sift(isWanted) {
      const before = entries.length - front
      entries = (entries.slice(front) as T[]).filter(isWanted)
      front = 0
      return before - entries.length
    },
  }
}
