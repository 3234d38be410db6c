// The tiers that providers name in their answers, under one name each.

const STANDARD = 'standard'

/** Names of plain pay-as-you-go, and of prepaid capacity that is metered at its rates (OpenAI `scale`). */
const STANDARD_NAMES = new Set([
  STANDARD,
  'default',
  'auto',
  'scale',
  'on_demand',
  'unspecified',
  'traffic_type_unspecified',
])

const SAME: Readonly<Record<string, string>> = {
  // Vertex prefixes its tiers.
  on_demand_flex: 'flex',
  on_demand_priority: 'priority',
}

/** OpenAI sells its priority tier as fast since 2026-07-30; answers still say priority. Elsewhere fast is another thing. */
const FAST_IS_PRIORITY = new Set(['openai', 'azure'])

/** The tier that rates are filed under: `standard` where the answer names none. A name we do not know stays as it is. */
export function tierOf(provider: string, serviceTier: string | undefined): string {
  if (serviceTier === undefined || serviceTier === '') return STANDARD
  const tier = serviceTier.toLowerCase()
  if (STANDARD_NAMES.has(tier)) return STANDARD
  if (tier === 'fast' && FAST_IS_PRIORITY.has(provider)) return 'priority'
  return SAME[tier] ?? tier
}
