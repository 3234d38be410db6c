// The invoice of a tenant's month: each model with the lines of its cost, exact, and what is charged for it.

import { expected, MeterError } from '../errors.ts'
import { calendarOf } from '../limits/window.ts'
import type { PicoUsd } from '../money.ts'
import { tenantIdFault } from '../tenant.ts'
import type { Dialect, Row } from './dialect.ts'
import { alike, type InvoiceLine, linesOf } from './invoice-lines.ts'
import { INVOICE_SUMS, type InvoiceRowKind, type InvoiceSpan, type InvoiceSum } from './invoice-statement.ts'
import { checkQuery, type Where } from './query.ts'

export interface InvoiceOptions {
  readonly tenantId: string
  /** `2026-11`. */
  readonly month: string
  /** IANA name, which says when the month begins and ends; `UTC` unless told. */
  readonly timeZone?: string | undefined
  /** Calls with these labels only. */
  readonly where?: Where | undefined
  /** Is told after each day of the month how many are added up. */
  readonly onProgress?: ((days: number) => void) | undefined
}

export interface InvoiceSums {
  readonly calls: number
  readonly errors: number
  /** Calls that used something but have no price: they add nothing to any sum. */
  readonly unpriced: number
  /** Calls whose usage was estimated in part or whole. */
  readonly estimated: number
  /** Calls that cost something and carry no resale price, on an invoice where others do: nothing is charged for them. */
  readonly uncharged: number
  /** What the calls cost, in pico-dollars: the sum of the lines. */
  readonly cost: PicoUsd
  /** What the tenant pays: what was charged (the option `markup`) where any call of the invoice says it, else the cost. */
  readonly charge: PicoUsd
  /** `charge` less `cost`; left out where nothing was charged apart from the cost. */
  readonly markup?: PicoUsd
}

export interface InvoiceModel extends InvoiceSums {
  /** `null` for calls of which the ledger has sums only: their events were deleted for their age. */
  readonly provider: string | null
  readonly model: string | null
  readonly lines: readonly InvoiceLine[]
}

export interface Invoice {
  readonly tenantId: string
  readonly month: string
  readonly timeZone: string
  /** When the month begins, epoch milliseconds. */
  readonly since: number
  /** When it ends. */
  readonly until: number
  /** Those that cost most first. */
  readonly models: readonly InvoiceModel[]
  readonly total: InvoiceSums
}

const MONTH = /^(19[7-9]\d|[2-9]\d{3})-(0[1-9]|1[0-2])$/
const DAY = 86_400_000

export interface InvoicePlan extends InvoiceSpan {
  readonly month: string
  readonly timeZone: string
}

/** Throws a `MeterError` of one sentence for what is no month, no zone, or no tenant. */
export function planInvoice({ tenantId, month, timeZone = 'UTC', where }: InvoiceOptions): InvoicePlan {
  const fault = tenantIdFault(tenantId)
  if (fault !== undefined) throw new MeterError('BAD_INPUT', fault)
  checkQuery({ where })
  return { tenantId, month, timeZone, where, ...monthOf(month, timeZone) }
}

/** When a month begins and ends by the calendar of a zone. Throws a `MeterError` of one sentence. */
export function monthOf(month: string, timeZone: string): { readonly since: number; readonly until: number } {
  const [, year, number] = (typeof month === 'string' && MONTH.exec(month)) || []
  if (year === undefined) throw new MeterError('BAD_INPUT', expected('month', 'a month such as 2026-11', month))
  if (typeof timeZone !== 'string')
    throw new MeterError('BAD_INPUT', expected('timeZone', 'the name of a time zone', timeZone))
  const { from, until } = calendarOf('month', { timeZone }).at(Date.UTC(Number(year), Number(number) - 1, 15))
  return { since: from, until }
}

/**
 * The days of the month, each a question of its own: a busy tenant has millions of lines, and whoever else is served by
 * this thread waits for a day of them at most.
 */
export function* daysOf(plan: InvoicePlan): Iterable<InvoiceSpan> {
  for (let since = plan.since; since < plan.until; ) {
    const until = Math.min((Math.floor(since / DAY) + 1) * DAY, plan.until)
    yield { ...plan, since, until }
    since = until
  }
}

interface Group {
  readonly provider: string | null
  readonly model: string | null
  readonly sum: (name: InvoiceSum) => bigint
  readonly isSold: boolean
  readonly lines: readonly InvoiceLine[]
}

/** `rows` are those of all days. */
export function toInvoice(rows: readonly Row[], plan: InvoicePlan, dialect: Dialect): Invoice {
  const { tenantId, month, timeZone, since, until } = plan
  const of = (kind: InvoiceRowKind) => rows.filter((row) => row['kind'] === kind)
  const sumOver = (list: readonly Row[]) => (name: InvoiceSum) =>
    list.reduce((sum, row) => sum + (dialect.sumOf(row, name) ?? 0n), 0n)
  const isSold = (list: readonly Row[]) => list.some((row) => dialect.sumOf(row, 'resale') !== undefined)
  checkDeleted(of('pruned').at(-1), plan)
  const lines = alike(of('line'), MODEL)
  const groups: Group[] = [...alike(of('model'), MODEL)].map(([name, list]) => {
    const [provider, model] = MODEL.map((column) => list[0]![column] as string)
    const sum = sumOver(list)
    return {
      provider: provider!,
      model: model!,
      sum,
      isSold: isSold(list),
      lines: linesOf(lines.get(name) ?? [], sum, dialect),
    }
  })
  const [rolled, there] = [sumOver(of('rolled')), sumOver(of('there'))]
  const gone = deletedOf((name) => rolled(name) - there(name))
  if (gone) groups.push(gone)
  const isCharged = groups.some(({ isSold }) => isSold)
  const total = sumsOf((name) => groups.reduce((sum, group) => sum + group.sum(name), 0n), isCharged)
  const models = groups
    .map(({ provider, model, sum, lines }) => ({ provider, model, ...sumsOf(sum, isCharged), lines }))
    .sort((a, b) => compare(b.cost, a.cost) || compare(`${a.provider} ${a.model}`, `${b.provider} ${b.model}`))
  return { tenantId, month, timeZone, since, until, models, total }
}

const MODEL = ['provider', 'model']

function sumsOf(sum: (name: InvoiceSum) => bigint, isCharged: boolean): InvoiceSums {
  const cost = sum('cost')
  const charge = isCharged ? sum('resale') : cost
  return {
    calls: Number(sum('calls')),
    errors: Number(sum('errors')),
    unpriced: Number(sum('unpriced')),
    estimated: Number(sum('estimated')),
    uncharged: isCharged ? Number(sum('unsold')) : 0,
    cost,
    charge,
    ...(isCharged && { markup: charge - cost }),
  }
}

/** What the roll-up has of days whose events are gone, less the events that are there all the same, since they came late. */
function deletedOf(sum: Group['sum']): Group | undefined {
  if (INVOICE_SUMS.every((name) => sum(name) === 0n)) return undefined
  const none = { bucket: null, rate: null, unit: 'calls' }
  const line: InvoiceLine = { kind: 'deleted', ...none, quantity: String(sum('calls')), cost: sum('cost') }
  return { provider: null, model: null, sum, isSold: sum('resale') !== 0n, lines: [line] }
}

/** The roll-up knows whole days of UTC: what is within one of a deleted day is known no more. */
function checkDeleted(row: Row | undefined, { month, timeZone, since, until, where = {} }: InvoicePlan): void {
  const before = row?.['fraction']
  if (typeof before !== 'string' || Number(before) <= since) return
  const deleted = `The events of before ${new Date(Number(before)).toISOString().slice(0, 10)} were deleted for their age`
  if (Object.values(where).some((value) => value !== undefined))
    throw new MeterError('BAD_INPUT', `${deleted}: of ${month} there are sums of whole tenants only.`)
  const cuts = [since, until].filter((at) => at % DAY !== 0 && Number(before) > Math.floor(at / DAY) * DAY)
  if (cuts.length > 0)
    throw new MeterError(
      'BAD_INPUT',
      `${deleted}, and ${month} begins or ends within a day of theirs in ${timeZone}: ask for it in UTC.`,
    )
}

function compare<T extends string | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0
}
