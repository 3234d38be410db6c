// The end of the process, as far as delivery has a say in it: a last flush, and what does not get away said or left on disk.

import { runAsNobody } from '../tenant.ts'
import type { ExitHooks } from './exit.ts'
import type { Keeping } from './keeping.ts'
import type { Lane } from './lane.ts'
import type { DeliveryTeller } from './teller.ts'
import { after } from './timer.ts'

export interface EndingOptions {
  readonly lanes: readonly Lane[]
  /** What of the lanes is kept on disk. */
  readonly keeping: Keeping | undefined
  readonly isKept: (lane: Lane) => boolean
  readonly teller: DeliveryTeller
  readonly beforeEnd: (() => void | Promise<void>) | undefined
  readonly lastWord: ((signal: AbortSignal) => Promise<void>) | undefined
  readonly atExit: (() => void) | undefined
  readonly rollUp: () => void
  readonly isClosing: () => boolean
  /** Leaves the spools to the next process. */
  readonly leave: () => void
}

export interface Ending extends ExitHooks {
  reportLeft(): void
}

const EXIT_DEADLINE_MS = 2000
/** Where the rest stays on disk, nobody has to wait for a ledger that is slow. */
const SYNC_DEADLINE_MS = 2000

export function createEnding(options: EndingOptions): Ending {
  const { lanes, keeping, teller } = options
  let hasEnded = false

  async function lastFlush(signal: AbortSignal): Promise<void> {
    try {
      await options.beforeEnd?.()
    } catch (cause) {
      teller.fault('recording what was still open', cause)
    }
    options.rollUp()
    await Promise.all(lanes.map((lane) => lane.flush(true)))
    reportLeft()
    await options.lastWord?.(signal)
  }

  function reportLeft(): void {
    for (const lane of lanes) {
      const { name } = lane
      const { queued } = lane.stats
      if (queued === 0) continue
      const what = `${queued} ${queued === 1 ? 'event was' : 'events were'} not delivered to ${name} before the end`
      const isKept = keeping !== undefined && !keeping.spool.isDown && options.isKept(lane)
      const message = isKept ? `${what}; the next process delivers them, or \`npx tallygate drain\`` : what
      teller.tell({ kind: 'delivery', message }, `delivery:${name}:left`)
    }
  }

  return {
    reportLeft,
    // Once in a process: an application that records an event in its own `beforeExit` would otherwise never end.
    beforeExit() {
      if (hasEnded || options.isClosing()) return
      hasEnded = true
      const isOver = new AbortController()
      after(EXIT_DEADLINE_MS, () => {
        for (const lane of lanes) lane.abort('since the process is ending')
        isOver.abort()
      })
      void runAsNobody(() => lastFlush(isOver.signal))
    },
    exit() {
      try {
        options.atExit?.()
      } catch (cause) {
        teller.fault('recording what was still open', cause)
      }
      options.rollUp()
      const until = keeping === undefined ? Number.POSITIVE_INFINITY : performance.now() + SYNC_DEADLINE_MS
      for (const lane of lanes) lane.drainSync(until)
      // After `beforeExit` it was said already, while there was still a way to print it.
      if (!hasEnded) reportLeft()
      options.leave()
    },
  }
}
