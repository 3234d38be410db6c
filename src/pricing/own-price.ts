// One price of a user's own, checked field by field.

import { expected, MeterError } from '../errors.ts'
import { BUCKETS } from '../usage.ts'
import type { AgreedPrice } from './agreed-prices.ts'
import type { Place, PlacedJson } from './json-places.ts'
import { providerNamed } from './provider-names.ts'
import { parseRate } from './rate-text.ts'
import { parseRational } from './rational.ts'
import { KNOWN_TIERS, tierOf } from './tier.ts'

/** A price of one's own. It needs `rates`, `multiply` or both; what it does not name, it takes all of. */
export interface OwnPrice extends Omit<AgreedPrice, 'model' | 'rates' | 'multiply'> {
  /** An id, the beginning of some with `*` behind it (`gpt-5*`), or several. */
  readonly model?: string | readonly string[]
  /** Dollars by bucket, for the usual unit or with one: `{ 'input.text': '2.5', 'unit.input_seconds': '0.006/minute' }`. `input`, `output`, `cache_read` and `cache_write` are those of text. */
  readonly rates?: Readonly<Record<string, string | number>>
  /** Of the rates that `rates` does not replace: `'0.85'`, `'17/20'`. */
  readonly multiply?: string | number
  /** For whoever reads it. */
  readonly note?: string
}

/** A file that was read, with the places of what stands in it. */
export interface PlacedFile {
  readonly path: string
  readonly json: PlacedJson
}

/** A value, with what it is called and where it stands. */
export interface Spot {
  readonly name: string
  readonly container: object
  readonly key: string | number
}

/** Says what is wrong, in one sentence, with the line and column where there is a file. Throws MeterError `BAD_INPUT`. */
export interface Complaints {
  fail(place: Place | undefined, sentence: string): never
  wrong(value: unknown, spot: Spot, expects: string): never
  /** Where it stands, in a file. */
  placeOf(spot: Spot): Place | undefined
  /** Of a name that nothing is called by. */
  unknown(container: object, name: string, where: string, names: readonly string[]): never
}

export function complaintsOf(file: PlacedFile | undefined): Complaints {
  const fail = (place: Place | undefined, sentence: string): never => {
    const where = file && place ? `${file.path}:${place.line}:${place.column}: ` : ''
    throw new MeterError('BAD_INPUT', where + sentence)
  }
  return {
    fail,
    placeOf: ({ container, key }) => file?.json.placeOf(container, key),
    wrong: (value, { name, container, key }, expects) =>
      fail(file?.json.placeOf(container, key), expected(name, expects, value)),
    unknown: (container, name, where, names) =>
      fail(
        file?.json.placeOfName(container, name),
        `There is no ${JSON.stringify(name.slice(0, 40))} in ${where}; what can stand there is ${names.join(', ')}.`,
      ),
  }
}

const SHORT_NAMES: Readonly<Record<string, string>> = {
  input: 'input.text',
  output: 'output.text',
  cache_read: 'input.text.cache_read',
  cache_write: 'input.text.cache_write',
}
const RATE_NAMES: readonly string[] = [...Object.keys(SHORT_NAMES), ...BUCKETS, 'fee.request']
const LONGEST = 256
const DAY_MS = 86_400_000

type Read<T> = (value: unknown, spot: Spot, complaints: Complaints) => T

const text: Read<string> = (value, spot, { wrong }) =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST
    ? value
    : wrong(value, spot, `a string of 1 to ${LONGEST} characters`)
const provider: Read<string> = (value, spot, complaints) => providerNamed(text(value, spot, complaints))
const place: Read<string> = (value, spot, complaints) => text(value, spot, complaints).trim().toLowerCase()
/** A slip of the pen would match no call, and nobody would know. A tier that is like none that is known may be a new one. */
const tier: Read<string> = (value, spot, complaints) => {
  const name = tierOf('', text(value, spot, complaints).trim())
  const meant = KNOWN_TIERS.find((known) => known !== name && isSlipOf(name, known))
  if (meant === undefined || KNOWN_TIERS.includes(name)) return name
  return complaints.wrong(value, spot, `a tier such as "${meant}"`)
}
const words: Read<string> = (value, spot, { wrong }) =>
  typeof value === 'string' ? value : wrong(value, spot, 'a string')
const yesOrNo: Read<boolean> = (value, spot, { wrong }) =>
  typeof value === 'boolean' ? value : wrong(value, spot, 'true or false')
const day: Read<string> = (value, spot, { wrong }) =>
  isDay(value) ? value : wrong(value, spot, 'a day such as "2026-10-01"')
const moment: Read<string> = (value, spot, { wrong }) =>
  isDay(value) || isMoment(value)
    ? value
    : wrong(value, spot, 'a day such as "2026-10-01", or a moment such as "2026-10-01T16:00:00Z"')
const factor: Read<string> = (value, spot, { wrong }) => {
  const decimal = decimalOf(value)
  return decimal !== undefined && parseRational(decimal)
    ? decimal
    : wrong(value, spot, 'a factor of 0 or more such as "0.85" or "17/20"')
}
const models: Read<readonly string[]> = (value, spot, complaints) => {
  const names = Array.isArray(value) && value.length > 0 ? value : undefined
  const read = names
    ? names.map((name, i) => text(name, { name: `${spot.name}[${i}]`, container: names, key: i }, complaints))
    : [text(value, spot, complaints)]
  for (const [i, name] of read.entries())
    if (name.slice(0, -1).includes('*')) {
      const own = names ? { name: `${spot.name}[${i}]`, container: names, key: i } : spot
      complaints.wrong(name, own, 'an id, or the beginning of some with `*` at its end')
    }
  return read.map((name) => name.trim().toLowerCase())
}
const rates: Read<Record<string, string>> = (value, spot, { wrong, unknown, fail, placeOf }) => {
  if (!isFields(value) || Object.keys(value).length === 0)
    return wrong(value, spot, 'an object of rates such as `{ "input": "2.5" }`')
  const read: Record<string, string> = {}
  for (const [name, rate] of Object.entries(value)) {
    if (!RATE_NAMES.includes(name)) unknown(value, name, `\`${spot.name}\``, RATE_NAMES)
    const bucket = SHORT_NAMES[name] ?? name
    const decimal = decimalOf(rate)
    const own = { name: `${spot.name}.${name}`, container: value, key: name }
    if (decimal === undefined || parseRate(decimal, bucket) === undefined)
      return wrong(rate, own, 'a rate such as "2.5" or "0.006/minute"')
    if (bucket in read) fail(placeOf(own), `\`${spot.name}\` has two rates for ${bucket}.`)
    read[bucket] = decimal
  }
  return read
}

const FIELDS = {
  name: text,
  provider,
  model: models,
  tenantId: text,
  tier,
  geo: place,
  from: moment,
  until: moment,
  rates,
  multiply: factor,
  fees: yesOrNo,
  source: words,
  read: day,
  note: words,
} satisfies Record<keyof OwnPrice, Read<unknown>>

/** The rules that one price makes: one for each of its models. Its place in the list names it where nothing else does. */
export function agreedPricesOf(price: unknown, spot: Spot, complaints: Complaints): AgreedPrice[] {
  const { wrong, fail, unknown, placeOf } = complaints
  if (!isFields(price)) return wrong(price, spot, 'an object such as `{ "model": "gpt-5", "multiply": "0.85" }`')
  const read: Record<string, unknown> = { name: String(Number(spot.key) + 1) }
  for (const [name, value] of Object.entries(price)) {
    if (value === undefined) continue
    if (!Object.hasOwn(FIELDS, name)) unknown(price, name, `\`${spot.name}\``, Object.keys(FIELDS))
    const reader: Read<unknown> = FIELDS[name as keyof OwnPrice]
    read[name] = reader(value, { name: `${spot.name}.${name}`, container: price, key: name }, complaints)
  }
  const { model, note: _, ...rule } = read as Omit<AgreedPrice, 'model'> & { model?: readonly string[]; note?: string }
  if (rule.rates === undefined && rule.multiply === undefined) wrong(price, spot, 'a price, with `rates` or `multiply`')
  if (rule.from !== undefined && rule.until !== undefined && endOf(rule.until) <= Date.parse(rule.from))
    fail(placeOf({ name: '', container: price, key: 'until' }), `\`${spot.name}\` ends before it begins.`)
  return model ? model.map((one) => ({ ...rule, model: one })) : [rule]
}

export function providerOf(value: unknown, spot: Spot, complaints: Complaints): string {
  return provider(value, spot, complaints)
}

/** Of five letters and more, two are off at most, and the first is right. */
function isSlipOf(name: string, known: string): boolean {
  return name.length > 3 && name[0] === known[0] && distance(name, known) <= 2
}

/** How many letters must be put in, taken out or changed. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, letter] of a.split('').entries()) {
    const next = [i + 1]
    for (const [j, other] of b.split('').entries())
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (letter === other ? 0 : 1)))
    row = next
  }
  return row.at(-1)!
}

/** A number is taken for the digits that it is written with. */
function decimalOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined
  return String(value).includes('e') ? value.toFixed(12).replace(/\.?0+$/, '') : String(value)
}

export function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A day holds until its end. */
function endOf(until: string): number {
  return Date.parse(until) + (until.includes('T') ? 0 : DAY_MS)
}

function isDay(value: unknown): value is string {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(value)) return false
  const at = Date.parse(value)
  // The 30th of February is the second of March to Date.
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value)
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(?:Z|[+-]\d\d:\d\d)$/

function isMoment(value: unknown): value is string {
  return (
    typeof value === 'string' && MOMENT.test(value) && isDay(value.slice(0, 10)) && !Number.isNaN(Date.parse(value))
  )
}
