// Lays prices that people have written down over a book: from the date of its first row on, the overlay is all there is
// of a model, a tier and a variant.

import {
  type BookData,
  COLUMNS,
  type ModelData,
  type ProviderData,
  type RateData,
  type RateList,
  type RowData,
  type SourceData,
  type TimesData,
} from './book-data.ts'
import { type Overlay, type OverlayRow, type RatesText, type Sourced, WEEKDAYS } from './overlay.ts'
import type { OverlayFault } from './overlay-faults.ts'
import { parseRate } from './rate-text.ts'

const DAY_MS = 86_400_000

type Building<T> = { -readonly [K in keyof T]: T[K] }
type BuildingModel = Building<Omit<ModelData, 'ids' | 'rows'>> & { ids: string[]; rows: RowData[] }

/** What can only be seen beside the book: an alias of a model that is not in it. */
export class OverlayMismatch extends Error {
  readonly fault: OverlayFault
  constructor(fault: OverlayFault) {
    super(fault.message)
    this.fault = fault
  }
}

export interface LayingOver {
  /**
   * The day of which the book's rows without a date are: of models that begin later, they are the price before. Of those
   * that began earlier they say what a call costs on that day, and nothing of the time before the overlay's first row,
   * which is the release as a rule; `succeeds` in that row says where it is not. Left out: they always held.
   */
  readonly undatedAsOf?: string
}

/** `overlay` has no faults: see `overlayFaults`. The book that is given stays as it is. */
export function layOver(book: BookData, overlay: Overlay, { undatedAsOf }: LayingOver = {}): BookData {
  const { provider: name } = overlay
  const { columns } = book
  const sources = [...(book.sources ?? [])]
  const places = new Map(sources.map((source, at) => [JSON.stringify(source), at]))
  const before: ProviderData = Object.hasOwn(book.providers, name) ? book.providers[name]! : { models: [] }
  const models: BuildingModel[] = before.models.map((model) => ({
    ...model,
    ids: [...model.ids],
    rows: [...model.rows],
  }))
  let read = book.read ?? ''

  function sourceOf({ source, read: day, note }: Sourced): number {
    if (day > read) read = day
    const entry: SourceData = note === undefined ? [source, day] : [source, day, note]
    const key = JSON.stringify(entry)
    let at = places.get(key)
    if (at === undefined) {
      at = sources.push(entry) - 1
      places.set(key, at)
    }
    return at
  }

  function find(id: string): BuildingModel {
    let model = models.find(({ ids }) => ids.includes(id))
    if (!model) models.push((model = { ids: [id], rows: [] }))
    return model
  }

  const groups = new Map<string, { id: string; tier: string; laid: RowData[]; isSuccessor: boolean }>()
  for (const row of overlay.rows ?? []) {
    const { tier = 'standard', variant = '' } = row
    const source = sourceOf(row)
    for (const id of [row.model].flat()) {
      const key = `${id} ${tier} ${variant}`
      let group = groups.get(key)
      if (!group) groups.set(key, (group = { id, tier, laid: [], isSuccessor: undatedAsOf === undefined }))
      group.laid.push(rowOf(row, source, columns))
      group.isSuccessor ||= row.succeeds === true
    }
  }
  for (const { id, tier, laid, isSuccessor } of groups.values()) {
    // Of rows that hold at once, the one that began last counts, wherever it stands in the file.
    laid.sort((a, b) => compare(a.from ?? '', b.from ?? ''))
    const model = find(id)
    const oldest = isSuccessor ? undefined : undatedAsOf
    if (tier === 'standard') model.rows = succeed(model.rows, laid, oldest)
    else model.tiers = { ...model.tiers, [tier]: succeed(model.tiers?.[tier] ?? [], laid, oldest) }
  }
  for (const { model, maxOutputTokens } of overlay.limits ?? []) find(model).maxOutputTokens = maxOutputTokens
  for (const [at, alias] of (overlay.aliases ?? []).entries()) {
    const target = models.find(({ ids }) => ids.includes(alias.is))
    if (!target)
      throw new OverlayMismatch({
        path: ['aliases', at, 'is'],
        message: `expected a model of the book, got ${alias.is}`,
      })
    for (const model of models) model.ids = model.ids.filter((id) => id !== alias.model)
    target.ids.push(alias.model)
  }

  const fees = (overlay.fees ?? []).map((fee) => ({
    models: fee.models,
    ...timesOf(fee),
    rates: listOf(fee.rates, columns),
    source: sourceOf(fee),
  }))
  const modifiers = (overlay.modifiers ?? []).map((modifier) => ({
    geo: modifier.geo,
    models: modifier.models,
    multiply: modifier.multiply,
    ...timesOf(modifier),
    source: sourceOf(modifier),
  }))
  for (const calendar of Object.values(overlay.calendars ?? {})) sourceOf(calendar)
  const calendars = Object.entries(overlay.calendars ?? {}).map(([id, { dates }]) => [`${name}/${id}`, dates] as const)

  const like = overlay.like ?? before.like
  const after: ProviderData = {
    ...(like && { like }),
    ...(before.source !== undefined && { source: before.source }),
    models: models.filter(({ ids, family }) => ids.length > 0 || family),
    ...((before.fees || fees.length > 0) && { fees: [...(before.fees ?? []), ...fees] }),
    ...((before.modifiers || modifiers.length > 0) && { modifiers: [...(before.modifiers ?? []), ...modifiers] }),
  }
  return {
    ...book,
    read,
    sources,
    ...((book.calendars || calendars.length > 0) && {
      calendars: { ...book.calendars, ...Object.fromEntries(calendars) },
    }),
    providers: { ...book.providers, [name]: after },
  }

  function rowOf(row: OverlayRow, source: number, names: readonly string[]): RowData {
    return {
      ...(row.variant !== undefined && { variant: row.variant }),
      ...timesOf(row),
      ...(row.days && { days: row.days.map((day) => WEEKDAYS.indexOf(day)) }),
      ...(row.hours && { hours: row.hours }),
      ...(row.except !== undefined && { except: `${name}/${row.except}` }),
      rates: listOf(row.rates, names),
      ...(row.above && {
        above: row.above.map(({ inputTokens, rates }) => [inputTokens, rates && listOf(rates, names)] as const),
      }),
      source,
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function timesOf({ from, until }: { readonly from?: string; readonly until?: string }): TimesData {
  return { ...(from !== undefined && { from }), ...(until !== undefined && { until }) }
}

/** Rows with hours and without dates are of today: they end where the overlay begins. */
function succeed(before: readonly RowData[], laid: readonly RowData[], undatedAsOf: string | undefined): RowData[] {
  const variant = laid[0]?.variant
  const start = laid.map(({ from = '' }) => from).sort()[0] ?? ''
  const others = before.filter((row) => row.variant !== variant)
  if (start === '') return [...others, ...laid]
  const kept = before.filter((row) => row.variant === variant && !row.hours && (row.from ?? '') < start)
  // Beneath a later dated row, what has no date is an older price.
  if (undatedAsOf !== undefined && start <= undatedAsOf && kept.every(({ from }) => from === undefined))
    return [...others, ...laid]
  return [...others, ...kept.map((row) => endedBefore(row, start)), ...laid]
}

/** Only where it would come back: a row without an end is hidden by those after it. */
function endedBefore(row: RowData, start: string): RowData {
  if (row.until !== undefined && row.until < start) return row
  const until = start.includes('T') ? start : new Date(Date.parse(start) - DAY_MS).toISOString().slice(0, 10)
  return { ...row, until }
}

function listOf(rates: RatesText, columns: readonly string[]): RateList {
  return compactRates(
    new Map(
      Object.entries(rates).map(([bucket, text]) => {
        const rate = parseRate(text, bucket)
        if (rate === undefined) throw new Error(`price book: ${bucket} at ${text} is no rate`)
        return [bucket, rate]
      }),
    ),
    columns,
  )
}

/** In the order of the columns, or by name, whichever is shorter. */
export function compactRates(rates: ReadonlyMap<string, RateData>, columns: readonly string[] = COLUMNS): RateList {
  const list: (RateData | null)[] = columns.map((bucket) => rates.get(bucket) ?? null)
  while (list.length > 0 && list.at(-1) === null) list.pop()
  const named = Object.fromEntries(rates)
  if ([...rates.keys()].some((bucket) => !columns.includes(bucket))) return named
  return JSON.stringify(named).length < JSON.stringify(list).length ? named : list
}
