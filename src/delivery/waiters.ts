// Who waits for a queue: a flush for its events or one failed attempt, a close until the queue is empty.

export interface Waiters {
  readonly isAnyWaiting: boolean
  /** Resolves when everything before `target` is settled, or an attempt has failed. */
  attempt(target: number): Promise<void>
  /** Resolves when the queue is empty. */
  empty(): Promise<void>
  /** Resolves when nothing of earlier processes is left either, or an attempt has failed; with patience only the first. */
  backlog(isPatient: boolean): Promise<void>
  release(now: Progress): void
  releaseAll(): void
}

interface Progress {
  readonly settledUpTo: number
  readonly isEmpty: boolean
  readonly hasBacklog: boolean
  readonly hasFailed: boolean
}

interface Waiter {
  readonly isOver: (now: Progress) => boolean
  readonly resolve: () => void
}

export function createWaiters(): Waiters {
  let waiting: Waiter[] = []

  function wait(isOver: Waiter['isOver']): Promise<void> {
    return new Promise((resolve) => waiting.push({ isOver, resolve }))
  }

  return {
    get isAnyWaiting() {
      return waiting.length > 0
    },
    attempt: (target) => wait(({ hasFailed, settledUpTo }) => hasFailed || target <= settledUpTo),
    empty: () => wait(({ isEmpty }) => isEmpty),
    backlog: (isPatient) =>
      wait(({ hasFailed, isEmpty, hasBacklog }) => (hasFailed && !isPatient) || (isEmpty && !hasBacklog)),
    release(now) {
      if (waiting.length === 0) return
      const over = waiting.filter(({ isOver }) => isOver(now))
      waiting = waiting.filter((waiter) => !over.includes(waiter))
      for (const { resolve } of over) resolve()
    },
    releaseAll() {
      for (const { resolve } of waiting.splice(0)) resolve()
    },
  }
}
