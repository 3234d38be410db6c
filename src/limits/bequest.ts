// What a dead process has left of its leases, by what it wrote down: settled in its name, whoever finds it and how often.

import { nanoCeil, type PicoUsd } from '../money.ts'
import type { LeaseStep, LimitKey, LimitStore } from './limit-store.ts'
import type { LeaseNote } from './notes.ts'

/** The records of a dead process. */
export interface Bequest {
  records(): Iterable<{ readonly kind: string; readonly json: string }>
  /** They stay where they are until the function that it gives is called. */
  retain(): () => void
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

const RECORDS_AT_ONCE = 2000
const STEPS_AT_ONCE = 500

/** `told` of leases that were settled, and of what cannot be read: that stays charged, since it may have been spent. */
export function createHeir(
  lease: LimitStore['lease'],
  told: (leases: number, cause?: unknown) => void = () => undefined,
): Heir {
  const left = new Map<readonly LeaseStep[], () => void>()
  let trying: Promise<void> | undefined

  async function settle(): Promise<void> {
    for (const [steps, release] of left) {
      let known = 0
      for (let at = 0; at < steps.length; at += STEPS_AT_ONCE) {
        const answers = await lease(steps.slice(at, at + STEPS_AT_ONCE))
        for (const answer of answers) if (answer) known++
      }
      left.delete(steps)
      release()
      told(known)
    }
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
        const steps = await stepsOf(bequest.records())
        if (steps.length === 0) return release()
        left.set(steps, release)
      } catch (cause) {
        release()
        return told(0, cause)
      }
      await trying
      await again()
    },
  }
}

/** The last step of each of its leases: with what was settled, and what calls under way held, since that may be spent. */
async function stepsOf(records: ReturnType<Bequest['records']>): Promise<readonly LeaseStep[]> {
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
  return [...byId.values()].map(lastStep)
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
