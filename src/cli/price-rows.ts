// What the price book says of a model, as a person reads it.

import { formatCount } from '../figures.ts'
import type { BookEntry, BookModifier, BookRow, PublishedRate } from '../pricing/price.ts'
import { layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { wrap } from './width.ts'

const FOUND: Readonly<Record<BookEntry['found'], string>> = {
  listed: '',
  snapshot: 'a dated snapshot of',
  maker: "not in this provider's list: at its maker's prices, a guess, as",
  family: 'in no list: at the prices of its family, a guess, as',
}

const RATES = [{ title: '    ', least: 8 }, { title: '' }, { title: '', align: 'left', gap: 1 }] as const

/** Every row; with `at`, those that hold then. */
export function printEntry(asked: string, entry: BookEntry, at: number | undefined, terminal: Terminal): void {
  const { print, paint, width } = terminal
  const name = `${entry.provider}/${entry.model}`
  print(
    paint('bold', name) +
      (asked === name || FOUND[entry.found] === '' ? '' : ` (${asked} is ${FOUND[entry.found]} it)`),
  )
  const others = entry.ids.filter((id) => id !== entry.model)
  if (others.length > 0)
    for (const line of wrap(`also ${others.join(', ')}`, width - 2)) print(paint('dim', `  ${line}`))
  if (entry.maxOutputTokens !== undefined)
    print(paint('dim', `  at most ${formatCount(entry.maxOutputTokens)} output tokens`))
  const rows = at === undefined ? entry.rows : rowsAt(entry.rows, at)
  for (const row of rows) printRow(row, terminal)
  for (const modifier of entry.modifiers) printModifier(modifier, terminal)
  if (rows.length === 0) print('  No price is known for it.')
}

function printRow(row: BookRow, { print, paint, width }: Terminal): void {
  print(`  ${paint('cyan', titleOf(row))}`)
  if (row.rates.length === 0) print(row.kind === 'agreed' ? '    by a factor alone' : '    rates not known')
  const cells = row.rates.map((rate) => [`    ${rate.bucket}`, `$${rate.usd}`, `per ${perOf(rate)}`])
  for (const line of layOut(RATES, cells, width).lines) print(line)
  for (const line of sourceOf(row, width - 4)) print(paint('dim', `    ${line}`))
}

function printModifier(
  { geo, multiply, from, until, ...source }: BookModifier,
  { print, paint, width }: Terminal,
): void {
  print(`  ${paint('cyan', [`tokens times ${multiply} in ${geo}`, ...datesOf({ from, until })].join(', '))}`)
  for (const line of sourceOf(source, width - 4)) print(paint('dim', `    ${line}`))
}

/** `batch, 1024x1024/high, from 2026-10-01, above 272,000 input tokens`. */
export function titleOf(row: BookRow): string {
  const { kind, label, tier, variant, days, hours, except, above } = row
  const parts = [kind === 'agreed' ? `your price ${label.replace(/^agreed:/, '')}` : kind === 'fee' ? 'fees' : tier]
  if (kind === 'agreed' && tier !== '*') parts.push(tier)
  if (variant !== undefined) parts.push(variant)
  parts.push(...datesOf(row))
  if (days) parts.push(days.join(' '))
  if (hours) parts.push(`${hours.join(' and ')} UTC`)
  if (except !== undefined) parts.push(`not on ${except}`)
  if (above !== undefined) parts.push(`above ${formatCount(above)} input tokens`)
  return parts.join(', ')
}

function datesOf({ from, until }: { from?: string | undefined; until?: string | undefined }): string[] {
  return [...(from === undefined ? [] : [`from ${from}`]), ...(until === undefined ? [] : [`until ${until}`])]
}

function sourceOf({ page, read, note }: Pick<BookRow, 'page' | 'read' | 'note'>, width: number): string[] {
  const parts = [page, read && `read ${read}`].filter((part) => part !== '')
  return [...(parts.length > 0 ? [parts.join(', ')] : []), ...(note === undefined ? [] : wrap(note, width))]
}

/** `1,000,000`, `second`, `1,000`. */
function perOf({ bucket, per }: PublishedRate): string {
  if (!bucket.endsWith('_seconds')) return per.toLocaleString('en-US')
  return per === 60 ? 'minute' : per === 3600 ? 'hour' : per === 1 ? 'second' : `${per} seconds`
}

const DAY_MS = 86_400_000

/** Of rows that differ in their dates alone, the one that holds; those of hours and days are all shown. */
export function rowsAt(rows: readonly BookRow[], at: number): BookRow[] {
  const holding = rows.filter(
    ({ from, until }) =>
      (from === undefined || Date.parse(from) <= at) &&
      (until === undefined || at < Date.parse(until) + (until.includes('T') ? 0 : DAY_MS)),
  )
  const last = new Map<string, BookRow>()
  for (const row of holding) {
    const { kind, label, tier, variant, days, hours, except, above } = row
    const isOwn = kind === 'agreed' || kind === 'fee'
    last.set(JSON.stringify([kind, isOwn ? label : '', tier, variant, days, hours, except, above]), row)
  }
  return [...last.values()]
}
