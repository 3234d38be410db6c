// Whether an answer confirms the tier that was asked for: a request for `priority` can be served, and billed, as any other.

import { KNOWN_TIERS, tierOf } from '../pricing/tier.ts'
import { isObject } from '../providers/counts.ts'
import type { Json, Reading } from '../providers/provider.ts'

/** OpenAI and Anthropic, Google, Bedrock; Anthropic's fast mode. */
function tierAsked({ service_tier, serviceTier, speed }: Json): unknown {
  const tier = service_tier ?? serviceTier ?? speed
  return isObject(tier) ? tier['type'] : tier
}

/** The price of the standard tier is no more than a guess then. */
export function isTierUnconfirmed(provider: string, request: Json, reading: Reading): boolean {
  if (reading.serviceTier !== undefined || reading.costUsd !== undefined) return false
  const asked = tierAsked(request)
  if (typeof asked !== 'string') return false
  const tier = tierOf(provider, asked)
  return tier !== 'standard' && KNOWN_TIERS.includes(tier)
}
