// The tokens that OpenAI puts around the messages and tools of a chat: what makes an estimate close where it is documented.

import { isObject } from './counts.ts'
import type { TokenEstimate } from './estimate.ts'
import type { Json } from './provider.ts'

/**
 * github.com/openai/openai-cookbook, How to count tokens with tiktoken, as public code that follows it has it: 3 a
 * message, 1 for its role, 1 more for a name, 3 for the reply.
 */
const MESSAGE = 4
const NAME = 1
const REPLY = 3

/**
 * The same page: 7 and 12 around a function (10 and 12 for gpt-4 and before), 3 before the first of its parameters, 3
 * and the name of its type for each. OpenAI has not said that it stays so: bounded, not exact.
 */
const FUNCTION = 19
const PARAMETER = 4

/** Nothing is documented of another wire, nor of other surfaces of this one. */
export function frameOf(provider: string, endpoint: string, body: Json): TokenEstimate | undefined {
  if (endpoint !== 'chat.completions' || (provider !== 'openai' && provider !== 'azure')) return undefined
  const messages = listOf(body['messages'])
  let tokens = messages.length > 0 ? REPLY : 0
  for (const message of messages) tokens += MESSAGE + (isObject(message) && message['name'] ? NAME : 0)
  const around = aroundTools(body)
  return { tokens: tokens + around, low: tokens, high: tokens + 3 * around + (around > 0 ? 50 : 0) }
}

function aroundTools(body: Json): number {
  let tokens = 0
  for (const tool of [...listOf(body['tools']), ...listOf(body['functions'])]) {
    const described = isObject(tool) && isObject(tool['function']) ? tool['function'] : tool
    const parameters = isObject(described) ? described['parameters'] : undefined
    const properties = isObject(parameters) ? parameters['properties'] : undefined
    const count = isObject(properties) ? Object.keys(properties).length : 0
    tokens += FUNCTION + (count > 0 ? 3 + count * PARAMETER : 0)
  }
  return tokens
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
