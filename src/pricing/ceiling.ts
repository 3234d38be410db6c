// What a call can cost at most, before it is made: every token at the dearest rate that it could be billed at.

import type { PicoUsd } from '../money.ts'
import type { CallSize, Modality } from './price.ts'
import { exactProduct } from './product.ts'
import type { Rate, TokenRate } from './rate-card.ts'
import type { Tariff } from './tariff.ts'

/** How long a lifetime a request must ask for before it can be billed for such a write. */
const WRITES = { none: 0, '5m': 1, '1h': 2, any: 3 }

function writeOf(bucket: string, isAskedFor: boolean): number {
  switch (bucket) {
    case 'input.text.cache_write':
    case 'input.text.cache_write_5m':
    case 'input.text.cache_write_30m':
      return isAskedFor ? WRITES['5m'] : WRITES.none
    case 'input.text.cache_write_1h':
      return WRITES['1h']
    case 'input.text.cache_write_12h':
      return WRITES.any
    default:
      return WRITES.none
  }
}

/** `audio` of `input.audio.cache_read`; text is always there. */
function modalityOf(bucket: string): Modality | undefined {
  for (const modality of ['audio', 'image', 'video'] as const) if (bucket.includes(`.${modality}`)) return modality
  return undefined
}

function dearest(
  rates: readonly TokenRate[],
  modalities: readonly Modality[] | undefined,
  writes: number,
  isAskedFor: boolean,
): TokenRate | undefined {
  return rates.find(({ bucket }) => {
    if (writeOf(bucket, isAskedFor) > writes) return false
    const modality = modalities && modalityOf(bucket)
    return modality === undefined || modalities!.includes(modality)
  })
}

/** Rounded up, with half a pico-dollar for each line that could have been rounded up on its own. */
function atMost(quantity: number, rate: TokenRate | undefined, lines: number): PicoUsd | undefined {
  if (quantity === 0) return 0n
  if (!rate) return undefined
  const { num, den } = rate.exact
  const product = BigInt(quantity) * num
  return den === 1n ? product : product / den + 1n + BigInt(lines)
}

export function ceilingOf(size: CallSize, tariff: Tariff, model: string): PicoUsd | undefined {
  const { inputTokens, outputTokens, units = {}, cacheWrites } = size
  if (!isCount(inputTokens) || !isCount(outputTokens)) return undefined
  const input = Math.ceil(inputTokens)
  const output = Math.ceil(outputTokens)
  let all = input
  for (const [bucket, quantity] of Object.entries(units)) {
    if (!isCount(quantity)) return undefined
    if (bucket.startsWith('input.')) all += quantity
  }
  const writes = cacheWrites === undefined ? WRITES.any : WRITES[cacheWrites]
  // Anthropic writes what it is told to, whoever sells its models; OpenAI writes as it sees fit.
  const isAskedFor = model.includes('claude')

  let most: PicoUsd = 0n
  // The input may turn out shorter than thought, so every band up to it counts.
  for (const { above, card } of tariff.bands) {
    if (all <= above) continue
    if (!card) return undefined
    const { inputs, outputs, perRequest } = card
    const into = atMost(input, dearest(inputs, size.input, writes, isAskedFor), inputs.length)
    const out = atMost(output, dearest(outputs, size.output, WRITES.any, false), outputs.length)
    if (into === undefined || out === undefined) return undefined
    let cost = into + out + (perRequest ? exactProduct(1, perRequest.exact) : 0n)
    for (const [bucket, quantity] of Object.entries(units)) {
      const unit = quantity === 0 ? 0n : unitAtMost(quantity, card.rates.get(bucket))
      if (unit === undefined) return undefined
      cost += unit
    }
    if (cost > most) most = cost
  }
  return most
}

function unitAtMost(quantity: number, rate: Rate | undefined): PicoUsd | undefined {
  if (!rate) return undefined
  return exactProduct(quantity, rate.exact) + (rate.exact.den === 1n && Number.isInteger(quantity) ? 0n : 1n)
}

export function isCount(quantity: number): boolean {
  return typeof quantity === 'number' && quantity >= 0 && quantity < Number.POSITIVE_INFINITY
}
