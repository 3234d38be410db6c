// The book as a person reads it: every row of a model, and the way from a line of a cost back to the page.

import { type AgreedPrice, isForModel, type NamedRule } from './agreed-prices.ts'
import {
  type BookData,
  isNamed,
  type ModelData,
  type RateList,
  type RowData,
  ratesByName,
  type SourceData,
  type TimesData,
} from './book-data.ts'
import { bandsOf, feeLabel, type LabelledRates, nameOf, rowLabel, rowsOf } from './labels.ts'
import type { Lookup } from './lookup.ts'
import { WEEKDAYS } from './overlay.ts'
import type { BookModifier, BookRow, PriceBook, PublishedRate, Source, SourcedRate } from './price.ts'
import { AGREED, ownRate } from './rate-card.ts'
import { parseRate, publishedRate } from './rate-text.ts'
import { ONE, parseRational, type Rational, times } from './rational.ts'

interface Entry {
  readonly rates: RateList
  readonly source: Source
}

const UNKNOWN: SourceData = ['', '']

export function createCatalog(
  data: BookData,
  lookup: Lookup,
  rules: readonly NamedRule[],
): Pick<PriceBook, 'rateOf' | 'rows' | 'search'> {
  const { columns, providers, sources = [] } = data
  const indexes = new Map<string, ReadonlyMap<string, Entry>>()

  function sourceAt(at: number | undefined): Source {
    const [page, read, note] = (at === undefined ? undefined : sources[at]) ?? UNKNOWN
    return { page, read, ...(note !== undefined && { note }) }
  }

  /** Every row of a provider by its label; thousands for the largest, so only for who asks. */
  function indexOf(provider: string): ReadonlyMap<string, Entry> {
    let index = indexes.get(provider)
    if (!index) indexes.set(provider, (index = new Map(entriesOf(provider))))
    return index
  }

  function* entriesOf(provider: string): Generator<[string, Entry]> {
    const { models, fees = [], source } = providers[provider]!
    for (const model of models)
      for (const [tier, row] of rowsOf(model))
        for (const { label, rates } of bandsOf(row, rowLabel(provider, nameOf(model), tier, row)))
          if (rates) yield [label, { rates, source: sourceAt(row.source ?? source) }]
    for (const fee of fees) yield [feeLabel(provider, fee), { rates: fee.rates, source: sourceAt(fee.source) }]
  }

  function agreedSource({ source = '', read = '' }: AgreedPrice): Source {
    return { page: source, read }
  }

  function entryOf(label: string): Entry | undefined {
    if (label.startsWith(AGREED)) {
      const rule = rules.find(({ name }) => `${AGREED}${name}` === label)
      return rule?.rates && { rates: agreedList(rule.rates), source: agreedSource(rule) }
    }
    const provider = label.slice(0, label.indexOf('/'))
    return Object.hasOwn(providers, provider) ? indexOf(provider).get(label) : undefined
  }

  return {
    rateOf(label, bucket): SourcedRate | undefined {
      const { row, from, factor } = readLabel(label)
      const entry = entryOf(row)
      const rates = entry && ratesByName(entry.rates, columns)
      const rate = rates && (from === undefined ? ownRate(rates, bucket) : rates.get(from))
      return entry && rate !== undefined ? { ...publishedRate(bucket, rate, factor), ...entry.source } : undefined
    },

    rows(provider, model) {
      const found = lookup(provider, model)
      if (!found) return undefined
      const { ids, maxOutputTokens } = found.model
      const name = nameOf(found.model)
      const names = [...ids, name]
      const asked = lookup.providerOf(provider)!
      const own = [...rowsOf(found.model)].flatMap(([tier, row]) => modelRows(found.provider, found.model, tier, row))
      const fees = [...new Set([found.provider, asked])].flatMap((seller) =>
        (providers[seller]!.fees ?? [])
          .filter(({ models }) => isNamed(models, names))
          .map(
            (fee): BookRow => ({
              label: feeLabel(seller, fee),
              kind: 'fee',
              tier: '*',
              ...datesOf(fee),
              rates: published(fee.rates),
              ...sourceAt(fee.source),
            }),
          ),
      )
      const modifiers = (providers[asked]!.modifiers ?? [])
        .filter(({ models }) => isNamed(models, names))
        .map(
          ({ geo, multiply, source, ...rest }): BookModifier => ({
            geo,
            multiply,
            ...datesOf(rest),
            ...sourceAt(source),
          }),
        )
      return {
        provider: found.provider,
        model: name,
        ids,
        found: found.how,
        rows: [...own, ...fees, ...agreedRows(asked, names)],
        modifiers,
        ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      }
    },

    search(text) {
      const wanted = text.trim().toLowerCase()
      const [first = '', ...rest] = wanted.split('/')
      const maker = rest.length > 0 ? lookup.providerOf(first) : undefined
      const within = rest.join('/')
      return Object.entries(providers).flatMap(([provider, { models }]) =>
        models
          .filter(
            (model) =>
              provider === wanted ||
              [...model.ids, nameOf(model)].some(
                (id) => id.includes(wanted) || (provider === maker && id.includes(within)),
              ),
          )
          .map((model) => ({ provider, model: nameOf(model) })),
      )
    },
  }

  function modelRows(provider: string, model: ModelData, tier: string, row: RowData): BookRow[] {
    const source = sourceAt(row.source ?? providers[provider]!.source)
    return bandsOf(row, rowLabel(provider, nameOf(model), tier, row)).map(
      ({ label, above, rates }: LabelledRates): BookRow => ({
        label,
        kind: 'model',
        tier,
        ...(row.variant !== undefined && { variant: row.variant }),
        ...datesOf(row),
        ...(row.days && { days: row.days.map((day) => WEEKDAYS[day]!) }),
        ...(row.hours && { hours: row.hours }),
        ...(row.except !== undefined && { except: row.except }),
        ...(above >= 0 && { above }),
        rates: rates ? published(rates) : [],
        ...source,
      }),
    )
  }

  function agreedRows(provider: string, ids: readonly string[]): BookRow[] {
    return rules
      .filter((rule) => isForModel(rule, { providers: [provider], ids }))
      .map(
        (rule): BookRow => ({
          label: `${AGREED}${rule.name}`,
          kind: 'agreed',
          tier: rule.tier ?? '*',
          ...datesOf(rule),
          rates: published(agreedList(rule.rates ?? {})),
          ...agreedSource(rule),
        }),
      )
  }

  function published(list: RateList): PublishedRate[] {
    return [...ratesByName(list, columns)].map(([bucket, rate]) => publishedRate(bucket, rate))
  }
}

function datesOf({ from, until }: Pick<TimesData, 'from' | 'until'>): Pick<BookRow, 'from' | 'until'> {
  return { ...(from !== undefined && { from }), ...(until !== undefined && { until }) }
}

function agreedList(rates: Readonly<Record<string, string>>): RateList {
  return Object.fromEntries(
    Object.entries(rates).flatMap(([bucket, text]) => {
      const rate = parseRate(text, bucket)
      return rate === undefined ? [] : [[bucket, rate]]
    }),
  )
}

/** `row#input.text*1.25^us*1.1!contract*0.9`: a rate that stood in, the factor of a place and that of an agreement. */
function readLabel(label: string): { row: string; from: string | undefined; factor: Rational } {
  let factor = ONE
  let rest = label
  const cut = (mark: string): string | undefined => {
    const at = rest.lastIndexOf(mark)
    if (at < 0) return undefined
    const [name, share] = split(rest.slice(at + 1))
    rest = rest.slice(0, at)
    factor = times(factor, (share === undefined ? undefined : parseRational(share)) ?? ONE)
    return name
  }
  cut('!')
  cut('^')
  const from = cut('#')
  return { row: rest, from, factor }
}

/** At the last `*`: a name can hold one. */
function split(part: string): readonly [name: string, share: string | undefined] {
  const at = part.lastIndexOf('*')
  return at < 0 ? [part, undefined] : [part.slice(0, at), part.slice(at + 1)]
}
