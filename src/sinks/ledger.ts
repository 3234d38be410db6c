// The contract of a ledger: a sink that can be asked.

import type { LimitMode, LimitWindow } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
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
  /** What was charged for them, by the option `markup`; absent where no event says it. */
  readonly resale?: PicoUsd
}

/** A limit as it is stored. */
export interface StoredLimit {
  readonly tenantId: string
  readonly window: LimitWindow
  readonly limit: PicoUsd
  readonly mode: LimitMode
}

/** A sink that can be asked, and that keeps limits, so that they hold when the process starts again. */
export interface Ledger extends Sink {
  totals(query: TotalsQuery): Promise<TotalsRow[]>
  /** The sum of a tenant's costs from `since` (epoch milliseconds, inclusive) on; exact beyond 64 bits. */
  spent(tenantId: string, since: number): Promise<PicoUsd>
  limits(): Promise<StoredLimit[]>
  putLimit(limit: StoredLimit): Promise<void>
  removeLimit(tenantId: string, window: LimitWindow): Promise<void>
  /** Throws where an event could not be written now. Changes nothing that anybody reads. */
  check?(): Promise<void>
}

export interface EventFilter extends Pick<TotalsQuery, 'since' | 'until' | 'tenantId'> {
  readonly provider?: string
  /** The id of the model that served the call. */
  readonly model?: string
}

export interface EventsQuery extends EventFilter {
  /** At most this many, the newest first; 1000. */
  readonly limit?: number
}

/** Gives an event with another cost, or `undefined` for one that stays as it is. */
export type Reprice = (event: LLMEvent) => LLMEvent | undefined

export interface RepriceOptions {
  /** Default false: the events are only shown. Otherwise what an event cost before goes into the table `repricings`. */
  readonly apply?: boolean
}

/** A ledger in a database of one's own: SQLite's, PostgreSQL's. */
export interface EventLedger extends Ledger {
  /** The events themselves, newest first. */
  events(query?: EventsQuery): Promise<LLMEvent[]>
  /** Shows every event of the query, the oldest first, a page at a time; an event that `reprice` gives back takes its place. */
  reprice(query: EventFilter, reprice: Reprice, options?: RepriceOptions): Promise<void>
  close(): Promise<void>
}

export function isLedger(sink: Sink): sink is Ledger {
  return 'spent' in sink && 'totals' in sink
}
