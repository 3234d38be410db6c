// Where events are until the sinks have them: in memory, and with a spool on disk before the caller goes on.

import type { LLMEvent } from '../event.ts'
import type { Teller } from './health.ts'
import { createMemoryQueue, type Entry, type Queue } from './queue.ts'
import type { Durability, Mark, OnSpoolFull, Spool } from './spool/contract.ts'
import { createSetAside } from './spool/set-aside.ts'
import { createSpool } from './spool/spool.ts'
import { createSpooledQueue, type SpooledQueue } from './spooled-queue.ts'
import { wireJson } from './wire-json.ts'

export interface SpoolSettings {
  /** The folder that `spool` and `dead-letters` are made in. */
  readonly dir: string
  /** `memory` writes what is left when the process exits and nothing before; `os`. */
  readonly durability?: Durability | undefined
  /** 512 MiB. */
  readonly maxSpoolBytes?: number | undefined
  /** `drop-oldest`. */
  readonly onSpoolFull?: OnSpoolFull | undefined
  /** See `SpoolOptions.opening`. */
  readonly opening?: (() => Iterable<readonly [kind: string, value: unknown]>) | undefined
}

export interface KeepingOptions extends Teller {
  readonly settings: SpoolSettings
  /** The sinks whose events must outlive the process. */
  readonly owes: readonly string[]
  /** What is in memory of each of these sinks, oldest first. */
  readonly held: () => Iterable<Entry>
}

export interface Keeping {
  readonly spool: Spool
  keep(event: LLMEvent): Entry
  queue(sink: string, maxSize: number, dropped: (count: number) => void): Queue
  /** Writes a record of another kind than events. */
  note(kind: string, value: unknown): Mark | undefined
  /** Resolves to true when everything that was recorded is on the disk itself. */
  isOnDisk(): Promise<boolean>
  /** Writes what is in memory only: the process ends. */
  keepRest(): void
  /** `undefined` where there is room; never with a policy that gives events up instead. */
  room(): Promise<void> | undefined
  /** Whoever waits for room waits no more. */
  giveWay(): void
  readonly torn: number
  readonly corrupt: number
}

const MAX_SPOOL_BYTES = 512 * 1024 * 1024

export function createKeeping({ settings, owes, held, tell, clear }: KeepingOptions): Keeping {
  const { durability = 'os', maxSpoolBytes = MAX_SPOOL_BYTES, onSpoolFull = 'drop-oldest' } = settings
  const root = `${settings.dir}/spool`
  const queues: SpooledQueue[] = []
  const setAside = createSetAside({ root, tell, clear })
  const waiting: (() => void)[] = []

  const spool = createSpool({
    root,
    durability,
    maxBytes: maxSpoolBytes,
    onFull: onSpoolFull,
    owes,
    opening: settings.opening,
    tell,
    clear,
    damaged: setAside.of({ id: 'own', path: root }),
    dropped(segment) {
      for (const queue of queues) queue.segmentGone(segment)
    },
    uprooted(isTaken) {
      const entries = [...new Set(held())].filter(({ isLoss }) => !isLoss)
      for (const entry of entries) entry.mark = undefined
      for (const queue of queues) queue.uprooted(isTaken)
      rewrite(entries)
    },
    retried: keepRest,
    roomMade: giveWay,
  })

  function unkept(): Entry[] {
    return [...new Set(held())].filter(({ mark, isLoss }) => mark === undefined && !isLoss)
  }

  function keepRest(): void {
    rewrite(unkept())
  }

  function giveWay(): void {
    for (const resolve of waiting.splice(0)) resolve()
  }

  function rewrite(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const json = entry.json ?? jsonOf(entry.event)
      if (json !== undefined) entry.mark = spool.append('event', json)
      // It has failed again, and would fail for each of them.
      if (spool.isDown && entry.mark === undefined) break
    }
    for (const queue of queues) queue.landed()
  }

  function jsonOf(event: LLMEvent): string | undefined {
    try {
      return wireJson(event)
    } catch (cause) {
      const message = `Event ${event.eventId} cannot be written as JSON; it is kept in memory only`
      tell({ kind: 'delivery', message, cause }, 'spool:json')
      return undefined
    }
  }

  return {
    spool,
    keep(event) {
      if (durability === 'memory' || owes.length === 0) return { event }
      const json = jsonOf(event)
      return { event, json, mark: json === undefined ? undefined : spool.append('event', json) }
    },
    queue(sink, maxSize, dropped) {
      if (durability === 'memory') return createMemoryQueue(maxSize, dropped)
      const isRefusing = () => onSpoolFull === 'drop-new' && spool.isFull && !spool.isDown
      const queue = createSpooledQueue(spool, { sink, maxSize, dropped, isRefusing })
      queues.push(queue)
      return queue
    },
    note: (kind, value) => spool.append(kind, JSON.stringify(value)),
    async isOnDisk() {
      keepRest()
      const isSynced = await spool.sync()
      return isSynced && unkept().length === 0
    },
    keepRest,
    room() {
      if (onSpoolFull !== 'block' || !spool.isFull) return undefined
      return new Promise((resolve) => waiting.push(resolve))
    },
    giveWay,
    get torn() {
      return setAside.torn
    },
    get corrupt() {
      return setAside.corrupt
    },
  }
}
