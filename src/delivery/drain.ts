// Delivers what dead processes left, and nothing else.

import type { ProblemReporter } from '../problems.ts'
import type { Sink } from '../sinks/sink.ts'
import { createDelivery } from './delivery.ts'
import type { AdoptedSpool } from './spool/adopted.ts'
import { SILENCE_MS } from './spool/orphans.ts'
import { after } from './timer.ts'

export interface DrainOptions {
  /** The folder that has `spool` in it. */
  readonly dir: string
  /** Its name is the one that the events are owed to. */
  readonly sink: Sink
  readonly problems: ProblemReporter
  /** Some spools are watched, whether their process lives; so many. */
  readonly waiting: (count: number) => void
  readonly silenceMs?: number | undefined
  /** Told of each spool that is taken over; it stays until what this gives is done. */
  readonly onAdopted?: ((spool: AdoptedSpool) => Promise<void>) | undefined
  /** How long to try again where the sink does not take it. */
  readonly patienceMs: number
}

export interface Drained {
  readonly delivered: number
  readonly rejected: number
  /** Spools that were taken over. */
  readonly spools: number
  /** Bytes that could not be delivered. */
  readonly left: number
  /** Spools that could not be read, or their folder. */
  readonly unreadable: number
  /** Spools that are owed to other sinks. */
  readonly others: readonly { readonly path: string; readonly owes: readonly string[] }[]
}

/** Larger than those of a live process: nobody waits, and a ledger takes them ten times as fast. */
const BATCH = 1000

export async function drainSpools({
  dir,
  sink,
  problems,
  waiting,
  onAdopted,
  silenceMs = SILENCE_MS,
  patienceMs,
}: DrainOptions): Promise<Drained> {
  const settling: Promise<void>[] = []
  const adopted = onAdopted && ((spool: AdoptedSpool) => void settling.push(onAdopted(spool)))
  const delivery = createDelivery({
    sinks: [sink],
    problems,
    spool: { dir },
    maxBatchSize: BATCH,
    silenceMs,
    onAdopted: adopted,
  })
  const drain = () => delivery.drainOrphans(performance.now() + patienceMs)
  const first = await drain()
  let last = first
  if (first !== undefined && first.unsure > 0) {
    waiting(first.unsure)
    await new Promise<void>((resolve) => after(silenceMs + 100, resolve, true))
    last = await drain()
  }
  await Promise.all(settling)
  const { delivered, rejected, spool } = delivery.stats()
  const left = spool?.bytes ?? 0
  await delivery.close(0)
  const { unreadable = 0, others = [] } = last ?? {}
  return { delivered, rejected, spools: spool?.adopted ?? 0, left, unreadable, others }
}
