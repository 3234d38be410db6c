// Since when the oldest event waits for one sink: by marks of when which position came, and not by each event.

export interface Waits {
  /** An event comes, to this position of all that ever came. */
  added(position: number): void
  /** Epoch milliseconds at which the event came that stands at this position, up to a second earlier. */
  since(position: number): number | undefined
}

interface Mark {
  readonly position: number
  readonly at: number
}

const APART_MS = 1000
/** As many seconds; above, marks are twice as far apart, which of so long a wait is nothing. */
const MOST_MARKS = 512

export function createWaits(now: () => number = Date.now): Waits {
  let marks: Mark[] = []
  let apart = APART_MS

  return {
    added(position) {
      const at = now()
      const last = marks.at(-1)
      // A clock that was set back begins anew.
      if (last !== undefined && at >= last.at && at - last.at < apart) return
      marks.push({ position, at })
      if (marks.length <= MOST_MARKS) return
      marks = marks.filter((_, i) => i % 2 === 0)
      apart *= 2
    },
    since(position) {
      const next = marks.findIndex((mark) => mark.position > position)
      marks.splice(0, (next === -1 ? marks.length : next) - 1)
      if (marks.length < 2) apart = APART_MS
      return marks[0]?.at
    },
  }
}
