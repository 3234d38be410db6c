// `tallygate report`: what a ledger says was spent.

import { DIMENSIONS, type Dimension, type Ledger } from '../sinks/ledger.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { toCsv, toJson } from './export.ts'
import { DATABASE_URL, openToRead } from './ledgers.ts'
import { limitsNow, printLimits } from './limits.ts'
import { MOMENT_FORMS } from './period.ts'
import { dimensionsOf, inWords, type Period, periodOf, topOf } from './query.ts'
import { inOrder, printSpend } from './spend.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './width.ts'

const OPTIONS = {
  by: {
    type: 'string',
    value: 'names',
    help: `What to group by, separated by commas: ${DIMENSIONS.join(', ')}. Default: tenant, then model.`,
  },
  since: { type: 'string', value: 'moment', help: `Calls made from then on: ${MOMENT_FORMS}. In UTC.` },
  until: { type: 'string', value: 'moment', help: 'Calls made before then, in the same forms.' },
  tenant: { type: 'string', value: 'id', help: 'Calls of this tenant only.' },
  top: { type: 'string', value: 'rows', help: 'Rows of a table; the others are added up in one. Default: 20.' },
  json: {
    type: 'boolean',
    help: 'Print JSON: every row, every digit, and the limits. By tenant, where --by says nothing.',
  },
  csv: { type: 'boolean', help: 'Print CSV likewise, without limits.' },
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
    'tallygate report --by tenant --csv > spend.csv',
  ],
  async run(values, { terminal, env }) {
    const now = Date.now()
    const by = values.by === undefined ? undefined : dimensionsOf(values.by)
    const period = periodOf(values, now)
    const top = values.top === undefined ? undefined : topOf(values.top)
    if (values.json && values.csv) throw new Stop(2, 'Give either `--json` or `--csv`.')
    const { ledger, name, shown } = await openToRead(values, env)
    try {
      const query = { by: by ?? ['tenant' as const], ...period }
      if (values.csv) terminal.write(toCsv(query.by, inOrder(query.by, await ledger.totals(query))))
      else if (values.json) {
        const rows = inOrder(query.by, await ledger.totals(query))
        terminal.write(toJson({ ledger: name, query, rows, limits: await limitsNow(ledger, query.tenantId, now) }))
      } else {
        const heading = printable(`${shown}, ${inWords(period)}`)
        await printReport(ledger, { by, period, heading, now, terminal, ...(top !== undefined && { top }) })
      }
    } finally {
      await ledger.close()
    }
    return undefined
  },
})

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
  ledger: Pick<Ledger, 'totals' | 'limits' | 'spent'>,
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
