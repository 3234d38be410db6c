// Who waits for a queue: a flush for its events or one failed attempt, a close until the queue is empty.

export interface Waiters {
  /** Resolves when everything before `target` is settled, or an attempt has failed. */
  attempt(target: number): Promise<void>
  /** Resolves when the queue is empty. */
  empty(): Promise<void>
  release(now: { settledUpTo: number; isEmpty: boolean; hasFailed: boolean }): void
  releaseAll(): void
}

interface Waiter {
  /** `undefined`: until the queue is empty. */
  readonly target: number | undefined
  readonly resolve: () => void
}

export function createWaiters(): Waiters {
  let waiting: Waiter[] = []

  function wait(target: number | undefined): Promise<void> {
    return new Promise((resolve) => waiting.push({ target, resolve }))
  }

  return {
    attempt: wait,
    empty: () => wait(undefined),
    release({ settledUpTo, isEmpty, hasFailed }) {
      if (waiting.length === 0) return
      const still: Waiter[] = []
      for (const waiter of waiting) {
        const isOver = waiter.target === undefined ? isEmpty : hasFailed || waiter.target <= settledUpTo
        if (isOver) waiter.resolve()
        else still.push(waiter)
      }
      waiting = still
    },
    releaseAll() {
      for (const { resolve } of waiting.splice(0)) resolve()
    },
  }
}
