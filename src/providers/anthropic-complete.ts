// Anthropic's old text completions, of SDKs before 1.0. They never tell what they used: it is estimated, and says so.
// Shapes: @anthropic-ai/sdk 0.137.0 resources/completions.d.ts (Completion).

import { capOf, codeOf, isObject, textOf } from './counts.ts'
import type { Json, Reading, Route, StreamReader } from './provider.ts'
import { switches } from './switches.ts'

const SWITCHES = new Set(['max_tokens_to_sample', 'temperature', 'top_p', 'top_k'])

function read(answer: Json): Reading {
  return {
    model: textOf(answer['model']),
    responseId: textOf(answer['id']),
    finishReason: codeOf(answer['stop_reason']),
  }
}

function completionStream(): StreamReader {
  const generated: string[] = []
  let last: Json = {}
  let error: string | undefined
  return {
    take(event) {
      if (event['type'] === 'error')
        error = isObject(event['error']) ? (codeOf(event['error']['type']) ?? 'stream_error') : 'stream_error'
      if (typeof event['completion'] !== 'string') return event
      last = event
      generated.push(event['completion'])
      return event
    },
    reading: () => ({ ...read(last), ...(error !== undefined && { error }) }),
    generated: () => generated,
  }
}

export const complete: Route = {
  endpoint: 'complete',
  path: /(?:^|\/)v1\/complete$/,
  request(body, _path, stream) {
    const metadata = switches(body, SWITCHES, [])
    const cap = capOf(body['max_tokens_to_sample'])
    return {
      model: textOf(body['model']) ?? 'unknown',
      stream,
      ...(cap !== undefined && { maxOutputTokens: cap }),
      ...(metadata && { metadata }),
    }
  },
  fields: ['id', 'model', 'stop_reason', 'completion'],
  read,
  readStream: completionStream,
  isUsageOptional: true,
  generated: ({ completion }) => (typeof completion === 'string' ? [completion] : []),
  prompt: ({ prompt }) => (typeof prompt === 'string' ? [prompt] : []),
}
