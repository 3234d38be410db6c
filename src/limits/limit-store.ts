// The contract of a limit store: where accounts live. See docs/limits.md.

import type { LimitWindow } from '../errors.ts'

/** How much is held for a call: see `setLimit`. */
export type LimitMode = 'expected' | 'hard'

export interface LimitRule {
  readonly tenantId: string
  readonly window: LimitWindow
  readonly limitNanoUsd: bigint
  readonly mode: LimitMode
}

/** One limit and where it stands in its current window. All sums in nano-dollars. */
export interface Account extends LimitRule {
  /** Names the window: `2026-11`, `2026-11-22`, `total`. Money of one window never counts in another. */
  readonly windowId: string
  /** Settled spend. */
  readonly committed: bigint
  /** Granted to processes and neither spent nor returned yet. */
  readonly escrow: bigint
}

/**
 * One step of a lease: a slice of an account that a process spends by local arithmetic.
 * `spent` and `returned` are running totals of the lease, never differences, so a step that is lost, doubled or late
 * changes nothing. The steps of one lease are sent one after the other: a store need remember only its last answer.
 */
export interface LeaseStep {
  readonly leaseId: string
  /** Counts the steps of this lease from 1. The last one repeated is answered as the first time; one before it grants nothing. */
  readonly seq: number
  readonly tenantId: string
  readonly window: LimitWindow
  /** Epoch milliseconds: decides the window. */
  readonly at: number
  /** The least that is of use to the process now; 0 only reports. */
  readonly need: bigint
  /** What it would like, at least `need`. */
  readonly want: bigint
  /** May come to more than was granted: it is committed all the same, and the next grant covers it first. */
  readonly spent: bigint
  readonly returned: bigint
  /** The lease ends: what is left of it goes back to the account. */
  readonly final: boolean
}

export interface LeaseAnswer {
  /** The slice granted by this step: from `need` to `want`, or 0 when the account cannot give so much. */
  readonly granted: bigint
  readonly account: Account
}

type MaybePromise<T> = T | Promise<T>

/** Where accounts live: in this process, in a file, in a database, behind HTTP. Every operation is atomic. */
export interface LimitStore {
  /** Sets or replaces the rule; spend of the current window stays. */
  setLimit(rule: LimitRule): MaybePromise<void>
  removeLimit(tenantId: string, window: LimitWindow): MaybePromise<void>
  /** The accounts of a tenant as they stand at `at`, epoch milliseconds, one a window; empty when it has no limit. */
  accounts(tenantId: string, at: number): MaybePromise<readonly Account[]>
  /** `undefined` when the tenant has no limit on that window. */
  lease(step: LeaseStep): MaybePromise<LeaseAnswer | undefined>
  close?(): MaybePromise<void>
}
