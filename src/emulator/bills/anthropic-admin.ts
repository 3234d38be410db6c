// Anthropic's usage report, cost report and analytics: as its API reference (read 2026-11-22) and the types of @anthropic-ai/sdk 1.12.0 have them.

import type { Served, Unit } from './counter.ts'
import type { Month } from './month.ts'
import { decimal, grouped } from './openai-admin.ts'
import { type AdminOptions, type Answer, type Answerer, listOf, pageOf } from './report-page.ts'

const WIDTHS: Readonly<Record<string, readonly [ms: number, usual: number, most: number]>> = {
  '1m': [60_000, 60, 1440],
  '1h': [3_600_000, 24, 168],
  '1d': [86_400_000, 7, 31],
}
const TOKEN_TYPES: Readonly<Record<Unit, string>> = {
  fresh: 'uncached_input_tokens',
  reread: 'cache_read_input_tokens',
  kept: 'cache_creation.ephemeral_5m_input_tokens',
  keptLong: 'cache_creation.ephemeral_1h_input_tokens',
  said: 'output_tokens',
}
const WORDS: Readonly<Record<Unit, string>> = {
  fresh: 'Input Tokens',
  reread: 'Input Tokens, Cache Read',
  kept: 'Input Tokens, Cache Write (5m)',
  keptLong: 'Input Tokens, Cache Write (1h)',
  said: 'Output Tokens',
}

export function anthropicAdmin(month: Month, { pageSize = Number.POSITIVE_INFINITY }: AdminOptions): Answerer {
  const served = month.served.filter(({ house }) => house === 'anthropic')
  const bill = month.bill('anthropic')
  /** The default workspace has no id. */
  const workspace = (place: string) => (place === 'wrkspc_app' ? null : place)
  const tier = (lane: Served['lane']) => (lane === 'bulk' ? 'batch' : 'standard')

  function usage(since: number, until: number, groups: readonly string[]): unknown[] {
    const these = served.filter(({ at }) => at >= since && at < until)
    return grouped(these, ({ place, key, model, lane }) => [
      groups.includes('workspace_id') ? workspace(place) : null,
      groups.includes('api_key_id') ? key : null,
      groups.includes('model') ? model : null,
      groups.includes('service_tier') ? tier(lane) : null,
    ]).map(([[workspaceId, key, model, serviceTier], of]) => ({
      ...countsOf(of),
      workspace_id: workspaceId,
      api_key_id: key,
      model,
      service_tier: serviceTier,
      context_window: null,
    }))
  }

  function costs(day: number, groups: readonly string[]): unknown[] {
    const isSplit = groups.includes('description')
    const rows = bill.filter((row) => row.day === day)
    return grouped(rows, ({ place, model, lane, unit }) => [
      groups.includes('workspace_id') ? workspace(place) : null,
      ...(isSplit ? [model, lane, unit] : []),
    ]).map(([[workspaceId], of]) => {
      const { model, unit, lane } = of[0]!
      return {
        amount: cents(of.reduce((sum, { owed }) => sum + owed, 0n)),
        currency: 'USD',
        workspace_id: workspaceId,
        cost_type: isSplit ? 'tokens' : null,
        description: isSplit ? `${model} Usage - ${WORDS[unit]}` : null,
        model: isSplit ? model : null,
        token_type: isSplit ? TOKEN_TYPES[unit] : null,
        service_tier: isSplit ? tier(lane) : null,
        context_window: isSplit ? '0-200k' : null,
        inference_geo: null,
      }
    })
  }

  function analytics(report: string, query: URLSearchParams, since: number, until: number): unknown[] {
    const groups = listOf(query, 'group_by')
    const width = WIDTHS[query.get('time_bucket_width') ?? '']?.[0] ?? until - since
    const items: unknown[] = []
    for (let at = since; at < until; at += width) {
      const span = { starting_at: new Date(at).toISOString(), ending_at: new Date(at + width).toISOString() }
      const has = (group: string, value: string | null) => (groups.includes(group) ? value : null)
      const keys = (row: Pick<Served, 'profile' | 'place' | 'key' | 'model' | 'lane'>) => [
        has('user_profile_id', row.profile),
        has('workspace_id', workspace(row.place) ?? 'wrkspc_default'),
        has('api_key_id', row.key),
        has('model', row.model),
        has('service_tier', tier(row.lane)),
      ]
      const groupOf = (key: (string | null)[], unit: Unit | undefined) => ({
        user_profile_id: key[0],
        workspace_id: key[1],
        api_key_id: key[2],
        model: key[3],
        service_tier: key[4],
        cost_type: unit === undefined ? null : 'tokens',
        token_type: unit === undefined ? null : TOKEN_TYPES[unit],
      })
      if (report === 'usage') {
        const these = served.filter((request) => request.at >= at && request.at < at + width)
        for (const [key, of] of grouped(these, keys))
          items.push({
            ...span,
            group: groupOf(key, undefined),
            usage: {
              ...countsOf(of),
              requests: of.length,
              total_tokens: of.reduce((sum, { counts }) => sum + Object.values(counts).reduce((a, b) => a + b, 0), 0),
            },
          })
        continue
      }
      const rows = bill.filter(({ day }) => day >= at && day < at + width)
      for (const [key, of] of grouped(rows, (row) => [...keys(row), row.unit]))
        items.push({
          ...span,
          group: groupOf(key, key[5] as Unit),
          cost: {
            amount: cents(of.reduce((sum, { owed }) => sum + owed, 0n)),
            list_amount: cents(of.reduce((sum, { listed }) => sum + listed, 0n)),
            currency: 'USD',
            requests: null,
          },
        })
    }
    return items
  }

  return (path, query, headers) => {
    // The reference shows `x-api-key`; @anthropic-ai/sdk 1.12 sends a bearer.
    const key = String(headers['x-api-key'] ?? headers.authorization ?? '').replace(/^Bearer /, '')
    if (!key.startsWith('sk-ant-admin')) return refused(401, 'authentication_error')
    // Its reference shows 2023-06-01, and the SDK sends 2026-10-21.
    if (headers['anthropic-version'] === undefined) return refused(400, 'invalid_request_error')
    const since = Date.parse(query.get('starting_at') ?? '')
    const until = Date.parse(query.get('ending_at') ?? '')
    if (Number.isNaN(since) || Number.isNaN(until) || until <= since) return refused(400, 'invalid_request_error')
    const [, report] = /^\/v1\/organizations\/analytics\/(usage|cost)$/.exec(path) ?? []
    if (report !== undefined) {
      if (!String(headers['anthropic-beta']).includes('analytics-usage-cost-2026-08-24'))
        return refused(404, 'not_found_error')
      if (until - since > 31 * 86_400_000) return refused(400, 'invalid_request_error')
      const limit = Math.min(Number(query.get('limit') ?? 20), pageSize)
      const items = analytics(report, query, since, until)
      const from = Number(query.get('page')?.replace('page_', '') ?? 0)
      const next = from + limit < items.length ? `page_${from + limit}` : null
      return {
        status: 200,
        body: {
          data: items.slice(from, from + limit),
          has_more: next !== null,
          next_page: next,
          data_refreshed_at: null,
        },
      }
    }
    const isCosts = path === '/v1/organizations/cost_report'
    if (!isCosts && path !== '/v1/organizations/usage_report/messages') return refused(404, 'not_found_error')
    const width = query.get('bucket_width') ?? '1d'
    const known = WIDTHS[width]
    const limit = Number(query.get('limit') ?? known?.[1])
    if (known === undefined || (isCosts && width !== '1d') || !(limit >= 1 && limit <= known[2]))
      return refused(400, 'invalid_request_error')
    const groups = listOf(query, 'group_by')
    const { starts, next } = pageOf(since, until, known[0], Math.min(limit, pageSize), query.get('page'))
    const data = starts.map((at) => ({
      starting_at: new Date(at).toISOString(),
      ending_at: new Date(at + known[0]).toISOString(),
      results: isCosts ? costs(at, groups) : usage(at, at + known[0], groups),
    }))
    return { status: 200, body: { data, has_more: next !== null, next_page: next } }
  }
}

function countsOf(served: readonly Served[]): Record<string, unknown> {
  const sum = (unit: Unit) => served.reduce((total, { counts }) => total + counts[unit], 0)
  return {
    uncached_input_tokens: sum('fresh'),
    cache_read_input_tokens: sum('reread'),
    cache_creation: { ephemeral_5m_input_tokens: sum('kept'), ephemeral_1h_input_tokens: sum('keptLong') },
    output_tokens: sum('said'),
    server_tool_use: { web_search_requests: 0 },
  }
}

/** Decimal cents, as a text. */
function cents(owed: bigint): string {
  return decimal(owed * 100n)
}

function refused(status: number, type: string): Answer {
  return { status, body: { type: 'error', error: { type, message: 'refused' } } }
}
