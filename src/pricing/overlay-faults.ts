// What can be wrong with prices that people have written down.

import { COLUMNS } from './book-data.ts'
import { WEEKDAYS } from './overlay.ts'
import { parseRate } from './rate-text.ts'
import { parseRational } from './rational.ts'
import { tierOf } from './tier.ts'

export interface OverlayFault {
  /** Where in the file: `['rows', 3, 'rates', 'input.text']`. */
  readonly path: readonly (string | number)[]
  /** One sentence: what was expected and what came. */
  readonly message: string
}

const DAY = /^20\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/
const MOMENT = /^20\d\d-\d\d-\d\dT\d\d:\d\d(?::\d\d)?Z$/
export const HOURS = /^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$/
/** These stand between the parts of the name of a row. */
const ID = /^[^A-Z#^!\s]{1,200}$/

const SOURCED = ['source', 'read', 'note']
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  '': ['provider', 'like', 'rows', 'fees', 'modifiers', 'aliases', 'calendars', 'limits'],
  rows: [
    'model',
    'tier',
    'variant',
    'from',
    'until',
    'days',
    'hours',
    'except',
    'succeeds',
    'rates',
    'above',
    ...SOURCED,
  ],
  fees: ['models', 'from', 'until', 'rates', ...SOURCED],
  modifiers: ['geo', 'models', 'multiply', 'from', 'until', ...SOURCED],
  aliases: ['model', 'is', ...SOURCED],
  calendars: ['dates', ...SOURCED],
  limits: ['model', 'maxOutputTokens', ...SOURCED],
}

type Fields = Record<string, unknown>

/** Everything that is wrong with an overlay; nothing where it can be laid over a book. A user's own need not say where it was read. */
export function overlayFaults(overlay: unknown, { needsSource = true } = {}): OverlayFault[] {
  const faults: OverlayFault[] = []

  function expect(isRight: boolean, path: OverlayFault['path'], expected: string, got: unknown): boolean {
    if (!isRight) faults.push({ path, message: `expected ${expected}, got ${JSON.stringify(got) ?? 'nothing'}` })
    return isRight
  }
  const known = (value: Fields, list: string, path: OverlayFault['path']): void => {
    for (const name of Object.keys(value))
      expect(FIELDS[list]!.includes(name), [...path, name], `one of the fields ${FIELDS[list]!.join(', ')}`, name)
  }

  if (!expect(isFields(overlay), [], 'an object with prices', overlay) || !isFields(overlay)) return faults
  known(overlay, '', [])
  const provider = overlay['provider']
  expect(isId(provider), ['provider'], 'the name of a provider', provider)
  if (overlay['like'] !== undefined) expect(isIds(overlay['like']), ['like'], 'a list of providers', overlay['like'])
  const calendars = isFields(overlay['calendars']) ? overlay['calendars'] : {}

  function sourced(entry: Fields, path: OverlayFault['path']): void {
    const { source, read, note } = entry
    const isPage = typeof source === 'string' && (/^https:\/\/\S+$/.test(source) || !needsSource)
    const isLeftOut = (value: unknown) => !needsSource && value === undefined
    expect(isPage || isLeftOut(source), [...path, 'source'], 'the page it was read on, https://...', source)
    expect(isDay(read) || isLeftOut(read), [...path, 'read'], 'the day it was read, 2026-11-22', read)
    if (note !== undefined) expect(typeof note === 'string', [...path, 'note'], 'a text', note)
  }

  function dated({ from, until }: Fields, path: OverlayFault['path']): void {
    expect(isTime(from), [...path, 'from'], 'the day it holds from, 2026-11-22', from)
    if (until === undefined) return
    expect(isTime(until), [...path, 'until'], 'the last day it holds, 2026-12-31', until)
    if (isTime(from) && isTime(until))
      expect(from.slice(0, 10) <= until.slice(0, 10), [...path, 'until'], `no day before ${from}`, until)
  }

  function rates(value: unknown, path: OverlayFault['path'], buckets = /./): void {
    if (!expect(isFields(value), path, 'rates by bucket', value) || !isFields(value)) return
    for (const [bucket, rate] of Object.entries(value)) {
      const isBucket = (COLUMNS as readonly string[]).includes(bucket) && buckets.test(bucket)
      expect(isBucket, [...path, bucket], 'a bucket of usage that can be priced here', bucket)
      expect(
        typeof rate === 'string' && parseRate(rate, bucket) !== undefined,
        [...path, bucket],
        'dollars as a decimal in quotes, "2.5" or "0.006/minute"',
        rate,
      )
    }
  }

  function bands(value: unknown, path: OverlayFault['path']): void {
    if (!expect(Array.isArray(value), path, 'a list of bands', value)) return
    let last = -1
    for (const [at, band] of (value as unknown[]).entries()) {
      const place = [...path, at]
      if (!expect(isFields(band), place, 'a band', band) || !isFields(band)) continue
      const { inputTokens, rates: listed } = band
      const isHigher = Number.isSafeInteger(inputTokens) && (inputTokens as number) > last
      if (expect(isHigher, [...place, 'inputTokens'], `a whole number above ${last}`, inputTokens))
        last = inputTokens as number
      if (listed !== null) rates(listed, [...place, 'rates'])
    }
  }

  function times({ days, hours, except }: Fields, path: OverlayFault['path']): void {
    if (days !== undefined)
      expect(
        isListOf(days, (day) => WEEKDAYS.includes(day)),
        [...path, 'days'],
        'weekdays as ["mon", "tue"]',
        days,
      )
    if (hours !== undefined)
      expect(
        isListOf(hours, (span) => HOURS.test(span)),
        [...path, 'hours'],
        'UTC hours as ["01:00-04:00"]',
        hours,
      )
    if (except !== undefined)
      expect(
        typeof except === 'string' && Object.hasOwn(calendars, except),
        [...path, 'except'],
        'the name of one of the calendars',
        except,
      )
    if ((days !== undefined || except !== undefined) && Array.isArray(hours))
      expect(
        hours.every((span) => String(span).slice(6) > String(span).slice(0, 5)),
        [...path, 'hours'],
        'hours that end before midnight beside days or a calendar',
        hours,
      )
  }

  const CHECKS: Readonly<Record<string, (entry: Fields, path: OverlayFault['path']) => void>> = {
    rows(row, path) {
      const { model, tier, variant } = row
      expect(
        isId(model) || (isIds(model) && model.length > 0),
        [...path, 'model'],
        'an id in lower case or a list',
        model,
      )
      if (tier !== undefined) {
        const name = typeof tier === 'string' && typeof provider === 'string' ? tierOf(provider, tier) : undefined
        expect(name === tier && tier !== '', [...path, 'tier'], `a tier as answers are read, ${name ?? '"flex"'}`, tier)
      }
      if (variant !== undefined) expect(isId(variant), [...path, 'variant'], 'a variant in lower case', variant)
      if (row['succeeds'] !== undefined)
        expect(row['succeeds'] === true, [...path, 'succeeds'], 'true', row['succeeds'])
      dated(row, path)
      times(row, path)
      rates(row['rates'], [...path, 'rates'])
      if (row['above'] !== undefined) bands(row['above'], [...path, 'above'])
    },
    fees(fee, path) {
      expect(isIds(fee['models']), [...path, 'models'], 'a list of ids, or ["*"]', fee['models'])
      dated(fee, path)
      rates(fee['rates'], [...path, 'rates'], /^(?:fee|unit)\./)
    },
    modifiers(modifier, path) {
      const { geo, models, multiply } = modifier
      expect(isId(geo) && geo !== 'global', [...path, 'geo'], 'a place other than global', geo)
      expect(isIds(models), [...path, 'models'], 'a list of ids, or ["*"]', models)
      const factor = typeof multiply === 'string' ? parseRational(multiply) : undefined
      expect(factor !== undefined && factor.num > 0n, [...path, 'multiply'], 'a factor in quotes, "11/10"', multiply)
      dated(modifier, path)
    },
    aliases({ model, is }, path) {
      expect(isId(model), [...path, 'model'], 'an id in lower case', model)
      expect(isId(is) && is !== model, [...path, 'is'], 'the id of another model', is)
    },
    calendars({ dates }, path) {
      expect(isListOf(dates, isDay), [...path, 'dates'], 'a list of days as ["2026-10-01"]', dates)
    },
    limits({ model, maxOutputTokens }, path) {
      expect(isId(model), [...path, 'model'], 'an id in lower case', model)
      const isCount = Number.isSafeInteger(maxOutputTokens) && (maxOutputTokens as number) > 0
      expect(isCount, [...path, 'maxOutputTokens'], 'a whole number above 0', maxOutputTokens)
    },
  }

  for (const [list, check] of Object.entries(CHECKS)) {
    const entries = overlay[list]
    if (entries === undefined) continue
    const isRight = list === 'calendars' ? isFields(entries) : Array.isArray(entries)
    if (!expect(isRight, [list], list === 'calendars' ? 'calendars by name' : 'a list', entries)) continue
    for (const [key, entry] of Object.entries(entries as object)) {
      const path = [list, list === 'calendars' ? key : Number(key)]
      if (!expect(isFields(entry), path, 'an object', entry) || !isFields(entry)) continue
      known(entry, list, path)
      check(entry, path)
      sourced(entry, path)
    }
  }
  return faults
}

/** `openai.json: rows[3].rates["input.text"]: expected ...`. */
export function describeFault(file: string, overlay: unknown, { path, message }: OverlayFault): string {
  const place = path.map((key, at) =>
    typeof key === 'number' ? `[${key}]` : /^\w+$/.test(key) ? `${at > 0 ? '.' : ''}${key}` : `["${key}"]`,
  )
  const [list, at] = path
  const entries = isFields(overlay) && typeof list === 'string' ? overlay[list] : undefined
  const entry: unknown = Array.isArray(entries) && typeof at === 'number' ? entries[at] : undefined
  const model = isFields(entry) ? (entry['model'] ?? entry['models']) : undefined
  const named = model === undefined ? '' : ` (${[model].flat().map(String).join(', ')})`
  return `${file}: ${place.join('')}${named}: ${message}`
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value)
}

function isIds(value: unknown): value is readonly string[] {
  return isListOf(value, isId)
}

function isListOf(value: unknown, isRight: (item: string) => boolean): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string' && isRight(item))
}

function isDay(value: unknown): value is string {
  return typeof value === 'string' && DAY.test(value) && new Date(value).toISOString().startsWith(value)
}

function isTime(value: unknown): value is string {
  return isDay(value) || (typeof value === 'string' && MOMENT.test(value) && !Number.isNaN(Date.parse(value)))
}
