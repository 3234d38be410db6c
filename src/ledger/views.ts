// What the ledger says: one question, one statement, and the answer typed.

import { expected, MeterError } from '../errors.ts'
import type { LLMEvent } from '../event.ts'
import { fromRow } from '../sinks/columns.ts'
import { EARLIEST, edgesOf, LATEST } from './buckets.ts'
import { type DeleteOptions, deleteTenant, keep } from './changes.ts'
import type { Row } from './dialect.ts'
import { checkTotals, dearestStatement, toTotals, totalsStatement } from './groups.ts'
import { daysOf, type Invoice, type InvoiceOptions, planInvoice, toInvoice } from './invoice.ts'
import { invoiceStatement } from './invoice-statement.ts'
import {
  checkMeters,
  checkRefusals,
  type KeptMeter,
  type MetersOptions,
  metersStatement,
  type RefusalsOptions,
  type RefusalsRow,
  refusalsStatement,
  toMeters,
  toRefusals,
} from './meters.ts'
import { checkEvents, type EventsOptions, type EventsPage, eventStatement, eventsStatement, toPage } from './pages.ts'
import { checkPercentiles, percentilesStatement, toPercentiles } from './percentiles.ts'
import type {
  Dimension,
  Measure,
  PercentilesOptions,
  PercentilesRow,
  Series,
  SeriesOptions,
  Totals,
  TotalsOptions,
} from './query.ts'
import {
  checkReconciliations,
  isReconciledStatement,
  type ReconciledDay,
  type ReconciliationsOptions,
  reconciliationsStatement,
  toReconciliations,
} from './reconciliations.ts'
import { momentsOf, strataStatement } from './sample.ts'
import { checkSeries, extentStatement, NO_SERIES, seriesStatement, toExtent, toSeries, USUAL_TOP } from './series.ts'
import type { Source } from './source.ts'
import { planSummary, type Summary, type SummaryOptions, summaryStatement, toSummary } from './summary.ts'

/**
 * Every question rejects with a `MeterError`: `BAD_INPUT` for one that cannot be asked, `LEDGER_UNAVAILABLE` where the
 * database does not answer. Money is in whole pico-dollars, exact; `formatUsd` of `tallygate` writes it.
 */
export interface LedgerViews extends AsyncDisposable {
  /** Sums by up to twenty dimensions, in order and by the page. */
  totals(options?: TotalsOptions): Promise<Totals>
  /** The values of one dimension that cost most, or have most of something else; ten unless told. */
  top(options: Omit<TotalsOptions, 'by'> & { readonly by: Dimension }): Promise<Totals>
  /** Sums by hour, day, week or month of a time zone, those without a call included. */
  series(options: SeriesOptions): Promise<Series>
  /** Today and this month beside those before, and where this month will end. */
  summary(options?: SummaryOptions): Promise<Summary>
  /** How long calls took, how long until their first token, or what they cost; a cost is in pico-dollars. */
  percentiles<M extends Measure>(
    options: PercentilesOptions<M>,
  ): Promise<PercentilesRow<M extends 'cost' ? bigint : number>[]>
  /** The events themselves, newest first. */
  events(options?: EventsOptions): Promise<EventsPage>
  event(id: string): Promise<LLMEvent | undefined>
  /** A tenant's calendar month, by model and bucket, exact to the last digit; without lines where there was no call. */
  invoice(options: InvoiceOptions): Promise<Invoice>
  /** Bills beside the ledger, as `tallygate reconcile` has compared them: a row for each day and source, newest day first. */
  reconciliations(options?: ReconciliationsOptions): Promise<ReconciledDay[]>
  /** What meters have said of themselves, the latest heard of first: how far delivery is behind, what went past them, their problems. */
  meters(options?: MetersOptions): Promise<KeptMeter[]>
  /** Calls that limits have refused, by time, tenant and limit, added up over all meters; the newest first. */
  refusals(options?: RefusalsOptions): Promise<RefusalsRow[]>
  /** Deletes all that the ledger has of a tenant; gives how many events that was. */
  deleteTenant(id: string, options?: DeleteOptions): Promise<number>
  /**
   * Deletes the events of the days in UTC before the one that holds `before`, and gives how many those were. Their sums
   * stay: by tenant and day; by provider, model, endpoint, tier and host and hour; and by feature, team, project, cost
   * centre, app and environment and hour. Questions that cross these three, and those of users, sessions and tags, know
   * only what has its events still. Reports of meters that were last heard of before then go, and so do refusals.
   */
  keep(before: number, options?: DeleteOptions): Promise<number>
  close(): Promise<void>
}

const USUAL_ROWS = 10

export function viewsOf(source: Source): LedgerViews {
  const { dialect } = source

  async function totals(options: TotalsOptions = {}): Promise<Totals> {
    checkTotals(options)
    return toTotals(await source.ask(totalsStatement(dialect, options)), options.by ?? [], dialect)
  }

  return {
    totals,
    top: async ({ by, limit = USUAL_ROWS, ...rest }) => totals({ ...rest, by: [by], limit }),
    async series(options) {
      checkSeries(options)
      const { every, timeZone = 'UTC', by, top = USUAL_TOP, since, until, where } = options
      let range = { since: within(since), until: within(until) }
      if (range.since === undefined || range.until === undefined) {
        const extent = toExtent(await source.ask(extentStatement(dialect, { since, until, where })))
        if (extent === undefined) return NO_SERIES
        range = { since: range.since ?? extent.since, until: range.until ?? extent.until }
      }
      const query = {
        since: Math.ceil(Math.max(range.since!, EARLIEST)),
        until: Math.ceil(Math.min(range.until!, LATEST)),
        where,
      }
      if (query.since >= query.until) return NO_SERIES
      const edges = edgesOf(every, timeZone, query.since, query.until)
      const kept =
        by === undefined || top === 0
          ? undefined
          : (await source.ask(dearestStatement(dialect, by, top, query))).map(({ key }) => key as string | null)
      const plan = { ...query, edges, by, ...(kept && { kept }) }
      return toSeries(await source.ask(seriesStatement(dialect, plan)), plan, dialect)
    },
    async summary(options = {}) {
      const plan = planSummary(options)
      return toSummary(await source.ask(summaryStatement(dialect, plan)), plan, dialect)
    },
    async percentiles(options) {
      checkPercentiles(options)
      const { sample = 0 } = options
      const strata = sample > 0 ? strataStatement(dialect, options) : undefined
      const moments = strata ? momentsOf(await source.ask(strata.statement), strata.span, sample, options) : []
      const rows = await source.ask(percentilesStatement(dialect, options, moments))
      return toPercentiles(rows, options.of, moments.length > 0)
    },
    async events(options = {}) {
      checkEvents(options)
      return toPage(await source.ask(eventsStatement(dialect, options)), options)
    },
    async event(id) {
      if (typeof id !== 'string') throw new MeterError('BAD_INPUT', expected('id', 'the id of an event', id))
      // No event has such an id, and PostgreSQL takes none.
      if (id.includes('\0')) return undefined
      const [row] = await source.ask(eventStatement(dialect, id))
      return row && fromRow(row)
    },
    async invoice(options) {
      const plan = planInvoice(options)
      const rows: Row[] = []
      let days = 0
      for (const day of daysOf(plan)) {
        rows.push(...(await source.ask(invoiceStatement(dialect, day))))
        options.onProgress?.(++days)
        await new Promise((resolve) => setImmediate(resolve))
      }
      return toInvoice(rows, plan, dialect)
    },
    async reconciliations(options = {}) {
      checkReconciliations(options)
      // No source has such a name, and PostgreSQL takes none.
      if (options.source?.includes('\0')) return []
      if ((await source.ask(isReconciledStatement(dialect))).length === 0) return []
      return toReconciliations(await source.ask(reconciliationsStatement(dialect, options)), dialect)
    },
    async meters(options = {}) {
      checkMeters(options)
      return toMeters(await source.ask(metersStatement(dialect, options)))
    },
    async refusals(options = {}) {
      checkRefusals(options)
      return toRefusals(await source.ask(refusalsStatement(dialect, options)))
    },
    deleteTenant: (id, options = {}) => deleteTenant(source, id, options),
    keep: (before, options = {}) => keep(source, before, options),
    close: () => source.close(),
    [Symbol.asyncDispose]: () => source.close(),
  }
}

/** A moment beyond every calendar leaves the range open, as none does. */
function within(moment: number | undefined): number | undefined {
  return moment !== undefined && moment > EARLIEST && moment < LATEST ? moment : undefined
}
