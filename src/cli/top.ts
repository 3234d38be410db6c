// `tallygate top`: who spends now, drawn again every few seconds.

import { formatCount, usdColumn } from '../figures.ts'
import type { Dimension, Where } from '../ledger/query.ts'
import type { LedgerViews } from '../ledger/views.ts'
import { windowStart } from '../limits/window.ts'
import { formatUsd, type PicoUsd } from '../money.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, openToAsk } from './ledgers.ts'
import { stopSignal } from './listening.ts'
import { INTERVAL, intervalOf, redraw } from './live.ts'
import { formatMoment } from './period.ts'
import { dimensionsOf } from './query.ts'
import { type Column, layOut } from './table.ts'
import type { Terminal } from './terminal.ts'
import { printable } from './width.ts'

const LIMIT = 20
const MOST_LIMIT = 500
const EVERY_SECONDS = 2
/** Calls are counted over so long: a meter delivers every few seconds, and a stream is there when it has ended. */
const RATE_MINUTES = 5
const MINUTE = 60_000

export const top = defineCommand({
  name: 'top',
  summary: 'Who spends now, this hour, today and this month.',
  about: [
    'Drawn again every few seconds on a terminal, until Ctrl-C; elsewhere one table is printed. Those that spent most in this hour stand first. Hours, days and months are UTC, calls a minute those of the last five minutes, errors those of today.',
  ],
  options: {
    by: { type: 'string', value: 'name', help: 'Anything that `report --by` knows but day. Default: tenant' },
    limit: { type: 'string', value: 'rows', help: `Default: ${LIMIT}` },
    interval: { ...INTERVAL, help: `How often it is drawn. Default: ${EVERY_SECONDS}` },
    json: { type: 'boolean', help: 'Print it once as JSON, with every digit.' },
    dir: DIR,
    'database-url': DATABASE_URL,
  },
  examples: ['tallygate top', 'tallygate top --by feature --limit 10', 'tallygate top --by tag:plan --json'],
  async run(values, { terminal, env }) {
    const by = byOf(values.by)
    const limit = limitOf(values.limit)
    const everyMs = intervalOf(values.interval, EVERY_SECONDS)
    const { ledger, views, name, shown } = await openToAsk(values, env)
    try {
      if (values.json) {
        const now = Date.now()
        terminal.write(`${JSON.stringify(recordOf(name, by, now, await busiest(views, by, limit, now)), null, 2)}\n`)
        return undefined
      }
      await redraw({
        screen: process.stdout,
        terminal,
        everyMs,
        stopped: process.stdout.isTTY ? stopSignal() : Promise.resolve(),
        async draw(onto, now) {
          const found = await busiest(views, by, limit, now)
          onto.print(onto.paint('dim', printable(`${shown}, ${formatMoment(now)} UTC`)))
          onto.print()
          printBusiest(by, found, onto)
        },
      })
    } finally {
      await views.close()
      await ledger.close()
    }
    return undefined
  },
})

function byOf(text = 'tenant'): Dimension {
  const [by, ...more] = dimensionsOf(text)
  if (by === undefined || more.length > 0 || by === 'day')
    throw new Stop(2, `\`--by\` takes one name, and not day; got ${JSON.stringify(text)}.`)
  return by
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return LIMIT
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (limit >= 1 && limit <= MOST_LIMIT) return limit
  throw new Stop(2, `\`--limit\` takes a whole number from 1 to ${MOST_LIMIT}; got ${JSON.stringify(text)}.`)
}

export interface Busy {
  readonly key: string | null
  readonly hour: PicoUsd
  readonly today: PicoUsd
  readonly month: PicoUsd
  readonly calls: number
  readonly errors: number
  readonly perMinute: number
}

export interface Busiest {
  readonly rows: readonly Busy[]
  /** Of all, and not only of those in `rows`. */
  readonly total: Busy
  /** How many there are this month. */
  readonly count: number
}

/** Those that spent most this hour, then today, then this month. */
export async function busiest(
  views: Pick<LedgerViews, 'totals'>,
  by: Dimension,
  limit: number,
  now: number,
): Promise<Busiest> {
  const moments = {
    hour: windowStart('hour', now),
    today: windowStart('day', now),
    month: windowStart('month', now),
    rate: now - RATE_MINUTES * MINUTE,
  }
  const first = await Promise.all(
    ([moments.hour, moments.today, moments.month] as const).map((since) => views.totals({ by: [by], since, limit })),
  )
  const keys = [...new Set(first.flatMap(({ rows }) => rows.map(({ key }) => key[0]!)))]
  const where = { [by]: keys } as Where
  const asked = await Promise.all(
    Object.values(moments).map(async (since) => {
      const [{ rows }, { total }] = await Promise.all([
        views.totals({ by: [by], since, where }),
        views.totals({ since }),
      ])
      return { byKey: new Map(rows.map((row) => [row.key[0]!, row])), total }
    }),
  )
  const rowOf = (
    key: string | null,
    pick: (one: (typeof asked)[number]) => (typeof asked)[number]['total'] | undefined,
  ) => {
    const [hour, today, month, rate] = asked.map(pick)
    return {
      key,
      hour: hour?.cost ?? 0n,
      today: today?.cost ?? 0n,
      month: month?.cost ?? 0n,
      calls: today?.calls ?? 0,
      errors: today?.errors ?? 0,
      perMinute: Math.round(((rate?.calls ?? 0) / RATE_MINUTES) * 10) / 10,
    }
  }
  const rows = keys.map((key) => rowOf(key, ({ byKey }) => byKey.get(key)))
  rows.sort((a, b) => compare(b.hour, a.hour) || compare(b.today, a.today) || compare(b.month, a.month))
  return { rows: rows.slice(0, limit), total: rowOf(null, ({ total }) => total), count: first[2]!.count }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b)
}

const COLUMNS: readonly Column[] = [
  { title: 'this hour' },
  { title: 'today' },
  { title: 'this month' },
  { title: 'calls/min', dispensable: 1 },
  { title: 'errors', dispensable: 2 },
]

export function printBusiest(by: Dimension, { rows, total, count }: Busiest, { print, paint, width }: Terminal): void {
  if (count === 0) {
    print('No calls this month.')
    return
  }
  const all = [...rows, total]
  const columnOf = (field: 'hour' | 'today' | 'month') => usdColumn(all.map((row) => row[field]))
  const [hour, today, month] = [columnOf('hour'), columnOf('today'), columnOf('month')]
  const title = by.replaceAll('_', ' ')
  const cells = all.map((row, i) => [
    i === rows.length ? `total of ${formatCount(count)}` : (row.key ?? `(no ${title})`),
    hour(row.hour),
    today(row.today),
    month(row.month),
    formatCount(row.perMinute),
    { text: formatCount(row.errors), ...(row.errors > 0 && { paint: (text: string) => paint('red', text) }) },
  ])
  const table = layOut([{ title, least: 10 }, ...COLUMNS], cells, width)
  print(paint('dim', table.header))
  for (const line of table.lines.slice(0, -1)) print(line)
  print(paint('bold', table.lines.at(-1)!))
}

function recordOf(ledger: string, by: Dimension, now: number, { rows, total, count }: Busiest) {
  const figures = ({ hour, today, month, calls, errors, perMinute }: Busy) => ({
    hour_usd: formatUsd(hour),
    today_usd: formatUsd(today),
    month_usd: formatUsd(month),
    calls_per_minute: perMinute,
    calls_today: calls,
    errors_today: errors,
  })
  const shown = rows.map((row) => ({ [by]: row.key, ...figures(row) }))
  return { ledger, at: new Date(now).toISOString(), by, rows: shown, total: figures(total), count }
}
