// One send to one sink: always an outcome, within a time, whatever the sink does.

import type { Batch, Delivery, Sink } from '../sinks/sink.ts'
import { after } from './timer.ts'

type Retry = Extract<Delivery, { outcome: 'retry' }>

export interface Sender {
  send(batch: Batch): Promise<Delivery>
  sendSync(batch: Batch): Delivery | undefined
  /** Breaks off the send in flight; its outcome is `retry`. */
  abort(why: string): void
}

export function createSender(name: string, sink: Sink, timeoutMs: number): Sender {
  let inFlight: AbortController | undefined

  return {
    async send(batch) {
      const controller = new AbortController()
      inFlight = controller
      // A sink that does not heed its signal must not hold up the queue, a flush or a close.
      const brokenOff = new Promise<Delivery>((resolve) => {
        controller.signal.addEventListener('abort', () => resolve(retry(controller.signal.reason)), { once: true })
      })
      const cancel = after(timeoutMs, () => controller.abort(new Error(`${name} took longer than ${timeoutMs} ms`)))
      try {
        return checked(await Promise.race([sink.send(batch, controller.signal), brokenOff]), name)
      } catch (cause) {
        return retry(cause)
      } finally {
        cancel()
        inFlight = undefined
      }
    },
    sendSync(batch) {
      if (sink.sendSync === undefined) return undefined
      try {
        return checked(sink.sendSync(batch), name)
      } catch (cause) {
        return retry(cause)
      }
    },
    abort(why) {
      inFlight?.abort(new Error(`Sending to ${name} was broken off ${why}`))
    },
  }
}

function retry(cause: unknown): Retry {
  return { outcome: 'retry', error: cause instanceof Error ? cause : new Error(`A sink threw a ${typeof cause}`) }
}

const OUTCOMES = new Set<unknown>(['delivered', 'retry', 'too-large', 'rejected', 'paused'])

/** Sinks are written by users too: what is no outcome must not pass for a delivery. */
function checked(delivery: Delivery, name: string): Delivery {
  if (!OUTCOMES.has(delivery?.outcome)) return retry(new Error(`${name} answered a batch with no outcome`))
  if (delivery.outcome === 'delivered' || delivery.error instanceof Error) return delivery
  return { ...delivery, error: new Error(`${name} gave no reason`) }
}
