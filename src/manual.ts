// Calls that no patch sees: what an application says of them, checked field by field and priced like any other.

import type { Markup } from './call/markup.ts'
import { priceNotes, putCost, putTokens } from './call/record.ts'
import { expected } from './errors.ts'
import { EVENT_FIELDS, type EventField, eventId, isoTime, type LLMEvent, timeIn } from './event.ts'
import { expectedOf, isCount, readField } from './manual/fields.ts'
import { type PicoUsd, parseDollars } from './money.ts'
import type { PriceBook, PriceGap } from './pricing/price.ts'
import { providerNamed } from './pricing/provider-names.ts'
import { costOfEvent } from './reprice.ts'
import type { Payer } from './tenant.ts'
import { BUCKETS, type Bucket, type Usage } from './usage.ts'
import { MAX_EVENT_PICO } from './wire-fields.ts'

/** What `trackManually` takes: any field of an event; only `provider` and `model` are needed. */
export interface ManualCall extends Partial<Omit<LLMEvent, 'eventId' | 'timestamp' | 'costUsd'>> {
  readonly provider: string
  readonly model: string
  /** Default: a new id. Give your own to make a repeated report count once in the ledger. */
  readonly eventId?: string
  /** When the call was made; default: now. */
  readonly timestamp?: string | Date
  /** What the provider says it cost, in dollars; left out, the call is priced from its usage. */
  readonly costUsd?: string | number
}

export interface ManualContext {
  readonly payer: Payer
  readonly appName: string | undefined
  readonly environment: string | undefined
  readonly markup?: Markup | undefined
  readonly now: number
  /** Told of each field that was left out, in one sentence. */
  readonly complain: (sentence: string) => void
  /** Told of fields that an event does not have. */
  readonly ignore: (names: readonly string[]) => void
}

type Building = { -readonly [Field in keyof LLMEvent]: LLMEvent[Field] }
type Fault = (field: string, sentence: string) => void

/** A call as it was reported: copied, so that the application may go on with its object. */
export interface ManualEvent {
  /** The event and its cost, once the price book is there. */
  price(book: PriceBook): {
    readonly event: LLMEvent
    readonly cost: PicoUsd | undefined
    /** Why it has none, where it used something. */
    readonly gap: PriceGap | undefined
  }
}

const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999)

/** Read by themselves, since what they mean depends on others. */
const APART: readonly EventField[] = ['timestamp', 'costUsd', 'usage']

/** The event of a call reported by hand, with what could be understood of it; nothing in it can make this throw. */
export function manualEvent(input: ManualCall, context: ManualContext): ManualEvent {
  const flags = new Set<string>()
  const fault: Fault = (field, sentence) => {
    context.complain(sentence)
    flags.add(`manual:${field}`)
  }
  const given = fieldsOf(input, fault)
  const unknown = Object.keys(given).filter((name) => !EVENT_FIELDS.includes(name as EventField))
  if (unknown.length > 0) context.ignore(unknown)

  const event = {
    eventId: eventId(context.now),
    timestamp: timeOf(given['timestamp'], context.now, fault),
    provider: 'unknown',
    model: 'unknown',
    endpoint: 'manual',
    usageSource: 'absent',
    ...(context.payer.tenantId !== undefined && { tenantId: context.payer.tenantId }),
    ...context.payer.attribution,
    ...(context.appName !== undefined && { appName: context.appName }),
    ...(context.environment !== undefined && { environment: context.environment }),
  } as Building
  const building = event as unknown as Record<EventField, unknown>
  for (const field of EVENT_FIELDS) {
    const value = given[field]
    if (value === undefined || value === null || APART.includes(field)) continue
    const read = readField(field, value)
    if (read === undefined) {
      fault(field, expected(field, expectedOf(field), value))
      // Named and not understood: nobody pays, rather than whoever the running code stands for.
      if (field === 'tenantId') delete event.tenantId
    } else building[field] = field === 'provider' ? providerNamed(read as string) : read
  }
  for (const field of ['provider', 'model'] as const)
    if (given[field] === undefined || given[field] === null)
      fault(field, expected(field, 'a non-empty string', given[field]))

  const usage = usageOf(given['usage'], event, fault)
  if (usage) {
    event.usage = usage
    if (given['usageSource'] === undefined) event.usageSource = 'reported'
    putTokens(event, usage)
  }
  const reported = reportedCost(given['costUsd'], fault)
  return {
    price(book) {
      const { cost, gap } =
        reported === undefined ? priced(event, book, context.markup, fault) : put(event, reported, context.markup)
      if (flags.size > 0) event.usageFlags = [...new Set([...(event.usageFlags ?? []), ...flags])]
      return { event: Object.freeze(event), cost, gap }
    },
  }
}

function fieldsOf(input: unknown, fault: Fault): Record<string, unknown> {
  try {
    if (typeof input === 'object' && input !== null) return { ...input }
    fault('call', expected('call', 'an object', input))
  } catch {
    // A getter of the application's threw; what it says of it may quote anything.
    fault('call', 'Expected `call` to be an object whose fields can be read.')
  }
  return {}
}

function timeOf(value: unknown, now: number, fault: Fault): string {
  if (value === undefined || value === null) return isoTime(now)
  const ms = value instanceof Date ? value.getTime() : typeof value === 'string' ? timeIn(value) : Number.NaN
  if (ms >= 0 && ms <= LAST_TIME) return isoTime(ms)
  fault('timestamp', expected('timestamp', expectedOf('timestamp'), value))
  return isoTime(now)
}

function reportedCost(value: unknown, fault: Fault): PicoUsd | undefined {
  if (value === undefined || value === null) return undefined
  const cost = parseDollars(value)
  if (cost !== undefined && cost >= 0n && cost <= MAX_EVENT_PICO) return cost
  fault('costUsd', expected('costUsd', expectedOf('costUsd'), value))
  return undefined
}

interface Priced {
  readonly cost: PicoUsd | undefined
  readonly gap: PriceGap | undefined
}

/** What the application says of its cost stands as it said it. */
function put(event: Building, pico: PicoUsd, markup: Markup | undefined): Priced {
  const { costSource = 'reported' } = event
  putCost(event, { cost: { pico, source: 'reported', lines: [] }, priceVersion: undefined, markup })
  event.costSource = costSource
  return { cost: pico, gap: undefined }
}

function priced(event: Building, book: PriceBook, markup: Markup | undefined, fault: Fault): Priced {
  const found = costOfEvent(book, event)
  if (!found) return { cost: undefined, gap: undefined }
  const { cost, gap } = found
  const isAbsurd = cost !== undefined && cost.pico > MAX_EVENT_PICO
  if (isAbsurd) fault('usage', 'Expected `usage` to be that of one call: its cost is beyond what a ledger holds.')
  putCost(event, { cost: isAbsurd ? undefined : cost, priceVersion: book.version, markup })
  const notes = priceNotes(cost, gap)
  if (notes) event.metadata = { ...event.metadata, ...notes }
  return { cost: isAbsurd ? undefined : cost?.pico, gap }
}

/** The buckets given, or those that the inclusive counts come to. */
function usageOf(buckets: unknown, event: Building, fault: Fault): Usage | undefined {
  if (buckets === undefined || buckets === null) return fromTotals(event, fault)
  if (typeof buckets !== 'object' || Array.isArray(buckets)) {
    fault('usage', expected('usage', 'an object of buckets', buckets))
    return fromTotals(event, fault)
  }
  const usage: { [B in Bucket]?: number } = {}
  for (const [name, quantity] of Object.entries(buckets)) {
    if (!BUCKETS.includes(name as Bucket))
      fault('usage', expected('usage', `an object of buckets such as \`${BUCKETS[0]}\``, name))
    else if (!isCount(quantity)) fault('usage', expected(`usage.${name}`, expectedOf('inputTokens'), quantity))
    else if (quantity > 0) usage[name as Bucket] = quantity
  }
  return usage
}

/** Cached, written and audio tokens are parts of the input, reasoning tokens of the output. */
function fromTotals(event: Building, fault: Fault): Usage | undefined {
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
