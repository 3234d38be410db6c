// `tallygate export`: the events of a ledger, a page at a time.

import { formatCount } from '../figures.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { eventPages } from './event-pages.ts'
import { EXPORT_FORMATS, type ExportName } from './export-formats.ts'
import { exportTarget } from './export-target.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { telling } from './progress.ts'
import { PERIOD, periodOf, WHERE, whereOf } from './query.ts'

export const exportEvents = defineCommand({
  name: 'export',
  summary: 'Write the events of the ledger as JSONL, CSV or FOCUS rows.',
  about: [
    'The oldest first, and no more of them in memory than a page, whatever the ledger holds. It only reads, beside whoever writes.',
    'jsonl is what events are on the wire, with every digit: `tallygate import` makes the same ledger of it. csv has a column for each field of the wire. focus has the columns of FOCUS 1.2 and a row for each line of a cost; calls without a known price have none, and are counted on standard error.',
  ],
  options: {
    format: { type: 'string', value: 'name', help: `${Object.keys(EXPORT_FORMATS).join(', ')}. Default: jsonl.` },
    ...PERIOD,
    where: WHERE,
    out: {
      type: 'string',
      value: 'file',
      help: 'Write to this file, packed where its name ends in .gz. Default: standard output.',
    },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: [
    'tallygate export --out events.jsonl.gz',
    'tallygate export --format csv --since 2026-10 --until 2026-11 > october.csv',
    'tallygate export --format focus --since month --out focus.csv',
  ],
  async run(values, { terminal, env }) {
    const format = EXPORT_FORMATS[formatOf(values.format)]
    const period = periodOf(values, Date.now())
    const where = whereOf(values.where)
    const { ledger, views } = await openToAsk(values, env)
    const tell = telling(terminal, 'events')
    let [count, unsaid] = [0, 0]
    try {
      const target = exportTarget(values.out, terminal)
      try {
        if (format.header !== '') await target.write(format.header)
        for await (const events of eventPages(views, period, where)) {
          const texts = events.map((event) => format.text(event))
          await target.write(texts.join(''))
          unsaid += texts.filter((text) => text === '').length
          tell((count += events.length))
        }
        await target.done()
      } catch (error) {
        await target.giveUp()
        throw error
      }
    } finally {
      await views.close()
      await ledger.close()
    }
    if (unsaid > 0)
      terminal.complain(`${formatCount(unsaid)} of ${formatCount(count)} events have no known cost, and no row.`)
    if (values.out !== undefined) terminal.print(`${formatCount(count)} events written to ${values.out}.`)
    return undefined
  },
})

function formatOf(name = 'jsonl'): ExportName {
  if (Object.hasOwn(EXPORT_FORMATS, name)) return name as ExportName
  throw new Stop(
    2,
    `\`--format\` is ${Object.keys(EXPORT_FORMATS).join(', ')}; got ${JSON.stringify(name)}. Parquet is made of the CSV: see docs/ledger.md.`,
  )
}
