// Limits behind an address of which it is not known yet whether it speaks leases: the first question tells.

import type { LeasesClient } from './http-client.ts'
import { firstAnswer, leasesOver } from './http-store.ts'
import type { LeaseAnswer, LeaseStep, LimitChanges, LimitStore, MaybePromise } from './limit-store.ts'

export interface ChoiceOptions {
  readonly client: LeasesClient
  /** What is asked where nobody knows leases, and as long as nobody has said. */
  readonly plain: LimitStore
  readonly monotonic?: () => number
}

/** Calls wait for the first answer no longer; the limiter would take the store for down. */
const PATIENCE_MS = 600
const FIRST_PAUSE_MS = 1000
const LONGEST_PAUSE_MS = 60_000
/** Leases of a store that nobody may be asked about any more. */
const MOST_REMEMBERED = 100_000
const NOTHING: LimitChanges = { revision: 0, rules: [], removed: [] }

/** A limit store that becomes the one or the other with the first answer, and stays it. */
export function eitherLimitStore({ client, plain, monotonic = () => performance.now() }: ChoiceOptions): LimitStore {
  const leases = leasesOver(client)
  let known: 'asking' | 'unsure' | 'plain' | 'leases' = 'asking'
  /** The answer by which it became known, for whoever asks for that first. */
  let first: LimitChanges | undefined
  let asking: Promise<void> | undefined
  let pauseMs = FIRST_PAUSE_MS
  let nextAt = 0
  /** What the plain store has granted while nobody had said: of these the other one must not hear. */
  const borrowed = new Set<string>()

  async function ask(): Promise<void> {
    const answer = await firstAnswer(client)
    if (answer === 'unsure') {
      known = 'unsure'
      nextAt = monotonic() + pauseMs
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2)
    } else if (answer === 'foreign') {
      known = 'plain'
      borrowed.clear()
    } else {
      known = 'leases'
      first = answer
    }
  }

  function find(): Promise<void> {
    return (asking ??= ask().finally(() => {
      asking = undefined
    }))
  }

  async function found(): Promise<LimitStore> {
    if (known === 'asking' || (known === 'unsure' && monotonic() >= nextAt)) {
      let timer: ReturnType<typeof setTimeout> | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, PATIENCE_MS)
      })
      await Promise.race([find(), late])
      clearTimeout(timer)
      if (known === 'asking') known = 'unsure'
    }
    return known === 'leases' ? leases : plain
  }

  function rulesOf(tenantId: string) {
    if (known === 'unsure' && monotonic() >= nextAt) find().catch(() => undefined)
    return plain.rulesOf!(tenantId)
  }

  async function change(by: (store: LimitStore) => MaybePromise<void>): Promise<void> {
    const store = await found()
    // It is from before the change.
    first = undefined
    return by(store)
  }

  /** What a lease of the plain store held is over: its holder takes a new one, of money that is shared. */
  async function over(step: LeaseStep): Promise<LeaseAnswer | undefined> {
    borrowed.delete(step.leaseId)
    const [last] = await plain.lease([{ ...step, need: 0n, least: 0n, want: 0n, final: true }])
    const account = last?.account ?? { limitNanoUsd: 0n, committed: 0n, escrow: 0n, suspense: 0n, warned: 0 }
    return { granted: 0n, account, isOver: true }
  }

  async function leaseEach(steps: readonly LeaseStep[]) {
    const fresh = steps.filter(({ leaseId }) => !borrowed.has(leaseId))
    const answers = fresh.length === 0 ? [] : [...(await leases.lease(fresh))]
    return Promise.all(steps.map(async (step) => (borrowed.has(step.leaseId) ? over(step) : answers.shift())))
  }

  function borrow(steps: readonly LeaseStep[]): MaybePromise<readonly (LeaseAnswer | undefined)[]> {
    for (const { leaseId } of known === 'plain' ? [] : steps) {
      const [oldest] = borrowed.size >= MOST_REMEMBERED ? borrowed : []
      if (oldest !== undefined) borrowed.delete(oldest)
      borrowed.add(leaseId)
    }
    return plain.lease(steps)
  }

  return {
    get isPrivate() {
      return known === 'leases' || known === 'asking' ? undefined : true
    },
    get rulesOf() {
      return known === 'leases' || known === 'asking' ? undefined : rulesOf
    },
    setLimit: (rule) => change((store) => store.setLimit(rule)),
    removeLimit: (key) => change((store) => store.removeLimit(key)),
    async changes(since) {
      const wasKnown = known === 'leases'
      const store = await found()
      if (store === plain) return NOTHING
      const answer = wasKnown || since > 0 ? undefined : first
      first = undefined
      return answer ?? leases.changes(since)
    },
    accounts: (keys) => (known === 'leases' ? leases : plain).accounts(keys),
    lease(steps) {
      if (known === 'asking') return found().then(() => this.lease(steps))
      if (known !== 'leases') return borrow(steps)
      return borrowed.size === 0 ? leases.lease(steps) : leaseEach(steps)
    },
    async close() {
      await leases.close?.()
    },
  }
}
