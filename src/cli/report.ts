// `tallygate report`: what the embedded ledger says was spent.

import { resolve } from 'node:path'
import { DIMENSIONS, type Dimension, type Ledger, type TotalsQuery } from '../sinks/ledger.ts'
import { DIR, defineCommand, nearest, Stop, type Values } from './command.ts'
import { toCsv, toJson } from './export.ts'
import { limitsNow, printLimits } from './limits.ts'
import { formatMoment, MOMENT_FORMS, parseMoment } from './period.ts'
import { existingLedgerIn, folderOf, shown } from './place.ts'
import { inOrder, printSpend } from './spend.ts'
import type { Terminal } from './terminal.ts'

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
    const by = dimensionsOf(values.by)
    const period = periodOf(values, now)
    const top = topOf(values.top)
    if (values.json && values.csv) throw new Stop(2, 'Give either `--json` or `--csv`.')
    const path = existingLedgerIn(folderOf(values.dir, env))
    const { sqliteLedger } = await import('../sinks/sqlite.ts')
    const ledger = sqliteLedger({ path, readOnly: true })
    try {
      const query = { by: by ?? ['tenant' as const], ...period }
      if (values.csv) terminal.write(toCsv(query.by, inOrder(query.by, await ledger.totals(query))))
      else if (values.json) {
        const rows = inOrder(query.by, await ledger.totals(query))
        terminal.write(
          toJson({ ledger: resolve(path), query, rows, limits: await limitsNow(ledger, query.tenantId, now) }),
        )
      } else {
        terminal.print(terminal.paint('dim', `${shown(path)}, ${inWords(period)}`))
        terminal.print()
        await printReport(ledger, { by, period, now, terminal, ...(top !== undefined && { top }) })
      }
    } finally {
      await ledger.close()
    }
    return undefined
  },
})

type Period = Pick<TotalsQuery, 'since' | 'until' | 'tenantId'>

export interface ReportOptions {
  /** Nothing: by tenant and then by model. */
  readonly by?: readonly Dimension[] | undefined
  readonly period?: Period
  readonly top?: number
  readonly now: number
  readonly terminal: Terminal
}

export async function printReport(
  ledger: Pick<Ledger, 'totals' | 'limits' | 'spent'>,
  { by, period = {}, top, now, terminal }: ReportOptions,
): Promise<void> {
  const first = by ?? ['tenant' as const]
  const rows = inOrder(first, await ledger.totals({ by: first, ...period }))
  if (rows.length === 0) terminal.print('There are no calls in it.')
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

function dimensionsOf(list: string | undefined): Dimension[] | undefined {
  if (list === undefined) return undefined
  const names = list.split(',').map((name) => name.trim().toLowerCase().replaceAll('-', '_'))
  for (const name of names) {
    if (DIMENSIONS.includes(name as Dimension)) continue
    const near = nearest(name, DIMENSIONS)
    throw new Stop(
      2,
      `\`--by\` cannot group by ${JSON.stringify(name)}${near === undefined ? `; it knows ${DIMENSIONS.join(', ')}.` : `; did you mean \`${near}\`?`}`,
    )
  }
  return [...new Set(names as Dimension[])]
}

function periodOf({ since, until, tenant }: Values<typeof OPTIONS>, now: number): Period {
  const from = momentOf('since', since, now)
  const to = momentOf('until', until, now)
  if (from !== undefined && to !== undefined && from >= to)
    throw new Stop(2, `Nothing lies between \`--since\` (${formatMoment(from)}) and \`--until\` (${formatMoment(to)}).`)
  return {
    ...(from !== undefined && { since: from }),
    ...(to !== undefined && { until: to }),
    ...(tenant !== undefined && { tenantId: tenant }),
  }
}

function momentOf(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const at = parseMoment(text, now)
  if (at === undefined) throw new Stop(2, `\`--${option}\` takes ${MOMENT_FORMS}; got ${JSON.stringify(text)}.`)
  return at
}

function topOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new Stop(2, `\`--top\` takes a whole number above 0; got ${JSON.stringify(text)}.`)
  return Number(text)
}

function inWords({ since, until, tenantId }: Period): string {
  const whose = tenantId === undefined ? '' : `${tenantId}, `
  if (since === undefined && until === undefined) return `${whose}all time`
  const from = since === undefined ? '' : `from ${formatMoment(since)} UTC `
  return `${whose}${from}to ${until === undefined ? 'now' : `${formatMoment(until)} UTC`}`
}
