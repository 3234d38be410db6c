// What recorded calls would have cost at other models and providers: each call priced by itself, at its own time, tier and usage.

import { type PicoUsd, parseUsd } from '../money.ts'
import type { PriceQuery } from '../pricing/price.ts'
import { tierOf } from '../pricing/tier.ts'
import type { Bucket, Usage } from '../usage.ts'
import type {
  ComparedEvent,
  ComparedModel,
  ComparedRow,
  ComparedSums,
  ComparedTarget,
  CompareOptions,
  Comparing,
  ComparingBook,
  Comparison,
  NotCompared,
} from './comparison.ts'
import { type Target, targetOf } from './target.ts'
import { type TokenBand, tokensApart } from './tokenizers-apart.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }
type Sums = Mutable<ComparedSums>

interface Track {
  readonly target: Target
  readonly total: Sums
  readonly rows: Map<string, Mutable<ComparedRow>>
  readonly notCompared: Map<string, Mutable<NotCompared>>
  readonly models: Map<string, Mutable<ComparedModel>>
  atTodaysRates: number
  guessed: number
}

interface Priced {
  readonly band: TokenBand
  readonly isEarlier: boolean
  readonly isGuess: boolean
  readonly own: PicoUsd
  readonly low: PicoUsd
  readonly high: PicoUsd
}

/** Throws a `MeterError` of one sentence for a target that the book does not have. */
export function createComparison(book: ComparingBook, { to, now = Date.now() }: CompareOptions): Comparing {
  const tracks = to.map((text): Track => {
    const target = targetOf(text, book)
    return {
      target,
      total: nothing(),
      rows: new Map(),
      notCompared: new Map(),
      models: new Map(),
      atTodaysRates: 0,
      guessed: 0,
    }
  })
  let calls = 0
  let estimated = 0

  /** The costs of a call at a target, or why there are none. */
  function priced(target: Target, event: ComparedEvent): Priced | string {
    const { usage } = event
    if (!usage || Object.values(usage).every((quantity) => !quantity)) return 'Nothing is known of their usage.'
    if (event.costUsd === undefined) return 'What they cost as they were made is not known.'
    if ((event.calls ?? 1) > 1) return 'They were added up before they were recorded: rates can depend on each call.'
    const band = tokensApart(event, target)
    const query = queryFor(event, target)
    let own = book.price(usage, query)
    const gap = own ? undefined : book.why(usage, query)
    const isEarlier = gap?.reason === 'before-first-price'
    if (isEarlier) {
      query.at = now
      own = book.price(usage, query)
    }
    if (!own) return gap?.message ?? 'No price is known for it.'
    const low = band.lowPercent < 100 ? book.price(scaled(usage, band.lowPercent, Math.floor), query) : own
    const high = band.highPercent > 100 ? book.price(scaled(usage, band.highPercent, Math.ceil), query) : own
    // A longer prompt can fall into a band whose rates nobody has published.
    if (!low || !high) return `No price is known for so long a prompt at ${target.model}.`
    return { band, isEarlier, isGuess: own.source === 'fallback', own: own.pico, low: low.pico, high: high.pico }
  }

  function compare(track: Track, event: ComparedEvent): void {
    const cost = parseUsd(event.costUsd ?? '') ?? 0n
    const there = priced(track.target, event)
    if (typeof there === 'string') {
      let left = track.notCompared.get(there)
      if (!left) track.notCompared.set(there, (left = { why: there, calls: 0, cost: 0n }))
      left.calls += event.calls ?? 1
      left.cost += cost
      return
    }
    if (there.isEarlier) track.atTodaysRates++
    if (there.isGuess) track.guessed++
    noteModel(track, event, there.band)
    for (const sums of [track.total, rowOf(track, event)]) {
      sums.calls += 1
      sums.cost += cost
      sums.there += there.own
      sums.thereLow += there.low < there.own ? there.low : there.own
      sums.thereHigh += there.high > there.own ? there.high : there.own
    }
  }

  return {
    add(event) {
      calls += event.calls ?? 1
      if (event.usageSource !== 'reported') estimated += event.calls ?? 1
      for (const track of tracks) compare(track, event)
    },
    result: () => ({ calls, estimated, priceVersion: book.version, targets: tracks.map(toTarget) }),
  }
}

/**
 * What recorded calls would have cost at other models. A bucket that a target has no price for is said, and its calls are
 * in no sum; the difference of the tokenizers makes a band. Changes nothing.
 *
 * @example
 * const events = await sqliteLedger({ path: '.tallygate/ledger.db' }).events()
 * const { targets } = compareModels(events, await loadPrices(), { to: ['openai/gpt-5-mini'] })
 * for (const { model, total } of targets) console.log(model, total.cost - total.there)
 */
export function compareModels(
  events: Iterable<ComparedEvent>,
  prices: ComparingBook,
  options: CompareOptions,
): Comparison {
  const comparing = createComparison(prices, options)
  for (const event of events) comparing.add(event)
  return comparing.result()
}

/** Geo and variant are names of one provider's price list; a tier is called the same in all of them. */
function queryFor(event: ComparedEvent, { provider, model }: Target): Mutable<PriceQuery> {
  const isSame = event.provider === provider
  return {
    provider,
    model,
    at: Date.parse(event.timestamp),
    serviceTier: isSame ? event.serviceTier : tierOf(event.provider, event.serviceTier),
    geo: isSame ? event.geo : undefined,
    variant: isSame ? event.priceVariant : undefined,
    tenantId: event.tenantId,
  }
}

/** Text alone depends on the tokenizer. */
function scaled(usage: Usage, percent: number, round: (tokens: number) => number): Usage {
  const other: { [B in Bucket]?: number } = {}
  for (const [bucket, quantity] of Object.entries(usage) as [Bucket, number][]) {
    const isText = bucket.startsWith('input.text') || bucket === 'output.text' || bucket === 'output.reasoning'
    other[bucket] = isText ? round((quantity * percent) / 100) : quantity
  }
  return other
}

function nothing(): Sums {
  return { calls: 0, cost: 0n, there: 0n, thereLow: 0n, thereHigh: 0n }
}

function rowOf({ rows }: Track, event: ComparedEvent): Sums {
  const [feature, tenant] = [event.feature ?? null, event.tenantId ?? null]
  const key = JSON.stringify([feature, tenant])
  const row = rows.get(key)
  if (row) return row
  const first: Mutable<ComparedRow> = { ...nothing(), feature, tenant }
  rows.set(key, first)
  return first
}

function noteModel({ models }: Track, { provider, model }: ComparedEvent, band: TokenBand): void {
  const key = `${provider}\n${model}`
  const known = models.get(key)
  if (known) known.calls++
  else models.set(key, { provider, model, calls: 1, ...band })
}

function toTarget(track: Track): ComparedTarget {
  const { target, total, rows, notCompared, models, atTodaysRates, guessed } = track
  const dearest = <T extends { readonly cost: PicoUsd; readonly calls: number }>(list: Iterable<T>) =>
    [...list].sort((a, b) => (a.cost === b.cost ? b.calls - a.calls : a.cost < b.cost ? 1 : -1))
  return {
    ...target,
    total,
    rows: dearest(rows.values()),
    notCompared: dearest(notCompared.values()),
    models: [...models.values()].sort((a, b) => b.calls - a.calls),
    atTodaysRates,
    guessed,
  }
}
