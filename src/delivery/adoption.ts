// Takes over what dead processes left, and says from time to time that this one lives.

import { runAsNobody } from '../tenant.ts'
import { createBacklog } from './backlog.ts'
import type { Teller } from './health.ts'
import type { Keeping } from './keeping.ts'
import type { Lane } from './lane.ts'
import type { AdoptedSpool } from './spool/adopted.ts'
import { createOrphans } from './spool/orphans.ts'
import { BEAT_MS } from './spool/spool.ts'
import type { SpoolStats } from './stats.ts'
import { after } from './timer.ts'

export interface AdoptionOptions extends Teller {
  readonly keeping: Keeping
  readonly dir: string
  readonly owes: readonly string[]
  readonly lanes: ReadonlyMap<string, Lane>
  readonly onAdopted?: ((spool: AdoptedSpool) => void) | undefined
  readonly silenceMs?: number | undefined
}

/** Spools that were left where they are. */
export interface Untaken {
  /** So many whose process may live where we cannot look. */
  readonly unsure: number
  /** So many, or their folder, that could not be read or made out. */
  readonly unreadable: number
  /** Owed to sinks that are not here. */
  readonly others: readonly { readonly path: string; readonly owes: readonly string[] }[]
}

export interface Adoption {
  /** Looks soon, and again from time to time: also for processes that die while this one lives. */
  start(): void
  /** Gives up what was taken over, with what is left of it. */
  stop(): void
  /** Delivers what there is, as `Lane.drainBacklog` does; gives what could not be taken over. */
  drain(until?: number): Promise<Untaken>
  stats(): SpoolStats
}

/** A look at a folder and a touch of a file; every second beat also looks for orphans. */
const BEATS_TO_A_LOOK = 2

export function createAdoption({
  keeping,
  dir,
  owes,
  lanes,
  onAdopted,
  silenceMs,
  tell,
  clear,
}: AdoptionOptions): Adoption {
  const serves = new Set(owes)
  const orphans = createOrphans({ root: `${dir}/spool`, serves, adopted, silenceMs, tell, clear })
  const { spool } = keeping
  let count = 0
  let beats = 0
  let cancel: (() => void) | undefined

  function adopted(orphan: AdoptedSpool): void {
    count++
    try {
      onAdopted?.(orphan)
    } catch (cause) {
      tell({ kind: 'internal', message: 'What a dead process left could not be read in full', cause }, 'spool:adopted')
    }
    for (const name of orphan.owes) lanes.get(name)?.addBacklog(createBacklog(orphan, name))
  }

  function wait(ms: number, work: () => void): void {
    cancel = runAsNobody(() => after(ms, work))
  }

  function beat(): void {
    spool.beat()
    orphans.beat()
    if (++beats % BEATS_TO_A_LOOK === 0) orphans.look()
    wait(BEAT_MS, beat)
  }

  return {
    start() {
      // Not on the time of whoever records the first event.
      wait(0, () => {
        orphans.look()
        wait(BEAT_MS, beat)
      })
    },
    stop() {
      cancel?.()
      orphans.leave()
    },
    async drain(until) {
      orphans.look()
      await Promise.all([...lanes.values()].map((lane) => lane.drainBacklog(until)))
      const { unsure, unreadable, others } = orphans
      return { unsure, unreadable, others }
    },
    stats() {
      const state = spool.isDown ? 'down' : spool.isFull ? 'full' : 'ok'
      const torn = keeping.torn + orphans.torn
      const corrupt = keeping.corrupt + orphans.corrupt
      return { bytes: spool.bytes + orphans.bytes, adopted: count, torn, corrupt, state }
    },
  }
}
