// SIGTERM and SIGINT, only where the application asks for it: everything is sent first, then the signal does what it would have done.

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** Gives the function that takes the listeners away again. */
export function onSignals(close: () => Promise<unknown>): () => void {
  let isEnding = false

  function end(signal: NodeJS.Signals): void {
    if (isEnding) return
    isEnding = true
    // Whoever else listens decides when the process ends.
    const isOurs = process.listenerCount(signal) === 1
    void close().finally(() => {
      stop()
      if (isOurs) process.kill(process.pid, signal)
    })
  }

  function stop(): void {
    for (const signal of SIGNALS) process.off(signal, end)
  }

  for (const signal of SIGNALS) process.on(signal, end)
  return stop
}
