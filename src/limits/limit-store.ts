// The contract of a limit store: where rules and accounts live. See docs/limits.md.

import type { LimitMode, LimitWindow } from '../errors.ts'

/** What tells two limits apart: whose money it is, and over which window. */
export interface LimitKey {
  /** The canonical name of a scope: `tenant=acme`, `tenant=acme&user=u1`, `feature=search`, `organization=big`, `*`. */
  readonly scope: string
  readonly per: LimitWindow
}

/** What else a limit says. Plain JSON: a store keeps it as text and need not understand it. */
export interface LimitSettings {
  readonly timeZone?: string
  readonly anchor?: number
  readonly rolling?: true
  readonly minOutputTokens?: number
  /** The tenants of an organisation. */
  readonly tenants?: readonly string[]
}

export interface LimitRule extends LimitKey {
  readonly limitNanoUsd: bigint
  readonly mode: LimitMode
  readonly settings: LimitSettings
}

/** What has changed since a revision; a removed limit is there by its key only. */
export interface LimitChanges {
  /** Rises with every change. One below the last seen: the store has lost what it knew. */
  readonly revision: number
  readonly rules: readonly LimitRule[]
  readonly removed: readonly LimitKey[]
}

export interface AccountKey extends LimitKey {
  /** Names the window: `2026-11`, `2026-11-22`, `total`. Money of one window never counts in another. */
  readonly windowId: string
  /** The earlier slots of a rolling window, and as many later ones, since clocks differ: their money counts in this one too. */
  readonly earlier: readonly string[]
}

/** Where a limit stands in one window. All sums in nano-dollars, those of the other slots of a rolling one included. */
export interface Account {
  readonly limitNanoUsd: bigint
  /** Settled spend. */
  readonly committed: bigint
  /** Granted to processes and neither spent nor returned yet. */
  readonly escrow: bigint
  /** Likewise, of processes that have not been heard of for so long that they may be dead: charged until one of them tells better. */
  readonly suspense: bigint
  /** The highest threshold, in per cent, that somebody has been warned of in this window. */
  readonly warned: number
}

/**
 * One step of a lease: a slice of an account that a process spends by local arithmetic.
 * `granted`, `spent` and `returned` are running totals of the lease, never differences, so a step that is lost, doubled
 * or late changes nothing. The steps of one lease are sent one after the other; one that got no answer is sent again
 * under the same `seq`.
 */
export interface LeaseStep extends AccountKey {
  readonly leaseId: string
  /** Counts the answered steps of this lease from 1. The last one repeated is granted the same again; one before it nothing. */
  readonly seq: number
  /** What the holder wants at once; 0 only tells. */
  readonly need: bigint
  /** What would do where `need` is not there any more; then all that is left is granted. At most `need`. */
  readonly least: bigint
  /** What it would like, at least `need`. */
  readonly want: bigint
  /** What this lease was granted so far: for a store that has lost it. */
  readonly granted: bigint
  /** May come to more than was granted: it is committed all the same, and the next grant covers it first. */
  readonly spent: bigint
  readonly returned: bigint
  /** The lease ends: what is left of it goes back to the account. */
  readonly final: boolean
  /** After this time without a further step, by the clock of the store, the lease counts as the slice of a dead process. */
  readonly ttlMs: number
  /** What was spent in the window before it had an account: counts only where this step opens it. */
  readonly opening: bigint
  /** Epoch milliseconds after which no call can count in the account any more; it may be forgotten some days later. */
  readonly endsAt: number | undefined
  /** The highest threshold, in per cent, that the holder knows to be reached. */
  readonly warned: number
  /** Told in the name of a holder that is dead: where there is no such lease nothing changes, and there is no answer. */
  readonly ifKnown?: true
}

export interface LeaseAnswer {
  /** The slice granted by this step: 0, or from `least` to `want`. */
  readonly granted: bigint
  /** As it stands after the step, but for `warned`: as it was before. */
  readonly account: Account
  /** Somebody has ended the lease in the name of its holder: it is granted nothing more. */
  readonly isOver: boolean
}

export type MaybePromise<T> = T | Promise<T>

/** Where accounts live: in this process, in a file, in a database, behind HTTP. Every operation is atomic. */
export interface LimitStore {
  /** Nobody but its owner can change what it knows: it need not be asked for changes. */
  readonly isPrivate?: true | undefined
  /** Names it among others, without a password: processes with the same name ask the same limits. */
  readonly identity?: string | undefined
  /** Sets or replaces the rule; spend of the current window stays. */
  setLimit(rule: LimitRule): MaybePromise<void>
  removeLimit(key: LimitKey): MaybePromise<void>
  /** The rules that were set or removed after a revision; all of them after 0. */
  changes(since: number): MaybePromise<LimitChanges>
  /** Instead of `changes`, where limits are known tenant by tenant. The same list again as long as it is true. */
  rulesOf?: ((tenantId: string) => MaybePromise<readonly LimitRule[]>) | undefined
  /** Where limits stand; `undefined` for one that has no such rule. */
  accounts(keys: readonly AccountKey[]): MaybePromise<readonly (Account | undefined)[]>
  /** Answers in the order of the steps, each of another lease; `undefined` where there is no such rule. */
  lease(steps: readonly LeaseStep[]): MaybePromise<readonly (LeaseAnswer | undefined)[]>
  /** One sentence on how it is run, where that may lose limits; asked once. */
  doubts?(): MaybePromise<string | undefined>
  close?(): MaybePromise<void>
}
