// From a finished call to its event: the one place where an event is put together.

import { type Attempt, type CostSource, eventId, isoTime, type LLMEvent, type TagValue } from '../event.ts'
import { formatUsd, parseUsd } from '../money.ts'
import type { Cost, PriceBook, PriceGap, PriceQuery } from '../pricing/price.ts'
import { placeOf } from '../providers/place.ts'
import { type Reading, type RequestFacts, UNKNOWN_MODEL } from '../providers/provider.ts'
import type { Payer } from '../tenant.ts'
import { type Bucket, tokenTotals, type Usage, type UsageBounds, type UsageSource } from '../usage.ts'
import { MAX_TEXT_LENGTH } from '../wire-fields.ts'
import type { Markup } from './markup.ts'
import type { OwnCount } from './own-counts.ts'

/** Everything that is known of a call when it is over. */
export interface FinishedCall {
  /** Where it is not to be a new one: see `jobs.ts`. */
  readonly eventId?: string | undefined
  readonly payer: Payer
  readonly provider: string
  readonly host: string
  readonly endpoint: string
  readonly facts: RequestFacts
  readonly reading: Reading
  readonly usage: Usage | undefined
  readonly usageSource: UsageSource
  readonly usageBounds: UsageBounds | undefined
  /** The meter ended while the request was at the provider, which may bill it: a limit counts what the call held. */
  readonly isLeft?: boolean | undefined
  /** Tokens of the input as we counted them, where we did. */
  readonly countedTokens?: number | undefined
  readonly flags: readonly string[] | undefined
  readonly attempts: readonly Attempt[]
  readonly requestId: string | undefined
  readonly status: number | undefined
  readonly error: string | undefined
  readonly errorCode: string | undefined
  /** The output cap that a limit has given it, in tokens. */
  readonly clampedTo?: number | undefined
  /** How a stream ended, where it was not read to its end. */
  readonly streamEnd: string | undefined
  /** Epoch milliseconds at which it was made. */
  readonly at: number
  /** Absent for a call that nobody has waited for: one of a batch. */
  readonly durationMs: number | undefined
  readonly timeToFirstTokenMs: number | undefined
  /** What an audit keeps of its text. */
  readonly ownCount?: OwnCount | undefined
  /** The text around the gap, where it may be kept. */
  readonly fim?: { readonly prefix: unknown; readonly suffix: unknown } | undefined
}

/** What decides the price of a call besides its usage: the answer's own words, before those of the request and the host. */
export function queryOf(
  { provider, host, facts, reading, at }: Pick<FinishedCall, 'provider' | 'host' | 'facts' | 'reading' | 'at'>,
  tenantId: string | undefined,
): PriceQuery {
  const { model = facts.model, serviceTier, variant, geo = placeOf(provider, host) } = reading
  return { provider, model, at, serviceTier, geo, variant, tenantId }
}

/** What the provider itself says that it charges, or what the book says for every model that had a part in the call. */
export function costOf(
  book: Pick<PriceBook, 'price'>,
  usage: Usage | undefined,
  reading: Pick<Reading, 'costUsd' | 'others'>,
  query: PriceQuery,
): Cost | undefined {
  const reported = reading.costUsd === undefined ? undefined : parseUsd(reading.costUsd)
  if (reported !== undefined) return { pico: reported, source: 'reported', lines: [] }
  if (usage === undefined) return undefined
  const own = book.price(usage, query)
  if (!reading.others) return own
  const costs = [own, ...reading.others.map((other) => book.price(other.usage, { ...query, model: other.model }))]
  // A part without a price would make the sum too low.
  if (!costs.every((cost) => cost !== undefined)) return undefined
  return {
    pico: costs.reduce((sum, { pico }) => sum + pico, 0n),
    source: costs.some(({ source }) => source === 'fallback') ? 'fallback' : 'priced',
    lines: costs.flatMap(({ lines }) => lines),
  }
}

/** Why `costOf` gives nothing. */
export function gapOf(
  book: Pick<PriceBook, 'why'>,
  usage: Usage,
  { others = [] }: Pick<Reading, 'others'>,
  query: PriceQuery,
): PriceGap | undefined {
  const parts = [{ model: query.model, usage }, ...others]
  for (const part of parts) {
    const gap = book.why(part.usage, { ...query, model: part.model })
    if (gap) return gap
  }
  return undefined
}

/** What the event has besides the call: the money, and the application's own labels. */
export interface EventContext {
  readonly cost: Cost | undefined
  readonly priceVersion: string | undefined
  /** Where and in which form it was priced: an event says so, or it could not be priced again. */
  readonly query?: Pick<PriceQuery, 'geo' | 'variant'> | undefined
  /** Why it has no cost. */
  readonly gap?: PriceGap | undefined
  readonly markup?: Markup | undefined
  readonly appName: string | undefined
  readonly environment: string | undefined
}

type Building = { -readonly [Field in keyof LLMEvent]: LLMEvent[Field] }

export function recordOf(call: FinishedCall, context: EventContext): LLMEvent {
  const { reading, facts, usage, payer } = call
  const model = reading.model ?? facts.model
  const event: Building = {
    eventId: call.eventId ?? eventId(call.at + (call.durationMs ?? 0)),
    timestamp: isoTime(call.at),
    provider: call.provider,
    host: call.host,
    model,
    endpoint: call.endpoint,
    stream: facts.stream,
    usageSource: call.usageSource,
    attempts: call.attempts,
  }
  if (call.durationMs !== undefined) event.durationMs = call.durationMs
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
  if (model !== facts.model && facts.model !== UNKNOWN_MODEL) event.modelRequested = facts.model
  if (reading.upstreamProvider !== undefined) event.upstreamProvider = reading.upstreamProvider
  if (reading.serviceTier !== undefined) event.serviceTier = reading.serviceTier
  if (context.query?.geo !== undefined) event.geo = context.query.geo
  if (context.query?.variant !== undefined) event.priceVariant = context.query.variant
  if (usage !== undefined) {
    const { others } = reading
    event.usage = others ? sumOf([usage, ...others.map((other) => other.usage)]) : usage
    if (others) event.usageByModel = byModel(model, usage, others)
    putTokens(event, event.usage)
  }
  if (usage !== undefined || context.cost !== undefined) putCost(event, context)
  if (reading.figures !== undefined) Object.assign(event, reading.figures)
  if (call.usageBounds !== undefined) event.usageBounds = call.usageBounds
  if (call.flags !== undefined && call.flags.length > 0) event.usageFlags = call.flags
  if (call.timeToFirstTokenMs !== undefined) event.timeToFirstTokenMs = call.timeToFirstTokenMs
  if (call.requestId !== undefined) event.requestId = call.requestId
  if (reading.responseId !== undefined) event.responseId = reading.responseId
  if (call.error !== undefined) event.error = call.error
  const metadata = metadataOf(call)
  if (metadata !== undefined) event.metadata = metadata
  const notes = priceNotes(context.cost, context.gap)
  if (notes !== undefined) event.metadata = { ...event.metadata, ...notes }
  if (call.fim) putFim(event, call.fim)
  if (call.ownCount) Object.assign(event, call.ownCount)
  return Object.freeze(event)
}

/** What is next to the gap, as much of it as a field of the wire holds. */
function putFim(event: Building, { prefix, suffix }: NonNullable<FinishedCall['fim']>): void {
  if (typeof prefix === 'string' && prefix !== '')
    event.fimPrefix = prefix.slice(-MAX_TEXT_LENGTH).replace(/^[\uDC00-\uDFFF]/, '')
  if (typeof suffix === 'string' && suffix !== '')
    event.fimSuffix = suffix.slice(0, MAX_TEXT_LENGTH).replace(/[\uD800-\uDBFF]$/, '')
}

function byModel(model: string, usage: Usage, others: NonNullable<Reading['others']>): Record<string, Usage> {
  const models: Record<string, Usage> = { [model]: usage }
  for (const other of others) {
    const before = models[other.model]
    models[other.model] = before ? sumOf([before, other.usage]) : other.usage
  }
  return models
}

function sumOf(usages: readonly Usage[]): Usage {
  const sum: { [B in Bucket]?: number } = {}
  for (const usage of usages)
    for (const [bucket, quantity] of Object.entries(usage) as [Bucket, number][])
      sum[bucket] = (sum[bucket] ?? 0) + quantity
  return sum
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
  if (totals.audioOutputTokens > 0) event.audioOutputTokens = totals.audioOutputTokens
}

export function putCost(
  event: Building,
  { cost, priceVersion, markup }: Pick<EventContext, 'cost' | 'priceVersion' | 'markup'>,
): void {
  event.costSource = costSourceOf(cost, event.usageSource)
  if (cost === undefined) return
  event.costUsd = formatUsd(cost.pico)
  if (cost.lines.length > 0) event.costLines = cost.lines
  if (priceVersion !== undefined) event.priceVersion = priceVersion
  const resale = markup?.(cost.pico, event)
  if (resale !== undefined) event.resaleUsd = formatUsd(resale)
}

/** What `metadata` says of a price that is missing, or that is the family's, which `estimated` alone would not tell. */
export function priceNotes(
  cost: Cost | undefined,
  gap: PriceGap | undefined,
): { readonly unpriced?: string; readonly price_fallback?: true } | undefined {
  if (cost) return cost.source === 'fallback' ? { price_fallback: true } : undefined
  return gap && { unpriced: gap.bucket === undefined ? gap.reason : `${gap.reason}:${gap.bucket}` }
}

export function costSourceOf(cost: Cost | undefined, usageSource: UsageSource): CostSource {
  if (cost === undefined) return 'unpriced'
  if (cost.source === 'reported') return 'reported'
  return usageSource === 'reported' ? cost.source : 'estimated'
}

function metadataOf(call: FinishedCall): Readonly<Record<string, TagValue>> | undefined {
  const { facts, status, reading, errorCode, streamEnd, clampedTo } = call
  const isEmpty = status === undefined && !facts.metadata && !reading.metadata && reading.finishReason === undefined
  if (isEmpty && !errorCode && !streamEnd && !reading.reported && clampedTo === undefined) return undefined
  const metadata: Record<string, TagValue> = { ...facts.metadata, ...reading.metadata }
  if (status !== undefined) metadata['http_status'] = status
  if (reading.finishReason !== undefined) metadata['finish_reason'] = reading.finishReason
  if (errorCode !== undefined) metadata['error_code'] = errorCode
  if (streamEnd !== undefined) metadata['stream_end'] = streamEnd
  if (clampedTo !== undefined) metadata['clamped_to'] = clampedTo
  // Beside the flags: the totals as the provider wrote them.
  for (const name in reading.reported) metadata[`reported_${name}`] = reading.reported[name]!
  return metadata
}
