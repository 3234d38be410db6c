// OpenAI's wire: chat completions, responses, legacy completions, embeddings.
// Shapes: openai 7.57.0 resources/**/*.d.ts (CompletionUsage, ResponseUsage, CreateEmbeddingResponse.Usage).

import { askForUsage } from './ask-for-usage.ts'
import { capOf, codeOf, textOf } from './counts.ts'
import { completionStream, readResponse, responseStream } from './openai-stream.ts'
import { readCompletionUsage, readEmbeddingUsage } from './openai-usage.ts'
import { texts } from './prompt.ts'
import type { Json, Provider, Route } from './provider.ts'
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
])

function facts(body: Json, stream: boolean, maxOutputTokens: number | undefined, lists: readonly string[]) {
  const model = textOf(body['model']) ?? 'unknown'
  return { model, stream, maxOutputTokens, metadata: switches(body, SWITCHES, lists) }
}

function countOf(value: unknown): number {
  return typeof value === 'number' && value > 1 ? value : 1
}

const FINISH = /"finish_reason"\s*:\s*"([\w.:-]{1,64})"/y

/** Why the first choice ended: from the choices, or cut out of their JSON text (inside a string every quote has a backslash). */
function finishOf(choices: unknown): string | undefined {
  if (typeof choices !== 'string')
    return Array.isArray(choices) ? codeOf((choices[0] as Json | null | undefined)?.['finish_reason']) : undefined
  for (let at = choices.indexOf('"finish_reason"'); at >= 0; at = choices.indexOf('"finish_reason"', at + 1)) {
    FINISH.lastIndex = at
    if (choices[at - 1] !== '\\') return FINISH.exec(choices)?.[1]
  }
  return undefined
}

const chat: Route = {
  endpoint: 'chat.completions',
  path: /(?:^|\/)chat\/completions$/,
  request: (body, _path, stream) =>
    facts(body, stream, capOf(body['max_completion_tokens'] ?? body['max_tokens'], body['n']), ['messages', 'tools']),
  prepare: askForUsage,
  fields: ['id', 'model', 'usage', 'service_tier'],
  textFields: ['choices'],
  read: (answer) => ({
    ...readCompletionUsage(answer['usage']),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    serviceTier: codeOf(answer['service_tier']),
    finishReason: finishOf(answer['choices']),
  }),
  readStream: completionStream,
  generated: (answer) => texts(answer['choices']),
  prompt: (body) => texts(body['messages'], body['tools'], body['functions'], body['response_format']),
}

export const openai: Provider = {
  name: 'openai',
  wire: 'openai',
  // Regional endpoints (eu.api.openai.com) are the same provider.
  hosts: /^(?:[a-z0-9-]+\.)?api\.openai\.com$/,
  routes: [
    chat,
    {
      endpoint: 'responses',
      path: /(?:^|\/)responses$/,
      request: (body, _path, stream) => facts(body, stream, capOf(body['max_output_tokens']), ['tools']),
      fields: ['id', 'model', 'usage', 'tool_usage', 'service_tier', 'status', 'error', 'background'],
      read: readResponse,
      readStream: responseStream,
      generated: (answer) => texts(answer['output']),
      prompt: (body) => texts(body['input'], body['instructions'], body['tools'], body['text']),
    },
    {
      ...chat,
      endpoint: 'completions',
      path: /(?:^|\/)completions$/,
      request: (body, _path, stream) => {
        const times = Math.max(countOf(body['n']), countOf(body['best_of']))
        // The API's own default is 16 tokens: an uncapped request is capped (completions.d.ts, max_tokens).
        return facts(body, stream, capOf(body['max_tokens'] ?? 16, times), [])
      },
      prompt: (body) => texts(body['prompt'], body['suffix']),
    },
    {
      endpoint: 'embeddings',
      path: /(?:^|\/)embeddings$/,
      request: (body) => facts(body, false, 0, ['input']),
      fields: ['model', 'usage'],
      read: (answer) => ({ ...readEmbeddingUsage(answer['usage']), model: textOf(answer['model']) }),
      generated: () => [],
      prompt: (body) => texts(body['input']),
    },
  ],
}
