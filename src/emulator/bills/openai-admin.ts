// OpenAI's usage and costs of an organization, as the types of openai 7.57.0 have them (`resources/admin/organization/usage.d.ts`, read 2026-11-22).

import { FINE, type Served, type Unit } from './counter.ts'
import type { Month } from './month.ts'
import { type AdminOptions, type Answer, type Answerer, listOf, pageOf } from './report-page.ts'

const WIDTHS: Readonly<Record<string, readonly [ms: number, usual: number, most: number]>> = {
  '1m': [60_000, 60, 1440],
  '1h': [3_600_000, 24, 168],
  '1d': [86_400_000, 7, 31],
}
const ENDPOINTS = new Set([
  'completions',
  'decisions',
  'embeddings',
  'moderations',
  'images',
  'audio_speeches',
  'audio_transcriptions',
  'vector_stores',
  'code_interpreter_sessions',
  'file_search_calls',
  'web_search_calls',
])
const COMPLETION_GROUPS = ['project_id', 'user_id', 'api_key_id', 'model', 'batch', 'service_tier', 'api_source']
const COST_GROUPS = ['project_id', 'user_id', 'line_item', 'api_key_id', 'api_source']
const LINES: Readonly<Record<Unit, string>> = {
  fresh: 'input_tokens',
  reread: 'input_cached_tokens',
  kept: 'input_cache_write_tokens',
  keptLong: 'input_cache_write_tokens',
  said: 'output_tokens',
}

export function openaiAdmin(month: Month, { pageSize = Number.POSITIVE_INFINITY }: AdminOptions): Answerer {
  const served = month.served.filter(({ house }) => house === 'openai')
  const byHour = new Map<number, Served[]>()
  for (const request of served) {
    const hour = Math.floor(request.at / 3_600_000)
    const list = byHour.get(hour)
    if (list === undefined) byHour.set(hour, [request])
    else list.push(request)
  }
  const within = (since: number, until: number): Served[] => {
    const found: Served[] = []
    for (let hour = Math.floor(since / 3_600_000); hour * 3_600_000 < until; hour++)
      for (const request of byHour.get(hour) ?? []) if (request.at >= since && request.at < until) found.push(request)
    return found
  }
  const bill = month.bill('openai')

  return (path, query, headers) => {
    if (headers.authorization?.startsWith('Bearer sk-admin-') !== true)
      return { status: 401, body: { error: { message: 'Incorrect API key provided.', type: 'invalid_request_error' } } }
    const [, kind] = /^\/v1\/organization\/usage\/(\w+)$/.exec(path) ?? []
    const isCosts = path === '/v1/organization/costs'
    if (!isCosts && (kind === undefined || !ENDPOINTS.has(kind)))
      return { status: 404, body: { error: { type: 'not_found' } } }
    const width = query.get('bucket_width') ?? '1d'
    const known = WIDTHS[width]
    const start = Number(query.get('start_time'))
    if (known === undefined || (isCosts && width !== '1d') || !Number.isInteger(start) || !query.has('start_time'))
      return invalid('bucket_width or start_time')
    const most = isCosts ? 180 : known[2]
    const limit = Number(query.get('limit') ?? known[1])
    if (!Number.isInteger(limit) || limit < 1 || limit > most) return invalid('limit')
    const groups = listOf(query, 'group_by')
    if (groups.some((group) => !(isCosts ? COST_GROUPS : COMPLETION_GROUPS).includes(group))) return invalid('group_by')
    const until = Number(query.get('end_time') ?? Date.now() / 1000) * 1000
    const { starts, next } = pageOf(start * 1000, until, known[0], Math.min(limit, pageSize), query.get('page'))
    const data = starts.map((since) => ({
      object: 'bucket',
      start_time: since / 1000,
      end_time: (since + known[0]) / 1000,
      results: isCosts
        ? costs(since, groups)
        : kind === 'completions'
          ? completions(within(since, since + known[0]), groups)
          : [],
    }))
    return { status: 200, body: { object: 'page', data, has_more: next !== null, next_page: next } }
  }

  function costs(day: number, groups: readonly string[]): unknown[] {
    const rows = bill.filter((row) => row.day === day)
    const named = rows.map((row) => ({ ...row, line: `${row.model}, ${LINES[row.unit]}` }))
    return grouped(named, ({ line, key, place }) => [
      groups.includes('line_item') ? line : null,
      groups.includes('api_key_id') ? key : null,
      groups.includes('project_id') ? place : null,
    ]).map(([[line, key, project], of]) => ({
      object: 'organization.costs.result',
      amount: { value: Number(decimal(of.reduce((sum, { owed }) => sum + owed, 0n))), currency: 'usd' },
      line_item: line,
      api_key_id: key,
      project_id: project,
      api_source: null,
      user_id: null,
      quantity: line === null ? null : of.reduce((sum, { tokens }) => sum + tokens, 0),
      quantity_unit: line === null ? null : 'tokens',
    }))
  }
}

function completions(served: readonly Served[], groups: readonly string[]): unknown[] {
  return grouped(served, ({ place, key, model, lane }) => [
    groups.includes('project_id') ? place : null,
    groups.includes('api_key_id') ? key : null,
    groups.includes('model') ? model : null,
    groups.includes('batch') ? String(lane === 'bulk') : null,
    groups.includes('service_tier') ? (lane === 'bulk' ? 'batch' : 'default') : null,
  ]).map(([[project, key, model, batch, tier], of]) => {
    const sum = (unit: Unit) => of.reduce((total, { counts }) => total + counts[unit], 0)
    const [fresh, reread, kept, said] = [sum('fresh'), sum('reread'), sum('kept') + sum('keptLong'), sum('said')]
    return {
      object: 'organization.usage.completions.result',
      input_tokens: fresh + reread + kept,
      input_cached_tokens: reread,
      input_cache_write_tokens: kept,
      input_uncached_tokens: fresh,
      input_text_tokens: fresh,
      input_cached_text_tokens: reread,
      input_audio_tokens: 0,
      input_image_tokens: 0,
      output_tokens: said,
      output_text_tokens: said,
      output_audio_tokens: 0,
      num_model_requests: of.length,
      project_id: project,
      user_id: null,
      api_key_id: key,
      model,
      batch: batch === null ? null : batch === 'true',
      service_tier: tier,
      api_source: null,
    }
  })
}

export function grouped<T>(rows: readonly T[], keyOf: (row: T) => (string | null)[]): [(string | null)[], T[]][] {
  const groups = new Map<string, [(string | null)[], T[]]>()
  for (const row of rows) {
    const key = keyOf(row)
    const name = JSON.stringify(key)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [key, [row]])
    else group[1].push(row)
  }
  return [...groups.values()]
}

/** Dollars. */
export function decimal(owed: bigint): string {
  const digits = String(owed).padStart(17, '0')
  const scale = 12 + String(FINE).length - 1
  return `${digits.slice(0, -scale) || '0'}.${digits.slice(-scale)}`.replace(/\.?0+$/, '')
}

function invalid(what: string): Answer {
  return { status: 400, body: { error: { message: `Invalid value for ${what}.`, type: 'invalid_request_error' } } }
}
