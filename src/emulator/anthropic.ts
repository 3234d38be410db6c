// Anthropic's wire: /v1/messages, whole and streamed, the free count of tokens, and its errors.

import {
  argPieces,
  type Choice,
  type Counts,
  type Generation,
  generate,
  outputTotal,
  progressOf,
  reported,
  textOf,
} from './generation.ts'
import { type Answer, asCount, asText, type Call, type Failure, type Json, type SseEvent, type Wire } from './wire.ts'
import { countTokens } from './words.ts'

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

function failure({ status, message, code }: Failure, requestId: string): Json {
  const type = code ?? ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
  return { type: 'error', error: { type, message: message ?? `Emulated ${status}.` }, request_id: requestId }
}

function answer(call: Call): Answer {
  const { method, path, body, reply } = call
  const reject = (status: number, message: string): Answer => ({
    status,
    json: failure({ status, message }, call.requestId),
  })
  const isCount = path.endsWith('/messages/count_tokens')
  if (method !== 'POST' || !(isCount || path.endsWith('/messages'))) return reject(404, 'Not found')
  for (const field of isCount ? ['model', 'messages'] : ['model', 'messages', 'max_tokens']) {
    if (body[field] === undefined) return reject(400, `${field}: Field required`)
  }
  const tokens = countTokens([body.system, body.messages, body.tools])
  if (isCount) return { status: 200, json: { input_tokens: tokens } }
  return message(call, generate({ tokens, cap: asCount(body.max_tokens), serial: call.serial }, reply))
}

export const anthropicWire: Wire = {
  provider: 'anthropic',
  lineEnd: '\n',
  answer,
  failure,
  failureEvent: (reason, { requestId }) => ({ event: 'error', data: failure(reason, requestId) }),
  headers: (requestId) => ({ 'request-id': requestId, 'anthropic-organization-id': 'org_emulator' }),
}

/** Cache reads and writes are beside `input_tokens`, not in it; thinking is in `output_tokens`. */
function counters(counts: Counts): Json {
  return {
    input_tokens: counts.input + counts.audioInput + counts.toolUse,
    cache_creation_input_tokens: counts.cacheWrite + counts.cacheWrite1h,
    cache_read_input_tokens: counts.cacheRead,
    output_tokens: outputTotal(counts),
    output_tokens_details: counts.reasoning > 0 ? { thinking_tokens: counts.reasoning } : null,
    server_tool_use: counts.webSearches > 0 ? { web_search_requests: counts.webSearches, web_fetch_requests: 0 } : null,
  }
}

function message(call: Call, generation: Generation): Answer {
  const { body, reply, serial } = call
  const { counts } = generation
  const choice = generation.choices[0] as Choice
  // SDKs up to 0.x mark a beta request in the query; 1.x has only the header, and only where a beta is named.
  const isBeta = call.query.beta === 'true' || call.headers['anthropic-beta'] !== undefined
  const terms = {
    tier: reply.serviceTier ?? 'standard',
    speed: asText(body.speed) ?? 'standard',
    geo: asText(body.inference_geo) ?? 'global',
  }
  const usageOf = (counts: Counts): Json => ({
    ...counters(counts),
    cache_creation: {
      ephemeral_5m_input_tokens: counts.cacheWrite,
      ephemeral_1h_input_tokens: counts.cacheWrite1h,
    },
    service_tier: terms.tier,
    inference_geo: terms.geo,
    speed: terms.speed,
    ...(isBeta && { iterations: null, fallback_credit: null }),
  })
  const head = {
    id: `msg_${serial}`,
    type: 'message',
    role: 'assistant',
    model: reply.model ?? String(body.model),
    content: [] as Json[],
    stop_reason: null as string | null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    ...(isBeta && { context_management: null }),
  }
  const end = STOP_REASONS[choice.end]
  const billable = { model: head.model, endpoint: 'messages', responseId: head.id, terms, counts, usage: usageOf }
  if (body.stream !== true) {
    const usage = reported(reply, usageOf(counts))
    const content = blocks(choice, counts).map(({ block }) => block)
    return { status: 200, json: { ...head, content, stop_reason: end, usage }, billable }
  }
  const started = reported(reply, { ...usageOf(counts), output_tokens: 1, output_tokens_details: null })
  const ended = reported(reply, { ...counters(counts), ...(isBeta && { iterations: null, fallback_credit: null }) })
  return { status: 200, events: stream({ ...head, usage: started }, generation, end, ended), billable }
}

const STOP_REASONS = { stop: 'end_turn', length: 'max_tokens', tool_calls: 'tool_use' } as const

interface Block {
  /** As it stands in the finished message. */
  readonly block: Json
  readonly opened: Json
  readonly deltas: readonly Json[]
  /** Whether its deltas are generated text that is counted. */
  readonly isCounted: boolean
}

function blocks(choice: Choice, counts: Counts): Block[] {
  const all: Block[] = []
  if (counts.reasoning > 0) {
    // As newer models send it: billed in full, shown as a signature alone.
    const signature = Buffer.from('emulated').toString('base64')
    const opened = { type: 'thinking', thinking: '', signature: '' }
    const deltas = [{ type: 'signature_delta', signature }]
    all.push({ block: { ...opened, signature }, opened, deltas, isCounted: false })
  }
  const text = textOf(choice)
  if (text !== null) {
    const opened = { type: 'text', text: '', citations: null }
    const deltas = (choice.pieces ?? []).map((piece) => ({ type: 'text_delta', text: piece }))
    all.push({ block: { ...opened, text }, opened, deltas, isCounted: true })
  }
  for (const call of choice.toolCalls) {
    const opened = { type: 'tool_use', id: call.id, name: call.name, input: {}, caller: { type: 'direct' } }
    const deltas = argPieces(call).map((piece) => ({ type: 'input_json_delta', partial_json: piece }))
    all.push({ block: { ...opened, input: call.args }, opened, deltas, isCounted: true })
  }
  return all
}

function* stream(start: Json, generation: Generation, end: string, usage: unknown): Generator<SseEvent> {
  const event = (type: string, data: Json = {}): SseEvent => ({ event: type, data: { type, ...data } })
  const next = progressOf(generation)
  yield event('message_start', { message: start })
  for (const [index, { opened, deltas, isCounted }] of blocks(
    generation.choices[0] as Choice,
    generation.counts,
  ).entries()) {
    yield event('content_block_start', { index, content_block: opened })
    if (index === 0) yield event('ping')
    for (const delta of deltas) {
      const sent = event('content_block_delta', { index, delta })
      yield { ...sent, generated: isCounted ? next() : generation.counts.reasoning }
    }
    yield event('content_block_stop', { index })
  }
  const delta = { stop_reason: end, stop_sequence: null, stop_details: null, container: null }
  yield { ...event('message_delta', { delta, usage }), generated: outputTotal(generation.counts) }
  yield event('message_stop')
}
