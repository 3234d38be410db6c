// What each bucket costs under one row of the book, including what a missing rate means.

import { BUCKETS, type Bucket } from '../usage.ts'
import type { RateList, RateName } from './book-data.ts'

export interface Rate {
  /** Whole pico-dollars per unit. */
  readonly pico: number
  /** The row, and after `#` the rate that stood in where the bucket has none of its own. */
  readonly row: string
}

/** Every bucket that has a price; one that is absent has none. */
export interface RateCard {
  readonly rates: ReadonlyMap<string, Rate>
  readonly perRequest: Rate | undefined
  /** The most that one input or output token can cost. */
  readonly dearestInput: number | undefined
  readonly dearestOutput: number | undefined
}

type StandIn = readonly [from: RateName, numerator?: number, denominator?: number]

/** The published price of a thing includes these: not a substitute, so nothing is said of it. */
const INCLUDED: Partial<Record<Bucket, RateName>> = {
  'output.reasoning': 'output.text',
  'input.text.tool_use': 'input.text',
  // Anthropic's and OpenAI's price of a cache write is that of their shortest lifetime.
  'input.text.cache_write_5m': 'input.text.cache_write',
  'input.text.cache_write_30m': 'input.text.cache_write',
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
      if (model.includes('claude')) return [['input.text', 5, 4]]
      return provider === 'openai' ? [['input.text']] : []
    case 'input.text.cache_write_1h':
      return model.includes('claude') ? [['input.text', 2]] : []
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

/** `row` names the row and its band; `provider` and `model` are those of the row. */
export function rateCard(
  list: RateList,
  columns: readonly string[],
  { row, provider, model }: { row: string; provider: string; model: string },
): RateCard {
  const published = new Map<string, number>()
  columns.forEach((name, i) => {
    const pico = list[i]
    if (pico !== undefined && pico !== null) published.set(name, pico)
  })

  const rateOf = (bucket: Bucket): Rate | undefined => {
    const pico = published.get(bucket) ?? published.get(INCLUDED[bucket] ?? '')
    if (pico !== undefined) return { pico, row }
    for (const [from, numerator = 1, denominator = 1] of standIns(bucket, provider, model)) {
      const base = published.get(from)
      if (base === undefined) continue
      const factor = numerator === denominator ? '' : `*${numerator / denominator}`
      return { pico: Math.ceil((base * numerator) / denominator), row: `${row}#${from}${factor}` }
    }
    return undefined
  }

  const rates = new Map<string, Rate>()
  for (const bucket of BUCKETS) {
    const rate = rateOf(bucket)
    if (rate) rates.set(bucket, rate)
  }
  const dearest = (direction: string): number | undefined => {
    if (!rates.has(`${direction}.text`)) return undefined
    return Math.max(...[...rates].map(([bucket, { pico }]) => (bucket.startsWith(direction) ? pico : 0)))
  }
  const perRequest = published.get('fee.request')
  return {
    rates,
    perRequest: perRequest === undefined ? undefined : { pico: perRequest, row },
    dearestInput: dearest('input'),
    dearestOutput: dearest('output'),
  }
}
