// From a finished call to its event: the one place where an event is put together.

import { type Attempt, type CostSource, eventId, isoTime, type LLMEvent, type TagValue } from '../event.ts'
import { formatUsd } from '../money.ts'
import type { Cost } from '../pricing/price.ts'
import type { Reading, RequestFacts } from '../providers/provider.ts'
import type { Payer } from '../tenant.ts'
import { tokenTotals, type Usage, type UsageBounds, type UsageSource } from '../usage.ts'

/** Everything that is known of a call when it is over. */
export interface FinishedCall {
  readonly payer: Payer
  readonly provider: string
  readonly host: string
  readonly endpoint: string
  readonly facts: RequestFacts
  readonly reading: Reading
  readonly usage: Usage | undefined
  readonly usageSource: UsageSource
  readonly usageBounds: UsageBounds | undefined
  readonly flags: readonly string[] | undefined
  readonly attempts: readonly Attempt[]
  readonly requestId: string | undefined
  readonly status: number | undefined
  readonly error: string | undefined
  readonly errorCode: string | undefined
  /** How a stream ended, where it was not read to its end. */
  readonly streamEnd: string | undefined
  /** Epoch milliseconds at which it was made. */
  readonly at: number
  readonly durationMs: number
  readonly timeToFirstTokenMs: number | undefined
}

/** What the event has besides the call: the money, and the application's own labels. */
export interface EventContext {
  readonly cost: Cost | undefined
  readonly priceVersion: string | undefined
  readonly appName: string | undefined
  readonly environment: string | undefined
}

type Building = { -readonly [Field in keyof LLMEvent]: LLMEvent[Field] }

export function recordOf(call: FinishedCall, context: EventContext): LLMEvent {
  const { reading, facts, usage, payer } = call
  const model = reading.model ?? facts.model
  const event: Building = {
    eventId: eventId(call.at + call.durationMs),
    timestamp: isoTime(call.at),
    provider: call.provider,
    host: call.host,
    model,
    endpoint: call.endpoint,
    stream: facts.stream,
    usageSource: call.usageSource,
    durationMs: call.durationMs,
    attempts: call.attempts,
  }
  if (payer.tenantId !== undefined) event.tenantId = payer.tenantId
  const { attribution } = payer
  if (attribution.userId !== undefined) event.userId = attribution.userId
  if (attribution.sessionId !== undefined) event.sessionId = attribution.sessionId
  if (attribution.feature !== undefined) event.feature = attribution.feature
  if (attribution.team !== undefined) event.team = attribution.team
  if (attribution.project !== undefined) event.project = attribution.project
  if (attribution.costCenter !== undefined) event.costCenter = attribution.costCenter
  if (attribution.operationId !== undefined) event.operationId = attribution.operationId
  if (attribution.tags !== undefined) event.tags = attribution.tags
  if (context.appName !== undefined) event.appName = context.appName
  if (context.environment !== undefined) event.environment = context.environment
  if (model !== facts.model) event.modelRequested = facts.model
  if (reading.upstreamProvider !== undefined) event.upstreamProvider = reading.upstreamProvider
  if (reading.serviceTier !== undefined) event.serviceTier = reading.serviceTier
  if (usage !== undefined) {
    event.usage = usage
    putTokens(event, usage)
    putCost(event, context)
  }
  if (call.usageBounds !== undefined) event.usageBounds = call.usageBounds
  if (call.flags !== undefined && call.flags.length > 0) event.usageFlags = call.flags
  if (call.timeToFirstTokenMs !== undefined) event.timeToFirstTokenMs = call.timeToFirstTokenMs
  if (call.requestId !== undefined) event.requestId = call.requestId
  if (reading.responseId !== undefined) event.responseId = reading.responseId
  if (call.error !== undefined) event.error = call.error
  const metadata = metadataOf(call)
  if (metadata !== undefined) event.metadata = metadata
  return Object.freeze(event)
}

/** The inclusive counts of the usage; those that hold nothing are left out but for the three that everybody reads. */
export function putTokens(event: Building, usage: Usage): void {
  const totals = tokenTotals(usage)
  event.inputTokens = totals.inputTokens
  event.outputTokens = totals.outputTokens
  event.totalTokens = totals.totalTokens
  if (totals.cachedTokens > 0) event.cachedTokens = totals.cachedTokens
  if (totals.cacheCreationTokens > 0) event.cacheCreationTokens = totals.cacheCreationTokens
  if (totals.reasoningTokens > 0) event.reasoningTokens = totals.reasoningTokens
  if (totals.audioInputTokens > 0) event.audioInputTokens = totals.audioInputTokens
}

export function putCost(event: Building, { cost, priceVersion }: Pick<EventContext, 'cost' | 'priceVersion'>): void {
  event.costSource = costSource(cost, event.usageSource)
  if (cost === undefined) return
  event.costUsd = formatUsd(cost.pico)
  event.costLines = cost.lines
  if (priceVersion !== undefined) event.priceVersion = priceVersion
}

function costSource(cost: Cost | undefined, usageSource: UsageSource): CostSource {
  if (cost === undefined) return 'unpriced'
  return usageSource === 'reported' ? cost.source : 'estimated'
}

function metadataOf(call: FinishedCall): Readonly<Record<string, TagValue>> | undefined {
  const { facts, status, reading, errorCode, streamEnd } = call
  if (status === undefined && !facts.metadata && !errorCode && !streamEnd && !reading.reported) return undefined
  const metadata: Record<string, TagValue> = { ...facts.metadata }
  if (status !== undefined) metadata['http_status'] = status
  if (reading.finishReason !== undefined) metadata['finish_reason'] = reading.finishReason
  if (errorCode !== undefined) metadata['error_code'] = errorCode
  if (streamEnd !== undefined) metadata['stream_end'] = streamEnd
  // Beside the flags: the totals as the provider wrote them.
  for (const name in reading.reported) metadata[`reported_${name}`] = reading.reported[name]!
  return metadata
}
