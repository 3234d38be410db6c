// Anthropic's wire: which path is answered how, and its errors.

import { anthropicAgents } from './anthropic-agents.ts'
import { anthropicBatches } from './anthropic-batches.ts'
import { complete } from './anthropic-complete.ts'
import { message } from './anthropic-message.ts'
import { generate } from './generation.ts'
import { type Answer, asCount, type Call, type Failure, type Json, type Wire } from './wire.ts'
import { countTokens } from './words.ts'

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

function failure({ status, message, code }: Failure, requestId: string): Json {
  const type = code ?? ERROR_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
  return { type: 'error', error: { type, message: message ?? `Emulated ${status}.` }, request_id: requestId }
}

/** What the paths of messages and old completions are answered with. */
function generated(call: Call): Answer {
  const { method, path, body, reply } = call
  const reject = (status: number, message: string): Answer => ({
    status,
    json: failure({ status, message }, call.requestId),
  })
  const [, kind] = /\/v1\/(messages|messages\/count_tokens|complete)$/.exec(path) ?? []
  if (method !== 'POST' || kind === undefined) return reject(404, 'Not found')
  for (const field of REQUIRED[kind as keyof typeof REQUIRED]) {
    if (body[field] === undefined) return reject(400, `${field}: Field required`)
  }
  const cap = asCount(kind === 'complete' ? body.max_tokens_to_sample : body.max_tokens)
  const tokens = countTokens(kind === 'complete' ? body.prompt : [body.system, body.messages, body.tools])
  if (kind === 'messages/count_tokens') return { status: 200, json: { input_tokens: tokens } }
  const generation = generate({ tokens, cap, serial: call.serial }, reply)
  return kind === 'complete' ? complete(call, generation) : message(call, generation)
}

const REQUIRED = {
  messages: ['model', 'messages', 'max_tokens'],
  'messages/count_tokens': ['model', 'messages'],
  complete: ['model', 'prompt', 'max_tokens_to_sample'],
} as const

export function anthropicWire(): Wire {
  const batches = anthropicBatches(generated)
  const agents = anthropicAgents()
  return {
    provider: 'anthropic',
    lineEnd: '\n',
    answer: (call) => batches(call) ?? agents(call) ?? generated(call),
    failure,
    failureEvent: (reason, { requestId }) => ({ event: 'error', data: failure(reason, requestId) }),
    headers: (requestId) => ({ 'request-id': requestId, 'anthropic-organization-id': 'org_emulator' }),
  }
}
