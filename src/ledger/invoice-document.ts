// An invoice for people: its facts, its rows and its notes as texts, which Markdown and HTML only dress.

import { formatUsd } from '../money.ts'
import type { Invoice, InvoiceModel } from './invoice.ts'
import type { InvoiceLine } from './invoice-lines.ts'
import { hidesCosts, type InvoiceFormatOptions } from './invoice-record.ts'

export interface InvoiceDocumentOptions extends InvoiceFormatOptions {
  /** Epoch milliseconds: before its end a month is said not to be over. The clock's unless told. */
  readonly now?: number | undefined
}

export interface DocumentRow {
  /** `line`: something that was used. `sum`: of a model. `total`: of all. */
  readonly kind: 'line' | 'sum' | 'total'
  readonly cells: readonly string[]
}

export interface InvoiceDocument {
  readonly title: string
  readonly facts: readonly (readonly [name: string, value: string])[]
  /** The first is a name and stands on the left, and so does the third; the others are figures. */
  readonly header: readonly string[]
  readonly groups: readonly { readonly name: string; readonly rows: readonly DocumentRow[] }[]
  readonly total: readonly DocumentRow[]
  readonly notes: readonly string[]
}

const MILLION = 1_000_000n

export function invoiceDocument(invoice: Invoice, options: InvoiceDocumentOptions = {}): InvoiceDocument {
  const { tenantId, month, timeZone, since, until, models, total } = invoice
  const hides = hidesCosts(invoice, options)
  const isCharged = total.markup !== undefined
  const usd = exactColumn([
    ...models.flatMap(({ lines, cost, charge, markup = 0n }) => [
      ...(hides ? [charge] : [cost, charge, markup, ...lines.map((line) => line.cost ?? 0n)]),
    ]),
    ...(hides ? [total.charge] : [total.cost, total.charge, total.markup ?? 0n]),
  ])
  const sum = (kind: 'sum' | 'total', name: string, said: string): DocumentRow => ({
    kind,
    cells: hides ? [name, '', '', said] : [name, '', '', '', said],
  })
  const sumsOf = (kind: 'sum' | 'total', name: string, sums: typeof total): DocumentRow[] => {
    const { calls, unpriced, cost, charge, markup } = sums
    // Nothing of it has a price: $0.00 would be a lie.
    if (markup === undefined && cost === 0n && unpriced > 0 && unpriced === calls) return [sum(kind, name, 'unknown')]
    if (hides || markup === undefined) return [sum(kind, name, usd(charge))]
    return [sum(kind, 'Cost', usd(cost)), sum(kind, 'Markup', usd(markup)), sum(kind, name, usd(charge))]
  }
  return {
    title: `Invoice ${month}: ${tenantId}`,
    facts: [
      ['Tenant', tenantId],
      ['Month', `${month}, ${timeZone}`],
      ['From', instant(since)],
      ['To', instant(until)],
      [
        'Calls',
        `${grouped(String(total.calls))}${total.errors > 0 ? `, of which ${grouped(String(total.errors))} failed` : ''}`,
      ],
      [isCharged ? 'To pay' : 'Total', usd(total.charge)],
    ],
    header: hides
      ? ['Item', 'Quantity', 'Unit', 'Charge']
      : ['Item', 'Quantity', 'Unit', 'Price', isCharged ? 'USD' : 'Cost'],
    groups: models.map((model) => ({
      name: nameOf(model),
      rows: [
        ...model.lines.map((line) => ({ kind: 'line' as const, cells: cellsOf(line, usd, hides) })),
        ...sumsOf('sum', 'Sum', model),
      ],
    })),
    total: sumsOf('total', isCharged ? 'To pay' : 'Total', total),
    notes: notesOf(invoice, options.now ?? Date.now()),
  }
}

function cellsOf(line: InvoiceLine, usd: (pico: bigint) => string, hides: boolean): string[] {
  const quantity = line.kind === 'difference' ? '' : grouped(line.quantity)
  const used = [itemOf(line), quantity, quantity === '' ? '' : line.unit]
  if (hides) return [...used, '']
  return [...used, priceOf(line), line.cost === undefined ? 'unknown' : usd(line.cost)]
}

const KINDS = {
  whole: 'Calls priced as a whole',
  difference: 'Difference of calls to their lines',
  unpriced: 'Calls without a known price',
  deleted: 'Calls of deleted days',
} as const

/** `input.text.cache_read` is `input text, cache read`. */
function itemOf({ kind, bucket, rate }: InvoiceLine): string {
  if (kind !== 'usage') return KINDS[kind]
  const [first = '', second = '', ...rest] = (bucket ?? '').replaceAll('_', ' ').split('.')
  const tier = /;([^@>[]+)/.exec(rate ?? '')?.[1]
  const [, above] = />(\d+)$/.exec(rate ?? '') ?? []
  return [
    [first, second].filter(Boolean).join(' '),
    ...rest,
    ...(tier === undefined ? [] : [tier]),
    ...(above === undefined ? [] : [`requests above ${grouped(above)}`]),
  ].join(', ')
}

/** Tokens by the million, as they are published. */
function priceOf({ unit, unitPrice }: InvoiceLine): string {
  if (unitPrice === undefined) return ''
  const isByMillion = unit === 'tokens' || unit === 'characters'
  return isByMillion ? `${exact(unitPrice * MILLION)} per million` : exact(unitPrice)
}

function nameOf({ provider, model }: InvoiceModel): string {
  return model === null ? 'Models unknown' : `${model} (${provider})`
}

function notesOf({ models, total, until }: Invoice, now: number): string[] {
  const notes: string[] = []
  const calls = (count: number) => `${grouped(String(count))} ${count === 1 ? 'call' : 'calls'}`
  if (now < until) notes.push('The month is not over: further calls come to it.')
  if (total.calls === 0) notes.push('No calls.')
  if (total.estimated > 0) notes.push(`The usage of ${calls(total.estimated)} is estimated, in part or whole.`)
  if (total.unpriced > 0)
    notes.push(`${calls(total.unpriced)} used something without a known price, which is in no sum.`)
  if (total.uncharged > 0)
    notes.push(`${calls(total.uncharged)} cost something and carry no resale price: nothing is charged for them.`)
  if (models.some(({ model }) => model === null))
    notes.push('The events of deleted days are gone; what they come to is known by day and not by model.')
  return notes
}

/** All with as many decimals as the longest needs, and two at least: points stand under each other, and no digit is lost. */
function exactColumn(sums: readonly bigint[]): (sum: bigint) => string {
  const places = sums.reduce((most, sum) => Math.max(most, (formatUsd(sum).split('.')[1] ?? '').length), 2)
  return (sum) => written(sum, places)
}

function exact(sum: bigint): string {
  return exactColumn([sum])(sum)
}

function written(sum: bigint, places: number): string {
  const [whole = '', fraction = ''] = formatUsd(sum < 0n ? -sum : sum).split('.')
  return `${sum < 0n ? '-' : ''}$${grouped(whole)}.${fraction.padEnd(places, '0')}`
}

function grouped(digits: string): string {
  const [whole = '', fraction] = digits.split('.')
  return whole.replace(/\B(?=(\d{3})+$)/g, ',') + (fraction === undefined ? '' : `.${fraction}`)
}

function instant(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z')
}
