// Anthropic's wire: messages and beta messages.
// Shapes: @anthropic-ai/sdk 1.12.0 resources/messages/messages.d.ts (Usage, MessageDeltaUsage).

import { codeOf, counts, isObject, textOf, usageOf } from './counts.ts'
import { texts } from './prompt.ts'
import type { Json, Provider, Reading, StreamReader } from './provider.ts'
import { switches } from './switches.ts'

/** `input_tokens` excludes cache reads and writes; `output_tokens` includes thinking. There is no total to check. */
export function readMessageUsage(
  usage: unknown,
  hasOutput = true,
): Pick<Reading, 'usage' | 'flags' | 'isPartial' | 'serviceTier'> {
  if (!isObject(usage)) return {}
  const count = counts()
  const created = count.of(usage, 'cache_creation_input_tokens')
  const byLife = usage['cache_creation']
  const write5m = count.of(byLife, 'ephemeral_5m_input_tokens')
  const write1h = count.of(byLife, 'ephemeral_1h_input_tokens')
  const split = write5m + write1h
  if (isObject(byLife) && split !== created) count.flag('sum', 'cache_creation')
  const output = hasOutput ? count.of(usage, 'output_tokens') : 0
  const thinking = hasOutput ? count.of(usage['output_tokens_details'], 'thinking_tokens') : 0
  if (thinking > output) count.flag('subset', 'output_tokens')
  const reasoning = Math.min(thinking, output)
  const reading: { usage: Reading['usage']; flags?: string[]; isPartial?: boolean; serviceTier?: string } = {
    usage: usageOf({
      'input.text': count.of(usage, 'input_tokens'),
      'input.text.cache_read': count.of(usage, 'cache_read_input_tokens'),
      // What the split does not cover was written for the default five minutes.
      'input.text.cache_write_5m': write5m + Math.max(0, created - split),
      'input.text.cache_write_1h': write1h,
      'output.text': output - reasoning,
      'output.reasoning': reasoning,
      'fee.web_search': count.of(usage['server_tool_use'], 'web_search_requests'),
    }),
  }
  if (count.flags.length > 0) reading.flags = count.flags
  if (count.isBroken || !hasOutput || !count.has(usage, 'input_tokens')) reading.isPartial = true
  // Fast mode has prices of its own, whatever the tier.
  const tier = usage['speed'] === 'fast' ? 'fast' : codeOf(usage['service_tier'])
  if (tier !== undefined) reading.serviceTier = tier
  return reading
}

function readMessage(answer: Json): Reading {
  return {
    ...readMessageUsage(answer['usage']),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    finishReason: codeOf(answer['stop_reason']),
  }
}

/**
 * `message_start` has the input and a placeholder for the output; `message_delta` brings running totals, `null` where
 * a field does not apply. The split of cache writes and the tier stand only in `message_start`.
 */
function messageStream(): StreamReader {
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
        case 'content_block_start': {
          const block = event['content_block']
          // A block of type `fallback` names the model that answers from here on.
          if (isObject(block) && block['type'] === 'fallback' && isObject(block['to']))
            model = block['to']['model'] ?? model
          break
        }
        case 'content_block_delta': {
          const delta = event['delta'] as Json | undefined
          const text = delta?.['text'] ?? delta?.['partial_json'] ?? delta?.['thinking']
          if (typeof text === 'string') generated.push(text)
          break
        }
        case 'message_delta': {
          const delta = event['delta']
          if (isObject(delta) && delta['stop_reason']) stop = delta['stop_reason']
          const running = event['usage']
          if (!isObject(running)) break
          usage ??= {}
          for (const field in running) if (running[field] !== null) usage[field] = running[field]
          if (running['output_tokens'] !== null && running['output_tokens'] !== undefined) hasOutput = true
          break
        }
        case 'error':
          error = isObject(event['error']) ? (codeOf(event['error']['type']) ?? 'stream_error') : 'stream_error'
      }
      return event
    },
    reading: () => ({
      ...readMessageUsage(usage, hasOutput),
      responseId: textOf(id),
      model: textOf(model),
      finishReason: codeOf(stop),
      ...(error !== undefined && { error }),
    }),
    generated: () => generated,
  }
}

export const anthropic: Provider = {
  name: 'anthropic',
  sdk: 'anthropic',
  hosts: /^api\.anthropic\.com$/,
  routes: [
    {
      endpoint: 'messages',
      path: /(?:^|\/)v1\/messages$/,
      request(body, _path, stream) {
        const metadata = switches(
          body,
          ['max_tokens', 'temperature', 'top_p', 'top_k', 'service_tier', 'speed', 'inference_geo'],
          ['messages', 'tools'],
        )
        const cap = body['max_tokens']
        return {
          model: textOf(body['model']) ?? 'unknown',
          stream,
          ...(typeof cap === 'number' && cap >= 0 && { maxOutputTokens: cap }),
          ...(metadata && { metadata }),
        }
      },
      fields: ['id', 'model', 'usage', 'stop_reason'],
      read: readMessage,
      readStream: messageStream,
      prompt: (body) => texts(body['system'], body['messages'], body['tools']),
    },
  ],
}
