// What a limiter needs of the rest of the meter.

import type { PicoUsd } from '../money.ts'
import type { BequestNews } from './bequest.ts'
import type { LimitRule, LimitStore } from './limit-store.ts'
import type { StoreDownPolicy } from './outage.ts'
import type { PocketsSetup } from './pockets.ts'
import type { Unsynced } from './unsynced.ts'
import type { LimitWarning } from './warnings.ts'

export interface LimiterSetup {
  readonly store: LimitStore
  readonly unsynced: Unsynced
  /** Takes work that nobody waits for, and sees to its failure. */
  readonly keep: (work: Promise<unknown>) => void
  readonly opening?: PocketsSetup['opening']
  readonly whenDown?: Exclude<StoreDownPolicy, object> | { readonly overdraft: PicoUsd } | undefined
  /** The store does not answer, answers again, or has lost what it knew. */
  readonly onStore?: (state: 'down' | 'up' | 'lost', cause: unknown) => void
  readonly onWarning?: ((warning: LimitWarning) => void) | undefined
  /** Writes a record that outlives the process; gives `undefined` for one that could not be written. */
  readonly note?: ((kind: string, value: unknown) => unknown) | undefined
  /** What has become of the leases of a dead process. */
  readonly onBequest?: ((news: BequestNews) => void) | undefined
  /** Thresholds in per cent. */
  readonly warnAt?: readonly number[]
  /** Another process has set a limit in a time zone that this Node does not know. */
  readonly onStrangeZone?: ((rule: LimitRule) => void) | undefined
  /** A call under a hard limit has cost more than it could. */
  readonly onOverrun?: () => void
  readonly now?: () => number
  /** Milliseconds that only ever rise. */
  readonly monotonic?: () => number
  readonly ttlMs?: number
  readonly timeoutMs?: number
  readonly heartbeatMs?: number
}
