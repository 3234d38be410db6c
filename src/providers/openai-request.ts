// What a request on OpenAI's wire says of itself, the same for every surface.

import { textOf } from './counts.ts'
import { type Json, type RequestFacts, UNKNOWN_MODEL } from './provider.ts'
import { switches } from './switches.ts'

const SWITCHES = new Set([
  'temperature',
  'top_p',
  'n',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
  'frequency_penalty',
  'presence_penalty',
  'parallel_tool_calls',
  'logprobs',
  'store',
  'background',
  'dimensions',
  'reasoning_effort',
  'service_tier',
  'size',
  'quality',
  'seconds',
  'response_format',
  'stream_format',
  'speed',
  'completion_window',
  'partial_images',
])

export function factsOf(
  body: Json,
  stream: boolean,
  maxOutputTokens?: number | undefined,
  lists: readonly string[] = [],
): RequestFacts {
  const model = textOf(body['model']) ?? UNKNOWN_MODEL
  return { model, stream, maxOutputTokens, metadata: switches(body, SWITCHES, lists) }
}
