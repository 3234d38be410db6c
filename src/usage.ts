// What a call used, in disjoint buckets: every billed unit is in exactly one of them, whatever the provider nests in what.

/**
 * The buckets. Order is the order of reports. Units are tokens but for `unit.*` (what the name says) and `fee.*` (a
 * count of occurrences).
 * `input.text` and `output.text` are what is left after every other bucket of their direction was taken out.
 */
export const BUCKETS = [
  'input.text',
  'input.text.cache_read',
  'input.text.cache_write',
  'input.text.cache_write_5m',
  'input.text.cache_write_30m',
  'input.text.cache_write_1h',
  'input.text.cache_write_12h',
  'input.text.tool_use',
  'input.audio',
  'input.audio.cache_read',
  'input.image',
  'input.image.cache_read',
  'input.video',
  'input.video.cache_read',
  'output.text',
  'output.reasoning',
  'output.audio',
  'output.image',
  'output.video',
  'unit.input_characters',
  'unit.input_seconds',
  'unit.input_pages',
  'unit.input_images',
  'unit.output_images',
  'unit.output_seconds',
  'unit.session_seconds',
  'unit.cache_token_hours',
  'unit.trained_tokens',
  'fee.web_search',
  'fee.file_search',
  'fee.maps_search',
  'fee.code_session',
  'fee.rerank_search',
  'fee.classification',
] as const

export type Bucket = (typeof BUCKETS)[number]

/** Quantities by bucket; a bucket that holds nothing is left out. */
export type Usage = { readonly [B in Bucket]?: number }

/**
 * How we know: `reported` by the provider in full, `partial` (what arrived before the call broke off, the rest
 * estimated), `estimated` altogether, or `absent` (nothing is known, which is not the same as zero).
 */
export type UsageSource = 'reported' | 'partial' | 'estimated' | 'absent'

/**
 * Among the flags of an estimate that may not be the last word: the job was not over when its process gave it up, and an
 * event under the same id follows where another one hears of it.
 */
export const OPEN_JOB = 'job:open'

/** Lowest and highest token counts that the true figures can have, where `usage_source` is not `reported`. */
export interface UsageBounds {
  readonly inputTokens: readonly [low: number, high: number]
  readonly outputTokens: readonly [low: number, high: number]
}

/** Which of the figures of `TokenTotals` a bucket counts in: looked up, since its name would be cut up for every call. */
interface Part {
  readonly isInput: boolean
  readonly isOutput: boolean
  readonly isCached: boolean
  readonly isCacheCreation: boolean
  readonly isReasoning: boolean
  readonly isAudioInput: boolean
  readonly isAudioOutput: boolean
}

const PARTS = new Map<string, Part>(
  BUCKETS.map((bucket) => [
    bucket,
    {
      isInput: bucket.startsWith('input.'),
      isOutput: bucket.startsWith('output.'),
      isCached: bucket.endsWith('.cache_read'),
      isCacheCreation: bucket.includes('.cache_write'),
      isReasoning: bucket === 'output.reasoning',
      isAudioInput: bucket.startsWith('input.audio'),
      isAudioOutput: bucket === 'output.audio',
    },
  ]),
)

/** The inclusive figures that people know, the same for every provider. */
export interface TokenTotals {
  /** All input, cache reads and writes and tool-use prompts included. */
  inputTokens: number
  /** All output, reasoning included. */
  outputTokens: number
  totalTokens: number
  cachedTokens: number
  cacheCreationTokens: number
  reasoningTokens: number
  audioInputTokens: number
  audioOutputTokens: number
}

export function tokenTotals(usage: Usage): TokenTotals {
  const totals = {
    inputTokens: 0,
    outputTokens: 0,
    totalTokens: 0,
    cachedTokens: 0,
    cacheCreationTokens: 0,
    reasoningTokens: 0,
    audioInputTokens: 0,
    audioOutputTokens: 0,
  }
  for (const bucket in usage) {
    const part = PARTS.get(bucket)
    if (!part) continue
    const quantity = usage[bucket as Bucket] ?? 0
    if (part.isInput) totals.inputTokens += quantity
    if (part.isOutput) totals.outputTokens += quantity
    if (part.isCached) totals.cachedTokens += quantity
    if (part.isCacheCreation) totals.cacheCreationTokens += quantity
    if (part.isReasoning) totals.reasoningTokens += quantity
    if (part.isAudioInput) totals.audioInputTokens += quantity
    if (part.isAudioOutput) totals.audioOutputTokens += quantity
  }
  totals.totalTokens = totals.inputTokens + totals.outputTokens
  return totals
}
