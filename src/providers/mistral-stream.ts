// Mistral's streams: chunks of completions, and the events of transcriptions, speech and conversations.

import { codeOf, isObject, textOf } from './counts.ts'
import { readMistralUsage } from './mistral-usage.ts'
import { texts } from './prompt.ts'
import type { Json, StreamReader } from './provider.ts'

interface Choice {
  readonly finish_reason?: unknown
  readonly delta?: { readonly content?: unknown; readonly tool_calls?: unknown }
}

/** Chat, FIM and agents: the usage comes unasked, with the last chunk that has a choice. */
export function chunkStream(): StreamReader {
  let usage: unknown
  let id: unknown
  let model: unknown
  let finish: unknown
  const generated: string[] = []
  return {
    take(chunk) {
      id ??= chunk['id']
      model ??= chunk['model']
      if (isObject(chunk['usage'])) usage = chunk['usage']
      const choices = Array.isArray(chunk['choices']) ? (chunk['choices'] as readonly (Choice | null)[]) : []
      for (const choice of choices) {
        finish = choice?.finish_reason ?? finish
        const content = choice?.delta?.content
        // Thoughts are parts of a content that is a list.
        generated.push(...texts(...(Array.isArray(content) ? content : [content]), choice?.delta?.tool_calls))
      }
      return chunk
    },
    reading: () => ({
      ...readMistralUsage(usage),
      responseId: textOf(id),
      model: textOf(model),
      finishReason: codeOf(finish),
    }),
    generated: () => generated,
  }
}

/** What each event holds of the text that is made. */
const DELTAS: Readonly<Record<string, string>> = {
  'transcription.text.delta': 'text',
  'message.output.delta': 'content',
  'function.call.delta': 'arguments',
}

/** Events with a type, of which the last, `*.done`, has the usage: transcriptions, speech, conversations. */
export function eventStream(): StreamReader {
  let done: Json | undefined
  let id: unknown
  let model: unknown
  let error: string | undefined
  const generated: string[] = []
  return {
    take(event) {
      const type = textOf(event['type'])
      id ??= event['conversation_id']
      model ??= event['model']
      if (isObject(event['usage'])) done = event
      if (type?.endsWith('.error')) error = codeOf(event['code']) ?? codeOf(String(event['code'])) ?? 'stream_error'
      const field = type === undefined ? undefined : DELTAS[type]
      if (field !== undefined) generated.push(...texts(event[field]))
      return event
    },
    reading: () => ({
      ...readMistralUsage(done?.['usage']),
      responseId: textOf(id),
      model: textOf(model),
      finishReason: done ? 'done' : undefined,
      ...(error !== undefined && { error }),
    }),
    generated: () => generated,
  }
}
