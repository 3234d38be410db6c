// Anthropic's old text completions, whole and streamed: charged, and never told.

import { type Choice, type Generation, outputTotal, progressOf, textOf } from './generation.ts'
import type { Answer, Call, SseEvent } from './wire.ts'

export function complete(call: Call, generation: Generation): Answer {
  const { body, reply, serial } = call
  const { counts } = generation
  const choice = generation.choices[0] as Choice
  const model = reply.model ?? String(body.model)
  const id = `compl_${serial}`
  const billable = {
    model,
    endpoint: 'complete',
    responseId: id,
    terms: {},
    counts,
    usage: () => ({ prompt_tokens: counts.input, completion_tokens: counts.output }),
  }
  const shell = { type: 'completion', id, model, stop: null, log_id: id }
  const end = choice.end === 'length' ? 'max_tokens' : 'stop_sequence'
  if (body.stream !== true)
    return { status: 200, json: { ...shell, completion: textOf(choice) ?? '', stop_reason: end }, billable }
  function* events(): Generator<SseEvent> {
    const next = progressOf(generation)
    const event = (completion: string, stop_reason: string | null): SseEvent => ({
      event: 'completion',
      data: { ...shell, completion, stop_reason },
    })
    for (const piece of choice.pieces ?? []) yield { ...event(piece, null), generated: next() }
    yield { ...event('', end), generated: outputTotal(counts) }
  }
  return { status: 200, events: events(), billable }
}
