// What is left of a line when the quantities agree: its price. One discount on everything, a tier, a cache, a row of the book.

import { type PicoUsd, scale } from '../money.ts'
import type { Cause } from './causes.ts'
import { expectedOf, type Line } from './lines.ts'
import { type Rates, worthOf } from './rates.ts'

/** A ratio in parts of so many. */
const PARTS = 1_000_000n
/** Two ratios are the same when they are so many millionths apart. */
const SAME = 300n
/** What counts as the same money: a thousandth. */
const CLOSE = 1000n

export interface Discount {
  /** Millionths of the list price. */
  readonly parts: bigint
  /** The first day that has it. */
  readonly since: number
}

/** Gives each line the shares that its price is the reason of, and what is left, so that the shares add up to the difference. */
export function priceShares(lines: Iterable<Line>, rates: Rates): Discount | undefined {
  const all = [...lines].filter((line): line is Line & { billed: PicoUsd } => line.billed !== undefined)
  const unit = resolutionOf(all)
  const discount = discountOf(all, unit)
  const agreeing = agreeingLines(all, unit, discount)
  const steady = steadyLines(all, discount)
  for (const line of all) {
    let value = expectedOf(line)
    let parts = PARTS
    const share = (cause: Cause, cost: PicoUsd, note?: string) => {
      if (cost === 0n) return
      const { model, tier, type, who } = line
      line.shares.push({
        cause,
        cost,
        requests: undefined,
        quantity: 0,
        model,
        tier,
        type,
        ...(note !== undefined && { note }),
        ...(who !== undefined && who !== '' && { who }),
      })
    }
    if (!line.isLogged && line.shares.length === 0) {
      share(line.type === undefined || line.model === '' ? 'not-metered' : 'not-logged', line.billed)
      continue
    }
    if (line.listCost !== undefined && line.listCost !== line.billed) {
      share('contract-discount', line.billed - line.listCost, 'by the list price of the statement')
      value += line.billed - line.listCost
    } else if (discount !== undefined && line.at >= discount.since && isAt(line, discount, unit)) {
      parts = discount.parts
      const less = scale(value, parts, PARTS)
      share('contract-discount', less - value, `${percent(parts)} of the list price`)
      value = less
    }
    const rest = line.billed - value
    if (isRounding(rest, line, unit)) share('rounding', rest)
    else if (line.billed === 0n && line.rows === 0) share('not-billed', rest)
    else {
      const { cause, note } = steady.has(line)
        ? bookCause(line, agreeing)
        : (tierCause(line, rest, parts, rates) ?? bookCause(line, agreeing, rest))
      share(cause, rest, note)
    }
  }
  return discount
}

/** A line that is off for more than one reason has its discount too, where it is off by something else besides. */
function isAt(line: Line & { billed: PicoUsd }, { parts }: Discount, unit: PicoUsd): boolean {
  const value = expectedOf(line)
  return !isRounding(line.billed - value, line, unit) || isClose(line.billed, scale(value, parts, PARTS))
}

/** A statement that shows no cents may still have been rounded to no more than them. */
const CENT = 10_000_000_000n

/** The last digit that any line of the statement has. */
function resolutionOf(lines: readonly Line[]): PicoUsd {
  let unit = CENT
  for (const { billed = 0n } of lines) while (unit > 1n && billed % unit !== 0n) unit /= 10n
  return unit
}

function isRounding(rest: PicoUsd, { rows, shares }: Line, unit: PicoUsd): boolean {
  const size = rest < 0n ? -rest : rest
  if (size === 0n) return true
  // Half a digit for each row that was rounded, and half a pico-dollar for each value of ours.
  const digits = unit > 1n ? unit * BigInt(rows) : 0n
  return size * 2n <= digits + BigInt(shares.length + 1)
}

/** The same ratio on most lines of most models, from one day on. */
function discountOf(lines: readonly (Line & { billed: PicoUsd })[], unit: PicoUsd): Discount | undefined {
  const told = lines.flatMap((line) => {
    const value = expectedOf(line)
    if (value <= 0n || line.billed <= 0n || !line.isLogged) return []
    const isSame = isRounding(line.billed - value, line, unit)
    return [{ at: line.at, model: line.model, parts: isSame ? PARTS : (line.billed * PARTS + value / 2n) / value }]
  })
  const all = new Set(told.map(({ model }) => model)).size
  let best: Discount | undefined
  let most = 0
  for (const candidate of new Map(told.map(({ parts }) => [String(parts / SAME), parts])).values()) {
    if (candidate >= PARTS) continue
    const alike = told.filter(({ parts }) => abs(parts - candidate) <= SAME)
    // Of a single line nobody can tell a discount from a price.
    if (alike.length <= Math.max(1, most)) continue
    const since = alike.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY)
    const later = counted(told.filter(({ at }) => at >= since))
    const having = [...counted(alike)].filter(([model, count]) => count * 2 >= later.get(model)!)
    if (having.length < Math.min(2, all) || having.length * 2 <= later.size) continue
    most = alike.length
    best = { parts: middle(alike.map(({ parts }) => parts)), since }
  }
  return best
}

function counted(lines: readonly { readonly model: string }[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { model } of lines) counts.set(model, (counts.get(model) ?? 0) + 1)
  return counts
}

function middle(values: readonly bigint[]): bigint {
  const sorted = [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  return sorted[Math.floor(sorted.length / 2)]!
}

/** Models whose lines, but for those of caches, cost what they should. */
function agreeingLines(
  lines: readonly (Line & { billed: PicoUsd })[],
  unit: PicoUsd,
  discount: Discount | undefined,
): ReadonlySet<string> {
  const agree = new Map<string, boolean>()
  for (const line of lines) {
    if (line.type === undefined || isCache(line)) continue
    const wanted = wantedOf(line, discount)
    const isFine = isRounding(line.billed - wanted, line, unit) || isClose(line.billed, wanted)
    const key = `${line.at}|${line.model}`
    agree.set(key, (agree.get(key) ?? true) && isFine)
  }
  return new Set([...agree].filter(([, isFine]) => isFine).map(([key]) => key))
}

function wantedOf(line: Line, discount: Discount | undefined): PicoUsd {
  const value = expectedOf(line)
  return discount !== undefined && line.at >= discount.since ? scale(value, discount.parts, PARTS) : value
}

/** On so many other days a line of several tiers is not off by one ratio because of what was in it. */
const DAYS_OF_A_PRICE = 2

/** Lines of several tiers that are off as others of their model are on other days: by a price, though a tier would come to as much. */
function steadyLines(
  lines: readonly (Line & { billed: PicoUsd })[],
  discount: Discount | undefined,
): ReadonlySet<Line> {
  const off = lines.flatMap((line) => {
    const wanted = wantedOf(line, discount)
    return wanted <= 0n || isClose(line.billed, wanted) ? [] : [{ line, ratio: (line.billed * PARTS) / wanted }]
  })
  /** By model and ratio, the days that have it. */
  const days = new Map<string, Set<number>>()
  const nameOf = (model: string, ratio: bigint) => `${model}|${ratio}`
  for (const { line, ratio } of off) {
    const name = nameOf(line.model, ratio / SAME)
    const of = days.get(name)
    if (of === undefined) days.set(name, new Set([line.at]))
    else of.add(line.at)
  }
  const steady = off.filter(({ line: { model, at, byTier }, ratio }) => {
    if (byTier.size < 2) return false
    const near = [-1n, 0n, 1n].flatMap((step) => [...(days.get(nameOf(model, ratio / SAME + step)) ?? [])])
    return new Set(near.filter((day) => day !== at)).size >= DAYS_OF_A_PRICE
  })
  return new Set(steady.map(({ line }) => line))
}

function isCache({ type }: Line): boolean {
  return type?.includes('.cache_') === true
}

/** What is left is what another tier would have come to. */
function tierCause(
  { type, byTier }: Line,
  rest: PicoUsd,
  parts: bigint,
  rates: Rates,
): { cause: Cause; note: string } | undefined {
  for (const [tier, part] of type === undefined ? [] : byTier) {
    const other = tier === 'standard' ? 'batch' : 'standard'
    const rate = rates.listed({ ...part.cell, tier: other }, type!)
    if (rate === undefined || part.quantity === 0) continue
    const otherwise = scale(worthOf(rate, part.quantity) - part.value, parts, PARTS)
    if (otherwise !== 0n && isClose(rest, otherwise))
      return { cause: 'batch-or-tier', note: `${tier || 'standard'} billed as ${other}` }
  }
  return undefined
}

/** `rest`: what is left of the line; nothing where it is known to be of a price. */
function bookCause(
  line: Line & { billed: PicoUsd },
  agreeing: ReadonlySet<string>,
  rest = line.billed,
): { cause: Cause; note?: string } {
  const value = line.billed - rest
  const isEmpty = value === 0n && line.loggedQuantity === 0 && line.billedQuantity === 0
  // No price is changed by less than a thousandth: it is the clocks and the digits of two systems.
  if (line.type === undefined || isEmpty || isClose(line.billed, value)) return { cause: 'unexplained' }
  const unitNote = priceNote(line)
  const more = unitNote === undefined ? {} : { note: unitNote }
  if (isCache(line) && agreeing.has(`${line.at}|${line.model}`)) return { cause: 'cache-accounting', ...more }
  return line.billedQuantity > 0 ? { cause: 'price-book', ...more } : { cause: 'unexplained' }
}

function priceNote({ billed = 0n, billedQuantity, loggedQuantity, logged }: Line): string | undefined {
  if (billedQuantity <= 0 || !Number.isInteger(billedQuantity)) return undefined
  const per = (cost: PicoUsd, quantity: number) => `$${Number((cost * 1000n) / BigInt(quantity)) / 1e9}`
  const ours = loggedQuantity > 0 ? `, ours ${per(logged, loggedQuantity)}` : ''
  return `${per(billed, billedQuantity)} a million${ours}`
}

function isClose(a: PicoUsd, b: PicoUsd): boolean {
  return abs(a - b) * CLOSE <= abs(b)
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value
}

function percent(parts: bigint): string {
  return `${Number(parts) / 10_000} %`
}
