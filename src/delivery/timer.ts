// Timers that never keep a process alive unless somebody waits for them.

// Taken when this module loads, so that an application's fake timers cannot stop a flush between two batches.
const immediately = setImmediate

/** Runs `fn` after `ms`; gives the function that calls it off. */
export function after(ms: number, fn: () => void, keepAlive = false): () => void {
  const timer = setTimeout(fn, ms)
  if (!keepAlive) timer.unref()
  return () => clearTimeout(timer)
}

/** Lets everything else in the event loop have its turn. */
export function breathe(keepAlive = true): Promise<void> {
  return new Promise((resolve) => {
    const turn = immediately(resolve)
    if (!keepAlive) turn.unref()
  })
}
