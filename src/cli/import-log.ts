// `tallygate import`: fills a ledger from a log, once, however often it is read.

import { createReadStream, createWriteStream, existsSync, statSync, type WriteStream } from 'node:fs'
import { formatCount } from '../figures.ts'
import { formatUsd, parseUsd } from '../money.ts'
import type { EventLedger } from '../sinks/ledger.ts'
import { bookOf } from './book.ts'
import { DIR, defineCommand, Stop, type Values } from './command.ts'
import { type Numbered, type Written, writeEvents } from './import-write.ts'
import { DATABASE_URL, openToWrite } from './ledgers.ts'
import { MOMENT_FORMS, parseMoment } from './period.ts'
import { telling } from './progress.ts'
import { printable } from './width.ts'

const FORMATS = 'jsonl, litellm, openai, anthropic, bedrock'
/** Of those set aside, so many are named one by one. */
const MOST_NAMED = 20

const OPTIONS = {
  format: { type: 'string', value: 'name', help: `${FORMATS}. Default: jsonl.` },
  tenant: { type: 'string', value: 'id', help: 'The tenant of calls that name none.' },
  'tenant-from': {
    type: 'string',
    value: 'field',
    help: 'Where in a row the tenant stands, such as team_id or metadata.customer. Default: as docs/cli.md says of each format.',
  },
  at: { type: 'string', value: 'moment', help: `When calls were made that do not say it: ${MOMENT_FORMS}. In UTC.` },
  prices: {
    type: 'string',
    value: 'file',
    help: 'Your own prices over those of the book. Default: $TALLYGATE_PRICES.',
  },
  'price-anew': { type: 'boolean', help: 'By the book, also where the log says what a call cost.' },
  'set-aside': {
    type: 'string',
    value: 'file',
    help: 'Write line and reason of every row that is set aside, as JSON lines.',
  },
  'dry-run': { type: 'boolean', help: 'Read and price everything, and write nothing.' },
  json: { type: 'boolean', help: 'Print JSON.' },
  dir: DIR,
  'database-url': DATABASE_URL,
} as const

export const importLog = defineCommand({
  name: 'import',
  summary: 'Fill a ledger from an export, or a log of another program.',
  about: [
    'Each row gets an id that follows from what it says, so that a file that is read again, or overlaps another, changes nothing. A row that says what it cost keeps that; the others are priced by the book, at the time of the call. Rows that cannot be read are set aside with their line and the reason, and the others go on; the exit code is 1 then.',
    'A file packed by gzip is unpacked; `-` is standard input. No text of a prompt or an answer goes into the ledger. Calls that a meter has recorded already are other events: import them into a ledger of their own (--dir).',
  ],
  argument: { name: 'file', help: 'The log; `-` for standard input.' },
  options: OPTIONS,
  examples: [
    'tallygate import events.jsonl.gz',
    'tallygate import --format litellm --tenant-from team_id spend-logs.csv',
    'tallygate import --format anthropic --at 2026-11-01 messages.jsonl',
    'gunzip -c logs/*.json.gz | tallygate import --format bedrock -',
  ],
  async run(values, { terminal, env }) {
    const { readLog, options, bytes, name } = await sourceOf(values, env)
    const rows = readLog(bytes(), options)
    const isDry = values['dry-run'] === true
    const opened = isDry ? undefined : await openToWrite(values, env)
    const tell = telling(terminal, 'rows')
    const tally = createTally(values['set-aside'])
    try {
      let batch: Numbered[] = []
      const flush = async () => {
        tally.wrote(await written(opened?.ledger, batch))
        batch = []
      }
      for await (const row of rows) {
        tell(tally.read())
        if ('fault' in row) tally.setAside(row.line, row.fault)
        else {
          tally.cost(row.event.costUsd, row.event.costSource)
          batch.push({ line: row.line, event: row.event })
          if (batch.length >= (opened?.ledger.largeBatch ?? 1000)) await flush()
        }
      }
      await flush()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined || error instanceof Stop) throw error
      throw new Stop(
        1,
        `${name} cannot be read on: ${(error as Error).message}. What was read before is in the ledger.`,
      )
    } finally {
      await opened?.ledger.close()
      await tally.close()
    }
    const { report, named } = tally.result()
    if (values.json)
      terminal.write(`${JSON.stringify({ file: name, ledger: opened?.name ?? null, ...report }, null, 2)}\n`)
    else {
      const { rows: read, added, known, set_aside: aside, cost_usd: cost, unpriced } = report
      const what = isDry
        ? `${formatCount(added)} events, not written`
        : `${formatCount(added)} events added to ${opened!.shown}, ${formatCount(known)} there already`
      terminal.print(`${formatCount(read)} rows: ${what}, ${formatCount(aside)} set aside.`)
      terminal.print(
        `Cost: $${cost}${unpriced > 0 ? `, and ${formatCount(unpriced)} calls without a known price` : ''}.`,
      )
    }
    for (const { line, reason } of named) terminal.complain(printable(`line ${line}: ${reason}`))
    if (report.set_aside > named.length)
      terminal.complain(
        `and ${formatCount(report.set_aside - named.length)} more; \`--set-aside <file>\` lists them all.`,
      )
    return report.set_aside > 0 ? 1 : 0
  },
})

async function sourceOf(values: Values<typeof OPTIONS>, env: NodeJS.ProcessEnv) {
  const path = values.argument
  if (path === undefined)
    throw new Stop(
      2,
      '`import` needs a file: `tallygate import --format litellm spend.jsonl`, or `-` for standard input.',
    )
  if (path !== '-' && !existsSync(path)) throw new Stop(1, `There is no file ${JSON.stringify(path)}.`)
  if (path !== '-' && statSync(path).isDirectory())
    throw new Stop(
      1,
      `${JSON.stringify(path)} is a folder: give its files one by one, or all of them on standard input.`,
    )
  const at = values.at === undefined ? undefined : parseMoment(values.at, Date.now())
  if (values.at !== undefined && at === undefined)
    throw new Stop(2, `\`--at\` takes ${MOMENT_FORMS}; got ${JSON.stringify(values.at)}.`)
  const [{ readLog, LOG_FORMATS }, book] = await Promise.all([import('../import/index.ts'), bookOf(values.prices, env)])
  const format = values.format ?? 'jsonl'
  if (!LOG_FORMATS.some(({ name }) => name === format))
    throw new Stop(2, `\`--format\` is ${FORMATS}; got ${JSON.stringify(format)}.`)
  const options = {
    format,
    book,
    at,
    tenantId: values.tenant,
    tenantFrom: values['tenant-from'],
    isPricedAnew: values['price-anew'],
  }
  const bytes = (): AsyncIterable<Uint8Array> => (path === '-' ? process.stdin : createReadStream(path))
  return { readLog, options, bytes, name: path === '-' ? 'standard input' : path }
}

async function written(ledger: EventLedger | undefined, batch: readonly Numbered[]): Promise<Written> {
  return ledger ? writeEvents(ledger, batch) : { added: batch.length, known: 0, refused: [] }
}

function createTally(path: string | undefined) {
  const list: WriteStream | undefined = path === undefined ? undefined : createWriteStream(path)
  let fault: Error | undefined
  list?.on('error', (error) => (fault = error))
  const named: { line: number; reason: string }[] = []
  let [read, added, known, aside, unpriced] = [0, 0, 0, 0, 0]
  let cost = 0n
  const setAside = (line: number, reason: string): void => {
    aside++
    if (named.length < MOST_NAMED) named.push({ line, reason })
    list?.write(`${JSON.stringify({ line, reason })}\n`)
  }
  return {
    read: () => ++read,
    setAside,
    cost(usd: string | undefined, source: string | undefined) {
      cost += usd === undefined ? 0n : (parseUsd(usd) ?? 0n)
      if (usd === undefined && source === 'unpriced') unpriced++
    },
    wrote(batch: Written) {
      added += batch.added
      known += batch.known
      for (const { line, reason } of batch.refused) setAside(line, reason)
    },
    async close() {
      if (list) await new Promise<void>((resolve) => (fault ? resolve() : list.end(() => resolve())))
      if (fault) throw new Stop(1, `It cannot be written to ${path}: ${fault.message}.`)
    },
    result: () => ({
      report: { rows: read, added, known, set_aside: aside, cost_usd: formatUsd(cost), unpriced },
      named,
    }),
  }
}
