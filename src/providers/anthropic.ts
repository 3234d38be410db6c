// Anthropic's wire: messages and beta messages, batches of them, managed agents, dreams, and the old completions.

import { agentRoutes } from './anthropic-agents.ts'
import { batchRoutes } from './anthropic-batches.ts'
import { complete } from './anthropic-complete.ts'
import { messageStream, readMessage } from './anthropic-message.ts'
import { capOf, textOf } from './counts.ts'
import { texts } from './prompt.ts'
import type { Provider } from './provider.ts'
import { switches } from './switches.ts'

const SWITCHES = new Set(['max_tokens', 'temperature', 'top_p', 'top_k', 'service_tier', 'speed', 'inference_geo'])

export const anthropic: Provider = {
  name: 'anthropic',
  wire: 'anthropic',
  hosts: /^api\.anthropic\.com$/,
  routes: [
    {
      endpoint: 'messages',
      path: /(?:^|\/)v1\/messages$/,
      request(body, _path, stream) {
        const metadata = switches(body, SWITCHES, ['messages', 'tools'])
        const cap = capOf(body['max_tokens'])
        return {
          model: textOf(body['model']) ?? 'unknown',
          stream,
          ...(cap !== undefined && { maxOutputTokens: cap }),
          ...(metadata && { metadata }),
        }
      },
      fields: ['id', 'model', 'usage', 'stop_reason'],
      read: readMessage,
      readStream: messageStream,
      generated: (answer) => texts(answer['content']),
      prompt: (body) => texts(body['system'], body['messages'], body['tools']),
    },
    ...batchRoutes,
    ...agentRoutes,
    complete,
  ],
}
