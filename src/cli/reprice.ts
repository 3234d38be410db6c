// `tallygate reprice`: what recorded calls cost by the prices of today, and, where told so, writes it.

import { formatUsd } from '../money.ts'
import { repriceEvent, withPrice } from '../reprice.ts'
import { bookOf } from './book.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, openToChange, openToRead } from './ledgers.ts'
import { inWords, PERIOD, type Period, periodOf } from './query.ts'
import { createRepriceTotals, printRepricing, type RepriceTotals } from './reprice-totals.ts'
import { printable } from './width.ts'

export const PRICES = {
  type: 'string',
  value: 'file',
  help: 'Your own prices, over those of the book. Default: $TALLYGATE_PRICES',
} as const

const OPTIONS = {
  ...PERIOD,
  since: { ...PERIOD.since, help: `${PERIOD.since.help} Needed.` },
  provider: { type: 'string', value: 'name', help: 'Calls of this provider only.' },
  model: { type: 'string', value: 'id', help: 'Calls that this model served only.' },
  prices: PRICES,
  apply: { type: 'boolean', help: 'Write the new costs. Without it nothing is written.' },
  json: { type: 'boolean', help: 'Print JSON, with every digit.' },
  dir: DIR,
  'database-url': DATABASE_URL,
} as const

export const reprice = defineCommand({
  name: 'reprice',
  summary: 'Prices recorded calls again, by the price book of this version and by your own prices.',
  about: [
    'Each call is priced from its own usage, model, tier, place and time. What a provider reported stays; so does what the book has no price for, and what stands for several calls. Prices that you negotiated count only where --prices names them.',
    'Shows what would change. With --apply it is written, all of it or nothing; what a call cost before stays in the table `repricings` of the ledger.',
  ],
  options: OPTIONS,
  examples: [
    'tallygate reprice --since 2026-11',
    'tallygate reprice --since 7d --model gpt-6-sol --prices prices.json',
    'tallygate reprice --since 2026-11 --apply',
  ],
  async run(values, { terminal, env }) {
    if (values.since === undefined)
      throw new Stop(2, '`reprice` needs `--since <moment>`: from when on calls are priced again.')
    const period = periodOf(values, Date.now())
    const query = {
      ...period,
      ...(values.provider !== undefined && { provider: values.provider }),
      ...(values.model !== undefined && { model: values.model }),
    }
    const apply = values.apply === true
    const book = await bookOf(values.prices, env)
    const { ledger, name, shown } = await (apply ? openToChange : openToRead)(values, env)
    const totals = createRepriceTotals()
    try {
      await ledger.reprice(
        query,
        (event) => {
          const repriced = repriceEvent(event, book)
          totals.add(event, repriced)
          return repriced.changed ? withPrice(event, repriced) : undefined
        },
        { apply },
      )
    } finally {
      await ledger.close()
    }
    if (values.json) terminal.write(toJson(name, period, apply, book.version, totals))
    else {
      terminal.print(terminal.paint('dim', `${printable(`${shown}, ${inWords(period)}`)}, by ${book.version}\n`))
      printRepricing(totals, apply, terminal)
    }
    return undefined
  },
})

function toJson(ledger: string, period: Period, applied: boolean, priceVersion: string, totals: RepriceTotals): string {
  const timeOf = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())
  const figures = ({ calls, changed, newlyPriced, ...sums }: RepriceTotals['total']) => ({
    calls,
    changed,
    newly_priced: newlyPriced,
    before_usd: sums.pricedBefore === 0 ? null : formatUsd(sums.before),
    after_usd: sums.pricedAfter === 0 ? null : formatUsd(sums.after),
  })
  const report = {
    ledger,
    since: timeOf(period.since),
    until: timeOf(period.until),
    tenant: period.tenantId ?? null,
    applied,
    price_version: priceVersion,
    rows: totals.rows.map((row) => ({ provider: row.provider, model: row.model, ...figures(row) })),
    total: figures(totals.total),
    kept: totals.kept,
  }
  return `${JSON.stringify(report, null, 2)}\n`
}
