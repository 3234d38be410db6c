// What an answer of Google's was grounded in: searches that are billed beside its tokens.
// Shapes: @google/genai 3.1.0 genai.d.ts (GroundingMetadata). Billing: ai.google.dev/gemini-api/docs/pricing, 2026-11.

import { isObject, type Quantities } from './counts.ts'

/** Models before Gemini 3 are billed for each prompt that was grounded, later ones for each query. */
const BY_PROMPT = /gemini-[12][.-]/

/** `grounded`: the metadata of every candidate. */
export function groundingFees(grounded: readonly unknown[], model: string): Quantities {
  let queries = 0
  let isOnMap = false
  for (const metadata of grounded) {
    if (!isObject(metadata)) continue
    queries += queriesIn(metadata['webSearchQueries']) + queriesIn(metadata['imageSearchQueries'])
    const chunks = metadata['groundingChunks']
    if (Array.isArray(chunks))
      isOnMap ||= (chunks as unknown[]).some((chunk) => isObject(chunk) && isObject(chunk['maps']))
  }
  if (queries === 0 && !isOnMap) return {}
  return {
    'fee.web_search': BY_PROMPT.test(model) ? Math.min(queries, 1) : queries,
    // Maps are billed by the prompt that they had a part in.
    'fee.maps_search': isOnMap ? 1 : 0,
  }
}

function queriesIn(list: unknown): number {
  return Array.isArray(list)
    ? (list as unknown[]).filter((query) => typeof query === 'string' && query !== '').length
    : 0
}
