// The contract of a ledger: a sink that can be asked.

import type { LimitWindow } from '../errors.ts'
import type { PicoUsd } from '../money.ts'
import type { Sink } from './sink.ts'

/** What a report can be grouped by; each is a column. */
export const DIMENSIONS = [
  'tenant',
  'user',
  'session',
  'feature',
  'team',
  'project',
  'cost_center',
  'app',
  'environment',
  'provider',
  'host',
  'model',
  'endpoint',
  'tier',
  'day',
] as const

export type Dimension = (typeof DIMENSIONS)[number]

export interface TotalsQuery {
  readonly by: readonly Dimension[]
  /** Inclusive, epoch milliseconds. */
  readonly since?: number
  /** Exclusive, epoch milliseconds. */
  readonly until?: number
  readonly tenantId?: string
}

/** One row of a report. A call without a price counts in `unpriced` and adds nothing to `cost`. */
export interface TotalsRow {
  /** One value for each dimension asked for; `null` where the events hold none. */
  readonly key: readonly (string | null)[]
  readonly calls: number
  readonly errors: number
  /** Calls that used something but have no price. */
  readonly unpriced: number
  /** Calls whose usage was estimated in part or whole. */
  readonly estimated: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  readonly cost: PicoUsd
}

/** A limit as it is stored. */
export interface StoredLimit {
  readonly tenantId: string
  readonly window: LimitWindow
  readonly limit: PicoUsd
  readonly mode: 'expected' | 'hard'
}

/** A sink that can be asked, and that keeps limits, so that they hold when the process starts again. */
export interface Ledger extends Sink {
  totals(query: TotalsQuery): Promise<TotalsRow[]>
  /** The sum of a tenant's costs from `since` (epoch milliseconds, inclusive) on; exact beyond 64 bits. */
  spent(tenantId: string, since: number): Promise<PicoUsd>
  limits(): Promise<StoredLimit[]>
  putLimit(limit: StoredLimit): Promise<void>
  removeLimit(tenantId: string, window: LimitWindow): Promise<void>
}

export function isLedger(sink: Sink): sink is Ledger {
  return 'spent' in sink && 'totals' in sink
}
