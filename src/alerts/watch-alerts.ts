// The alerts of a ledger, put together: which rules look, and who is told.

import { MeterError } from '../errors.ts'
import { type OpenLedgerOptions, openLedger } from '../ledger/open.ts'
import { postgresSource } from '../ledger/postgres-source.ts'
import { sqliteSource } from '../ledger/sqlite-source.ts'
import type { LimitStore } from '../limits/limit-store.ts'
import { postgresLedger } from '../sinks/postgres.ts'
import { sqliteLedger } from '../sinks/sqlite.ts'
import type { AlertRule } from './alert.ts'
import { type AnomalyOptions, anomalyRule } from './anomalies.ts'
import { billRule } from './bills.ts'
import { alertDatabase } from './databases.ts'
import { deadLetterRule } from './dead-letters.ts'
import { type DriftOptions, driftRule } from './drift.ts'
import { type LimitAlertOptions, limitRule } from './limits.ts'
import { alertStoreOf } from './store.ts'
import type { AlertTarget } from './targets.ts'
import { unpricedRule } from './unpriced.ts'
import { type AlertWatch, createWatch, type WatchSetup } from './watch.ts'

export interface WatchAlertsOptions extends OpenLedgerOptions, Pick<WatchSetup, 'everyMs' | 'onProblem' | 'now'> {
  /** Who is told: `webhook()`, `slack()`, `callback()`. */
  readonly to: readonly AlertTarget[]
  /** Shares of limits; `false` for none of these. */
  readonly limits?: LimitAlertOptions | false | undefined
  /** Hours that are unlike their like; `false` for none of these. */
  readonly anomalies?: AnomalyOptions | false | undefined
  /** Models without a known price; true. */
  readonly unpriced?: boolean | undefined
  /** Models whose answers contradict themselves; `false` for none of these. */
  readonly drift?: DriftOptions | false | undefined
  /** Bills that `tallygate reconcile` found to drift from the ledger; true. */
  readonly bills?: boolean | undefined
  /** Counts events that were refused for good; without it nobody looks for them. */
  readonly deadLetters?: { readonly count: () => Promise<number>; readonly place: string } | undefined
  /** The limits that are no tenant's: of users, features, organisations. The caller's to close. */
  readonly limitStore?: Pick<LimitStore, 'changes' | 'accounts'> | undefined
  /** Further ones, of your own. */
  readonly rules?: readonly AlertRule[] | undefined
}

/**
 * Looks at a ledger every minute, and tells what begins and what is over: each once, also after a restart, since what was
 * told stands in the ledger. Something that cannot be told is tried again.
 *
 * @example
 * await using alerts = watchAlerts({
 *   dir: '.tallygate',
 *   to: [webhook({ url: 'https://ops.example.com/alerts', secret: process.env['ALERT_SECRET'] })],
 *   limits: { at: [50, 80, 100] },
 * })
 */
export function watchAlerts(options: WatchAlertsOptions): AlertWatch {
  const { path, dir, databaseUrl, pool, schema, to, limits, anomalies, drift, deadLetters } = options
  const { unpriced = true, bills = true } = options
  const place = { path, dir, databaseUrl, pool, schema }
  const views = openLedger(place)
  if (!Array.isArray(to) || to.length === 0)
    throw new MeterError('BAD_OPTION', 'Expected `to` to name at least one webhook, channel or function.')
  const isPostgres = databaseUrl !== undefined || pool !== undefined
  const file = path ?? `${dir?.replace(/\/+$/, '')}/ledger.db`
  const source = isPostgres ? postgresSource({ databaseUrl, pool, schema }) : sqliteSource(file)
  const ledger = isPostgres
    ? postgresLedger({ databaseUrl, pool, schema, readOnly: true })
    : sqliteLedger({ path: file, readOnly: true })
  const rules: AlertRule[] = [
    ...(limits === false ? [] : [limitRule({ ledger, views, limitStore: options.limitStore }, limits)]),
    ...(anomalies === false ? [] : [anomalyRule(views, anomalies)]),
    ...(unpriced ? [unpricedRule(views)] : []),
    ...(deadLetters ? [deadLetterRule(deadLetters.count, deadLetters.place)] : []),
    ...(drift === false ? [] : [driftRule(source, drift)]),
    ...(bills ? [billRule(views)] : []),
    ...(options.rules ?? []),
  ]
  const { everyMs, onProblem, now } = options
  const watch = createWatch({ rules, targets: to, store: alertStoreOf(alertDatabase(place)), everyMs, onProblem, now })
  async function close(): Promise<void> {
    await watch.close()
    for (const opened of [views, source, ledger]) await opened.close()
  }
  return { check: watch.check, close, [Symbol.asyncDispose]: close }
}
