// The size of a request as the sizers of each wire tell it: the vocabulary that they share.

import type { Usage } from '../usage.ts'

/** Who is asked. */
export interface Answering {
  readonly provider: string
  readonly endpoint: string
  readonly isTextless: boolean
}

/** What a request can be billed for at most, besides the texts that its route counts. */
export interface RequestSize {
  /** Input tokens besides those texts and what stands around them: prompts of tools, documents as text. */
  readonly inputTokens: number
  /** Images, sound and video of the input in their own buckets, units and fees. */
  readonly units: Usage
  /** The answer is text, at least in part, of a length that its request or its model bounds. */
  readonly makesText: boolean
  /** What the answer may be made of besides text. */
  readonly output: readonly ('audio' | 'image' | 'video')[]
  /** Answers that are made of one request, where the cap of the output does not count them together. */
  readonly choices: number
  /** How often the whole input may be read: once, and again after each use of a hosted tool. */
  readonly rounds: number
  /** Between two rounds a tool can put no more than this into the input. */
  readonly roundTokens: number
  readonly cacheWrites: 'none' | '5m' | '1h'
  /** Models that may answer in place of the one that is asked. */
  readonly otherModels: readonly string[]
  readonly geo: string | undefined
  /** What a piece is priced by: size and quality. */
  readonly variant: string | undefined
  /** Why there is no bound, each a phrase: `remote document`. None where everything is bounded. */
  readonly unbounded: readonly string[]
}

export const TEXT_ONLY: RequestSize = {
  inputTokens: 0,
  units: {},
  makesText: true,
  output: [],
  choices: 1,
  rounds: 1,
  roundTokens: 0,
  cacheWrites: 'none',
  otherModels: [],
  geo: undefined,
  variant: undefined,
  unbounded: [],
}

export function unbounded(...reasons: readonly string[]): RequestSize {
  return { ...TEXT_ONLY, unbounded: reasons }
}

/** Adds up the parts of a request while they are walked. */
export interface Tally {
  inputTokens: number
  images: number
  audio: number
  video: number
  readonly reasons: Set<string>
}

const NO_UNITS: Usage = {}

export function createTally(): Tally {
  return { inputTokens: 0, images: 0, audio: 0, video: 0, reasons: new Set() }
}

/** Nothing but text was found. */
export function isPlain({ inputTokens, images, audio, video, reasons }: Tally): boolean {
  return inputTokens === 0 && images === 0 && audio === 0 && video === 0 && reasons.size === 0
}

/** The media of a tally, in the buckets that they are billed in. */
export function mediaOf({ images, audio, video }: Tally): Usage {
  if (images === 0 && audio === 0 && video === 0) return NO_UNITS
  return {
    ...(images > 0 && { 'input.image': images }),
    ...(audio > 0 && { 'input.audio': audio }),
    ...(video > 0 && { 'input.video': video }),
  }
}

export function countOf(value: unknown): number {
  return typeof value === 'number' && value > 1 ? Math.min(Math.ceil(value), 1000) : 1
}

export function bytesOf(value: unknown): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : 0
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
