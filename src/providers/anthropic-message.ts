// Anthropic's message, whole and streamed.
// Shapes: @anthropic-ai/sdk 1.12.0 resources/messages/messages.d.ts (Usage, MessageDeltaUsage), beta/messages (BetaUsage).

import { readMessageUsage } from './anthropic-usage.ts'
import { codeOf, isObject, textOf } from './counts.ts'
import type { Json, Reading, StreamReader } from './provider.ts'

export function readMessage(answer: Json): Reading {
  const model = textOf(answer['model'])
  return {
    responseId: textOf(answer['id']),
    model,
    ...readMessageUsage(answer['usage'], model),
    finishReason: codeOf(answer['stop_reason']),
  }
}

/**
 * `message_start` has the input and a placeholder for the output; `message_delta` brings running totals, `null` where
 * a field does not apply. The split of cache writes, the tier and the speed stand only in `message_start`.
 */
export function messageStream(): StreamReader {
  let usage: Json | undefined
  let id: unknown
  let model: unknown
  let stop: unknown
  let error: string | undefined
  let hasOutput = false
  const generated: string[] = []

  return {
    take(event) {
      switch (event['type']) {
        case 'message_start': {
          const message = event['message']
          if (!isObject(message)) break
          id = message['id']
          model = message['model']
          if (isObject(message['usage'])) usage = { ...message['usage'] }
          break
        }
        case 'content_block_start':
          startBlock(event['content_block'])
          break
        case 'content_block_delta': {
          const delta = event['delta'] as Json | null | undefined
          const text = delta?.['text'] ?? delta?.['partial_json'] ?? delta?.['thinking'] ?? delta?.['content']
          if (typeof text === 'string') generated.push(text)
          break
        }
        case 'message_delta': {
          const delta = event['delta']
          if (isObject(delta) && delta['stop_reason']) stop = delta['stop_reason']
          const running = event['usage']
          if (!isObject(running)) break
          usage = withoutNulls(usage, running)
          if (running['output_tokens'] !== null && running['output_tokens'] !== undefined) hasOutput = true
          break
        }
        case 'error':
          error = isObject(event['error']) ? (codeOf(event['error']['type']) ?? 'stream_error') : 'stream_error'
      }
      return event
    },
    reading: () => ({
      responseId: textOf(id),
      model: textOf(model),
      ...readMessageUsage(usage, textOf(model), { hasOutput, isRunning: true }),
      finishReason: codeOf(stop),
      ...(error !== undefined && { error }),
    }),
    generated: () => generated,
  }

  function startBlock(block: unknown): void {
    if (!isObject(block)) return
    // A block of type `fallback` names the model that answers from here on.
    if (block['type'] === 'fallback' && isObject(block['to'])) model = block['to']['model'] ?? model
    if (typeof block['name'] === 'string') generated.push(block['name'])
  }
}

function withoutNulls(start: Json | undefined, running: Json): Json {
  const merged: Json = { ...start }
  for (const [field, value] of Object.entries(running)) if (value !== null) merged[field] = value
  return merged
}
