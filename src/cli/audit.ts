// `tallygate audit`: how far each figure of a bill can be checked, and what of it is to be looked at.

import { createReadStream, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Audit } from '../audit/audit.ts'
import type { AuditAbout } from '../audit/audit-report.ts'
import type { AuditReport, KeptHashes } from '../audit/labels.ts'
import type { PriceBook } from '../pricing/price.ts'
import { TOLERANCE_OPTIONS, tolerancesOf } from './audit-options.ts'
import { printAudit } from './audit-show.ts'
import { bookOf } from './book.ts'
import { DIR, defineCommand, type Setting, Stop, type Values } from './command.ts'
import { eventsOf } from './event-pages.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { MOMENT_FORMS, parseMoment } from './period.ts'
import { inWords, PERIOD, periodOf, WHERE, whereOf } from './query.ts'
import { writeReport } from './report-file.ts'
import { PRICES } from './reprice.ts'
import { printable } from './width.ts'

const OPTIONS = {
  format: {
    type: 'string',
    value: 'name',
    help: 'Of the log: jsonl, litellm, openai, anthropic, bedrock. Default: jsonl.',
  },
  tokenizer: {
    type: 'string',
    multiple: true,
    value: 'model=path',
    help: 'A tokenizer.json of the model (a trailing * takes all of a beginning). Without one, its figures are bounded.',
  },
  hashes: {
    type: 'string',
    value: 'folder',
    help: 'Of a log: hold its texts against the hashes that the ledger in this folder kept by the option `contentHash`.',
  },
  videos: {
    type: 'string',
    value: 'folder',
    help: 'Videos that were delivered, each called by the id of its answer: <id>.mp4.',
  },
  ...PERIOD,
  where: { ...WHERE, help: 'Of a ledger: as for `report`.' },
  at: { type: 'string', value: 'moment', help: 'Of a log: when calls were made that do not say it.' },
  ...TOLERANCE_OPTIONS,
  prices: PRICES,
  json: { type: 'boolean', help: 'Print JSON: every digit.' },
  markdown: { type: 'boolean', help: 'Print Markdown.' },
  html: { type: 'string', value: 'file', help: 'Write a page that needs nothing else. With --demo: audit-demo.html.' },
  fail: { type: 'boolean', help: 'Exit with 1 where anything is to be looked at.' },
  demo: { type: 'boolean', help: 'Seeded calls with planted faults, in place of a ledger or a log.' },
  seed: { type: 'string', value: 'number', help: 'Of the demonstration. Default: another one each time, printed.' },
  dir: DIR,
  'database-url': DATABASE_URL,
} as const

export const audit = defineCommand({
  name: 'audit',
  summary: 'How much of a bill can be checked at all, and what to look at.',
  about: [
    "Every figure is EXACT (counted again by the model's own tokenizer), BOUNDED (within a band) or UNVERIFIABLE. Reads the ledger, or a log with its texts, which are counted in memory and kept nowhere. Nothing is sent and nothing is fetched.",
    'A gap is something to look at, never a verdict. The exit code is 0 whatever is found, but with --fail.',
  ],
  argument: { name: 'log', help: 'A log with its texts, packed by gzip or not. Left out: the ledger.' },
  options: OPTIONS,
  examples: [
    'tallygate audit --since month',
    'tallygate audit --format litellm spend-logs.jsonl --html audit.html',
    "tallygate audit calls.jsonl --tokenizer 'qwen3*=qwen3/tokenizer.json'",
    'tallygate audit --demo',
  ],
  async run(values, setting) {
    const { terminal, env } = setting
    if (values.json && values.markdown) throw new Stop(2, 'Give either `--json` or `--markdown`.')
    if (values.videos !== undefined && !statSync(values.videos, { throwIfNoEntry: false })?.isDirectory())
      throw new Stop(1, `There is no folder ${values.videos}.`)
    const tolerances = tolerancesOf(values)
    const book = await bookOf(values.prices, env)
    const [{ createAudit }, { ownTokenizers }, { readTokenizer }] = await Promise.all([
      import('../audit/audit.ts'),
      import('../audit/tokenizers.ts'),
      import('../audit/tokenizer/file.ts'),
    ])
    const tokenizers = ownTokenizers(values.tokenizer ?? [], readTokenizer)
    const hashes = values.hashes === undefined ? undefined : await hashesIn(values.hashes, values.argument, env)
    const auditing = createAudit({ book, tokenizers, tolerances, hashes })
    const about = await addCalls(auditing, book, values, setting)
    const report = auditing.report()
    await show(report, about, values, setting)
    if (report.calls === 0 && !values.json && !values.markdown) terminal.complain('There were no calls to look at.')
    return values.fail && report.findings.length > 0 ? 1 : 0
  },
})

type Given = Values<typeof OPTIONS>

async function hashesIn(dir: string, log: string | undefined, env: NodeJS.ProcessEnv): Promise<KeptHashes> {
  if (log === undefined) throw new Stop(2, '`--hashes` goes with a log, whose texts are held against them.')
  const { keptHashes } = await import('../audit/kept-hashes.ts')
  const { ledger, views } = await openToAsk({ dir }, env)
  try {
    return await keptHashes(dir, eventsOf(views, {}, {}))
  } finally {
    await views.close()
    await ledger.close()
  }
}

/** Adds the calls that are asked for; gives what they are. */
async function addCalls(auditing: Audit, book: PriceBook, values: Given, setting: Setting): Promise<AuditAbout> {
  const { demo, seed, argument } = values
  if (seed !== undefined && !demo) throw new Stop(2, '`--seed` goes with `--demo`.')
  if (demo && argument !== undefined) throw new Stop(2, 'Give either a log or `--demo`.')
  if (demo) return addDemo(auditing, book, seed)
  if (argument === undefined) return addLedger(auditing, values, setting)
  return addLog(auditing, book, argument, values, setting)
}

async function addDemo(auditing: Audit, book: PriceBook, given: string | undefined): Promise<AuditAbout> {
  const [{ demoLog }, { readAuditedLog }] = await Promise.all([
    import('../audit/demo.ts'),
    import('../audit/read-log.ts'),
  ])
  if (given !== undefined && !/^\d{1,9}$/.test(given))
    throw new Stop(2, `\`--seed\` takes a whole number; got ${JSON.stringify(given)}.`)
  const seed = given === undefined ? Math.floor(Math.random() * 1e9) : Number(given)
  const { lines, videos, planted } = await demoLog(seed)
  const bytes = async function* () {
    for (const line of lines) yield Buffer.from(`${line}\n`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-audit-'))
  try {
    for (const [id, mp4] of videos) writeFileSync(join(folder, `${id}.mp4`), mp4)
    for await (const row of readAuditedLog(bytes(), { format: 'jsonl', book }))
      if (!('fault' in row)) await auditing.add({ ...row, video: videoOf(folder, row.event.responseId) })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const words = planted.map((fault) => `${fault.words} (${fault.model}, ${fault.calls} calls)`).join('; ')
  return { about: `A pretended log. Planted in it: ${words}`, seed }
}

async function addLedger(auditing: Audit, values: Given, { env }: Setting): Promise<AuditAbout> {
  const period = periodOf(values, Date.now())
  const where = whereOf(values.where)
  const { ledger, views, shown } = await openToAsk(values, env)
  try {
    for await (const event of eventsOf(views, period, where))
      await auditing.add({ event, video: videoOf(values.videos, event.responseId) })
  } finally {
    await views.close()
    await ledger.close()
  }
  return { about: printable([shown, ...(values.where ?? []), inWords(period)].join(', ')) }
}

/** The id comes from a log: one that is no plain name leads to no file. */
function videoOf(folder: string | undefined, id: string | undefined): string | undefined {
  if (folder === undefined || id === undefined || !/^[\w-][\w.-]{0,200}$/.test(id)) return undefined
  const path = join(folder, `${id}.mp4`)
  return existsSync(path) ? path : undefined
}

const SHOWN_FAULTS = 5

async function addLog(
  auditing: Audit,
  book: PriceBook,
  path: string,
  values: Given,
  { terminal }: Setting,
): Promise<AuditAbout> {
  if (values.where !== undefined || values.dir !== undefined || values['database-url'] !== undefined)
    throw new Stop(2, '`--where`, `--dir` and `--database-url` are of a ledger, and a log was named.')
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) throw new Stop(1, `There is no file ${path}.`)
  const now = Date.now()
  const period = periodOf(values, now)
  const at = values.at === undefined ? undefined : parseMoment(values.at, now)
  if (values.at !== undefined && at === undefined)
    throw new Stop(2, `\`--at\` takes ${MOMENT_FORMS}; got ${JSON.stringify(values.at)}.`)
  const [{ readAuditedLog }, { formatNamed }] = await Promise.all([
    import('../audit/read-log.ts'),
    import('../import/index.ts'),
  ])
  const format = formatNamed(values.format ?? 'jsonl').name
  let [read, faults] = [0, 0]
  for await (const row of readAuditedLog(createReadStream(path), { format, book, at })) {
    if ('fault' in row) {
      if (++faults <= SHOWN_FAULTS) terminal.complain(printable(`Line ${row.line}: ${row.fault}`))
      continue
    }
    read++
    const { event } = row
    const made = Date.parse(event.timestamp)
    if (made < (period.since ?? Number.NEGATIVE_INFINITY) || made >= (period.until ?? Number.POSITIVE_INFINITY))
      continue
    if (period.tenantId !== undefined && event.tenantId !== period.tenantId) continue
    await auditing.add({ ...row, video: row.video ?? videoOf(values.videos, event.responseId) })
  }
  if (faults > 0 && read === 0) throw new Stop(1, `No row of ${path} can be read as ${format}.`)
  if (faults > 0) terminal.complain(`${faults} ${faults === 1 ? 'row was' : 'rows were'} set aside.`)
  return { about: printable(`${path}, ${inWords(period)}`) }
}

async function show(report: AuditReport, about: AuditAbout, values: Given, { terminal }: Setting): Promise<void> {
  const { auditJson, auditMarkdown, auditPage } = await import('../audit/audit-report.ts')
  const path = values.html ?? (values.demo ? 'audit-demo.html' : undefined)
  if (path !== undefined) writeReport(path, auditPage(report, about))
  if (values.json) terminal.write(`${JSON.stringify(auditJson(report, about), null, 2)}\n`)
  else if (values.markdown) terminal.write(auditMarkdown(report, about))
  else printAudit(report, about, path, terminal)
}
