// A user's own prices, from a file or from code: read at once, and said with line and column where they cannot be.

import { MeterError } from '../errors.ts'
import type { AgreedPrice } from './agreed-prices.ts'
import { JsonFault, type Place, type PlacedJson, parsePlaced } from './json-places.ts'
import type { Overlay } from './overlay.ts'
import { overlayFaults } from './overlay-faults.ts'
import {
  agreedPricesOf,
  type Complaints,
  complaintsOf,
  isFields,
  type OwnPrice,
  type PlacedFile,
  providerOf,
} from './own-price.ts'

/** What stands in a price file. */
export interface PriceFile {
  /** Of the prices that name no provider. */
  readonly provider?: string
  /** Of those that match a call, the last one counts. */
  readonly prices?: readonly OwnPrice[]
  /** Whole price lists, for models that the book does not have: with bands, tiers, sizes, hours and places, as the book's own. */
  readonly overlays?: readonly OwnOverlay[]
}

type WithoutSource<T> = T extends readonly (infer Entry)[]
  ? readonly (Omit<Entry, 'source' | 'read'> & { readonly source?: string; readonly read?: string })[]
  : T

/** An overlay of the book whose rows need not say where they were read. */
export type OwnOverlay = { readonly [Field in keyof Overlay]: WithoutSource<Overlay[Field]> }

/** What was read. */
export interface OwnPrices {
  readonly agreed: readonly AgreedPrice[]
  readonly overlays: readonly Overlay[]
}

const MOST_PRICES = 10_000
const FIELDS = ['provider', 'prices', 'overlays']

/** Throws MeterError `BAD_INPUT` in one sentence: the file, the line and column, what was expected and what came. */
export function ownPrices(given: string | PriceFile | readonly OwnPrice[]): OwnPrices {
  if (typeof given !== 'string') return pricesOf(given, undefined)
  const text = textOf(given)
  let json: PlacedJson
  try {
    json = parsePlaced(text)
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    const { line, column } = error.place
    throw new MeterError('BAD_INPUT', `${given}:${line}:${column}: This is no JSON: ${error.message}.`)
  }
  return pricesOf(json.value, { path: given, json })
}

function textOf(path: string): string {
  try {
    // Not imported: node:fs takes milliseconds to load, and most have no price file.
    // Editors of some systems put a byte order mark before it.
    return process
      .getBuiltinModule('node:fs')
      .readFileSync(path, 'utf8')
      .replace(/^\uFEFF/, '')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code
    throw new MeterError('BAD_INPUT', `The price file ${path} cannot be read (${code}).`, { cause })
  }
}

function pricesOf(given: unknown, file: PlacedFile | undefined): OwnPrices {
  const complaints = complaintsOf(file)
  const root = Array.isArray(given) ? { prices: given } : given
  if (!isFields(root)) {
    const spot = { name: 'prices', container: {}, key: '' }
    return complaints.wrong(given, spot, 'an object such as `{ "prices": [] }`')
  }
  // One price list by itself.
  if ('rows' in root) return { agreed: [], overlays: [overlayOf(root, 'prices', file, complaints)] }
  for (const name of Object.keys(root))
    if (!FIELDS.includes(name)) complaints.unknown(root, name, 'a price file', FIELDS)
  const list = (name: 'prices' | 'overlays'): readonly unknown[] => {
    const value = root[name] ?? []
    if (Array.isArray(value) && value.length <= MOST_PRICES) return value
    return complaints.wrong(value, { name, container: root, key: name }, `a list of at most ${MOST_PRICES}`)
  }
  const { provider: of } = root
  const provider =
    of === undefined ? undefined : providerOf(of, { name: 'provider', container: root, key: 'provider' }, complaints)
  const prices = list('prices')
  const agreed = prices.flatMap((price, i) =>
    agreedPricesOf(price, { name: `prices[${i}]`, container: prices, key: i }, complaints),
  )
  return {
    agreed: provider === undefined ? agreed : agreed.map((rule) => ({ provider, ...rule })),
    overlays: list('overlays').map((overlay, i) => overlayOf(overlay, `overlays[${i}]`, file, complaints)),
  }
}

function overlayOf(given: unknown, name: string, file: PlacedFile | undefined, { fail }: Complaints): Overlay {
  const [fault] = overlayFaults(given, { needsSource: false })
  if (!fault) return sourced(given as Overlay)
  const path = fault.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('')
  return fail(file && placeWithin(given, fault.path, file.json), `\`${name}${path}\`: ${fault.message}.`)
}

/** Where what a path leads to begins, or the nearest that is there. */
function placeWithin(value: unknown, path: readonly (string | number)[], json: PlacedJson): Place {
  let container = value
  let place: Place = { line: 1, column: 1 }
  for (const key of path) {
    if (typeof container !== 'object' || container === null || !Object.hasOwn(container, key)) break
    place = json.placeOf(container, key)
    container = (container as Record<string | number, unknown>)[key]
  }
  return place
}

/** A price list of one's own need not say where it was read. */
function sourced(overlay: Overlay): Overlay {
  return Object.fromEntries(
    Object.entries(overlay).map(([name, entries]: [string, unknown]) => [
      name,
      Array.isArray(entries)
        ? entries.map((entry: unknown) => (isFields(entry) ? { source: '', read: '', ...entry } : entry))
        : entries,
    ]),
  ) as unknown as Overlay
}
