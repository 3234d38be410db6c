// The record of one call, and its form on the wire.

import type { Usage, UsageBounds, UsageSource } from './usage.ts'

export const SCHEMA_VERSION = 1

/** Where the cost came from. `fallback`: the price of the model's family; `estimated`: of usage that was estimated; `unpriced`: no price is known. */
export type CostSource = 'reported' | 'priced' | 'fallback' | 'estimated' | 'unpriced'

/** One HTTP request of a call; an SDK's retries are further attempts of the same call. */
export interface Attempt {
  /** HTTP status; absent when no answer came. */
  readonly status?: number
  readonly requestId?: string
  /** Whether the provider bills it. */
  readonly billable: 'yes' | 'no' | 'unknown'
}

export type TagValue = string | number | boolean

/** One line of a cost: `quantity` of `bucket` at a rate of the price book. */
export interface CostLine {
  readonly bucket: string
  readonly quantity: number
  /** Exact decimal dollars. */
  readonly costUsd: string
  /** The row of the price book that priced it. */
  readonly rate: string
}

/**
 * The record of one metered call. Fields that hold nothing are left out.
 * Token counts at this level are inclusive, the same for every provider; `usage` holds the disjoint buckets.
 */
export interface LLMEvent {
  /**
   * What makes a delivered event count once: a UUIDv7 made when the call ended, or, for work whose result can be fetched
   * again and again (a batch, a response in the background), a UUIDv8 made of the provider's id of it. The same id comes
   * twice only where an estimate is followed by what was reported, which replaces it.
   */
  readonly eventId: string
  /** When the call was made, ISO 8601 in UTC. */
  readonly timestamp: string
  readonly tenantId?: string
  readonly userId?: string
  readonly sessionId?: string
  readonly feature?: string
  readonly team?: string
  readonly project?: string
  readonly costCenter?: string
  readonly tags?: Readonly<Record<string, TagValue>>
  readonly appName?: string
  readonly environment?: string

  /** Decided by the host: `openai`, `anthropic`, `google`, or the host's own name where it is not known. */
  readonly provider: string
  readonly host?: string
  /** The model that served the call; the one requested where the answer names none. */
  readonly model: string
  readonly modelRequested?: string
  /** `chat.completions`, `responses`, `messages`, `generateContent`, ... */
  readonly endpoint: string
  readonly upstreamProvider?: string
  readonly serviceTier?: string
  /** Where it was processed, where that is part of the price: `us`, `eu`. */
  readonly geo?: string
  /** What a piece is priced by beside its count: `1024x1536/high` of an image, `720p` of a video. */
  readonly priceVariant?: string
  readonly stream?: boolean

  /** Of every model that had a part in the call; see `usageByModel`. */
  readonly usage?: Usage
  /** Where several models had a part in the call, each billed at its own prices: what each used, by its id. */
  readonly usageByModel?: Readonly<Record<string, Usage>>
  readonly usageSource: UsageSource
  readonly usageBounds?: UsageBounds
  /**
   * Where the provider's own numbers contradict each other or are no counts: `negative:output_tokens`, `sum:total_tokens`, ...
   * `job:open` is on the estimate of a job that was not over: what was reported may follow under the same id.
   */
  readonly usageFlags?: readonly string[]
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly totalTokens?: number
  readonly cachedTokens?: number
  readonly cacheCreationTokens?: number
  readonly reasoningTokens?: number
  readonly audioInputTokens?: number
  readonly audioOutputTokens?: number
  readonly cacheMissTokens?: number
  readonly inputTextTokens?: number
  readonly cachedInputTextTokens?: number
  readonly inputImageTokens?: number
  readonly cachedInputImageTokens?: number
  readonly outputImageTokens?: number
  readonly imageCount?: number
  readonly characterCount?: number
  readonly durationSeconds?: number
  readonly durationUnavailable?: boolean
  readonly inputTokensDetails?: Readonly<Record<string, number>>

  /** Exact decimal dollars; left out when no price is known, which is never 0. */
  readonly costUsd?: string
  readonly costSource?: CostSource
  readonly costLines?: readonly CostLine[]
  readonly priceVersion?: string
  /** What you charge for the call, by the option `markup`; exact decimal dollars, apart from what it costs. */
  readonly resaleUsd?: string

  readonly durationMs?: number
  readonly timeToFirstTokenMs?: number
  readonly requestId?: string
  readonly responseId?: string
  /** The same on every event that one public SDK call or agent step caused, where the application says so. */
  readonly operationId?: string
  readonly attempts?: readonly Attempt[]
  /** A short code when the call failed or broke off: `http_400`, `aborted`, `interrupted`, `connection`, ... Never a provider's text. */
  readonly error?: string
  /** Numbers and switches of the request, HTTP status, finish reason. Never text of a prompt or an answer. */
  readonly metadata?: Readonly<Record<string, TagValue>>
  /** What stands before the gap of a fill-in-the-middle call, its last 1024 characters: only with the option `captureFim`. */
  readonly fimPrefix?: string
  /** What stands behind it, its first 1024 characters. */
  readonly fimSuffix?: string
  /** How many calls this event stands for: above 1 only on the roll-up of calls that `sampleRate` left out. */
  readonly calls?: number
  /** Tokens of the output as this process counted them: only with the option `audit`. */
  readonly countedOutputTokens?: number
  /** What they were counted with: `js-tiktoken@1.0.21/o200k_base`. */
  readonly outputTokenizer?: string
  /** Salted hashes of the beginnings of the prompt, each behind its length in bytes: only with the option `contentHash`. */
  readonly inputHashes?: readonly string[]
  /** Salted hash of the output: likewise. */
  readonly outputHash?: string
}

/** The event as it travels: the same fields in snake_case, plus `schema_version`. See docs/wire.md. */
export type WireEvent = Record<string, unknown> & { schema_version: number; event_id: string }

/** Every field of an event in the order of the wire, with its name there. */
export const WIRE_NAMES = {
  eventId: 'event_id',
  timestamp: 'timestamp',
  tenantId: 'tenant_id',
  userId: 'user_id',
  sessionId: 'session_id',
  feature: 'feature',
  team: 'team',
  project: 'project',
  costCenter: 'cost_center',
  tags: 'tags',
  appName: 'app_name',
  environment: 'environment',
  provider: 'provider',
  host: 'host',
  model: 'model',
  modelRequested: 'model_requested',
  endpoint: 'endpoint',
  upstreamProvider: 'upstream_provider',
  serviceTier: 'service_tier',
  geo: 'geo',
  priceVariant: 'price_variant',
  stream: 'stream',
  usage: 'usage',
  usageByModel: 'usage_by_model',
  usageSource: 'usage_source',
  usageBounds: 'usage_bounds',
  usageFlags: 'usage_flags',
  inputTokens: 'input_tokens',
  outputTokens: 'output_tokens',
  totalTokens: 'total_tokens',
  cachedTokens: 'cached_tokens',
  cacheCreationTokens: 'cache_creation_tokens',
  reasoningTokens: 'reasoning_tokens',
  audioInputTokens: 'audio_input_tokens',
  audioOutputTokens: 'audio_output_tokens',
  cacheMissTokens: 'cache_miss_tokens',
  inputTextTokens: 'input_text_tokens',
  cachedInputTextTokens: 'cached_input_text_tokens',
  inputImageTokens: 'input_image_tokens',
  cachedInputImageTokens: 'cached_input_image_tokens',
  outputImageTokens: 'output_image_tokens',
  imageCount: 'image_count',
  characterCount: 'character_count',
  durationSeconds: 'duration_seconds',
  durationUnavailable: 'duration_unavailable',
  inputTokensDetails: 'input_tokens_details',
  costUsd: 'cost_usd',
  costSource: 'cost_source',
  costLines: 'cost_lines',
  priceVersion: 'price_version',
  resaleUsd: 'resale_usd',
  durationMs: 'duration_ms',
  timeToFirstTokenMs: 'time_to_first_token_ms',
  requestId: 'request_id',
  responseId: 'response_id',
  operationId: 'operation_id',
  attempts: 'attempts',
  error: 'error',
  metadata: 'metadata',
  fimPrefix: 'fim_prefix',
  fimSuffix: 'fim_suffix',
  calls: 'calls',
  countedOutputTokens: 'counted_output_tokens',
  outputTokenizer: 'output_tokenizer',
  inputHashes: 'input_hashes',
  outputHash: 'output_hash',
} as const satisfies Record<keyof LLMEvent, string>

export type EventField = keyof typeof WIRE_NAMES
export const EVENT_FIELDS = Object.keys(WIRE_NAMES) as EventField[]

/** The event in snake_case, in the order of `WIRE_NAMES`. */
export function toWire(event: LLMEvent): WireEvent {
  const wire: Record<string, unknown> = { schema_version: SCHEMA_VERSION }
  for (const field of EVENT_FIELDS) {
    const value: unknown = event[field]
    if (value === undefined) continue
    wire[WIRE_NAMES[field]] = NESTED[field]?.(value) ?? value
  }
  return wire as WireEvent
}

/** The event that a wire body holds. The caller has checked it against `wireEventSchema` of `wire.ts`. */
export function fromWire(wire: Record<string, unknown>): LLMEvent {
  const event: Record<string, unknown> = {}
  for (const field of EVENT_FIELDS) {
    const value = wire[WIRE_NAMES[field]]
    if (value === undefined || value === null) continue
    event[field] = UNNESTED[field]?.(value) ?? value
  }
  return event as unknown as LLMEvent
}

type Rename = (value: unknown) => unknown

export const NESTED: Partial<Record<EventField, Rename>> = {
  usageBounds: (value) => {
    const bounds = value as UsageBounds
    return { input_tokens: bounds.inputTokens, output_tokens: bounds.outputTokens }
  },
  attempts: (value) =>
    (value as Attempt[]).map(({ requestId, ...rest }) =>
      requestId === undefined ? rest : { ...rest, request_id: requestId },
    ),
  costLines: (value) => (value as CostLine[]).map(({ costUsd, ...rest }) => ({ ...rest, cost_usd: costUsd })),
}

const UNNESTED: Partial<Record<EventField, Rename>> = {
  usageBounds: (value) => {
    const bounds = value as { input_tokens: [number, number]; output_tokens: [number, number] }
    return { inputTokens: bounds.input_tokens, outputTokens: bounds.output_tokens }
  },
  attempts: (value) =>
    (value as Record<string, unknown>[]).map(({ request_id, ...rest }) =>
      request_id === undefined ? rest : { ...rest, requestId: request_id },
    ),
  costLines: (value) =>
    (value as Record<string, unknown>[]).map(({ cost_usd, ...rest }) => ({ ...rest, costUsd: cost_usd })),
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
/** The first 32 of the 48 bits of the time, which last for 65 seconds. */
const EPOCH_MS = 2 ** 16
let epoch = -1
let epochDigits = ''
const RANDOM_DIGITS = 18
/** Filled again and again: memory outside of the heap is dear to get and to give back. */
let randomBytes: Buffer | undefined
let random = ''
let randomAt = 0

/**
 * A UUIDv7: time-ordered, so that a ledger's index grows at its end (343,000 rows a second against 40,000 with random ids).
 * 72 bits of it are random; the digits are drawn for 128 ids at a time.
 */
export function eventId(nowMs: number): string {
  const rest = nowMs % EPOCH_MS
  if (nowMs - rest !== epoch) {
    epoch = nowMs - rest
    epochDigits = (epoch / EPOCH_MS).toString(16).padStart(8, '0')
  }
  if (randomAt === random.length) {
    // Not imported: node:crypto takes 5 ms of CPU to load, for which the first event is early enough.
    randomBytes ??= Buffer.alloc(64 * RANDOM_DIGITS)
    random = process.getBuiltinModule('node:crypto').randomFillSync(randomBytes).toString('hex')
    randomAt = 0
  }
  const at = randomAt
  randomAt += RANDOM_DIGITS
  return (
    `${epochDigits}-${HEX[rest >> 8]}${HEX[rest & 255]}-7${random.slice(at, at + 3)}` +
    `-8${random.slice(at + 3, at + 6)}-${random.slice(at + 6, at + RANDOM_DIGITS)}`
  )
}

let isoSecond = -1
let isoPrefix = ''

/** ISO 8601 in UTC; the prefix is kept for a second, since `toISOString` costs 0.5 us. */
export function isoTime(ms: number): string {
  const second = Math.floor(ms / 1000)
  if (second !== isoSecond) {
    isoSecond = second
    isoPrefix = new Date(second * 1000).toISOString().slice(0, 20)
  }
  return `${isoPrefix}${String(ms - second * 1000).padStart(3, '0')}Z`
}

const WITHOUT_ZONE = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)$/
const WITH_ZONE = /^\d{4}-\d\d-\d\d$|(?:Z|GMT|UTC|[+-]\d\d(?::?\d\d)?)$/i

/** Epoch milliseconds of a written moment, `NaN` for what is none. Without a zone it is UTC, wherever this runs. */
export function timeIn(text: string): number {
  const plain = text.trim()
  const [, day, time] = WITHOUT_ZONE.exec(plain) ?? []
  if (day !== undefined) return Date.parse(`${day}T${time}Z`)
  return WITH_ZONE.test(plain) ? Date.parse(plain) : Number.NaN
}
