// Group commit: one synchronisation with the disk at a time, each for all that was written before it began.

export interface Commits {
  begin(): void
  /** Resolves when all that was written before the call is on the disk, or that has failed. */
  all(): Promise<void>
}

export function createCommits(sync: () => Promise<void>, failed: (cause: unknown) => void): Commits {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  function start(): Promise<void> {
    running = sync()
      .catch(failed)
      .then(() => {
        running = undefined
      })
    return running
  }

  /** What is under way may have begun too early. */
  function begin(): Promise<void> {
    if (running === undefined) return start()
    next ??= running.then(() => {
      next = undefined
      return start()
    })
    return next
  }

  return { begin: () => void begin(), all: begin }
}
