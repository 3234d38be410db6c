// The fields of the wire: what each can hold, which must be there, and how large they may be.

import type { EventField } from './event.ts'

/** What a field of the wire can hold. */
export type FieldKind =
  | 'id'
  | 'time'
  | 'text'
  | 'count'
  | 'calls'
  | 'number'
  | 'boolean'
  | 'usd'
  | 'usageSource'
  | 'costSource'
  | 'quantities'
  | 'quantitiesByName'
  | 'scalars'
  | 'bounds'
  | 'flags'
  | 'attempts'
  | 'costLines'

export const FIELD_KINDS = {
  eventId: 'id',
  timestamp: 'time',
  tenantId: 'id',
  userId: 'text',
  sessionId: 'text',
  feature: 'text',
  team: 'text',
  project: 'text',
  costCenter: 'text',
  tags: 'scalars',
  appName: 'text',
  environment: 'text',
  provider: 'text',
  host: 'text',
  model: 'text',
  modelRequested: 'text',
  endpoint: 'text',
  upstreamProvider: 'text',
  serviceTier: 'text',
  geo: 'text',
  priceVariant: 'text',
  stream: 'boolean',
  usage: 'quantities',
  usageByModel: 'quantitiesByName',
  usageSource: 'usageSource',
  usageBounds: 'bounds',
  usageFlags: 'flags',
  inputTokens: 'count',
  outputTokens: 'count',
  totalTokens: 'count',
  cachedTokens: 'count',
  cacheCreationTokens: 'count',
  reasoningTokens: 'count',
  audioInputTokens: 'count',
  audioOutputTokens: 'count',
  cacheMissTokens: 'count',
  inputTextTokens: 'count',
  cachedInputTextTokens: 'count',
  inputImageTokens: 'count',
  cachedInputImageTokens: 'count',
  outputImageTokens: 'count',
  imageCount: 'count',
  characterCount: 'count',
  durationSeconds: 'number',
  durationUnavailable: 'boolean',
  inputTokensDetails: 'quantities',
  costUsd: 'usd',
  costSource: 'costSource',
  costLines: 'costLines',
  priceVersion: 'text',
  resaleUsd: 'usd',
  durationMs: 'number',
  timeToFirstTokenMs: 'number',
  requestId: 'text',
  responseId: 'text',
  operationId: 'text',
  attempts: 'attempts',
  error: 'text',
  metadata: 'scalars',
  fimPrefix: 'text',
  fimSuffix: 'text',
  calls: 'calls',
  countedOutputTokens: 'count',
  outputTokenizer: 'text',
  inputHashes: 'flags',
  outputHash: 'text',
} as const satisfies Record<EventField, FieldKind>

export const REQUIRED_FIELDS = [
  'eventId',
  'timestamp',
  'provider',
  'model',
  'endpoint',
  'usageSource',
] as const satisfies readonly EventField[]

export const MAX_TEXT_LENGTH = 1024
export const MAX_ENTRIES = 256
export const MAX_BATCH_EVENTS = 10_000

/** The dearest event that a ledger's 64 bits of pico-dollars hold: $9,223,372. */
export const MAX_EVENT_PICO = 2n ** 63n - 1n

export const USAGE_SOURCES = ['reported', 'partial', 'estimated', 'absent'] as const
export const COST_SOURCES = ['reported', 'priced', 'fallback', 'estimated', 'unpriced'] as const
export const BILLABLE = ['yes', 'no', 'unknown'] as const
