// Events added up in memory as a ledger would, for the demo on a Node that has no SQLite.

import type { LLMEvent } from '../index.ts'
import { parseUsd } from '../money.ts'
import type { Dimension, Ledger, TotalsRow } from '../sinks/ledger.ts'

const LABELS: Readonly<Record<Dimension, (event: LLMEvent) => string | undefined>> = {
  tenant: ({ tenantId }) => tenantId,
  user: ({ userId }) => userId,
  session: ({ sessionId }) => sessionId,
  feature: ({ feature }) => feature,
  team: ({ team }) => team,
  project: ({ project }) => project,
  cost_center: ({ costCenter }) => costCenter,
  app: ({ appName }) => appName,
  environment: ({ environment }) => environment,
  provider: ({ provider }) => provider,
  host: ({ host }) => host,
  model: ({ model }) => model,
  endpoint: ({ endpoint }) => endpoint,
  tier: ({ serviceTier }) => serviceTier,
  day: ({ timestamp }) => timestamp.slice(0, 10),
}

/** Knows no limits: those live in the meter where there is no ledger. */
export function tally(events: readonly LLMEvent[]): Pick<Ledger, 'totals' | 'limits' | 'spent'> {
  return {
    async totals({ by }) {
      const rows = new Map<string, TotalsRow>()
      for (const event of events) {
        const key = by.map((dimension) => LABELS[dimension](event) ?? null)
        const name = JSON.stringify(key)
        rows.set(name, add(rows.get(name), key, event))
      }
      return [...rows.values()]
    },
    limits: async () => [],
    spent: async () => 0n,
  }
}

function add(row: TotalsRow | undefined, key: TotalsRow['key'], event: LLMEvent): TotalsRow {
  const { error, usage, usageSource, costUsd, calls = 1 } = event
  const isUnpriced = costUsd === undefined && usage !== undefined && Object.keys(usage).length > 0
  return {
    key,
    calls: (row?.calls ?? 0) + calls,
    errors: (row?.errors ?? 0) + (error === undefined ? 0 : calls),
    unpriced: (row?.unpriced ?? 0) + (isUnpriced ? calls : 0),
    estimated: (row?.estimated ?? 0) + (usageSource === 'partial' || usageSource === 'estimated' ? calls : 0),
    inputTokens: (row?.inputTokens ?? 0) + (event.inputTokens ?? 0),
    cachedTokens: (row?.cachedTokens ?? 0) + (event.cachedTokens ?? 0),
    outputTokens: (row?.outputTokens ?? 0) + (event.outputTokens ?? 0),
    cost: (row?.cost ?? 0n) + (costUsd === undefined ? 0n : parseUsd(costUsd)!),
  }
}
