// The figures of a reconciliation as people read them: the same words in Markdown, HTML and the terminal.

import { dollars } from '../figures.ts'
import type { PicoUsd } from '../money.ts'
import { MEANING } from './causes.ts'
import type { DriftRow, Reconciliation } from './result.ts'
import { dateOf } from './summary.ts'

export interface Table {
  readonly title: string
  readonly note?: string
  readonly columns: readonly string[]
  /** Columns that hold figures. */
  readonly figures: readonly number[]
  readonly rows: readonly (readonly string[])[]
}

export function percent(millionths: number | undefined): string {
  if (millionths === undefined) return ''
  return `${millionths > 0 ? '+' : ''}${(millionths / 10_000).toFixed(2)} %`
}

/** Logged less billed, of what was billed; in words where nothing was. */
export function volumeOf({ volume, billedQuantity, loggedQuantity }: DriftRow): string {
  return volume === undefined && billedQuantity === 0 && loggedQuantity > 0 ? 'not billed' : percent(volume)
}

export function count(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}

export function periodOf({ since, until }: Pick<Reconciliation, 'since' | 'until'>): string {
  if (until <= since) return 'no day'
  const [first, last] = [dateOf(since), dateOf(until - 1)]
  return first === last ? first : `${first} to ${last}`
}

/** The one sentence at the top. */
export function headline(result: Reconciliation): string {
  const { billed, logged, difference, provider } = result
  if (result.until <= result.since) return `No day of ${provider} is final yet.`
  const hasBill = result.sides.bill !== undefined
  const said = hasBill
    ? `${provider} billed ${dollars(billed)}`
    : `${provider} counted what is worth ${dollars(billed)} at our prices`
  if (difference === 0n && result.causes.length === 0)
    return `${said}, and the ledger says the same, to the last digit.`
  const share = billed === 0n ? undefined : Number((difference * 1_000_000n) / billed)
  const part = share === undefined ? '' : ` (${percent(share)} of ${hasBill ? 'the bill' : 'it'})`
  return `${said}, the ledger says ${dollars(logged)}: a difference of ${dollars(difference)}${part}.`
}

/** Whose turn it is; nothing where there is none. */
export function ownerLine({ status }: Reconciliation, owner: string | undefined): string | undefined {
  return owner === undefined || status === 'ok' ? undefined : `To look at this: ${owner}.`
}

/** Models that nobody can say the price of. */
export function unpricedLine({ unpriced }: Reconciliation): string | undefined {
  if (unpriced.length === 0) return undefined
  return `Without a price in our book: ${unpriced.map(({ model, calls }) => `${model} (${count(calls)})`).join(', ')}.`
}

const MOST_DETAILS = 50

export function tablesOf(result: Reconciliation): Table[] {
  return [causes(result), details(result), drift(result), prices(result), sides(result), shares(result)].filter(
    ({ rows }) => rows.length > 0,
  )
}

function causes({ causes: all, difference }: Reconciliation): Table {
  return {
    title: 'The difference by cause',
    note: 'A gap is something to look at, and no verdict.',
    columns: ['Cause', 'Billed less logged', 'Places', 'What it means'],
    figures: [1, 2],
    rows: [
      ...all.map(({ cause, cost, places }) => [cause, dollars(cost), count(places), MEANING[cause]]),
      ...(all.length > 0 ? [['all of them', dollars(difference), '', 'The whole difference.']] : []),
    ],
  }
}

function details({ details: all }: Reconciliation): Table {
  const largest = [...all].sort((a, b) => (size(b.cost) > size(a.cost) ? 1 : -1)).slice(0, MOST_DETAILS)
  return {
    title: all.length > MOST_DETAILS ? `The ${MOST_DETAILS} largest of ${all.length} places` : 'Where',
    columns: ['Day', 'Cause', 'Model', 'Tier', 'Kind', 'Quantity', 'Money', 'Note'],
    figures: [5, 6],
    rows: largest.map(({ day, cause, model, tier, type, quantity, cost, who, note }) => [
      day,
      cause,
      model,
      tier,
      type ?? '',
      quantity === 0 ? '' : count(quantity),
      dollars(cost),
      [who, note].filter((text) => text !== undefined).join('; '),
    ]),
  }
}

function drift({ drift: all, baseline }: Reconciliation): Table {
  return {
    title: 'Drift: volume and price apart',
    ...(baseline && { note: `Measured from ${baseline.day} on: ${baseline.reason}` }),
    columns: ['Model', 'Kind', 'Logged', 'Billed', 'Volume', 'Logged for', 'Billed for', 'Price', ''],
    figures: [2, 3, 4, 5, 6, 7],
    rows: all.map((row: DriftRow) => [
      row.model,
      row.type ?? '',
      count(row.loggedQuantity),
      row.billedQuantity === undefined ? '' : count(row.billedQuantity),
      volumeOf(row),
      dollars(row.logged),
      dollars(row.billed),
      percent(row.price),
      row.status === 'ok' ? '' : row.status,
    ]),
  }
}

function prices({ unitPrices }: Reconciliation): Table {
  return {
    title: 'What a million costs, by the bill and by our book',
    columns: ['Line', 'Model', 'Tier', 'Kind', 'Quantity', 'By the bill', 'By our book'],
    figures: [4, 5, 6],
    rows: unitPrices.map(({ item, model, tier, type, quantity, perMillion, bookPerMillion }) => [
      item ?? '',
      model,
      tier,
      type,
      count(quantity),
      dollars(perMillion),
      bookPerMillion === undefined ? 'unknown' : dollars(bookPerMillion),
    ]),
  }
}

function sides({ sides: { answers, usage, bill, disagreements } }: Reconciliation): Table {
  const row = (name: string, side: typeof answers | undefined) =>
    side === undefined
      ? []
      : [
          [
            name,
            side.requests === undefined ? '' : count(side.requests),
            side.inputTokens === undefined ? '' : count(side.inputTokens),
            side.outputTokens === undefined ? '' : count(side.outputTokens),
            side.cost === undefined ? '' : dollars(side.cost),
          ],
        ]
  return {
    title: 'Three ways to count the same period',
    ...(disagreements.length > 0 && { note: disagreements.join(' ') }),
    columns: ['By', 'Requests', 'Input tokens', 'Output tokens', 'Money'],
    figures: [1, 2, 3, 4],
    rows: [
      ...row('the answers (the ledger)', answers),
      ...row('the usage API, at our prices', usage),
      ...row('the bill', bill),
    ],
  }
}

function shares({ canonical, unattributedBilled }: Reconciliation): Table {
  const { exact, allocated, estimated } = canonical
  return {
    title: 'How well the costs of single calls are known',
    columns: ['By', 'Money', 'What it means'],
    figures: [1],
    rows: [
      ['EXACT', dollars(exact), 'The provider said it of the very call.'],
      ['ALLOCATED', dollars(allocated), "A call's share of what was billed for its bucket."],
      ['ESTIMATED', dollars(estimated), 'By our price book: no bill covers it.'],
      ['of no call', dollars(unattributedBilled), 'Billed, and in no log.'],
    ],
  }
}

function size(cost: PicoUsd): PicoUsd {
  return cost < 0n ? -cost : cost
}
