// The tiers that providers name in their answers, under one name each.

const STANDARD = 'standard'

/** Names of plain pay-as-you-go. */
const STANDARD_NAMES = new Set([
  STANDARD,
  'default',
  'auto',
  'on_demand',
  'unspecified',
  'service_tier_unspecified',
  'traffic_type_unspecified',
])

/** Tiers that some provider has prices for, or sells ahead. */
export const KNOWN_TIERS: readonly string[] = [
  ...[STANDARD, 'batch', 'fast', 'flex', 'priority', 'ultrafast'],
  ...['offpeak', 'optimized', 'provisioned_throughput', 'reserved', 'scale'],
]

const SAME: Readonly<Record<string, string>> = {
  // TrafficType of Vertex AI: @google/genai 3.1.0.
  on_demand_flex: 'flex',
  on_demand_priority: 'priority',
  on_demand_offpeak: 'offpeak',
}

/** OpenAI sells its priority tier as fast since 2026-07-30; answers still say priority. Elsewhere fast is another thing. */
const FAST_IS_PRIORITY = new Set(['openai', 'azure'])

/**
 * The tier that rates are filed under: `standard` where the answer names none. A name that we do not know stays as it is
 * and has no rows, and so do those of capacity that is paid for in advance, where no price belongs to one call: `scale`
 * of OpenAI, `priority` of Anthropic, `provisioned_throughput` of Vertex AI.
 */
export function tierOf(provider: string, serviceTier: string | undefined): string {
  if (serviceTier === undefined || serviceTier === '') return STANDARD
  const tier = serviceTier.toLowerCase().replace(/^service_tier_(?=flex$|priority$|standard$|batch$)/, '')
  if (STANDARD_NAMES.has(tier)) return STANDARD
  if (tier === 'fast' && FAST_IS_PRIORITY.has(provider)) return 'priority'
  return SAME[tier] ?? tier
}
