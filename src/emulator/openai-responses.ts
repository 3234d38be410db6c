// OpenAI's /responses, whole and streamed.

import {
  argPieces,
  type Choice,
  type Counts,
  type Generation,
  inputTotal,
  outputTotal,
  progressOf,
  reported,
  textOf,
} from './generation.ts'
import { obfuscation } from './openai-chat.ts'
import { draw, drawingUsage } from './openai-media.ts'
import { drawerOf, hostedItems, toolUsage } from './openai-tools.ts'
import { type Answer, type Billable, type Call, isJson, type Json, type SseEvent } from './wire.ts'

export function responseUsage(counts: Counts): Json {
  const input = inputTotal(counts)
  const output = outputTotal(counts)
  return {
    input_tokens: input,
    input_tokens_details: {
      cached_tokens: counts.cacheRead,
      cache_write_tokens: counts.cacheWrite + counts.cacheWrite1h,
    },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: counts.reasoning },
    total_tokens: input + output,
  }
}

export interface Responded extends Answer {
  /** The finished response, as `GET /responses/{id}` gives it later. */
  readonly stored: Json
}

export function respond(call: Call, generation: Generation, tier: string): Responded {
  const { body, reply } = call
  const { counts } = generation
  const choice = generation.choices[0] as Choice
  const model = reply.model ?? String(body.model)
  const id = `resp_${call.serial}`
  const output = [...hostedItems(call), ...outputItems(choice, counts, call.serial)]
  const drawing = draw(reply.images === undefined ? undefined : body.input, 0, reply.images ?? 0, call)
  const usage = reported(reply, responseUsage(counts))
  const isCut = choice.end === 'length'
  const opened = shell(call, id, model, tier)
  const finished = {
    ...opened,
    status: isCut ? 'incomplete' : 'completed',
    completed_at: isCut ? null : opened.created_at,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    output,
    // What the tools charge stands beside `usage`, not in it (openai 7, `Response.ToolUsage`).
    tool_usage: toolUsage(counts, drawing),
    usage,
  }
  const { fileSearches: fileSearch = 0, codeSessions: codeSession = 0 } = reply
  const own: Billable = {
    model,
    endpoint: 'responses',
    responseId: id,
    terms: { tier },
    counts,
    ...((fileSearch > 0 || codeSession > 0) && { extras: { fileSearch, codeSession } }),
    usage: (counts) => ({ ...responseUsage(counts), tool_usage: toolUsage(counts, drawing) }),
  }
  const drawn: Billable = {
    model: drawerOf(body),
    endpoint: 'responses',
    responseId: id,
    terms: {},
    counts: drawing.counts,
    extras: drawing.extras,
    usage: () => drawingUsage(drawing),
  }
  const billable = drawing.images > 0 ? [own, drawn] : own
  if (body.stream === true) {
    return { status: 200, events: stream(opened, finished, generation, body), billable, stored: finished }
  }
  // A background response is only queued: its usage is in what a later GET answers.
  if (body.background === true)
    return { status: 200, json: { ...opened, status: 'queued' }, billable, stored: finished }
  return { status: 200, json: finished, billable, stored: finished }
}

export function compact(call: Call, { counts }: Generation): Answer {
  const id = `cmp_${call.serial}`
  const usage = reported(call.reply, responseUsage(counts))
  const json = {
    id,
    object: 'response.compaction',
    created_at: 1,
    output: [{ id: `i_${id}`, type: 'compaction' }],
    usage,
  }
  const model = String(call.body.model)
  return {
    status: 200,
    json,
    billable: { model, endpoint: 'responses/compact', responseId: id, terms: {}, counts, usage: responseUsage },
  }
}

export function decide(call: Call, { counts }: Generation): Answer {
  const model = String(call.body.model)
  const answers = [{ type: 'predicate', name: null, probability: 0.75 }]
  const json = { answers, model, usage: reported(call.reply, responseUsage(counts)) }
  return { status: 200, json, billable: { model, endpoint: 'decisions', terms: {}, counts, usage: responseUsage } }
}

/** The events of a response that was made before. */
export function replay(response: Json): Answer {
  const events = ['response.created', 'response.completed'].map((type, sequence_number) => ({
    event: type,
    data: { type, sequence_number, response },
  }))
  return { status: 200, events }
}

function shell({ body, now }: Call, id: string, model: string, tier: string) {
  const reasoning = isJson(body.reasoning) ? body.reasoning : {}
  return {
    id,
    object: 'response',
    created_at: Math.floor(now.getTime() / 1000),
    status: 'in_progress',
    background: body.background === true,
    completed_at: null as number | null,
    error: null,
    incomplete_details: null as Json | null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    model,
    output: [] as Json[],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: body.previous_response_id ?? null,
    prompt_cache_key: body.prompt_cache_key ?? null,
    reasoning: { effort: reasoning.effort ?? null, summary: reasoning.summary ?? null },
    safety_identifier: body.safety_identifier ?? null,
    service_tier: tier,
    store: body.store ?? true,
    temperature: body.temperature ?? 1,
    text: body.text ?? { format: { type: 'text' }, verbosity: 'medium' },
    tool_choice: body.tool_choice ?? 'auto',
    tools: body.tools ?? [],
    top_logprobs: body.top_logprobs ?? 0,
    top_p: body.top_p ?? 1,
    truncation: body.truncation ?? 'disabled',
    usage: null as unknown,
    user: body.user ?? null,
    metadata: body.metadata ?? {},
  }
}

function outputItems(choice: Choice, counts: Counts, serial: string): Json[] {
  const status = choice.end === 'length' ? 'incomplete' : 'completed'
  const items: Json[] = []
  if (counts.reasoning > 0) items.push({ id: `rs_${serial}`, type: 'reasoning', summary: [] })
  for (let search = 0; search < counts.webSearches; search += 1) {
    const action = { type: 'search', query: 'emulated' }
    items.push({ id: `ws_${serial}_${search}`, type: 'web_search_call', status: 'completed', action })
  }
  const text = textOf(choice)
  if (text !== null) {
    const content = [{ type: 'output_text', text, annotations: [], logprobs: [] }]
    items.push({ id: `msg_${serial}`, type: 'message', status, role: 'assistant', content })
  }
  for (const [place, { id, name, args }] of choice.toolCalls.entries()) {
    const call = { type: 'function_call', status: 'completed', call_id: id, name, arguments: JSON.stringify(args) }
    items.push({ id: `fc_${serial}_${place}`, ...call })
  }
  return items
}

function* stream(opened: Json, finished: Json, generation: Generation, body: Json): Generator<SseEvent> {
  let sequence = 0
  const event = (type: string, data: Json): SseEvent => ({
    event: type,
    data: { type, sequence_number: sequence++, ...data },
  })
  const next = progressOf(generation)
  const choice = generation.choices[0] as Choice
  const options = isJson(body.stream_options) ? body.stream_options : {}
  const isObfuscated = options.include_obfuscation !== false
  const delta = (type: string, place: Json, text: string): SseEvent => {
    const padding = isObfuscated ? { obfuscation: obfuscation(text) } : {}
    return { ...event(type, { ...place, delta: text, ...padding }), generated: next() }
  }
  yield event('response.created', { response: opened })
  yield event('response.in_progress', { response: opened })
  let calls = 0
  for (const [index, item] of (finished.output as Json[]).entries()) {
    const place = { item_id: item.id, output_index: index }
    if (item.type === 'message') {
      yield event('response.output_item.added', {
        output_index: index,
        item: { ...item, status: 'in_progress', content: [] },
      })
      const at = { ...place, content_index: 0 }
      const part = (item.content as Json[])[0] as Json
      yield event('response.content_part.added', { ...at, part: { ...part, text: '' } })
      for (const piece of choice.pieces ?? []) {
        yield delta('response.output_text.delta', { ...at, logprobs: [] }, piece)
      }
      yield event('response.output_text.done', { ...at, logprobs: [], text: part.text })
      yield event('response.content_part.done', { ...at, part })
    } else if (item.type === 'function_call') {
      yield event('response.output_item.added', {
        output_index: index,
        item: { ...item, status: 'in_progress', arguments: '' },
      })
      for (const piece of argPieces(choice.toolCalls[calls++] ?? { name: '' })) {
        yield delta('response.function_call_arguments.delta', place, piece)
      }
      yield event('response.function_call_arguments.done', { ...place, name: item.name, arguments: item.arguments })
    } else {
      yield event('response.output_item.added', { output_index: index, item })
    }
    const done = event('response.output_item.done', { output_index: index, item })
    yield item.type === 'reasoning' ? { ...done, generated: generation.counts.reasoning } : done
  }
  const end = finished.status === 'incomplete' ? 'response.incomplete' : 'response.completed'
  yield { ...event(end, { response: finished }), generated: outputTotal(generation.counts) }
}
