// `tallygate report`: what a ledger says was spent.

import type { Dimension, Where } from '../ledger/query.ts'
import type { LedgerViews } from '../ledger/views.ts'
import { DIMENSIONS, type Ledger, type TotalsRow } from '../sinks/ledger.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { toCsv, toJson } from './export.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { limitsNow, printLimits } from './limits.ts'
import { stopSignal } from './listening.ts'
import { INTERVAL, intervalOf, redraw } from './live.ts'
import { dimensionsOf, inWords, PERIOD, type Period, periodOf, topOf, WHERE, whereOf } from './query.ts'
import { inOrder, printSpend } from './spend.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './width.ts'

const EVERY_SECONDS = 5

const OPTIONS = {
  by: {
    type: 'string',
    value: 'names',
    help: `What to group by, separated by commas: ${DIMENSIONS.join(', ')}, tag:<name>. Default: tenant, then model.`,
  },
  ...PERIOD,
  where: {
    ...WHERE,
    help: 'Calls with this value of anything that --by knows; the name alone: calls without one. Values of one name are alternatives.',
  },
  top: { type: 'string', value: 'rows', help: 'Rows of a table; the others are added up in one. Default: 20.' },
  json: {
    type: 'boolean',
    help: 'Print JSON: every row, every digit, and the limits. By tenant, where --by says nothing.',
  },
  csv: { type: 'boolean', help: 'Print CSV likewise, without limits.' },
  watch: { type: 'boolean', help: 'Draw it again every few seconds on a terminal, until Ctrl-C.' },
  interval: { ...INTERVAL, help: `How often with --watch. Default: ${EVERY_SECONDS}` },
  dir: DIR,
  'database-url': DATABASE_URL,
} as const

const TOP = 20
/** Of the second table of the report that nothing was asked of. */
const TOP_MODELS = 8

export const report = defineCommand({
  name: 'report',
  summary: 'What was spent, by tenant, model, day or any other label.',
  about: [
    'Reads the ledger and changes nothing in it, so that it can run while the app does. Money is rounded in the tables and exact in --json and --csv.',
  ],
  options: OPTIONS,
  examples: [
    'tallygate report',
    'tallygate report --since month --by feature,model',
    'tallygate report --tenant acme --by day --since 7d',
    'tallygate report --where feature=search --where tag:plan=pro --by user',
    'tallygate report --by tenant --csv > spend.csv',
    'tallygate report --since day --watch',
  ],
  async run(values, { terminal, env }) {
    const now = Date.now()
    const by = values.by === undefined ? undefined : dimensionsOf(values.by)
    const period = periodOf(values, now)
    const top = values.top === undefined ? undefined : topOf(values.top)
    if (values.json && values.csv) throw new Stop(2, 'Give either `--json` or `--csv`.')
    if (values.watch && (values.json || values.csv))
      throw new Stop(2, '`--watch` draws tables: leave out `--json` and `--csv`.')
    if (values.interval !== undefined && !values.watch) throw new Stop(2, '`--interval` goes with `--watch`.')
    const everyMs = intervalOf(values.interval, EVERY_SECONDS)
    const where = whereOf(values.where)
    const opened = await openToAsk(values, env)
    const { name, shown } = opened
    const ledger = reportOf(opened, where)
    try {
      const query = { by: by ?? ['tenant' as const], ...period, where }
      if (values.csv) terminal.write(toCsv(query.by, inOrder(query.by, await ledger.totals(query))))
      else if (values.json) {
        const rows = inOrder(query.by, await ledger.totals(query))
        terminal.write(toJson({ ledger: name, query, rows, limits: await limitsNow(ledger, query.tenantId, now) }))
      } else {
        const draw = (terminal: Terminal, now: number) => {
          // `day` and `7d` move on.
          const period = periodOf(values, now)
          const heading = printable(`${[shown, ...(values.where ?? []), inWords(period)].join(', ')}`)
          return printReport(ledger, { by, period, heading, now, terminal, ...(top !== undefined && { top }) })
        }
        const isWatched = values.watch === true && process.stdout.isTTY
        if (isWatched) await redraw({ screen: process.stdout, terminal, everyMs, stopped: stopSignal(), draw })
        else await draw(terminal, now)
      }
    } finally {
      await opened.views.close()
      await opened.ledger.close()
    }
    return undefined
  },
})

/** What a report asks: any ledger can answer, and its views in a moment, those days too whose events are gone. */
export interface Reported extends Pick<Ledger, 'limits' | 'spent'> {
  totals(query: { readonly by: readonly Dimension[] } & Period): Promise<readonly TotalsRow[]>
}

function reportOf({ ledger, views }: { ledger: Ledger; views: LedgerViews }, where: Where): Reported {
  return {
    limits: () => ledger.limits(),
    spent: (tenantId, since) => ledger.spent(tenantId, since),
    async totals({ by, since, until, tenantId }) {
      const whose = tenantId === undefined ? where : { ...where, tenant: tenantId }
      return (await views.totals({ by, since, until, where: whose, order: 'key' })).rows
    },
  }
}

export interface ReportOptions {
  /** Nothing: by tenant and then by model. */
  readonly by?: readonly Dimension[] | undefined
  readonly period?: Period
  readonly heading?: string
  readonly top?: number
  readonly now: number
  readonly terminal: Terminal
}

export async function printReport(
  ledger: Reported,
  { by, period = {}, heading, top, now, terminal }: ReportOptions,
): Promise<void> {
  const first = by ?? ['tenant' as const]
  const rows = inOrder(first, await ledger.totals({ by: first, ...period }))
  if (heading !== undefined) terminal.print(`${terminal.paint('dim', heading)}\n`)
  if (rows.length === 0) terminal.print('No calls.')
  else printSpend(first, rows, { top: top ?? (first[0] === 'day' ? Number.POSITIVE_INFINITY : TOP), terminal })
  if (by === undefined && rows.length > 0) {
    const models = inOrder(['model'], await ledger.totals({ by: ['model'], ...period }))
    terminal.print()
    printSpend(['model'], models, { top: top ?? TOP_MODELS, terminal })
  }
  const limits =
    first.includes('tenant') || period.tenantId !== undefined ? await limitsNow(ledger, period.tenantId, now) : []
  if (limits.length > 0) {
    terminal.print()
    printLimits(limits, top ?? TOP, now, terminal)
  }
}
