// Reading a provider's counts: what is missing, negative, fractional or absurd is flagged and never silently billed.

import type { Bucket, Usage } from '../usage.ts'
import type { Json, Reading } from './provider.ts'

/** No model takes or gives this many tokens in one call: a number above it is a fault of the wire. */
const ABSURD = 1e9

/** No model, id or tier of any provider is longer; an event must not grow with what a host puts there. */
const LONGEST_NAME = 256

/** Numbers of one usage object that nobody here understands. */
const MOST_KEPT = 16

export type Quantities = { [B in Bucket]?: number }

/** What a usage object says of itself. */
export type UsageReading = Pick<Reading, 'usage' | 'flags' | 'reported' | 'isPartial'>

/** Gathers one usage object: its counts by name, and what was wrong with them. */
export interface Counts {
  /**
   * A count of `object`; 0 where it is missing or `null`, and where it is unusable, which is flagged: without it the
   * usage is not whole. Digits in quotes are a number, and flagged as well.
   */
  of(object: unknown, field: string): number
  /** The same for one that can only make the call cheaper, or that is checked and not billed: the usage is whole without it. */
  check(object: unknown, field: string): number
  /** The same for a count without which the usage is not whole: its absence is flagged too. */
  need(object: unknown, field: string): number
  /** True where `object` has the field as a usable count. */
  has(object: unknown, field: string): boolean
  /** `sum`: parts that do not make up their whole. `subset`: a part larger than its whole. `model`: another model's. `unknown`: no such bucket. */
  flag(kind: 'sum' | 'subset' | 'model' | 'unknown', field: string): void
  /** Keeps a number that has no bucket as it came. */
  keep(field: string, value: number): void
  /** The reading of `raw`, whose `totals` are shown as they came where anything is flagged. */
  reading(quantities: Quantities, raw: Json, totals: readonly string[]): UsageReading
}

export function counts(): Counts {
  return new Counter()
}

/** A class: of a literal's five functions, each would be made anew for every answer. */
class Counter implements Counts {
  #flags: string[] | undefined
  #kept: Record<string, number> | undefined
  #keptCount = 0
  #isWhole = true

  of(object: unknown, field: string): number {
    const value = (object as Json | null | undefined)?.[field]
    if (value === undefined || value === null) return 0
    if (!isUsable(value)) this.#isWhole = false
    return this.#read(value, field)
  }

  check(object: unknown, field: string): number {
    const value = (object as Json | null | undefined)?.[field]
    return value === undefined || value === null ? 0 : this.#read(value, field)
  }

  #read(value: unknown, field: string): number {
    if (typeof value !== 'number' || Number.isNaN(value)) {
      this.#wrong('not-a-count', field)
      return isUsable(value) ? Number(value) : 0
    }
    if (value < 0) return this.#wrong('negative', field)
    if (value > ABSURD) return this.#wrong('absurd', field)
    if (Number.isInteger(value)) return value
    this.#wrong('fractional', field)
    return Math.ceil(value)
  }

  need(object: unknown, field: string): number {
    if (this.has(object, field)) return this.of(object, field)
    this.#isWhole = false
    const value = (object as Json | null | undefined)?.[field]
    return value === undefined || value === null ? this.#wrong('missing', field) : this.of(object, field)
  }

  has(object: unknown, field: string): boolean {
    return isUsable((object as Json | null | undefined)?.[field])
  }

  flag(kind: 'sum' | 'subset' | 'model' | 'unknown', field: string): void {
    this.#wrong(kind, field)
  }

  keep(field: string, value: number): void {
    if (this.#keptCount === MOST_KEPT) return
    this.#keptCount++
    this.#kept ??= {}
    this.#kept[field] = value
  }

  reading(quantities: Quantities, raw: Json, totals: readonly string[]): UsageReading {
    const reading: { -readonly [Field in keyof UsageReading]: UsageReading[Field] } = { usage: usageOf(quantities) }
    if (!this.#isWhole) reading.isPartial = true
    if (this.#flags) {
      reading.flags = this.#flags
      reading.reported = numbersOf(raw, totals)
    }
    if (this.#kept) reading.reported = { ...reading.reported, ...this.#kept }
    return reading
  }

  #wrong(kind: string, field: string): 0 {
    const said = `${kind}:${field}`
    this.#flags ??= []
    if (!this.#flags.includes(said)) this.#flags.push(said)
    return 0
  }
}

/** Some gateways write their counts in quotes. */
const DIGITS = /^\d{1,10}$/

function isUsable(value: unknown): boolean {
  if (typeof value === 'number') return value >= 0 && value <= ABSURD
  return typeof value === 'string' && DIGITS.test(value) && Number(value) <= ABSURD
}

/** The buckets that hold something. */
function usageOf(quantities: Quantities): Usage {
  const usage: Quantities = {}
  for (const bucket in quantities) {
    const quantity = quantities[bucket as Bucket]
    if (quantity !== undefined && quantity > 0) usage[bucket as Bucket] = quantity
  }
  return usage
}

function numbersOf(raw: Json, names: readonly string[]): Record<string, number> {
  const numbers: Record<string, number> = {}
  for (const name of names) {
    const value = raw[name]
    if (typeof value === 'number' && Number.isFinite(value)) numbers[name] = value
  }
  return numbers
}

/**
 * A total above the sum of its parts: tokens that no part names (thoughts that are kept out of the details, as a rule).
 * They were billed, so they go where tokens are dearest: to the output, or to an input that is missing altogether.
 */
export function hiddenTokens(
  count: Counts,
  usage: Json,
  names: { readonly total: string; readonly input: string; readonly output: string },
  sum: number,
): { readonly input: number; readonly output: number } {
  if (!count.has(usage, names.total)) {
    count.check(usage, names.total)
    return NONE
  }
  const hidden = count.check(usage, names.total) - sum
  if (hidden === 0) return NONE
  count.flag('sum', names.total)
  if (hidden < 0) return NONE
  const isInput = !count.has(usage, names.input) && count.has(usage, names.output)
  return isInput ? { input: hidden, output: 0 } : { input: 0, output: hidden }
}

const NONE = { input: 0, output: 0 } as const

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A name or an id that a provider or a caller wrote. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, LONGEST_NAME) : undefined
}

const CODE = /^[\w.:-]{1,64}$/

/** A provider's identifier as it may stand on an event: never a sentence. */
export function codeOf(value: unknown): string | undefined {
  return typeof value === 'string' && CODE.test(value) ? value : undefined
}

/** The most output that a request allows; `undefined` where it sets no cap that is one. */
export function capOf(value: unknown, choices: unknown = 1): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined
  const cap = value * (typeof choices === 'number' && choices > 1 ? choices : 1)
  return cap <= ABSURD ? Math.ceil(cap) : undefined
}
