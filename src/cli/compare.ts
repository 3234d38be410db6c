// `tallygate compare`: what the ledger's own calls would have cost at other models and providers.

import { createComparison } from '../audit/compare.ts'
import { ASSUMPTIONS, comparisonJson, comparisonPage, notesOf } from '../audit/compare-report.ts'
import type { ComparedSums, ComparedTarget, Comparison } from '../audit/comparison.ts'
import { formatCount, usdColumn } from '../figures.ts'
import { bookOf } from './book.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { eventsOf } from './event-pages.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { inWords, PERIOD, periodOf, topOf, WHERE, whereOf } from './query.ts'
import { writeReport } from './report-file.ts'
import { PRICES } from './reprice.ts'
import { layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { printable, wrap } from './width.ts'

const OPTIONS = {
  to: {
    type: 'string',
    value: 'models',
    help: 'Models to compare with, separated by commas: provider/model, or an id alone. Needed.',
  },
  ...PERIOD,
  where: WHERE,
  top: { type: 'string', value: 'rows', help: 'Rows of a table. Default: 20.' },
  prices: PRICES,
  json: { type: 'boolean', help: 'Print JSON: every row, every digit.' },
  html: { type: 'string', value: 'file', help: 'Write a page that needs nothing else.' },
  dir: DIR,
  'database-url': DATABASE_URL,
} as const

const TOP = 20

export const compare = defineCommand({
  name: 'compare',
  summary: "What the ledger's own calls would cost at other models.",
  about: [
    'Prices every call again as if another model had served it: with its own usage, tier and time, at the rates of that model. The saving is by feature and tenant, with a band where the two models count tokens differently.',
    'Calls that used something a model has no price for are in none of its sums, and are said. Nothing is changed and nothing is sent.',
  ],
  options: OPTIONS,
  examples: [
    'tallygate compare --to gpt-5-mini,anthropic/claude-haiku-4-5',
    'tallygate compare --to gpt-5-mini --since month --where feature=search --html migrate.html',
  ],
  async run(values, { terminal, env }) {
    const targets = [...new Set((values.to ?? '').split(',').map((model) => model.trim()))].filter((to) => to !== '')
    if (targets.length === 0)
      throw new Stop(2, '`compare` needs `--to <models>`: those to compare with, separated by commas.')
    const now = Date.now()
    const period = periodOf(values, now)
    const where = whereOf(values.where)
    const top = values.top === undefined ? TOP : topOf(values.top)
    const comparing = createComparison(await bookOf(values.prices, env), { to: targets, now })
    const { ledger, views, shown, name } = await openToAsk(values, env)
    try {
      for await (const event of eventsOf(views, period, where)) comparing.add(event)
    } finally {
      await views.close()
      await ledger.close()
    }
    const comparison = comparing.result()
    const about = printable([shown, ...(values.where ?? []), inWords(period)].join(', '))
    if (values.html !== undefined) writeReport(values.html, comparisonPage(comparison, about))
    if (values.json) terminal.write(`${JSON.stringify({ ledger: name, ...comparisonJson(comparison) }, null, 2)}\n`)
    else printComparison(comparison, about, top, terminal)
    return undefined
  },
})

function printComparison({ calls, targets }: Comparison, about: string, top: number, terminal: Terminal): void {
  const { print, paint, width } = terminal
  print(paint('dim', about))
  if (calls === 0) {
    print('\nNo calls.')
    return
  }
  for (const target of targets) printTarget(target, top, terminal)
  print()
  for (const line of wrap(ASSUMPTIONS, width)) print(paint('dim', line))
}

const COLUMNS = [
  { title: 'feature', least: 8 },
  { title: 'tenant', least: 8 },
  { title: 'calls', dispensable: 2 },
  { title: 'cost', dispensable: 1 },
  { title: 'there' },
  { title: 'saving' },
  { title: 'from', dispensable: 3 },
  { title: 'to', dispensable: 3 },
] as const

function printTarget(target: ComparedTarget, top: number, { print, paint, width }: Terminal): void {
  const { rows, total } = target
  print(`\n${paint('bold', printable(`${target.provider}/${target.model}`))}`)
  if (rows.length > 0) {
    const shown = rows.slice(0, top)
    const all = [...shown, total]
    const usd = usdColumn(all.flatMap(({ cost, there }) => [cost, there, cost - there]))
    const cells = (sums: ComparedSums) => [
      formatCount(sums.calls),
      ...[sums.cost, sums.there, sums.cost - sums.there].map(usd),
      ...[sums.cost - sums.thereHigh, sums.cost - sums.thereLow].map(usd),
    ]
    const lines = [
      ...shown.map((row) => [row.feature ?? '(no feature)', row.tenant ?? '(no tenant)', ...cells(row)]),
      ['total', '', ...cells(total)],
    ]
    const table = layOut(COLUMNS, lines, width)
    print(paint('dim', table.header))
    for (const line of table.lines.slice(0, -1)) print(line)
    print(paint('bold', table.lines.at(-1)!))
    if (shown.length < rows.length)
      print(
        paint('dim', `and ${formatCount(rows.length - shown.length)} more rows, which are in the total: see --top.`),
      )
  }
  for (const note of notesOf(target)) for (const line of wrap(printable(note), width)) print(paint('dim', line))
}
