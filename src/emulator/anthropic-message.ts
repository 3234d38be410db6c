// A message of Anthropic's, whole and streamed, with the rounds that its totals leave out.

import {
  argPieces,
  type Choice,
  type Counts,
  type Generation,
  outputTotal,
  progressOf,
  reported,
  textOf,
} from './generation.ts'
import { NOTHING } from './openai-media.ts'
import type { Round } from './round.ts'
import { type Answer, asText, type Billable, type Call, isJson, type Json, type SseEvent } from './wire.ts'

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

export function message(call: Call, generation: Generation): Answer {
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
  const { rounds = [] } = reply
  // What is charged is told: a script that asks for rounds has them, also in a request that names no beta.
  const isTold = isBeta || rounds.length > 0
  const asked = reply.model ?? String(body.model)
  const served = rounds.some(({ type }) => type === 'declined') ? fallbackOf(body, asked) : asked
  const usageOf = (counts: Counts): Json => ({
    ...counters(counts),
    cache_creation: {
      ephemeral_5m_input_tokens: counts.cacheWrite,
      ephemeral_1h_input_tokens: counts.cacheWrite1h,
    },
    service_tier: terms.tier,
    inference_geo: terms.geo,
    speed: terms.speed,
    ...(isTold && { iterations: iterations(rounds, counts, asked, served), fallback_credit: null }),
  })
  const head = {
    id: `msg_${serial}`,
    type: 'message',
    role: 'assistant',
    model: served,
    content: [] as Json[],
    stop_reason: null as string | null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    ...(isBeta && { context_management: null }),
  }
  const end = STOP_REASONS[choice.end]
  const own: Billable = { model: served, endpoint: 'messages', responseId: head.id, terms, counts, usage: usageOf }
  const billable = [own, ...rounds.filter(isCharged).map((round) => roundOf(round, own, asked))]
  if (body.stream !== true) {
    const usage = reported(reply, usageOf(counts))
    const boundary = served === asked ? [] : [{ type: 'fallback', from: { model: asked }, to: { model: served } }]
    const content = [...boundary, ...blocks(choice, counts).map(({ block }) => block)]
    return { status: 200, json: { ...head, content, stop_reason: end, usage }, billable }
  }
  const started = reported(reply, { ...usageOf(counts), output_tokens: 1, output_tokens_details: null })
  const ended = reported(reply, {
    ...counters(counts),
    ...(isTold && { iterations: iterations(rounds, counts, asked, served), fallback_credit: null }),
  })
  const boundary =
    served === asked
      ? []
      : [{ type: 'fallback', from: { model: asked }, to: { model: served }, trigger: { type: 'refusal' } }]
  const opening = { ...head, model: asked, usage: started }
  return { status: 200, events: stream(opening, boundary, generation, end, ended), billable }
}

function fallbackOf({ fallbacks }: Json, asked: string): string {
  const [first] = Array.isArray(fallbacks) ? (fallbacks as unknown[]) : []
  return isJson(first) ? (asText(first.model) ?? asked) : asked
}

/** What is refused before any output is not charged. */
function isCharged({ type, outputTokens }: Round): boolean {
  return type !== 'declined' || outputTokens > 1
}

function countsOf({ inputTokens, outputTokens, cachedTokens = 0 }: Round): Counts {
  return { ...NOTHING, input: inputTokens, cacheRead: cachedTokens, output: outputTokens }
}

/** A line of its own on the bill, at the price of whoever did it. */
function roundOf(round: Round, own: Billable, asked: string): Billable {
  const model = round.type === 'compaction' ? own.model : round.type === 'declined' ? asked : (round.model ?? asked)
  return { ...own, model, counts: countsOf(round), usage: counters }
}

const ROUND_TYPES = { compaction: 'compaction', advisor: 'advisor_message', declined: 'message' } as const

function iterations(rounds: readonly Round[], counts: Counts, asked: string, served: string): Json[] | null {
  if (rounds.length === 0) return null
  const entry = (type: string, of: Counts, model: string | undefined): Json => {
    const { input_tokens, output_tokens, cache_creation_input_tokens, cache_read_input_tokens } = counters(of)
    const own = { input_tokens, output_tokens, cache_creation_input_tokens, cache_read_input_tokens }
    const cache_creation = {
      ephemeral_5m_input_tokens: of.cacheWrite,
      ephemeral_1h_input_tokens: of.cacheWrite1h,
    }
    return { type, ...own, cache_creation, ...(model !== undefined && { model }) }
  }
  return [
    ...rounds.map((round) =>
      entry(
        ROUND_TYPES[round.type],
        countsOf(round),
        round.type === 'compaction' ? undefined : round.type === 'declined' ? asked : (round.model ?? asked),
      ),
    ),
    entry(served === asked ? 'message' : 'fallback_message', counts, served),
  ]
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
    const opened = { type: 'text', text: '' }
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

function* stream(
  start: Json,
  boundary: readonly Json[],
  generation: Generation,
  end: string,
  usage: unknown,
): Generator<SseEvent> {
  const event = (type: string, data: Json = {}): SseEvent => ({ event: type, data: { type, ...data } })
  const next = progressOf(generation)
  yield event('message_start', { message: start })
  for (const [index, content_block] of boundary.entries()) {
    yield event('content_block_start', { index, content_block })
    yield event('content_block_stop', { index })
  }
  const all = blocks(generation.choices[0] as Choice, generation.counts)
  for (const [place, { opened, deltas, isCounted }] of all.entries()) {
    const index = boundary.length + place
    yield event('content_block_start', { index, content_block: opened })
    if (place === 0) yield event('ping')
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
