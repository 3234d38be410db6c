// The end of the process: one pair of listeners for every queue in it, there from its first event until it is closed.

export interface ExitHooks {
  /** The event loop is empty: asynchronous work is still possible and keeps the process alive. */
  beforeExit(): void
  /** The last moment, synchronous code only: also after `process.exit()` and an uncaught error. */
  exit(): void
}

const hooked = new Set<ExitHooks>()

function onBeforeExit(): void {
  for (const hooks of hooked) hooks.beforeExit()
}

function onExit(): void {
  for (const hooks of hooked) hooks.exit()
}

/** Gives the function that takes the hooks away again. */
export function onProcessEnd(hooks: ExitHooks): () => void {
  if (hooked.size === 0) {
    process.on('beforeExit', onBeforeExit)
    process.on('exit', onExit)
  }
  hooked.add(hooks)
  return () => {
    if (!hooked.delete(hooks) || hooked.size > 0) return
    process.off('beforeExit', onBeforeExit)
    process.off('exit', onExit)
  }
}
