// What a dead process has left of its leases, by what it wrote down: settled in its name, whoever finds it and how often.

import { nanoCeil, type PicoUsd } from '../money.ts'
import type { LeaseStep, LimitKey, LimitStore } from './limit-store.ts'
import type { LeaseNote } from './notes.ts'

/** The records of a dead process. */
export interface Bequest {
  records(): Iterable<{ readonly kind: string; readonly json: string }>
  /** When the last of them was written, in epoch milliseconds. */
  readonly writtenAt: number
  /** They stay where they are until the function that it gives is called; after `false` as well, for the next process that looks. */
  retain(): (isSettled?: boolean) => void
}

/** What has become of one bequest. */
export interface BequestNews {
  /** Leases that were settled. */
  readonly settled: number
  /** Leases of a store that this one is not: they stay written down. */
  readonly kept: number
  /** That store, as far as it has a name. */
  readonly store?: string
  /** Why it cannot be read: it stays charged, since it may have been spent. */
  readonly unreadable?: unknown
}

export interface Heir {
  /** Settles it now; where the store does not answer, with `again`. Never rejects. */
  take(bequest: Bequest): Promise<void>
  /** Tries what is left; resolves when it is settled, or the store has failed again. */
  again(): Promise<void>
  /** Dead processes whose leases wait for the store. */
  readonly waiting: number
}

interface Lease {
  readonly note: LeaseNote
  spent: PicoUsd
}

interface Estate {
  readonly leases: readonly Lease[]
  readonly writtenAt: number
  release(isSettled: boolean): void
}

const RECORDS_AT_ONCE = 2000
const STEPS_AT_ONCE = 500
const DAY_MS = 24 * 3_600_000
/** Stores forget a window a week after its end. */
const KEPT_AFTER_END_MS = 7 * DAY_MS
/** Of money that is counted in total, which no end of a window makes void. */
const KEPT_WITHOUT_END_MS = 92 * DAY_MS

/** Without a `store` nothing is settled, and what others can settle is left to them. */
export function createHeir(
  store: Pick<LimitStore, 'lease' | 'identity'> | undefined,
  told: (news: BequestNews) => void = () => undefined,
  now: () => number = Date.now,
): Heir {
  const left = new Set<Estate>()
  let trying: Promise<void> | undefined

  async function settle(): Promise<void> {
    for (const estate of left) {
      const settled = await settledOf(estate)
      left.delete(estate)
      const isDone = settled > 0 || isOurs(estate) || isVoid(estate)
      estate.release(isDone)
      const name = estate.leases[0]?.note.store
      told(isDone ? { settled, kept: 0 } : { settled, kept: estate.leases.length, ...(name && { store: name }) })
    }
  }

  async function settledOf({ leases }: Estate): Promise<number> {
    let known = 0
    for (let at = 0; store && at < leases.length; at += STEPS_AT_ONCE) {
      const answers = await store.lease(leases.slice(at, at + STEPS_AT_ONCE).map(lastStep))
      for (const answer of answers) if (answer) known++
    }
    return known
  }

  /** Then a lease that the store does not know is one whose limit was removed: nobody else knows it either. */
  function isOurs({ leases }: Estate): boolean {
    return store?.identity !== undefined && leases.some(({ note }) => note.store === store.identity)
  }

  /** Whose money counts nowhere any more. */
  function isVoid({ leases, writtenAt }: Estate): boolean {
    return leases.every(
      ({ note: { ends } }) => now() > (ends === undefined ? writtenAt + KEPT_WITHOUT_END_MS : ends + KEPT_AFTER_END_MS),
    )
  }

  function again(): Promise<void> {
    trying ??= settle()
      // It is told again from its beginning: running totals change nothing the second time.
      .catch(() => undefined)
      .finally(() => {
        trying = undefined
      })
    return trying
  }

  return {
    again,
    get waiting() {
      return left.size
    },
    async take(bequest) {
      const release = bequest.retain()
      try {
        const leases = await leasesOf(bequest.records())
        if (leases.length === 0) return release()
        left.add({ leases, writtenAt: bequest.writtenAt, release })
      } catch (cause) {
        release()
        return told({ settled: 0, kept: 0, unreadable: cause })
      }
      await trying
      await again()
    },
  }
}

/** Its leases: with what was settled, and what calls under way held, since that may be spent. */
async function leasesOf(records: ReturnType<Bequest['records']>): Promise<readonly Lease[]> {
  const leases = new Map<number, Lease>()
  const holds = new Map<number, readonly [number, PicoUsd][]>()
  let read = 0
  for (const { kind, json } of records) {
    if (++read % RECORDS_AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve))
    if (kind === 'lease') {
      const note = JSON.parse(json) as LeaseNote
      leases.set(note.n, { note, spent: BigInt(note.spent) })
    } else if (kind === 'hold') {
      const [call = 0, ...parts] = JSON.parse(json) as [number, ...(number | string)[]]
      holds.set(call, pairsOf(parts))
    } else if (kind === 'settle') {
      const [call, cost] = JSON.parse(json) as [number, string]
      for (const [n] of holds.get(call) ?? []) charge(leases.get(n), BigInt(cost))
      holds.delete(call)
    } else if (kind === 'spend') {
      const [cost, n] = JSON.parse(json) as [string, number]
      charge(leases.get(n), BigInt(cost))
    }
  }
  for (const parts of holds.values()) for (const [n, amount] of parts) charge(leases.get(n), amount)
  // A lease can have been written down twice, after a time when nothing was in it: what was said last holds.
  const byId = new Map([...leases.values()].map((lease) => [lease.note.id, lease]))
  return [...byId.values()]
}

function charge(lease: Lease | undefined, cost: PicoUsd): void {
  if (lease) lease.spent += cost
}

function pairsOf(parts: readonly (number | string)[]): [number, PicoUsd][] {
  const pairs: [number, PicoUsd][] = []
  for (let at = 0; at + 1 < parts.length; at += 2) pairs.push([Number(parts[at]), BigInt(parts[at + 1]!)])
  return pairs
}

function lastStep({ note, spent }: Lease): LeaseStep {
  const { id, scope, per, window, ends } = note
  return {
    scope,
    per: per as LimitKey['per'],
    windowId: window,
    earlier: [],
    leaseId: id,
    // The lease has had a step of this number: it is granted nothing.
    seq: 1,
    need: 0n,
    least: 0n,
    want: 0n,
    granted: 0n,
    spent: nanoCeil(spent),
    returned: 0n,
    final: true,
    ttlMs: 0,
    opening: 0n,
    endsAt: ends,
    warned: 0,
    ifKnown: true,
  }
}
