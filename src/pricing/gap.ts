// Why there is no price, in words that help somebody who looks for the reason.

import type { PriceGap, PriceGapReason, PriceQuery } from './price.ts'

const LONGEST_NAME = 100

/** Anything can stand in an answer, and at any length. */
function short(name: string): string {
  return JSON.stringify(name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}...` : name)
}

function timeOf(at: number): string {
  return Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : String(at)
}

export function gap(reason: PriceGapReason, query: PriceQuery, bucket?: string): PriceGap {
  const { provider, model, serviceTier = 'standard', geo = '', variant, at } = query
  const named = `${short(model)} of ${short(provider)}`
  const sized = variant === undefined ? '' : ` at ${short(variant)}`
  const SENTENCES: Readonly<Record<PriceGapReason, string>> = {
    'unknown-provider': `The price book has no provider ${short(provider)}.`,
    'unknown-model': `The price book has no model ${short(model)} of ${short(provider)}.`,
    'unpriced-model': `The price book knows ${named}, and no price for it that could be counted.`,
    'unknown-tier': `The price book has no ${short(serviceTier)} prices for ${named}.`,
    'unknown-geo': `The price book does not say what ${named} costs in ${short(geo)}.`,
    'before-first-price': `The first price of ${named} came after ${timeOf(at)}.`,
    'no-price-then': `The price book has no price of ${named} at ${timeOf(at)}.`,
    'unknown-band': `No price is known for so long a prompt to ${named}.`,
    'unknown-bucket': `The price book has no price for ${short(bucket ?? '')} of ${named}${sized}.`,
    'bad-quantity': `The quantity of ${short(bucket ?? '')} is no count.`,
  }
  const of = { ...(reason === 'unknown-tier' && { tier: serviceTier }), ...(bucket !== undefined && { bucket }) }
  return { reason, message: SENTENCES[reason], model, ...of }
}
