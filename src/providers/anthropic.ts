// Anthropic's wire: messages and beta messages, batches of them, managed agents, dreams, and the old completions.

import { agentRoutes } from './anthropic-agents.ts'
import { batchRoutes } from './anthropic-batches.ts'
import { complete } from './anthropic-complete.ts'
import { messageStream, readMessage } from './anthropic-message.ts'
import { capOf, textOf } from './counts.ts'
import { messageOutput } from './output-control.ts'
import { texts } from './prompt.ts'
import { type Provider, type Route, UNKNOWN_MODEL } from './provider.ts'
import { switches } from './switches.ts'

const SWITCHES = new Set(['max_tokens', 'temperature', 'top_p', 'top_k', 'service_tier', 'speed', 'inference_geo'])

const messages: Route = {
  endpoint: 'messages',
  path: /(?:^|\/)v1\/messages$/,
  request(body, _path, stream) {
    const metadata = switches(body, SWITCHES, ['messages', 'tools'])
    const cap = capOf(body['max_tokens'])
    return {
      model: textOf(body['model']) ?? UNKNOWN_MODEL,
      stream,
      ...(cap !== undefined && { maxOutputTokens: cap }),
      ...(metadata && { metadata }),
    }
  },
  output: messageOutput,
  fields: ['id', 'model', 'usage', 'stop_reason'],
  read: readMessage,
  readStream: messageStream,
  generated: (answer) => texts(answer['content']),
  prompt: (body) => texts(body['system'], body['messages'], body['tools']),
}

/** As Vertex AI serves it: `.../publishers/anthropic/models/claude-sonnet-5@20260801:streamRawPredict`. */
const ofVertex: Route = {
  ...messages,
  path: /\/publishers\/anthropic\/models\/(?!count-tokens:)[^/:]+:(?:rawPredict|streamRawPredict)$/,
  request: (body, path, stream) => ({ ...messages.request(body, path, stream), model: modelIn(path) }),
}

function modelIn(path: string): string {
  const name = /\/models\/([^/:]+):/.exec(path)?.[1] ?? UNKNOWN_MODEL
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

export const anthropic: Provider = {
  name: 'anthropic',
  wire: 'anthropic',
  hosts: /^api\.anthropic\.com$/,
  routes: [messages, ofVertex, ...batchRoutes, ...agentRoutes, complete],
}
