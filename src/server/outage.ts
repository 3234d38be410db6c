// The ledger after it has failed: left alone for a moment, so that a crowd of requests does not wait for it one by one.

export interface Outage {
  /** It failed just now: whoever asks it again would only hold the others up. */
  readonly isFresh: boolean
  /** It failed, and has taken nothing since; `false` once that is long ago, since nobody may have tried. */
  readonly isLasting: boolean
  failed(): void
  /** Gives true for the first success after a failure. */
  worked(): boolean
}

/** Opening a locked SQLite file blocks the process for 200 ms: no more than a fifth of its time goes into that. */
const FRESH_MS = 1000
const LASTING_MS = 10_000

export function createOutage(monotonic: () => number = () => performance.now()): Outage {
  let since: number | undefined
  const isWithin = (ms: number) => since !== undefined && monotonic() - since < ms
  return {
    get isFresh() {
      return isWithin(FRESH_MS)
    },
    get isLasting() {
      return isWithin(LASTING_MS)
    },
    failed() {
      since = monotonic()
    },
    worked() {
      const hadFailed = since !== undefined
      since = undefined
      return hadFailed
    },
  }
}
