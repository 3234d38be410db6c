// What an audit says of a bill: how far each figure can be checked, what it came to, and what is to be looked at.

import type { LLMEvent } from '../event.ts'
import type { PicoUsd } from '../money.ts'
import type { Json } from '../providers/provider.ts'

/** `EXACT`: counted again by the model's own tokenizer. `BOUNDED`: within a band. `UNVERIFIABLE`: nobody but the provider can tell. */
export const LABELS = ['EXACT', 'BOUNDED', 'UNVERIFIABLE'] as const
export type Label = (typeof LABELS)[number]

/** What a call is billed for, as far as it is checked in one way. */
export const FIGURES = ['output', 'input', 'reasoning', 'cache read', 'cache write', 'video', 'other'] as const
export type Figure = (typeof FIGURES)[number]

/** What was said in a call, in memory alone. */
export interface AuditedText {
  /** What the model said, and whether that is all that it made: no call of a tool, no thoughts, no sound. */
  output(): { readonly texts: readonly string[]; readonly isTextOnly: boolean }
  /** Every text of the request that the provider counts as input. */
  prompt(): readonly string[]
  /** The body that was sent; empty where it is not known. */
  readonly request: Json
}

export interface AuditedCall {
  readonly event: LLMEvent
  /** Absent: nothing was kept, and what needs it cannot be checked. */
  readonly text?: AuditedText | undefined
  /** The MP4 that was delivered. */
  readonly video?: string | undefined
}

/** What a meter with `contentHash` kept of outputs, to hold the texts of a log against. */
export interface KeptHashes {
  readonly salt: string
  /** The hash of an output by the id of its answer. */
  readonly outputs: ReadonlyMap<string, string>
}

/** How far from what was counted a figure may be before it is to be looked at. All of them stand in the report. */
export interface Tolerances {
  /** Tokens of an output counted by the model's own tokenizer: 1. */
  readonly outputTokens: number
  /** Per cent around the input as counted, or as the calls of its model usually are: 10. */
  readonly inputPercent: number
  /** Per cent of o200k_base that a tokenizer nobody has can make: 75 to 135, and more for scripts beside the Latin one. */
  readonly bandPercent: readonly [low: number, high: number]
  /** Per cent by which the share of repeated prefixes read from the cache may fall: 50. */
  readonly cacheStepPercent: number
  /** Milliseconds for which a prefix is taken to stay in a cache: five minutes. */
  readonly cacheWindowMs: number
  /** Tokens of a video: 1, since a number of pixels need not be one of tokens. */
  readonly videoTokens: number
}

export const TOLERANCES: Tolerances = {
  outputTokens: 1,
  inputPercent: 10,
  bandPercent: [75, 135],
  cacheStepPercent: 50,
  cacheWindowMs: 300_000,
  videoTokens: 1,
}

export type FindingKind =
  | 'output-above'
  | 'output-below'
  | 'input-above'
  | 'input-below'
  | 'other-tokenizer'
  | 'other-model'
  | 'other-text'
  | 'cache-step'
  | 'video-above'
  | 'video-below'

/** Something to look at, never a verdict: of one kind and model, with all calls that show it. */
export interface Finding {
  readonly kind: FindingKind
  readonly label: Label
  readonly provider: string
  readonly model: string
  /** What was seen, in one sentence. */
  readonly what: string
  readonly calls: number
  /** Ids of the first ten. */
  readonly examples: readonly string[]
  /** Tokens as billed, and the least and most that were counted. */
  readonly billed?: number
  readonly low?: number
  readonly high?: number
  /** What the tokens beyond the band cost, where they have a price. */
  readonly beyond?: PicoUsd
}

export interface FigureSums {
  readonly figure: Figure
  readonly label: Label
  readonly calls: number
  readonly spend: PicoUsd
}

/** Why something cannot be checked. */
export interface Unverifiable {
  readonly figure: Figure
  readonly why: string
  readonly calls: number
  readonly spend: PicoUsd
}

export interface AuditedModel {
  readonly provider: string
  readonly model: string
  readonly calls: number
  readonly spend: PicoUsd
  /** Which tokenizer its outputs were counted with; absent where none were. */
  readonly tokenizer?: string
  readonly isOwnTokenizer: boolean
  /** Input as billed over input as counted, the middle of all calls, in per cent; absent where none were counted. */
  readonly inputPercent?: number
  /** Tokens that repeated prefixes should have had from the cache, and those that calls with such a prefix did have. */
  readonly cacheExpected: number
  readonly cacheRead: number
}

export interface AuditReport {
  readonly calls: number
  /** Calls whose cost is not known: in no sum. */
  readonly unpriced: number
  readonly spend: PicoUsd
  readonly byLabel: Readonly<Record<Label, PicoUsd>>
  readonly figures: readonly FigureSums[]
  readonly findings: readonly Finding[]
  readonly unverifiable: readonly Unverifiable[]
  readonly models: readonly AuditedModel[]
  readonly tolerances: Tolerances
}
