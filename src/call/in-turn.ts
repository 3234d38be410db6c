// The calls of a job, recorded as fast as the queue takes them: a batch has more of them than there is room for.

import type { PriceBook } from '../pricing/price.ts'
import type { EndedJob, Jobs } from './jobs.ts'

/** What recording many calls needs of the rest of the meter. */
export interface Recording {
  readonly prices: {
    readonly book: PriceBook | undefined
    now(): PriceBook | undefined
    readonly atOnce: PriceBook
    load(): Promise<PriceBook>
  }
  /** How many events may be recorded at a stretch, and when there is room for as many again. */
  readonly room: { readonly events: number; again(): Promise<void> }
  /** Work that goes on after the call has ended; `atOnce` does without waiting what is left of it when the process exits. */
  keep(work: Promise<unknown>, atOnce?: () => void): void
}

/** Those that fit at once where the prices are known, and the others as soon as may be; all of them at once at exit. */
export function recordInTurn(
  { prices, room, keep, jobs }: Recording & { readonly jobs: Pick<Jobs, 'claim'> },
  calls: readonly EndedJob[],
  record: (call: EndedJob, book: PriceBook) => void,
): void {
  let next = 0
  const recordSome = (count: number, book: PriceBook): void => {
    const some = calls.slice(next, next + count)
    next += count
    jobs.claim(some, (call) => record(call, book))
  }
  const recordRest = async (): Promise<void> => {
    const book = await prices.load()
    for (;;) {
      recordSome(room.events, book)
      if (next >= calls.length) return
      await room.again()
    }
  }
  const book = calls.length <= room.events ? prices.now() : undefined
  if (book) recordSome(calls.length, book)
  else keep(recordRest(), () => recordSome(calls.length, prices.atOnce))
}
