// `tallygate reconcile`: what a provider billed, compared with what the ledger says.

import { join, resolve } from 'node:path'
import type { LedgerPlace } from '../reconcile/database.ts'
import type { Reconciliation, Status } from '../reconcile/result.ts'
import { bookOf } from './book.ts'
import { DIR, defineCommand, type Setting, Stop, type Values } from './command.ts'
import { DATABASE_URL, databaseUrlOf, openToChange } from './ledgers.ts'
import { MOMENT_FORMS } from './period.ts'
import { folderOf, ledgerIn } from './place.ts'
import { telling } from './progress.ts'
import { daysOf } from './reconcile-period.ts'
import { FORMAT_NAMES, PULLED, statementOf } from './reconcile-sources.ts'
import { writeReport } from './report-file.ts'
import { PRICES } from './reprice.ts'
import { printable } from './width.ts'

const OPTIONS = {
  provider: {
    type: 'string',
    value: 'name',
    help: `Whose bill: ${PULLED.join(', ')} over their APIs, any with --file.`,
  },
  day: {
    type: 'string',
    value: 'date',
    help: 'One day in UTC: yesterday, or 2026-11-21. With yesterday also the days 3 and 7 days ago, for rows that came late.',
  },
  since: { type: 'string', value: 'moment', help: `Days from then on: ${MOMENT_FORMS}. In UTC.` },
  until: { type: 'string', value: 'moment', help: 'Days before then, in the same forms.' },
  month: { type: 'string', value: 'month', help: 'A whole month, 2026-11.' },
  file: {
    type: 'string',
    multiple: true,
    value: 'path',
    help: 'An export of the bill, packed by gzip or not, in place of asking the provider; once for each of its parts.',
  },
  format: { type: 'string', value: 'name', help: `Of the file: ${FORMAT_NAMES.join(', ')}. Default: csv` },
  step: { type: 'string', value: 'width', help: 'The bucket that usage is asked in: 1m, 1h or 1d. Default: 1h' },
  'by-profile': { type: 'boolean', help: 'Anthropic: by user profile, from its analytics reports.' },
  own: {
    type: 'string',
    multiple: true,
    value: 'id',
    help: 'A key, project, workspace or profile that is ours; what is billed under others is in no log.',
  },
  map: {
    type: 'string',
    multiple: true,
    value: 'id=tenant',
    help: 'The tenant that such an id is of: compared and shared out by itself.',
  },
  alias: {
    type: 'string',
    multiple: true,
    value: 'bill=ledger',
    help: "A model's name in the bill, and in the ledger.",
  },
  'volume-warn': { type: 'string', value: 'percent', help: 'Drift of volume that warns. Default: 5' },
  'volume-fail': { type: 'string', value: 'percent', help: 'Drift of volume that fails. Default: 10' },
  'price-fail': { type: 'string', value: 'percent', help: 'Drift of price that fails. Default: 0.1' },
  apply: {
    type: 'boolean',
    help: 'Costs of events become those of the bill, marked; what they were stays in `repricings`.',
  },
  'dry-run': { type: 'boolean', help: 'Compare, and write nothing.' },
  rebaseline: {
    type: 'string',
    value: 'reason',
    help: 'Take the drift of these days for what is right from now on, and remember why.',
  },
  owner: { type: 'string', value: 'name', help: 'Who is to look at a difference; it stands in the report.' },
  json: { type: 'boolean', help: 'Print JSON, with every digit.' },
  markdown: { type: 'boolean', help: 'Print Markdown.' },
  html: { type: 'string', value: 'file', help: 'Write one page of HTML that needs nothing else.' },
  demo: { type: 'boolean', help: 'A made-up month with one of each fault, found again; no key, no network.' },
  seed: { type: 'string', value: 'number', help: 'Of the demo: the same month again.' },
  prices: PRICES,
  dir: DIR,
  'database-url': DATABASE_URL,
} as const

const WARN = 3
const FAIL = 4

export const reconcile = defineCommand({
  name: 'reconcile',
  summary: 'Does the bill agree? What a provider billed, compared with the ledger, the difference by cause.',
  about: [
    'Asks the provider for its usage and its costs, compares the days that are final, and writes them to the table `cost_reconciliation`: each day whole or not at all, and in the place of what was there. Keys come from the environment: OPENAI_ADMIN_KEY, ANTHROPIC_ADMIN_KEY, OPENROUTER_MANAGEMENT_KEY.',
    'Beside 0, 1 and 2 it ends with 3 where volume drifted by more than the first threshold, and with 4 where volume or price drifted by more than may be. A gap is something to look at, and no verdict.',
  ],
  options: OPTIONS,
  examples: [
    'tallygate reconcile --demo',
    'tallygate reconcile --provider openai --day yesterday',
    'tallygate reconcile --provider anthropic --month 2026-11 --html november.html',
    'tallygate reconcile --provider aws --month 2026-11 --file cur2.csv --format aws-cur --json',
  ],
  async run(values, setting) {
    const { terminal, env } = setting
    if (values.demo) {
      const { showReconcileDemo } = await import('./reconcile-demo.ts')
      return showReconcileDemo(values.seed, terminal)
    }
    if (values.seed !== undefined) throw new Stop(2, '`--seed` goes with `--demo`.')
    if (values.provider === undefined) throw new Stop(2, '`reconcile` needs `--provider <name>`, or `--demo`.')
    checkTogether(values)
    const now = Date.now()
    const { period, again } = daysOf(values, now)
    const step = values.step ?? '1h'
    if (step !== '1m' && step !== '1h' && step !== '1d')
      throw new Stop(2, `Expected \`--step\` to be 1m, 1h or 1d, got ${JSON.stringify(step)}.`)
    const statement = statementOf(
      {
        provider: values.provider,
        files: values.file,
        format: values.format,
        step,
        byProfile: values['by-profile'] === true,
      },
      env,
    )
    const book = await bookOf(values.prices, env)
    const shared = {
      ledger: await placeOf(values, setting),
      statement,
      now,
      book,
      known: values.own,
      tenants: pairsOf('map', values.map),
      aliases: pairsOf('alias', values.alias),
      thresholds: {
        ...percentOf('volume-warn', values['volume-warn'], 'volumeWarn'),
        ...percentOf('volume-fail', values['volume-fail'], 'volumeFail'),
        ...percentOf('price-fail', values['price-fail'], 'priceFail'),
      },
      dryRun: values['dry-run'] === true,
      apply: values.apply === true,
      keepIn: join(folderOf(values.dir, env), 'reconcile'),
      progress: telling(terminal, 'rows of the statement'),
      onProblem: (sentence: string) => terminal.complain(printable(sentence)),
    }
    const [{ reconcile: run }, { worst }, { dateOf }] = await Promise.all([
      import('../reconcile/reconcile.ts'),
      import('../reconcile/drift.ts'),
      import('../reconcile/summary.ts'),
    ])
    const statuses: Status[] = []
    for (const late of statement.isPulled ? again : []) {
      const { since, status } = await run({ ...shared, ...late })
      statuses.push(status)
      if (status !== 'ok') terminal.complain(`${dateOf(since)}, compared once more for its late rows: ${status}.`)
    }
    const result = await run({ ...shared, ...period, rebaseline: values.rebaseline })
    await printResult(result, values, setting)
    if (result.calls === 0 && result.since < result.until)
      terminal.complain(printable(`The ledger has no calls of ${values.provider} in these days.`))
    return { ok: 0, warn: WARN, fail: FAIL }[worst([...statuses, result.status])]
  },
})

/** An option that would do nothing is a slip, and the run not the one that was meant. */
function checkTogether(values: Values<typeof OPTIONS>): void {
  if (values.json && values.markdown) throw new Stop(2, 'Give either `--json` or `--markdown`.')
  if (values['dry-run'] && (values.apply || values.rebaseline !== undefined))
    throw new Stop(2, '`--dry-run` writes nothing: leave out `--apply` and `--rebaseline`.')
  if (values.file !== undefined && (values.step !== undefined || values['by-profile']))
    throw new Stop(2, '`--step` and `--by-profile` are of what a provider is asked, and a file was named.')
  if (values['by-profile'] && values.provider !== 'anthropic')
    throw new Stop(2, '`--by-profile` is of Anthropic: `--provider anthropic`.')
}

interface Printing {
  readonly json?: boolean
  readonly markdown?: boolean
  readonly html?: string
  readonly owner?: string
}

async function printResult(
  result: Reconciliation,
  { json, markdown, html, owner }: Printing,
  { terminal }: Setting,
): Promise<void> {
  if (html !== undefined) {
    const { toHtml } = await import('../reconcile/html.ts')
    writeReport(html, toHtml(result, { owner }))
    terminal.complain(`Written: ${resolve(html)}`)
  }
  if (json) {
    const { toJson } = await import('../reconcile/json.ts')
    terminal.write(`${JSON.stringify({ ...toJson(result), owner: owner ?? null }, null, 2)}\n`)
  } else if (markdown) {
    const { toMarkdown } = await import('../reconcile/markdown.ts')
    terminal.write(toMarkdown(result, { owner }))
  } else {
    const { showReconciliation } = await import('./reconcile-show.ts')
    showReconciliation(result, owner, terminal)
  }
}

/** Tables that are not there yet, or of an older version, are made by whoever opens a ledger to write. */
async function placeOf(
  values: { readonly dir?: string; readonly 'database-url'?: string },
  { env }: Setting,
): Promise<LedgerPlace> {
  const { ledger } = await openToChange(values, env)
  try {
    await ledger.check?.()
  } finally {
    await ledger.close()
  }
  const databaseUrl = databaseUrlOf(values, env)
  return databaseUrl === undefined ? { path: ledgerIn(folderOf(values.dir, env)) } : { databaseUrl }
}

function pairsOf(option: string, given: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    given.map((pair) => {
      const at = pair.lastIndexOf('=')
      if (at <= 0 || at === pair.length - 1)
        throw new Stop(2, `Expected \`--${option}\` to be two names with = between them, got ${JSON.stringify(pair)}.`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

/** Hundredths of a percent. */
function percentOf<Name extends string>(
  option: string,
  text: string | undefined,
  name: Name,
): { [N in Name]?: number } {
  if (text === undefined) return {}
  const percent = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || !Number.isFinite(percent))
    throw new Stop(2, `Expected \`--${option}\` to be a percentage such as 5, got ${JSON.stringify(text)}.`)
  return { [name]: percent * 100 } as { [N in Name]?: number }
}
