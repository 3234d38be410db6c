// One reconciliation: days that are final, compared, remembered, and told.

import { MeterError } from '../errors.ts'
import type { PriceBook } from '../pricing/price.ts'
import { loadPriceBook } from '../pricing/price-book.ts'
import { type Baseline, baselineAt, writeBaseline } from './book.ts'
import { type Comparison, compareAll } from './compare.ts'
import { type Database, type LedgerPlace, openDatabase } from './database.ts'
import { type Accepted, driftName, driftOf, THRESHOLDS, type Thresholds, worst } from './drift.ts'
import { finalDays } from './final.ts'
import { openKeptPages } from './kept-pages.ts'
import { expectedOf, type Line } from './lines.ts'
import { loggedCalls } from './logged.ts'
import { isBrokenOff } from './pull.ts'
import { remember } from './remember.ts'
import type { DriftRow, Reconciliation } from './result.ts'
import { sidesOf } from './sides.ts'
import { DAY, type KeptPages, type Period, type Statement, type StatementRow } from './statement.ts'
import { causesOf, compare, dateOf, detailsOf, unattributedOf, unitPricesOf } from './summary.ts'

export interface ReconcileOptions {
  /** The ledger; its tables have to be there. */
  readonly ledger: LedgerPlace
  readonly statement: Statement
  /** Epoch milliseconds: the days in UTC that hold them. */
  readonly since: number
  readonly until: number
  /** Default: now. */
  readonly now?: number | undefined
  /** Default: the price book of this version. */
  readonly book?: Pick<PriceBook, 'price'> | undefined
  /** Ids of keys, projects, workspaces or profiles that are ours: what is billed under any other is in no log. */
  readonly known?: readonly string[] | undefined
  /** By such an id, the tenant that it is of: compared and shared out by itself. */
  readonly tenants?: Readonly<Record<string, string>> | undefined
  /** By a model's name in the bill, its name in the ledger. */
  readonly aliases?: Readonly<Record<string, string>> | undefined
  readonly thresholds?: Partial<Thresholds> | undefined
  /** Nothing is written, and the result is the same. */
  readonly dryRun?: boolean | undefined
  /** The costs of events become those of the bill, marked; what they were stays in `repricings`. Default false. */
  readonly apply?: boolean | undefined
  /** Takes the drift of this period for what is right from its last day on, and remembers why. */
  readonly rebaseline?: string | undefined
  /**
   * A folder for what a provider has answered: a run that breaks off leaves it there for twelve hours, and the next one of
   * the same days goes on from it. No key is in it. Default: none, and each run begins anew.
   */
  readonly keepIn?: string | undefined
  readonly progress?: ((rows: number) => void) | undefined
  /** Told, in a sentence, of what stops nothing: pages that cannot be kept. */
  readonly onProblem?: ((sentence: string) => void) | undefined
}

/**
 * Compares what a provider billed with what the ledger says, and writes the days to the table `cost_reconciliation`, each
 * whole or not at all. Rejects with MeterError `BAD_INPUT` for a statement that is not what it should be; the days
 * that were written before stay.
 *
 * @example
 * import { openaiStatement, reconcile } from 'tallygate/reconcile'
 * const result = await reconcile({
 *   ledger: { path: '.tallygate/ledger.db' },
 *   statement: openaiStatement({ adminKey: 'sk-admin-…' }),
 *   since: Date.UTC(2026, 10, 1),
 *   until: Date.UTC(2026, 10, 21),
 * })
 * for (const { cause, cost } of result.causes) console.log(cause, cost)
 */
export async function reconcile(options: ReconcileOptions): Promise<Reconciliation> {
  const db = openDatabase(options.ledger)
  try {
    return await reconcileIn(db, options)
  } finally {
    await db.close()
  }
}

async function reconcileIn(db: Database, options: ReconcileOptions): Promise<Reconciliation> {
  const { statement, now = Date.now(), rebaseline } = options
  const { period, notFinal } = finalDays(statement, options, now)
  const thresholds = { ...THRESHOLDS, ...options.thresholds }
  const isEmpty = period.since >= period.until
  if (isEmpty && rebaseline !== undefined)
    throw new MeterError('BAD_INPUT', 'No day of these is final yet: there is no drift that could be taken for right.')
  await checkKept(db, period)
  const kept = keptPagesOf(options, period, now)
  const rows = await rowsOf(options, period, kept)
  if (!statement.isPulled && !isEmpty) await checkWhole(db, statement, rows, period)
  const comparison = await compareAll({
    statement,
    rows,
    calls: loggedCalls(db, statement.provider, period),
    models: await modelsOf(db, statement.provider, period),
    book: options.book ?? (await loadPriceBook()),
    known: new Set(options.known),
    tenants: new Map(Object.entries(options.tenants ?? {})),
    aliases: new Map(Object.entries(options.aliases ?? {})),
  })
  const before = await baselineAt(db, statement.source, dateOf(Math.max(period.since, period.until - 1)))
  const isRebased = rebaseline !== undefined && !options.dryRun
  // What is accepted with this run is right on each of its days, too.
  const accepted = isRebased ? acceptedOf(driftOf(comparison.lines.values(), thresholds, {})) : (before?.accepted ?? {})
  const statusOf = (lines: Iterable<Line>) => worst(driftOf(lines, thresholds, accepted).map(({ status }) => status))
  const canonical = await remember(db, { ...options, statusOf }, comparison, period, now)
  const baseline = isRebased ? { day: dateOf(period.until - 1), reason: rebaseline, accepted } : undefined
  if (baseline !== undefined) await writeBaseline(db, statement.source, statement.provider, baseline, now)
  kept?.drop()
  return resultOf(options, comparison, { period, notFinal, thresholds, before: baseline ?? before, canonical })
}

function keptPagesOf(
  { keepIn, statement: { source, isPulled }, onProblem }: ReconcileOptions,
  period: Period,
  now: number,
): KeptPages | undefined {
  if (keepIn === undefined || !isPulled || period.since >= period.until) return undefined
  return openKeptPages({ folder: keepIn, source, period, now, onProblem })
}

async function rowsOf(
  { statement, progress }: ReconcileOptions,
  period: Period,
  kept: KeptPages | undefined,
): Promise<StatementRow[]> {
  const rows: StatementRow[] = []
  if (period.since >= period.until) return rows
  try {
    for await (const row of statement.rows(period, progress, kept))
      if (row.since >= period.since && row.until <= period.until) rows.push(row)
  } catch (error) {
    // What is not as it should be would be just so the next time.
    if (!isBrokenOff(error)) kept?.drop()
    throw error
  }
  return rows
}

/** Days whose events are gone have no calls to compare, and what was written of them is all that there will be. */
async function checkKept(db: Database, { since, until }: Period): Promise<void> {
  const before = db.kind === 'postgres' ? 'max(before)::text AS before' : 'max(before) AS before'
  const [row] = await db.ask(`SELECT ${before} FROM tallygate.pruned`)
  const pruned = Number(row?.['before'] ?? 0)
  if (since < until && since < pruned)
    throw new MeterError(
      'BAD_INPUT',
      `The events from before ${dateOf(pruned)} were pruned: days before it cannot be compared any more.`,
    )
}

async function modelsOf(db: Database, provider: string, { since, until }: Period): Promise<Set<string>> {
  const sql = 'SELECT DISTINCT model FROM tallygate.events WHERE provider = $1 AND at >= $2 AND at < $3'
  const rows = await db.ask(sql, [provider, BigInt(since), BigInt(until)])
  return new Set(rows.map((row) => String(row['model'])))
}

/** A file that ends before the period does: the calls behind its end are not unbilled, they are not in it. */
async function checkWhole(
  db: Database,
  { source, provider }: Statement,
  rows: readonly StatementRow[],
  period: Period,
): Promise<void> {
  const first = rows.reduce((least, { since }) => Math.min(least, since), Number.POSITIVE_INFINITY)
  const last = rows.reduce((most, { until }) => Math.max(most, until), Number.NEGATIVE_INFINITY)
  if (rows.length === 0)
    throw new MeterError(
      'BAD_INPUT',
      `Expected the ${source} file to have lines of ${dateOf(period.since)} to ${dateOf(period.until - 1)}, got none.`,
    )
  const sql = 'SELECT count(*) AS calls FROM tallygate.events WHERE provider = $1 AND at >= $2 AND at < $3'
  const outside: Period[] = [
    { since: period.since, until: Math.floor(first / DAY) * DAY },
    { since: Math.ceil(last / DAY) * DAY, until: period.until },
  ]
  for (const { since, until } of outside) {
    if (since >= until) continue
    const [row] = await db.ask(sql, [provider, BigInt(since), BigInt(until)])
    const calls = Number(row?.['calls'] ?? 0)
    if (calls > 0)
      throw new MeterError(
        'BAD_INPUT',
        `Expected the ${source} file to have lines of ${dateOf(since)} to ${dateOf(until - 1)}, where the ledger has ${calls} of its calls, got lines of ${dateOf(first)} to ${dateOf(last - 1)}: export the rest too, or reconcile these days alone.`,
      )
  }
}

function acceptedOf(drift: readonly DriftRow[]): Accepted {
  return Object.fromEntries(
    drift.map((row) => [
      driftName(row),
      { ...(row.volume !== undefined && { volume: row.volume }), ...(row.price !== undefined && { price: row.price }) },
    ]),
  )
}

interface Known {
  readonly period: Period
  readonly notFinal: readonly string[]
  readonly thresholds: Thresholds
  readonly before: Baseline | undefined
  readonly canonical: Reconciliation['canonical']
}

function resultOf({ statement }: ReconcileOptions, comparison: Comparison, known: Known): Reconciliation {
  const { lines, tally, shape, rates, pots, calls, unpriced } = comparison
  const { period, notFinal, thresholds, before, canonical } = known
  const all = [...lines.values()]
  const logged = all.reduce((sum, line) => sum + line.logged, 0n)
  const billed = all.reduce((sum, line) => sum + (line.billed ?? expectedOf(line)), 0n)
  const causes = causesOf(all)
  const details = detailsOf(all)
  const drift = driftOf(all, thresholds, before?.accepted ?? {})
  return {
    source: statement.source,
    provider: statement.provider,
    ...period,
    notFinal,
    calls,
    billed,
    logged,
    difference: billed - logged,
    causes,
    details,
    drift: drift.sort((a, b) => compare(b.billed, a.billed)),
    unitPrices: unitPricesOf(all, rates),
    unattributed: unattributedOf(details),
    unattributedBilled: pots.unattributed,
    notBilled: -(causes.find(({ cause }) => cause === 'not-billed')?.cost ?? 0n),
    sides: sidesOf(tally, shape, rates),
    canonical,
    unpriced: [...unpriced].map(([model, count]) => ({ model, calls: count })),
    status: worst(drift.map(({ status }) => status)),
    ...(before && { baseline: { day: before.day, reason: before.reason } }),
    cannotTell: statement.cannotTell,
  }
}
