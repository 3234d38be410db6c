// Spend logs of the LiteLLM proxy: rows of its table LiteLLM_SpendLogs, as `GET /spend/logs` gives them or psql copies them.
// Columns: schema.prisma of BerriAI/litellm, model LiteLLM_SpendLogs, and docs.litellm.ai/docs/proxy/cost_tracking, 2026-11.

import { formatUsd, parseDollars } from '../money.ts'
import { isObject } from '../providers/counts.ts'
import type { Json } from '../providers/provider.ts'
import { MAX_EVENT_PICO } from '../wire-fields.ts'
import { hostOf, jsonOf, numberOf, objectOf, textOf, timeOf, wordOf } from './fields.ts'
import type { Labels, LogFormat, LoggedCall, RowReading } from './format.ts'

/** Their names of what was called, without the `a` of its asynchronous form, by ours. */
const CALL_TYPES: Readonly<Record<string, string>> = {
  completion: 'chat.completions',
  text_completion: 'completions',
  embedding: 'embeddings',
  responses: 'responses',
  anthropic_messages: 'messages',
  image_generation: 'images.generate',
  transcription: 'audio.transcriptions',
  speech: 'audio.speech',
}

function read(row: Json): RowReading {
  const id = textOf(row['request_id'])
  if (id === undefined) return { fault: 'Expected `request_id` to be a string, as in rows of LiteLLM_SpendLogs.' }
  const startedAt = timeOf(row['startTime'])
  if (startedAt === undefined) return { fault: 'Expected `startTime` to be a time.' }
  const { provider, model } = sellerOf(row)
  const metadata = objectOf(row['metadata']) ?? {}
  const error = errorOf(row, metadata)
  const isFromCache = /^true$/i.test(String(row['cache_hit']))
  const cost = parseDollars(numberOf(row['spend']))
  if (cost !== undefined && (cost < 0n || cost > MAX_EVENT_PICO))
    return { fault: 'Expected `spend` to be dollars of one call.' }
  const usage = usageOf(row, metadata, provider, model)
  const call: LoggedCall = {
    id,
    at: startedAt,
    provider,
    host: hostOf(row['api_base']),
    ...usage,
    model,
    response: isFromCache || error !== undefined ? { model } : usage.response,
    text: objectOf(row['response']),
    request: objectOf(row['proxy_server_request']) ?? requestOf(row['messages']),
    labels: labelsOf(row),
    // It writes 0 for a model that it has no price of: that is no cost. An answer out of its cache did cost nothing.
    costUsd: cost !== undefined && (cost > 0n || isFromCache) ? formatUsd(cost) : undefined,
    ...timesOf(row, startedAt),
    error,
    isFromCache,
    ...(isFromCache && { metadata: { litellm_cache_hit: true } }),
  }
  return { call }
}

/** `anthropic/claude-opus-5` says both; what `custom_llm_provider` says comes first. */
function sellerOf(row: Json): { provider: string; model: string } {
  const named = textOf(row['custom_llm_provider'])
  const full = textOf(row['model']) ?? textOf(row['model_group']) ?? ''
  const slash = full.indexOf('/')
  const prefix = slash > 0 ? full.slice(0, slash) : undefined
  const provider = named ?? prefix ?? 'openai'
  return {
    provider,
    model: prefix !== undefined && (named === undefined || prefix === named) ? full.slice(slash + 1) : full,
  }
}

/**
 * LiteLLM writes everybody's usage in the words of OpenAI's chat, and for Anthropic's models the cache beside it, which
 * it counts into `prompt_tokens`. Rows of older versions have the totals alone.
 */
function usageOf(
  row: Json,
  metadata: Json,
  provider: string,
  model: string,
): Pick<LoggedCall, 'response' | 'wire' | 'endpoint'> {
  const told = { ...objectOf(metadata['additional_usage_values']), ...objectOf(metadata['usage_object']) }
  const count = (name: string) => numberOf(told[name]) ?? numberOf(row[name])
  const [input, output] = [count('prompt_tokens') ?? 0, count('completion_tokens') ?? 0]
  const [cached, written] = [numberOf(told['cache_read_input_tokens']), numberOf(told['cache_creation_input_tokens'])]
  const details = objectOf(told['prompt_tokens_details'])
  const callType = wordOf(row['call_type']).replace(
    /^a(?=completion|text|embedding|responses|image|transcription|speech)/,
    '',
  )
  const endpoint = CALL_TYPES[callType] ?? 'chat.completions'
  if (/claude/i.test(model) || provider === 'anthropic') {
    const split = objectOf(details?.['cache_creation_token_details'])
    const usage = {
      input_tokens: Math.max(0, input - (cached ?? 0) - (written ?? 0)),
      output_tokens: output,
      cache_read_input_tokens: cached ?? 0,
      cache_creation_input_tokens: written ?? 0,
      ...(split && { cache_creation: split }),
      ...(isObject(told['server_tool_use']) && { server_tool_use: told['server_tool_use'] }),
    }
    return { wire: 'anthropic', endpoint: 'messages', response: { type: 'message', model, usage } }
  }
  const usage = {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    ...(details
      ? { prompt_tokens_details: details }
      : cached !== undefined && { prompt_tokens_details: { cached_tokens: cached } }),
    ...(isObject(told['completion_tokens_details']) && {
      completion_tokens_details: told['completion_tokens_details'],
    }),
  }
  const isEmbedding = endpoint === 'embeddings'
  return {
    wire: 'openai',
    endpoint: isEmbedding ? 'embeddings' : 'chat.completions',
    response: isEmbedding ? { model, usage: { prompt_tokens: input, total_tokens: input } } : { model, usage },
  }
}

/** Their end user is who the application calls for, and ours the tenant. */
function labelsOf(row: Json): Labels {
  const labels: Record<string, unknown> = {}
  for (const [name, label] of [
    ['end_user', 'tenantId'],
    ['user', 'userId'],
    ['team_id', 'team'],
    ['session_id', 'sessionId'],
  ] as const) {
    const text = textOf(row[name])
    if (text !== undefined) labels[label] = text
  }
  const given = typeof row['request_tags'] === 'string' ? jsonOf(row['request_tags']) : row['request_tags']
  const tags = (Array.isArray(given) ? given : []).filter(
    // LiteLLM adds the client's name by itself.
    (tag): tag is string => typeof tag === 'string' && tag !== '' && tag.length <= 128 && !/^user-agent:/i.test(tag),
  )
  if (tags.length > 0) labels['tags'] = Object.fromEntries(tags.slice(0, 32).map((tag) => [tag, true]))
  return labels
}

function timesOf(row: Json, startedAt: number): Pick<LoggedCall, 'durationMs' | 'timeToFirstTokenMs'> {
  const [endedAt, firstAt] = [timeOf(row['endTime']), timeOf(row['completionStartTime'])]
  const isTaken = endedAt !== undefined && endedAt >= startedAt
  // Where nothing was streamed, it is the end.
  const isStreamed = isTaken && firstAt !== undefined && firstAt > startedAt && firstAt < endedAt
  return {
    ...(isTaken && { durationMs: endedAt - startedAt }),
    ...(isStreamed && { timeToFirstTokenMs: firstAt - startedAt }),
  }
}

function errorOf(row: Json, metadata: Json): string | undefined {
  if (row['status'] !== 'failure' && metadata['status'] !== 'failure') return undefined
  const code = wordOf(objectOf(metadata['error_information'])?.['error_code'])
  return /^[45]\d\d$/.test(code) ? `http_${code}` : 'failed'
}

function requestOf(messages: unknown): Json | undefined {
  const given = typeof messages === 'string' ? jsonOf(messages) : messages
  return Array.isArray(given) && given.length > 0 ? { messages: given } : undefined
}

export const litellm: LogFormat = {
  name: 'litellm',
  rows: 'rows of LiteLLM_SpendLogs, as JSON or comma-separated values',
  isTable: true,
  read,
}
