// The names of the GenAI conventions of OpenTelemetry: those of today, and those that went before.

import type { LLMEvent } from '../../event.ts'

/**
 * `current`: open-telemetry/semantic-conventions-genai at 066d4a7, read 2026-11-22; all of it has the status
 * "Development". `older`: open-telemetry/semantic-conventions v1.36.0 (July 2025), which most dashboards still read.
 */
export type NameSet = 'current' | 'older'

export type AttributeValue = string | number | boolean
export type Attributes = Record<string, AttributeValue>

export const CURRENT_METRICS = {
  inputTokens: 'gen_ai.client.inference.usage.input_tokens',
  outputTokens: 'gen_ai.client.inference.usage.output_tokens',
  cacheRead: 'gen_ai.client.inference.usage.cache_read.input_tokens',
  cacheWrite: 'gen_ai.client.inference.usage.cache_write.input_tokens',
  reasoning: 'gen_ai.client.inference.usage.reasoning.output_tokens',
  inputDistribution: 'gen_ai.client.inference.operation.input_tokens',
  outputDistribution: 'gen_ai.client.inference.operation.output_tokens',
  duration: 'gen_ai.client.inference.duration',
  firstChunk: 'gen_ai.client.inference.time_to_first_chunk',
} as const

export const OLDER_METRICS = {
  tokens: 'gen_ai.client.token.usage',
  duration: 'gen_ai.client.operation.duration',
} as const

/** The conventions have no cost. A double, as every number of OpenTelemetry: for dashboards, not for bills. */
export const COST = 'tallygate.cost'

/** The buckets that the conventions advise. */
export const TOKEN_BOUNDARIES = Array.from({ length: 14 }, (_, i) => 4 ** i)
export const SECOND_BOUNDARIES = Array.from({ length: 14 }, (_, i) => (2 ** i * 10) / 1000)

const OPERATIONS: Readonly<Record<string, string>> = {
  'chat.completions': 'chat',
  responses: 'chat',
  messages: 'chat',
  chat: 'chat',
  converse: 'chat',
  generate: 'chat',
  generateContent: 'generate_content',
  completions: 'text_completion',
  complete: 'text_completion',
  'fim.completions': 'text_completion',
  embeddings: 'embeddings',
  embedContent: 'embeddings',
}

/** What our names of providers are called there; any other keeps its own. */
const PROVIDERS: Readonly<Record<NameSet, Readonly<Record<string, string>>>> = {
  current: {
    aws: 'aws.bedrock',
    azure: 'azure.ai.openai',
    google: 'gcp.gemini',
    mistral: 'mistral_ai',
    moonshotai: 'moonshot_ai',
    'x-ai': 'x_ai',
  },
  older: {
    aws: 'aws.bedrock',
    azure: 'az.ai.openai',
    google: 'gcp.gemini',
    mistral: 'mistral_ai',
    'x-ai': 'xai',
  },
}

const VERTEX = /(^|[.-])aiplatform\.googleapis\.com$/

export function operationOf({ endpoint }: LLMEvent): string {
  return Object.hasOwn(OPERATIONS, endpoint) ? OPERATIONS[endpoint]! : endpoint
}

function providerOf({ provider, host }: LLMEvent, names: NameSet): string {
  if (provider === 'google' && host !== undefined && VERTEX.test(host)) return 'gcp.vertex_ai'
  const known = PROVIDERS[names]
  return Object.hasOwn(known, provider) ? known[provider]! : provider
}

/** What every metric of a call has. Without a tenant: a metric has a row for each, and there may be many. */
export function commonAttributes(event: LLMEvent, names: NameSet): Attributes {
  return {
    'gen_ai.operation.name': operationOf(event),
    [names === 'current' ? 'gen_ai.provider.name' : 'gen_ai.system']: providerOf(event, names),
    'gen_ai.request.model': event.modelRequested ?? event.model,
    'gen_ai.response.model': event.model,
    ...(event.host !== undefined && addressOf(event.host)),
  }
}

function addressOf(host: string): Attributes {
  const { hostname, port } = URL.canParse(`https://${host}`) ? new URL(`https://${host}`) : { hostname: host, port: '' }
  return { 'server.address': hostname, 'server.port': port === '' ? 443 : Number(port) }
}

/**
 * What a call is as attributes of a span: of one of yours, or of those that `openTelemetrySink({ spans: true })` makes.
 * `gen_ai.usage.input_tokens` includes what was cached, as the conventions want it. The cost is a text: exact.
 *
 * @example
 * import { trace } from '@opentelemetry/api'
 * const meter = new Meter({ onEvent: (event) => trace.getActiveSpan()?.setAttributes(genAiAttributes(event)) })
 */
export function genAiAttributes(event: LLMEvent, names: NameSet = 'current'): Attributes {
  const cacheWrite = names === 'current' ? 'cache_write' : 'cache_creation'
  const given: Record<string, AttributeValue | undefined> = {
    ...commonAttributes(event, names),
    'gen_ai.response.id': event.responseId,
    'gen_ai.usage.input_tokens': event.inputTokens,
    'gen_ai.usage.output_tokens': event.outputTokens,
    'gen_ai.usage.cache_read.input_tokens': event.cachedTokens,
    [`gen_ai.usage.${cacheWrite}.input_tokens`]: event.cacheCreationTokens,
    'gen_ai.usage.reasoning.output_tokens': event.reasoningTokens,
    'error.type': event.error,
    'tallygate.event_id': event.eventId,
    'tallygate.tenant_id': event.tenantId,
    'tallygate.user_id': event.userId,
    'tallygate.feature': event.feature,
    'tallygate.cost_usd': event.costUsd,
    'tallygate.usage_source': event.usageSource,
  }
  const attributes: Attributes = {}
  for (const [name, value] of Object.entries(given)) if (value !== undefined) attributes[name] = value
  return attributes
}
