// OpenAI's streams of chat and legacy completions.

import { codeOf, isObject, textOf } from './counts.ts'
import { flagSearches, readCompletionUsage } from './openai-usage.ts'
import { HIDE, type StreamReader } from './provider.ts'

interface Delta {
  content?: unknown
  refusal?: unknown
  reasoning_content?: unknown
  reasoning?: unknown
  function_call?: { name?: unknown; arguments?: unknown } | null
  tool_calls?: unknown
  audio?: { transcript?: unknown } | null
}

interface Choice {
  finish_reason?: unknown
  text?: unknown
  delta?: Delta | null
}

interface Chunk {
  id?: unknown
  model?: unknown
  service_tier?: unknown
  usage?: unknown
  x_groq?: { usage?: unknown } | null
  choices?: readonly (Choice | null)[]
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
      // Azure's first chunk has both, empty.
      id ||= chunk.id
      model ||= chunk.model
      if (chunk.service_tier) tier = chunk.service_tier
      const choices = Array.isArray(chunk.choices) ? chunk.choices : undefined
      if (choices) for (const choice of choices) if (choice) takeChoice(choice)
      const own = chunk.usage
      if (isObject(own)) usage = own
      // Groq says it here on the last chunk, and at the top level only where asked.
      else if (isObject(chunk.x_groq?.usage)) usage ??= chunk.x_groq.usage
      if (!isPrepared) return event
      if (choices?.length === 0) {
        // Azure's first chunk has no choices and no usage, DeepSeek's last has both: only what came for our asking goes,
        // and xAI's empty chunk that follows it.
        if (isObject(own)) isUsageHidden = true
        if (isUsageHidden) return HIDE
      }
      if (own !== null) return event
      const { usage: _, ...shown } = event
      return shown
    },
    reading: () => ({
      ...flagSearches(readCompletionUsage(usage), model),
      responseId: textOf(id),
      model: textOf(model),
      serviceTier: codeOf(tier),
      finishReason: codeOf(finish),
    }),
    generated: () => generated,
  }

  function takeChoice(choice: Choice): void {
    if (choice.finish_reason) finish = choice.finish_reason
    const { delta } = choice
    if (!delta) {
      if (typeof choice.text === 'string') generated.push(choice.text)
    } else if (typeof delta.content === 'string' && delta.content !== '') generated.push(delta.content)
    else takeOther(delta, generated)
  }
}

/** What is generated besides the content: all of it is output, whatever a host calls it. */
function takeOther(delta: Delta, generated: string[]): void {
  const { refusal, reasoning_content, reasoning, function_call, tool_calls, audio } = delta
  const calls = Array.isArray(tool_calls) ? tool_calls.map((call: { function?: unknown } | null) => call?.function) : []
  const texts: unknown[] = [refusal, reasoning_content ?? reasoning, audio?.transcript]
  for (const call of [function_call, ...calls] as ({ name?: unknown; arguments?: unknown } | null | undefined)[])
    texts.push(call?.name, call?.arguments)
  for (const text of texts) if (typeof text === 'string' && text !== '') generated.push(text)
}
