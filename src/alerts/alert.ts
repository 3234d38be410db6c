// What can be told of a ledger, and what finds it.

/** What kind of thing is wrong; `own` is of a rule of the application's. */
export type AlertKind = 'limit' | 'anomaly' | 'unpriced' | 'dead-letters' | 'drift' | 'bill' | 'own'

/** Something that is so now, and that somebody should know of. */
export interface Alert {
  /** The same as long as it is the same thing: it is told once, and once more when it is over. */
  readonly key: string
  readonly kind: AlertKind
  readonly severity: 'warning' | 'critical'
  /** One sentence for a person. */
  readonly message: string
  readonly tenantId?: string
  /** The figures behind it, by name; money in exact decimal dollars. */
  readonly details?: Readonly<Record<string, string | number>>
}

/** What is sent: an alert that began, or one that is over. */
export interface Notice extends Alert {
  /** The same when it is sent again: what a receiver tells doubles by. */
  readonly id: string
  readonly status: 'firing' | 'resolved'
  /** When it began, ISO 8601 in UTC. */
  readonly since: string
  /** When it was over. */
  readonly until?: string
}

/** One file of this folder: what looks whether something is so. */
export interface AlertRule {
  readonly kind: AlertKind
  /** Everything that is so now; what it does not name any more is over. Throws where it cannot look, and nothing changes. */
  check(now: number): Promise<readonly Alert[]>
  /** Whether an alert of its kind is for it to end; every one unless told. */
  owns?(key: string): boolean
}
