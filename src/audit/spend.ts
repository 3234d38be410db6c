// What a call cost, by the figures that are checked in one way each.

import type { LLMEvent } from '../event.ts'
import { type PicoUsd, parseUsd } from '../money.ts'
import type { PriceBook } from '../pricing/price.ts'
import { costOfEvent } from '../reprice.ts'
import type { Figure } from './labels.ts'

export type Spend = { readonly [F in Figure]?: PicoUsd }

/** `undefined` where the cost of the call is not known. */
export function spendOf(event: LLMEvent, book: Pick<PriceBook, 'version' | 'price' | 'why'>): Spend | undefined {
  const cost = event.costUsd === undefined ? undefined : parseUsd(event.costUsd)
  if (cost === undefined) return undefined
  const lines = event.costLines ?? costOfEvent(book, event)?.cost?.lines ?? []
  const parts: { [F in Figure]?: PicoUsd } = {}
  let sum = 0n
  for (const { bucket, costUsd } of lines) {
    const pico = parseUsd(costUsd) ?? 0n
    const figure = figureOf(bucket)
    parts[figure] = (parts[figure] ?? 0n) + pico
    sum += pico
  }
  if (sum === cost) return parts
  // The provider said the sum alone: it is shared out as the price list would, or is of the one thing that was used.
  if (sum === 0n) {
    const [used, ...more] = new Set(Object.keys(event.usage ?? {}).map(figureOf))
    return { [used !== undefined && more.length === 0 ? used : 'other']: cost }
  }
  let left = cost
  for (const figure of figuresOf(parts)) {
    parts[figure] = (cost * parts[figure]!) / sum
    left -= parts[figure]
  }
  const [first] = figuresOf(parts)
  if (first) parts[first] = parts[first]! + left
  return parts
}

export function figuresOf(spend: Spend): Figure[] {
  return Object.keys(spend) as Figure[]
}

function figureOf(bucket: string): Figure {
  if (bucket.endsWith('.cache_read')) return 'cache read'
  if (bucket.includes('.cache_write')) return 'cache write'
  if (bucket === 'output.text') return 'output'
  if (bucket === 'output.reasoning') return 'reasoning'
  if (bucket === 'output.video') return 'video'
  return bucket.startsWith('input.text') ? 'input' : 'other'
}
