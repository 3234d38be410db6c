// Runs on OpenAI's own side: those of assistants' threads, and the turns of managed agents' sessions.

import { type Counts, generate, outputTotal, reported } from './generation.ts'
import { chatUsage } from './openai-chat.ts'
import { NOTHING } from './openai-media.ts'
import { responseUsage } from './openai-responses.ts'
import { type Answer, asText, type Billable, type Call, isJson, type Json, type SseEvent } from './wire.ts'
import { countTokens } from './words.ts'

/** Where jobs are kept between their start and the time when somebody asks for them. */
interface Started {
  start(id: string, open: Json, over: Json): void
  find(id: string): { readonly open: Json; readonly over: Json; asked: number } | undefined
}

export function openaiRuns({ start, find }: Started) {
  const run = (call: Call): Answer => {
    const { body, reply } = call
    const id = `run_${call.serial}`
    const threadId = THREAD.exec(call.path)?.[1] ?? `thread_${call.serial}`
    const tokens = countTokens([body.instructions, body.thread, body.additional_messages]) + 12
    const { counts, choices } = generate({ tokens, serial: call.serial }, { ...reply, webSearches: 0 })
    const model = reply.model ?? asText(body.model) ?? 'gpt-4o'
    const wanted = reply.toolCalls !== undefined
    const all = { ...NOTHING, input: counts.input, output: outputTotal(counts) }
    const usageOf = (of: Counts): Json => {
      const { prompt_tokens, completion_tokens, total_tokens } = chatUsage(of)
      return { prompt_tokens, completion_tokens, total_tokens }
    }
    const shape = {
      object: 'thread.run',
      thread_id: threadId,
      assistant_id: body.assistant_id,
      model,
      usage: null,
      last_error: null,
      tools: [],
    }
    const open = {
      ...shape,
      status: wanted ? 'requires_action' : 'queued',
      ...(wanted && { required_action: toolsOf(choices[0]?.toolCalls ?? []) }),
    }
    const over = { status: 'completed', required_action: null, usage: reported(reply, usageOf(all)) }
    start(id, open, over)
    const billable: Billable = {
      model,
      endpoint: 'threads/runs',
      responseId: id,
      terms: {},
      counts: all,
      usage: usageOf,
    }
    if (body.stream !== true) return { status: 200, json: { id, ...open }, billable }
    const events = wanted
      ? runEvents({ id, ...open }, 'thread.run.requires_action', open)
      : runEvents({ id, ...open }, 'thread.run.completed', over)
    return { status: 200, events, billable }
  }

  /** A run that has what it waited for; its usage is of the whole of it, and charged since its start. */
  const submit = (call: Call): Answer | undefined => {
    const id = SUBMIT.exec(call.path)?.[1] ?? ''
    const job = find(id)
    if (!job) return undefined
    if (call.body.stream === true) return { status: 200, events: runEvents(job.open, 'thread.run.completed', job.over) }
    job.asked = 1
    return { status: 200, json: { ...job.open, status: 'in_progress', required_action: null } }
  }

  const session = (call: Call): Answer => {
    const { body, reply } = call
    const id = `sess_${call.serial}`
    const model = isJson(body.agent) ? String(body.agent.model) : 'gpt-6-sol'
    const { counts } = generate(
      { tokens: countTokens(body.input) + 12, serial: call.serial },
      { ...reply, webSearches: 0 },
    )
    const usage = reported(reply, responseUsage(counts))
    const open = { object: 'agent.session', agent: { id: 'agent_1', model }, status: 'in_progress', usage: null }
    const turn = { id: `turn_${call.serial}`, object: 'agent.session.turn', session_id: id, status: 'completed', usage }
    start(id, open, { status: 'idle', usage })
    start(turn.id, { ...turn, status: 'in_progress', usage: null }, turn)
    const billable: Billable = {
      model,
      endpoint: 'agents/sessions',
      responseId: turn.id,
      terms: {},
      counts,
      usage: responseUsage,
    }
    if (body.stream !== true) return { status: 200, json: { id, ...open }, billable }
    const created = { type: 'agent.session.created', event_id: 'evt_1', session: { id, ...open } }
    return { status: 200, events: [created, turnEnd(id, turn)].map((data) => ({ event: data.type, data })), billable }
  }

  const sessionEvents = (call: Call): Answer | undefined => {
    const id = /\/sessions\/([^/]+)\/events$/.exec(call.path)?.[1] ?? ''
    const turn = find(id.replace('sess_', 'turn_'))
    if (!turn) return undefined
    const data = turnEnd(id, turn.over)
    return { status: 200, events: [{ event: String(data.type), data }] }
  }

  return { run, submit, session, sessionEvents }
}

const THREAD = /\/threads\/([^/]+)\/runs$/
export const SUBMIT = /\/runs\/([^/]+)\/submit_tool_outputs$/

function toolsOf(calls: readonly { readonly id: string; readonly name: string; readonly args: unknown }[]): Json {
  const tool_calls = calls.map(({ id, name, args }) => ({
    id,
    type: 'function',
    function: { name, arguments: JSON.stringify(args) },
  }))
  return { type: 'submit_tool_outputs', submit_tool_outputs: { tool_calls } }
}

function runEvents(open: Json, end: string, over: Json): SseEvent[] {
  return [
    { event: 'thread.run.created', data: open },
    { event: 'thread.run.in_progress', data: { ...open, status: 'in_progress' } },
    { event: end, data: { ...open, ...over } },
    { event: 'done', data: '[DONE]' },
  ]
}

function turnEnd(session_id: string, turn: Json) {
  return {
    type: 'agent.session.turn.completed',
    event_id: 'evt_2',
    session_id,
    turn_id: turn.id,
    turn,
    usage: turn.usage,
  }
}
