// How one sink is doing, said once per change: tried again, paused, its queue full.

import type { Problem } from '../problems.ts'
import type { Delivery } from '../sinks/sink.ts'

export type LaneState = 'ok' | 'retrying' | 'paused'

/** Tells of problems; never throws. */
export interface Teller {
  tell(problem: Problem, key: string): void
  clear(key: string): void
}

export interface Health {
  readonly state: LaneState
  /** Failed attempts in a row. */
  readonly failures: number
  failed(delivery: Extract<Delivery, { outcome: 'retry' | 'paused' }>): void
  recovered(): void
  /** `what` is full, in words. */
  overflowed(what: string): void
  hasRoom(): void
}

/** One 503 is nobody's business; three in a row are. */
const FAILURES_TO_SAY_SO = 3

export function createHealth(name: string, { tell, clear }: Teller): Health {
  const key = (what: string) => `delivery:${name}:${what}`
  let state: LaneState = 'ok'
  let failures = 0
  let isFull = false

  return {
    get state() {
      return state
    },
    get failures() {
      return failures
    },
    failed({ outcome, error }) {
      failures++
      state = outcome === 'paused' ? 'paused' : 'retrying'
      if (outcome === 'paused') {
        const message = `Delivery to ${name} is paused, its events are kept: ${error.message}`
        tell({ kind: 'delivery', message, cause: error }, key('paused'))
      } else if (failures >= FAILURES_TO_SAY_SO) {
        const message = `Delivery to ${name} keeps failing, its events are kept and tried again: ${error.message}`
        tell({ kind: 'delivery', message, cause: error }, key('down'))
      }
    },
    recovered() {
      failures = 0
      if (state === 'ok') return
      state = 'ok'
      clear(key('paused'))
      clear(key('down'))
    },
    overflowed(what) {
      if (isFull) return
      isFull = true
      const message = `The queue for ${name} is full (${what}): the oldest events are being dropped`
      tell({ kind: 'delivery', message }, key('full'))
    },
    hasRoom() {
      if (!isFull) return
      isFull = false
      clear(key('full'))
    },
  }
}
