// What delivery says to people: problems and failed sends, never by throwing at whoever records an event.

import type { LLMEvent } from '../event.ts'
import type { Problem, ProblemReporter } from '../problems.ts'
import type { Delivery } from '../sinks/sink.ts'
import type { Teller } from './health.ts'

/** What could not be sent, beside the error that `onFlushError` gets. */
export interface FlushFailure {
  readonly sink: string
  readonly outcome: Exclude<Delivery['outcome'], 'delivered'>
  readonly events: readonly LLMEvent[]
  /** False when these events are given up: the sink refused them for good. */
  readonly kept: boolean
}

/** Called with the error of each send that failed, and with what became of its events. */
export type FlushErrorHandler = (error: Error, failure: FlushFailure) => void

export interface DeliveryTeller extends Teller {
  /** A fault of ours, or of a function that we were given. */
  fault(doing: string, cause: unknown): void
  failed(error: Error, failure: FlushFailure): void
  /** Throws what `raiseOnError` wanted thrown, once, at a caller who can catch it. */
  raise(): void
}

export function createTeller(problems: ProblemReporter, onFlushError: FlushErrorHandler | undefined): DeliveryTeller {
  let raised: unknown

  function tell(problem: Problem, key: string): void {
    try {
      problems.report(problem, key)
    } catch (error) {
      raised ??= error
    }
  }

  function complain(cause: unknown): void {
    tell({ kind: 'callback', message: '`onFlushError` threw an error', cause }, 'callback:onFlushError')
  }

  return {
    tell,
    clear: (key) => problems.clear(key),
    fault(doing, cause) {
      tell({ kind: 'internal', message: `tallygate failed while ${doing}`, cause }, `internal:${doing}`)
    },
    failed(error, failure) {
      try {
        const answer: unknown = onFlushError?.(error, failure)
        if (answer instanceof Promise) answer.catch(complain)
      } catch (cause) {
        complain(cause)
      }
    },
    raise() {
      const error = raised
      raised = undefined
      if (error !== undefined) throw error
    },
  }
}
