// Calls that no patch sees: what an application says of them, checked field by field and priced like any other.

import { expected } from './errors.ts'
import { EVENT_FIELDS, type EventField, eventId, isoTime, type LLMEvent, type TagValue } from './event.ts'
import { type PicoUsd, parseUsd } from './money.ts'
import type { PriceBook } from './pricing/price.ts'
import { putCost, putTokens } from './record.ts'
import { checkTags, type Payer, tenantIdFault } from './tenant.ts'
import { BUCKETS, type Bucket, type Usage } from './usage.ts'

/** What `trackManually` takes: any field of an event; only `provider` and `model` are needed. */
export interface ManualCall extends Partial<Omit<LLMEvent, 'eventId' | 'timestamp' | 'costUsd'>> {
  readonly provider: string
  readonly model: string
  /** Default: a new id. Give your own to make a repeated report count once. */
  readonly eventId?: string
  /** Default: now. */
  readonly timestamp?: string | Date
  /** What the provider says it cost, in dollars; left out, the call is priced from its usage. */
  readonly costUsd?: string | number
}

export interface ManualContext {
  readonly payer: Payer
  readonly book: PriceBook
  readonly appName: string | undefined
  readonly environment: string | undefined
  readonly now: number
  /** Told of each field that was left out, in one sentence. */
  readonly complain: (sentence: string) => void
  /** Told of fields that an event does not have. */
  readonly ignore: (names: readonly string[]) => void
}

type Building = { -readonly [Field in keyof LLMEvent]: LLMEvent[Field] }

const MAX_TEXT = 1024
const ABSURD = 1e12

/** The event of a call reported by hand, with what could be understood of it; nothing in it can make this throw. */
export function manualEvent(input: ManualCall, context: ManualContext): { event: LLMEvent; cost: PicoUsd | undefined } {
  const flags: string[] = []
  const fault = (field: string, sentence: string) => {
    context.complain(sentence)
    flags.push(`manual:${field}`)
  }
  const isObject = typeof input === 'object' && input !== null
  if (!isObject) fault('call', expected('call', 'an object', input))
  const given: Record<string, unknown> = isObject ? { ...input } : {}
  const unknown = Object.keys(given).filter((name) => !EVENT_FIELDS.includes(name as EventField))
  if (unknown.length > 0) context.ignore(unknown)

  const { attribution } = context.payer
  const timestamp = timeOf(given['timestamp'], context.now, fault)
  const event = {
    eventId: eventId(context.now),
    timestamp,
    provider: 'unknown',
    model: 'unknown',
    endpoint: 'manual',
    usageSource: 'absent',
    ...(context.payer.tenantId !== undefined && { tenantId: context.payer.tenantId }),
    ...attribution,
    ...(context.appName !== undefined && { appName: context.appName }),
    ...(context.environment !== undefined && { environment: context.environment }),
  } as Building
  const building = event as unknown as Record<string, unknown>
  for (const field of EVENT_FIELDS) {
    const value = given[field]
    if (value === undefined || value === null || field === 'timestamp' || field === 'costUsd' || field === 'usage')
      continue
    const read = READERS[field]?.(value)
    if (read === undefined) fault(field, expected(field, EXPECTS[field] ?? 'a value of its kind', value))
    else building[field] = read
  }
  for (const field of ['provider', 'model'] as const)
    if (given[field] === undefined) fault(field, expected(field, 'a non-empty string', given[field]))

  const usage = usageOf(given, event, fault)
  if (usage) {
    event.usage = usage
    event.usageSource = given['usageSource'] === undefined ? 'reported' : event.usageSource
    putTokens(event, usage)
  }
  const cost = costOf(event, given['costUsd'], context.book, timestamp, fault)
  if (flags.length > 0) event.usageFlags = [...(event.usageFlags ?? []), ...flags]
  return { event: Object.freeze(event), cost }
}

type Fault = (field: string, sentence: string) => void

function timeOf(value: unknown, now: number, fault: Fault): string {
  if (value === undefined || value === null) return isoTime(now)
  const ms = value instanceof Date ? value.getTime() : typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isFinite(ms)) return isoTime(ms)
  fault('timestamp', expected('timestamp', 'a Date or an ISO 8601 string', value))
  return isoTime(now)
}

function costOf(
  event: Building,
  given: unknown,
  book: PriceBook,
  timestamp: string,
  fault: Fault,
): PicoUsd | undefined {
  if (given !== undefined && given !== null) {
    const reported = typeof given === 'string' || typeof given === 'number' ? parseUsd(given) : undefined
    if (reported !== undefined && reported >= 0n) {
      putCost(event, { cost: { pico: reported, source: 'priced', lines: [] }, priceVersion: undefined })
      event.costSource = 'reported'
      delete event.costLines
      return reported
    }
    fault('costUsd', expected('costUsd', 'a decimal number of dollars, at least 0', given))
  }
  if (!event.usage) return undefined
  const { provider, model, serviceTier } = event
  const cost = book.price(event.usage, { provider, model, at: Date.parse(timestamp), serviceTier })
  putCost(event, { cost, priceVersion: book.version })
  return cost?.pico
}

/** The buckets given, or those that the inclusive counts come to: cached, written and audio are parts of the input, reasoning of the output. */
function usageOf(given: Record<string, unknown>, event: Building, fault: Fault): Usage | undefined {
  const buckets = given['usage']
  if (buckets !== undefined && buckets !== null) {
    const usage: { [B in Bucket]?: number } = {}
    for (const [name, quantity] of Object.entries(
      typeof buckets === 'object' ? (buckets as object) : { [String(buckets)]: 0 },
    )) {
      if (!BUCKETS.includes(name as Bucket))
        fault(`usage.${name}`, expected(`usage.${name}`, `one of the buckets ${BUCKETS.join(', ')}`, name))
      else if (!isCount(quantity))
        fault(`usage.${name}`, expected(`usage.${name}`, 'a whole number of at least 0', quantity))
      else if (quantity > 0) usage[name as Bucket] = quantity
    }
    return usage
  }
  const { inputTokens, outputTokens, totalTokens } = event
  if (inputTokens === undefined && outputTokens === undefined && totalTokens === undefined) return undefined
  const allOutput = outputTokens ?? Math.max(0, (totalTokens ?? 0) - (inputTokens ?? 0))
  const allInput = inputTokens ?? Math.max(0, (totalTokens ?? 0) - allOutput)
  const part = (field: 'cachedTokens' | 'cacheCreationTokens' | 'audioInputTokens' | 'reasoningTokens', of: number) => {
    const quantity = event[field] ?? 0
    if (quantity > of) fault(field, expected(field, `at most the ${of} tokens that it is a part of`, quantity))
    return Math.min(quantity, of)
  }
  const audio = part('audioInputTokens', allInput)
  const written = part('cacheCreationTokens', allInput - audio)
  const cached = part('cachedTokens', allInput - audio - written)
  const reasoning = part('reasoningTokens', allOutput)
  const all: { [B in Bucket]?: number } = {
    'input.text': allInput - audio - written - cached,
    'input.text.cache_read': cached,
    'input.text.cache_write': written,
    'input.audio': audio,
    'output.text': allOutput - reasoning,
    'output.reasoning': reasoning,
  }
  return Object.fromEntries(Object.entries(all).filter(([, quantity]) => quantity > 0)) as Usage
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= ABSURD
}

type Read = (value: unknown) => unknown

const text: Read = (value) =>
  typeof value === 'string' && value !== '' && value.length <= MAX_TEXT ? value : undefined
const count: Read = (value) => (isCount(value) ? value : undefined)
const amount: Read = (value) => (typeof value === 'number' && value >= 0 && value <= ABSURD ? value : undefined)
const yesOrNo: Read = (value) => (typeof value === 'boolean' ? value : undefined)
const object: Read = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
const list: Read = (value) => (Array.isArray(value) ? value : undefined)
const tags: Read = (value) => {
  try {
    return checkTags(value) as Record<string, TagValue>
  } catch {
    return undefined
  }
}
const oneOf =
  (...words: string[]): Read =>
  (value) =>
    words.includes(value as string) ? value : undefined

const READERS: Partial<Record<EventField, Read>> = {
  ...Object.fromEntries(EVENT_FIELDS.map((field) => [field, text])),
  tenantId: (value) => (tenantIdFault(value) === undefined ? value : undefined),
  tags,
  metadata: tags,
  stream: yesOrNo,
  durationUnavailable: yesOrNo,
  usageSource: oneOf('reported', 'partial', 'estimated', 'absent'),
  costSource: oneOf('reported', 'priced', 'fallback', 'estimated', 'unpriced'),
  usageBounds: object,
  usageFlags: list,
  attempts: list,
  costLines: list,
  inputTokensDetails: object,
  ...Object.fromEntries(
    [
      'inputTokens',
      'outputTokens',
      'totalTokens',
      'cachedTokens',
      'cacheCreationTokens',
      'reasoningTokens',
      'audioInputTokens',
      'cacheMissTokens',
      'inputTextTokens',
      'cachedInputTextTokens',
      'inputImageTokens',
      'cachedInputImageTokens',
      'outputImageTokens',
      'imageCount',
      'characterCount',
      'calls',
    ].map((field) => [field, count]),
  ),
  ...Object.fromEntries(['durationMs', 'durationSeconds', 'timeToFirstTokenMs'].map((field) => [field, amount])),
}

const EXPECTS: Partial<Record<EventField, string>> = Object.fromEntries(
  EVENT_FIELDS.map((field) => {
    const read = READERS[field]
    if (read === count) return [field, 'a whole number of at least 0']
    if (read === amount) return [field, 'a number of at least 0']
    if (read === yesOrNo) return [field, 'true or false']
    if (read === list) return [field, 'a list']
    if (read === tags) return [field, 'an object of short strings, finite numbers and booleans']
    if (read === object) return [field, 'an object']
    return [field, `a string of 1 to ${MAX_TEXT} characters`]
  }),
)
