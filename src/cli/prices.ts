// `tallygate prices`: what the price book says of a model, how old it is, and what another file says instead.

import { formatCount } from '../figures.ts'
import type { BookEntry, PriceBook } from '../pricing/price.ts'
import { loadBookData } from '../pricing/price-book.ts'
import { ownPrices } from '../pricing/price-file.ts'
import { bookOf } from './book.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL } from './ledgers.ts'
import { parseMoment } from './period.ts'
import { textOf } from './price-check.ts'
import { diff, type PriceDiff, tableIn, tableOf, tableUnder } from './price-diff.ts'
import { isGate, runGate } from './price-gate.ts'
import { printEntry, rowsAt } from './price-rows.ts'
import { PRICES } from './reprice.ts'
import type { Terminal } from './terminal.ts'

const OPTIONS = {
  provider: { type: 'string', value: 'name', help: 'Models of this provider only.' },
  at: { type: 'string', value: 'moment', help: 'Only the rows that hold then: a date (2026-11-01) or a time. In UTC.' },
  tenant: { type: 'string', value: 'id', help: 'With --diff: prices as this tenant has them.' },
  prices: PRICES,
  diff: {
    type: 'string',
    value: 'file',
    help: 'What another file says: a compiled book, the data.json of @pydantic/genai-prices, or a price file of yours.',
  },
  check: {
    type: 'string',
    value: 'file',
    help: 'Exit with 1 where a model in it has no known price: a list, one a line, or a price file.',
  },
  used: { type: 'boolean', help: 'The same of the models that the ledger has calls of.' },
  pin: {
    type: 'string',
    value: 'file',
    help: 'Exit with 1 where a price or a tokenizer is another than in this file.',
  },
  'write-pin': {
    type: 'boolean',
    help: 'Write that file, of the models of --check and --used, in place of reading it.',
  },
  'max-age': { type: 'string', value: 'days', help: 'Exit with 1 where the price book was last read longer ago.' },
  json: { type: 'boolean', help: 'Print JSON.' },
  dir: { ...DIR, help: `With --used: ${DIR.help[0]!.toLowerCase()}${DIR.help.slice(1)}` },
  'database-url': DATABASE_URL,
} as const

/** More than so many models are listed by name alone. */
const SHOWN_IN_FULL = 5
const LISTED = 60
const DAY_MS = 86_400_000

export const prices = defineCommand({
  name: 'prices',
  summary: 'What a model costs, from when on, and where that was read.',
  about: [
    'Looks a model up in the price book of this version: an id, a part of one, or `provider/model`. Every row has its tier, its dates, its rates, the page and the day on which it was read. Nothing is fetched.',
  ],
  argument: { name: 'model', help: 'An id or a part of one. Left out: what the book holds, and how old it is.' },
  options: OPTIONS,
  examples: [
    'tallygate prices gpt-6-sol',
    'tallygate prices anthropic/claude-opus-4-6 --at 2026-11-01',
    'tallygate prices --prices prices.json gpt-6-sol',
    'tallygate prices --diff prices.json --tenant acme',
    'tallygate prices --check models.txt --max-age 30',
    'tallygate prices --used --pin prices.pin.json',
  ],
  async run(values, { terminal, env }) {
    const now = Date.now()
    const at = values.at === undefined ? undefined : parseMoment(values.at, now)
    if (values.at !== undefined && at === undefined)
      throw new Stop(
        2,
        `\`--at\` takes a date (2026-11-01) or a time (2026-11-01T14:00); got ${JSON.stringify(values.at)}.`,
      )
    const book = await bookOf(values.prices, env)
    if (values.diff !== undefined)
      return printDiff(book, values.diff, { at: at ?? now, tenant: values.tenant, json: values.json, terminal })
    if (isGate(values))
      return runGate(book, values, { at: at ?? now, ageDays: aboutOf(book, now).age_days, terminal, env })
    const asked = { text: values.argument, provider: values.provider }
    const entries = asked.text === undefined && asked.provider === undefined ? [] : entriesOf(book, asked)
    if (values.json) {
      const shown = entries.map((entry) => (at === undefined ? entry : { ...entry, rows: rowsAt(entry.rows, at) }))
      terminal.write(`${JSON.stringify({ ...aboutOf(book, now), models: shown }, null, 2)}\n`)
    } else printBook(book, asked, entries, { at, now, terminal })
    return asked.text !== undefined && entries.length === 0 ? 1 : 0
  },
})

interface Asked {
  readonly text: string | undefined
  readonly provider: string | undefined
}

/** The model of exactly that id, or else every one whose id contains the text. */
function entriesOf(book: PriceBook, { text = '', provider }: Asked): BookEntry[] {
  const wanted = text.toLowerCase()
  const found = book.search(wanted).filter((model) => provider === undefined || model.provider === provider)
  const entries = found.flatMap((model) => book.rows(model.provider, model.model) ?? [])
  const exact = entries.filter((entry) => entry.ids.some((id) => id === wanted || `${entry.provider}/${id}` === wanted))
  if (exact.length > 0) return exact
  if (entries.length > 0) return entries
  // Listed nowhere: a dated snapshot, or one of a family.
  const slash = wanted.indexOf('/')
  const [seller, id] =
    provider === undefined ? [wanted.slice(0, Math.max(0, slash)), wanted.slice(slash + 1)] : [provider, wanted]
  const sellers = seller === '' ? new Set(book.search('').map((model) => model.provider)) : [seller]
  return [...sellers]
    .flatMap((one) => book.rows(one, id) ?? [])
    .filter(({ found: how }) => seller !== '' || how === 'snapshot')
}

function aboutOf({ version, read }: PriceBook, now: number) {
  const age = Math.floor((now - Date.parse(read)) / DAY_MS)
  return { version, read, age_days: Number.isNaN(age) ? null : Math.max(0, age) }
}

function printBook(
  book: PriceBook,
  { text, provider }: Asked,
  entries: readonly BookEntry[],
  { at, now, terminal }: { at: number | undefined; now: number; terminal: Terminal },
): void {
  const { print, paint } = terminal
  const { version, read, age_days } = aboutOf(book, now)
  const age = age_days === null ? '' : `, ${age_days === 1 ? '1 day' : `${formatCount(age_days)} days`} ago`
  print(paint('dim', `Price book ${version}, last read on ${read}${age}.`))
  print()
  if (text === undefined && provider === undefined) {
    printProviders(book, terminal)
    return
  }
  if (entries.length === 0)
    print(
      `The price book has no model ${JSON.stringify(text?.slice(0, 100))}${provider === undefined ? '' : ` of ${provider}`}.`,
    )
  if (entries.length > SHOWN_IN_FULL) {
    for (const entry of entries.slice(0, LISTED)) print(`${entry.provider}/${entry.model}`)
    if (entries.length > LISTED)
      print(`and ${formatCount(entries.length - LISTED)} more: say more of the id, or see --json.`)
    return
  }
  for (const [i, entry] of entries.entries()) {
    if (i > 0) print()
    const asked = text === undefined ? `${entry.provider}/${entry.model}` : text
    printEntry(asked, entry, at, terminal)
  }
}

function printProviders(book: PriceBook, { print }: Terminal): void {
  const counts = new Map<string, number>()
  for (const { provider } of book.search('')) counts.set(provider, (counts.get(provider) ?? 0) + 1)
  for (const [provider, count] of [...counts].sort((a, b) => b[1] - a[1]))
    print(`${formatCount(count).padStart(6)}  ${provider}`)
}

interface DiffOptions {
  readonly at: number
  readonly tenant?: string | undefined
  readonly json: boolean | undefined
  readonly terminal: Terminal
}

async function printDiff(book: PriceBook, path: string, { at, tenant, json, terminal }: DiffOptions): Promise<number> {
  const other = tableIn(dataIn(path), at)
  const before = tableOf(book, at, tenant)
  const found = other
    ? diff(before, other.table, other.isWhole)
    : diff(before, tableUnder(ownPrices(path), await loadBookData(), at, tenant), true)
  if (json)
    terminal.write(`${JSON.stringify({ version: book.version, other: other?.version ?? path, ...found }, null, 2)}\n`)
  else showDiff(found, terminal)
  return 0
}

/** What a price file of one's own has wrong, its reader says better. */
function dataIn(path: string): unknown {
  try {
    return JSON.parse(textOf(path))
  } catch (error) {
    if (error instanceof Stop) throw error
    return undefined
  }
}

function showDiff({ changes, added, removed }: PriceDiff, { print, paint }: Terminal): void {
  for (const { what, bucket, before, after, per } of changes) {
    const [old, now] = [before, after].map((usd) => (usd === undefined ? 'no price' : `$${usd}`))
    print(`${what}  ${bucket}  ${old} -> ${now} per ${per.toLocaleString('en-US')}`)
  }
  for (const what of added) print(`${paint('green', '+')} ${what}`)
  for (const what of removed) print(`${paint('red', '-')} ${what}`)
  if (changes.length + added.length + removed.length === 0) print('No price is another one.')
  else
    print(
      paint(
        'dim',
        `${formatCount(changes.length)} rates changed, ${formatCount(added.length)} new, ${formatCount(removed.length)} gone.`,
      ),
    )
}
