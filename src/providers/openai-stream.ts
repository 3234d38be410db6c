// OpenAI's streams: chat and legacy completions, and the events of responses.

import { codeOf, isObject, textOf } from './counts.ts'
import { readCompletionUsage, readResponseUsage } from './openai-usage.ts'
import { HIDE, type Json, type Reading, type StreamReader } from './provider.ts'

interface Chunk {
  id?: unknown
  model?: unknown
  service_tier?: unknown
  usage?: unknown
  choices?: {
    finish_reason?: unknown
    text?: unknown
    delta?: {
      content?: unknown
      refusal?: unknown
      reasoning_content?: unknown
      tool_calls?: { function?: { name?: unknown; arguments?: unknown } }[]
    }
  }[]
}

/** Chat and legacy completions: the last usage that is not null wins, whatever chunk carries it; never a sum. */
export function completionStream(isPrepared: boolean): StreamReader {
  let usage: unknown
  let id: unknown
  let model: unknown
  let tier: unknown
  let finish: unknown
  let isUsageHidden = false
  const generated: string[] = []

  return {
    take(event) {
      const chunk = event as Chunk
      id ??= chunk.id
      model ??= chunk.model
      if (chunk.service_tier) tier = chunk.service_tier
      const choices = chunk.choices
      if (choices) {
        for (const choice of choices) {
          if (choice.finish_reason) finish = choice.finish_reason
          const delta = choice.delta
          if (!delta) {
            if (typeof choice.text === 'string') generated.push(choice.text)
            continue
          }
          if (typeof delta.content === 'string') generated.push(delta.content)
          else if (delta.tool_calls || delta.refusal || delta.reasoning_content) otherText(delta, generated)
        }
      }
      const own = chunk.usage
      if (own) usage = own
      if (!isPrepared || own === undefined) return isUsageHidden && choices?.length === 0 ? HIDE : event
      if (own === null) {
        const { usage: _, ...shown } = event
        return shown
      }
      // Azure's first chunk has no choices and no usage, DeepSeek's last has both: only what came for our asking goes.
      if (choices?.length === 0) {
        isUsageHidden = true
        return HIDE
      }
      return event
    },
    reading: () => ({
      ...readCompletionUsage(usage),
      responseId: textOf(id),
      model: textOf(model),
      serviceTier: codeOf(tier),
      finishReason: codeOf(finish),
    }),
    generated: () => generated,
  }
}

function otherText(delta: NonNullable<NonNullable<Chunk['choices']>[number]['delta']>, generated: string[]): void {
  if (typeof delta.refusal === 'string') generated.push(delta.refusal)
  if (typeof delta.reasoning_content === 'string') generated.push(delta.reasoning_content)
  if (!Array.isArray(delta.tool_calls)) return
  for (const call of delta.tool_calls) {
    if (typeof call.function?.name === 'string') generated.push(call.function.name)
    if (typeof call.function?.arguments === 'string') generated.push(call.function.arguments)
  }
}

export function readResponse(answer: Json): Reading {
  const failed = answer['error']
  return {
    ...readResponseUsage(answer['usage']),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    serviceTier: codeOf(answer['service_tier']),
    finishReason: codeOf(answer['status']),
    error: isObject(failed) ? (codeOf(failed['code']) ?? 'response_failed') : undefined,
  }
}

export function responseStream(): StreamReader {
  let last: Json | undefined
  let error: string | undefined
  let isOver = false
  const generated: string[] = []
  return {
    take(event) {
      const type = event['type']
      if (typeof type !== 'string') return event
      if (type.endsWith('.delta')) {
        if (typeof event['delta'] === 'string') generated.push(event['delta'])
      } else if (type === 'error') error = codeOf(event['code']) ?? 'stream_error'
      else if (isObject(event['response'])) {
        last = event['response']
        isOver = type === 'response.completed' || type === 'response.incomplete' || type === 'response.failed'
      }
      return event
    },
    reading() {
      const reading = last ? readResponse(last) : {}
      return { ...reading, ...(error !== undefined && { error }), ...(!isOver && { usage: undefined }) }
    },
    generated: () => generated,
  }
}
