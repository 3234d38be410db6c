// OpenAI's wire: chat and legacy completions, embeddings and decisions here, the rest in files of their own.
// Shapes: openai 7.57.0 resources/**/*.d.ts (CompletionUsage, CreateEmbeddingResponse.Usage, Decision.Usage).

import { askForUsage } from './ask-for-usage.ts'
import { capOf, codeOf, textOf } from './counts.ts'
import { assistants } from './openai-assistants.ts'
import { audio } from './openai-audio.ts'
import { batches } from './openai-batches.ts'
import { images } from './openai-images.ts'
import { jobs } from './openai-jobs.ts'
import { factsOf } from './openai-request.ts'
import { responses } from './openai-responses.ts'
import { openaiSockets } from './openai-socket.ts'
import { completionStream } from './openai-stream.ts'
import { flagSearches, readCompletionUsage, readEmbeddingUsage, readResponseUsage } from './openai-usage.ts'
import { chatOutput } from './output-control.ts'
import { texts } from './prompt.ts'
import type { Json, Provider, Route } from './provider.ts'

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
    factsOf(body, stream, capOf(body['max_completion_tokens'] ?? body['max_tokens'], body['n']), ['messages', 'tools']),
  output: chatOutput,
  prepare: askForUsage,
  fields: ['id', 'model', 'usage', 'service_tier'],
  textFields: ['choices'],
  read: (answer) => ({
    ...flagSearches(readCompletionUsage(answer['usage']), answer['model']),
    responseId: textOf(answer['id']),
    model: textOf(answer['model']),
    serviceTier: codeOf(answer['service_tier']),
    finishReason: finishOf(answer['choices']),
  }),
  readStream: completionStream,
  generated: (answer) => texts(answer['choices']),
  prompt: (body) => texts(body['messages'], body['tools'], body['functions'], body['response_format']),
}

/** Everything that is billed by itself; a batch may be made of it. */
const billable: readonly Route[] = [
  ...openaiSockets,
  chat,
  ...responses,
  {
    ...chat,
    endpoint: 'completions',
    path: /(?:^|\/)completions$/,
    output: undefined,
    request: (body, _path, stream) => {
      const times = Math.max(countOf(body['n']), countOf(body['best_of']))
      // The API's own default is 16 tokens: an uncapped request is capped (completions.d.ts, max_tokens).
      return factsOf(body, stream, capOf(body['max_tokens'] ?? 16, times), [])
    },
    prompt: (body) => texts(body['prompt'], body['suffix']),
  },
  {
    endpoint: 'embeddings',
    path: /(?:^|\/)embeddings$/,
    request: (body) => factsOf(body, false, 0, ['input']),
    fields: ['model', 'usage'],
    read: (answer) => ({ ...readEmbeddingUsage(answer['usage']), model: textOf(answer['model']) }),
    generated: () => [],
    prompt: (body) => texts(body['input']),
  },
  {
    endpoint: 'decisions',
    path: /(?:^|\/)decisions$/,
    request: (body) => factsOf(body, false, undefined, ['questions']),
    fields: ['model', 'usage'],
    // Priced apart from the model's responses.
    read: (answer) => ({ ...readResponseUsage(answer['usage']), model: textOf(answer['model']), variant: 'decisions' }),
    generated: (answer) => texts(answer['answers']),
    prompt: (body) => texts(body['input'], body['instructions'], body['questions']),
  },
  ...audio,
  ...images,
  ...jobs,
]

export const openai: Provider = {
  name: 'openai',
  wire: 'openai',
  // Regional endpoints (eu.api.openai.com) are the same provider.
  hosts: /^(?:[a-z0-9-]+\.)?api\.openai\.com$/,
  routes: [...billable, ...assistants, ...batches(billable)],
}
