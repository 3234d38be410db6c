// Google's interactions: whole, streamed, in the background, and in several parts.

import {
  type Choice,
  type Counts,
  generate,
  inputTotal,
  outputTotal,
  progressOf,
  reported,
  textOf,
  upTo,
} from './generation.ts'
import { type Answer, asCount, type Billable, type Call, isJson, type Json, type SseEvent } from './wire.ts'
import { countTokens } from './words.ts'

/** Gives `undefined` for what is no interaction. */
export function googleInteractions(): (call: Call) => Answer | undefined {
  const kept = new Map<string, { readonly json: Json; asked: number }>()

  function create(call: Call): Answer {
    const { body, reply, serial, now } = call
    const config = isJson(body.generation_config) ? body.generation_config : {}
    const prompt = {
      tokens: countTokens([body.input, body.system_instruction]),
      cap: asCount(config.max_output_tokens),
      serial,
    }
    const generation = generate(prompt, reply)
    const { webSearches } = generation.counts
    const counts: Counts = { ...generation.counts, cacheWrite: 0, cacheWrite1h: 0 }
    const maps = reply.mapsSearches ?? 0
    const usageOf = (of: Counts): Json => usage(of, webSearches, maps)
    const id = `int_${serial}`
    const model = reply.model ?? String(body.model ?? body.agent)
    const status = reply.continues ? 'requires_continuation' : 'completed'
    const choice = generation.choices[0] as Choice
    const head = { id, object: 'interaction', model, created: now.toISOString() }
    const steps = [{ type: 'model_output', content: [{ type: 'text', text: textOf(choice) ?? '' }] }]
    const json = {
      ...head,
      status,
      steps,
      usage: reported(reply, usageOf(counts)),
      ...(reply.continues && { continuation_token: `token_${serial}` }),
      ...(reply.serviceTier !== undefined && { service_tier: reply.serviceTier }),
    }
    kept.set(id, { json, asked: 0 })
    const billable: Billable = {
      model,
      endpoint: 'interactions',
      responseId: id,
      terms: { tier: reply.serviceTier },
      counts,
      ...(maps > 0 && { extras: { mapsSearch: maps } }),
      usage: usageOf,
    }
    if (body.background === true && body.stream !== true)
      return { status: 200, json: { ...head, status: 'in_progress', steps: [] }, billable }
    if (body.stream !== true) return { status: 200, json, billable }
    const next = progressOf(generation)
    function* events(): Generator<SseEvent> {
      const event = (event_type: string, more: Json): SseEvent => ({ data: { event_type, ...more } })
      yield event('interaction.created', { interaction: { ...head, status: 'in_progress' } })
      yield event('step.start', { index: 0, step: { type: 'model_output' } })
      for (const text of choice.pieces ?? []) {
        const generated = next()
        const total_usage = reported(reply, usageOf(upTo(counts, generated)))
        yield {
          ...event('step.delta', { index: 0, delta: { type: 'text', text }, metadata: { total_usage } }),
          generated,
        }
      }
      yield event('step.stop', { index: 0 })
      const { steps: _, ...interaction } = json
      yield { ...event('interaction.completed', { interaction }), generated: outputTotal(counts) }
    }
    return { status: 200, events: events(), billable }
  }

  return (call) => {
    const { method, path, query } = call
    if (method === 'POST' && path.endsWith('/interactions')) return create(call)
    const found = kept.get(/\/interactions\/([^/]+?)(?:\/cancel)?$/.exec(path)?.[1] ?? '')
    if (!found) return undefined
    const { json } = found
    if (path.endsWith('/cancel')) return { status: 200, json: { ...json, status: 'cancelled' } }
    if (query.stream === 'true')
      return { status: 200, events: [{ data: { event_type: 'interaction.completed', interaction: json } }] }
    return { status: 200, json }
  }
}

/** Cached input is within the input; thoughts and what tools brought in are beside it. */
function usage(counts: Counts, searches: number, maps: number): Json {
  const input = inputTotal(counts)
  const tools = [
    { type: 'google_search', count: searches },
    { type: 'google_maps', count: maps },
  ].filter(({ count }) => count > 0)
  return {
    total_input_tokens: input,
    total_output_tokens: counts.output,
    total_thought_tokens: counts.reasoning,
    total_cached_tokens: counts.cacheRead,
    total_tool_use_tokens: counts.toolUse,
    total_tokens: input + counts.toolUse + outputTotal(counts),
    input_tokens_by_modality: [
      { modality: 'text', tokens: input - counts.audioInput },
      { modality: 'audio', tokens: counts.audioInput },
    ],
    ...(tools.length > 0 && { grounding_tool_count: tools }),
  }
}
