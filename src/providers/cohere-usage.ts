// What Cohere says that it charges, in disjoint buckets. Shapes: cohere-ai 8.1.0 Usage, ApiMeta and their billed units.

import { counts, isObject, type UsageReading } from './counts.ts'
import type { Json } from './provider.ts'

const TOTALS = ['input_tokens', 'output_tokens']

function hasNames(value: unknown): value is Json {
  return isObject(value) && Object.values(value).some((count) => count !== undefined && count !== null)
}

/**
 * `billed_units` is what is charged; `tokens`, beside it, counts the words that Cohere itself puts around a prompt too.
 * Only where nothing is billed do the tokens stand for it: trial keys and some gateways leave the units out.
 */
export function readCohereUsage(usage: unknown): UsageReading {
  if (!isObject(usage)) return {}
  const units = hasNames(usage['billed_units']) ? usage['billed_units'] : usage['tokens']
  // An empty object says nothing of what was used, and no call is free.
  if (!hasNames(units)) return {}
  const count = counts()
  return count.reading(
    {
      'input.text': count.of(units, 'input_tokens'),
      'input.image': count.of(units, 'image_tokens'),
      'output.text': count.of(units, 'output_tokens'),
      'unit.input_images': count.of(units, 'images'),
      'unit.input_pages': count.of(units, 'pages'),
      'fee.rerank_search': count.of(units, 'search_units'),
      'fee.classification': count.of(units, 'classifications'),
    },
    units,
    TOTALS,
  )
}
