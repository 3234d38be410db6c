// Calls that the application reports itself, on their way to being events like any other.

import type { Markup } from '../call/markup.ts'
import type { LLMEvent } from '../event.ts'
import type { Limiter } from '../limits/limiter.ts'
import { type ManualCall, manualEvent } from '../manual.ts'
import type { LazyBook } from '../pricing/lazy-book.ts'
import type { PriceBook, PriceGap } from '../pricing/price.ts'
import type { ProblemReporter } from '../problems.ts'
import { currentPayer } from '../tenant.ts'

export interface ByHandSetup {
  readonly problems: ProblemReporter
  readonly prices: LazyBook
  readonly limiter: Limiter
  readonly markup: Markup | undefined
  readonly appName: string | undefined
  readonly environment: string | undefined
  /** Told of what was wrong with a tenant or a label, in one sentence. */
  readonly complain: (sentence: string) => void
  readonly debug: (line: string) => void
  unpriced(provider: string, model: string, gap: PriceGap | undefined): void
  record(event: LLMEvent): void
  /** The process may end before the prices are read, where they cannot be at once. */
  keep(work: Promise<unknown>, atOnce: () => void): void
}

const IDS_REMEMBERED = 10_000

/** Gives the function behind `trackManually`, which never throws. */
export function createByHand(setup: ByHandSetup): (call: ManualCall) => void {
  const { problems, prices, limiter, markup, appName, environment, complain, debug } = setup
  /** Ids that the application gave to calls: the ledger would count each once, and so must a limit. */
  const told = new Set<string>()

  function wasTold(call: ManualCall): boolean {
    const id: unknown = problems.guard('internal', 'reading a call reported by hand', () => call?.eventId)
    if (typeof id !== 'string') return false
    if (told.has(id)) return true
    if (told.size >= IDS_REMEMBERED) told.clear()
    told.add(id)
    return false
  }

  const ignore = (names: readonly string[]): void =>
    debug(`trackManually: ignored ${names.map((name) => `\`${name.slice(0, 40)}\``).join(', ')}`)

  return (call) => {
    if (wasTold(call)) return
    // Read in the caller's own turn: the object is the application's, and may be another call's a moment later.
    const manual = problems.guard('internal', 'reading a call reported by hand', () =>
      manualEvent(call, { payer: currentPayer(), appName, environment, markup, now: Date.now(), complain, ignore }),
    )
    if (!manual) return
    let isRecorded = false
    const record = (book: PriceBook) => {
      if (isRecorded) return
      isRecorded = true
      problems.guard('internal', 'recording a call reported by hand', () => {
        const { event, cost, gap } = manual.price(book)
        const { timestamp, usage } = event
        if (cost !== undefined) limiter.spend(event, cost, Date.parse(timestamp))
        setup.record(event)
        // Under `raiseOnError` this throws.
        if (cost === undefined && usage && Object.keys(usage).length > 0)
          setup.unpriced(event.provider, event.model, gap)
      })
    }
    // An event is on the disk when this returns: the first one waits for its price.
    const book = prices.now()
    if (book) record(book)
    else setup.keep(prices.load().then(record), () => record(prices.atOnce))
  }
}
