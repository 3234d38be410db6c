// What each bucket costs in one case (a model, a tier, a band, a place, a moment), and what a missing rate means.

import { BUCKETS, type Bucket } from '../usage.ts'
import type { RateData, RateName } from './book-data.ts'
import { rationalRate } from './rate-text.ts'
import { formatRational, isAbove, parseRational, type Rational, times } from './rational.ts'

export interface Rate {
  /** Pico-dollars per unit. */
  readonly exact: Rational
  /** The same as a double, where it is whole and fits; `NaN` else. */
  readonly pico: number
  /** The row, and behind it what was done to its rate: see `rateOf` in catalog.ts. */
  readonly row: string
}

/** Every bucket that has a price; one that is absent has none. */
export interface RateCard {
  readonly rates: ReadonlyMap<string, Rate>
  readonly perRequest: Rate | undefined
  /** The rates of input and of output, the dearest first. */
  readonly inputs: readonly TokenRate[]
  readonly outputs: readonly TokenRate[]
}

export interface TokenRate extends Rate {
  readonly bucket: Bucket
}

/** The rates that a row publishes, and what it is called. */
export interface Published {
  readonly rate: RateData
  readonly row: string
}

export interface CardOptions {
  readonly provider: string
  readonly model: string
  /** Of the place, for token buckets. */
  readonly geo?: { readonly name: string; readonly factor: Rational } | undefined
  /** Of a price of one's own. */
  readonly agreed?: { readonly name: string; factorOf(bucket: string): Rational | undefined } | undefined
}

/** A rate that was agreed is what is paid, wherever the call is processed. */
export const AGREED = 'agreed:'

type StandIn = readonly [from: RateName, factor?: string]

/** The published price of a thing includes these: not a substitute, so nothing is said of it. */
const INCLUDED: Readonly<Record<string, readonly RateName[]>> = {
  'output.reasoning': ['output.text'],
  'input.text.tool_use': ['input.text'],
  // Anthropic's and OpenAI's price of a cache write is that of their shortest lifetime.
  'input.text.cache_write': ['input.text.cache_write_5m', 'input.text.cache_write_30m'],
  'input.text.cache_write_5m': ['input.text.cache_write'],
  'input.text.cache_write_30m': ['input.text.cache_write'],
}

/** The published rate that is a bucket's: its own, or one that includes it. */
export function ownRate<T>(published: ReadonlyMap<string, T>, bucket: string): T | undefined {
  const own = published.get(bucket)
  if (own !== undefined) return own
  const [name] = INCLUDED[bucket]?.filter((candidate) => published.has(candidate)) ?? []
  return name === undefined ? undefined : published.get(name)
}

/**
 * What prices a bucket that has no rate, chosen so that the cost is never below the true one; in order of preference.
 * Only a discount is dropped (a cache read costs at most what the tokens cost uncached), or a rule of the maker applied.
 */
function standIns(bucket: Bucket, provider: string, model: string): readonly StandIn[] {
  switch (bucket) {
    case 'input.text.cache_read':
      return [['input.text']]
    case 'input.text.cache_write':
    case 'input.text.cache_write_5m':
    case 'input.text.cache_write_30m':
      // Every Claude model: 1.25x of input for five minutes, 2x for an hour. OpenAI: free before GPT-5.6, which has rates.
      if (model.includes('claude')) return [['input.text', '1.25']]
      // Google: what is put into a cache is billed as input, and then for its storage.
      return provider === 'openai' || provider === 'azure' || provider === 'google' ? [['input.text']] : []
    case 'input.text.cache_write_1h':
      return model.includes('claude') ? [['input.text', '2']] : []
    case 'input.image':
    case 'input.video':
      return [['input.text']]
    case 'input.audio':
      // Google lists an audio rate wherever it is not that of text; elsewhere audio is many times dearer.
      return provider === 'google' ? [['input.text']] : []
    case 'input.image.cache_read':
      return [['input.image'], ['input.text.cache_read'], ['input.text']]
    case 'input.video.cache_read':
      return [['input.video'], ['input.text.cache_read'], ['input.text']]
    case 'input.audio.cache_read':
      if (provider === 'google') return [['input.audio'], ['input.text.cache_read'], ['input.text']]
      return [['input.audio']]
    default:
      return []
  }
}

export function isToken(bucket: string): boolean {
  return bucket.startsWith('input.') || bucket.startsWith('output.')
}

/** `provider` and `model` are those of the rows. */
export function rateCard(published: ReadonlyMap<string, Published>, options: CardOptions): RateCard {
  const { provider, model, geo, agreed } = options

  function adjusted(bucket: string, { rate, row }: Published, mark = '', factor?: string): Rate {
    let exact = rationalRate(rate)
    let label = row + mark
    if (factor !== undefined) exact = times(exact, parseRational(factor)!)
    if (!row.startsWith(AGREED)) {
      if (geo && isToken(bucket)) {
        exact = times(exact, geo.factor)
        label += `^${geo.name}*${formatRational(geo.factor)}`
      }
      const share = agreed?.factorOf(bucket)
      if (share && agreed) {
        exact = times(exact, share)
        label += `!${agreed.name}*${formatRational(share)}`
      }
    }
    const isSmall = exact.den === 1n && exact.num <= MAX_EXACT
    return { exact, pico: isSmall ? Number(exact.num) : Number.NaN, row: label }
  }

  const rateOf = (bucket: Bucket): Rate | undefined => {
    const own = ownRate(published, bucket)
    if (own) return adjusted(bucket, own)
    for (const [from, factor] of standIns(bucket, provider, model)) {
      const base = published.get(from)
      if (base) return adjusted(bucket, base, `#${from}${factor === undefined ? '' : `*${factor}`}`, factor)
    }
    return undefined
  }

  const rates = new Map<string, Rate>()
  for (const bucket of BUCKETS) {
    const rate = rateOf(bucket)
    if (rate) rates.set(bucket, rate)
  }
  const dearestFirst = (direction: string): TokenRate[] =>
    BUCKETS.flatMap((bucket) => {
      const rate = bucket.startsWith(direction) ? rates.get(bucket) : undefined
      return rate ? { ...rate, bucket } : []
    }).sort((a, b) => (isAbove(a.exact, b.exact) ? -1 : isAbove(b.exact, a.exact) ? 1 : 0))
  const perRequest = published.get('fee.request')
  return {
    rates,
    perRequest: perRequest && adjusted('fee.request', perRequest),
    inputs: dearestFirst('input.'),
    outputs: dearestFirst('output.'),
  }
}

const MAX_EXACT = BigInt(Number.MAX_SAFE_INTEGER)
