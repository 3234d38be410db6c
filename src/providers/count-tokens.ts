// How many tokens texts are to a model: exact where its encoding is published and the texts are not long, bounded always.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BytePairs } from './byte-pairs.ts'
import { type EncodingName, encodingOf, loadEncoding } from './encodings.ts'
import { characterEnd, type Slice, sampled, sizeOf } from './text-sample.ts'

export interface TokenCount {
  readonly tokens: number
  /**
   * Lowest and highest that the count can be. Of what was skipped by sampling they go by the densest and the sparsest
   * window; of a tokenizer that is not published, by how far the others are known to be from the one that stood in.
   */
  readonly low: number
  readonly high: number
  /** No text, however it is made, comes to more: a token is one byte at least. */
  readonly most: number
  readonly isExact: boolean
  readonly encoding: EncodingName
}

/** Texts of up to so many bytes are counted in whole; of longer ones, as much in evenly spread windows. */
export const WHOLE_BYTES = 65_536

/** What is counted at a stretch, before other work of the process has its turn: some milliseconds at the very worst. */
const CHARACTERS_A_TURN = 2048

/**
 * The work for a run without a seam grows with the square of its length: cut at 256 characters, 64 KiB of the densest
 * text take some 80 ms, at 512 twice that (bench/tokens.bench.ts). No word is as long; what is cut is not exact.
 */
export const LONGEST_RUN = 256

/** 96 slashes are one token; cut after 33 of them they are eight: encodings know repeats by powers of two. */
const MOST_A_CUT_CHANGES = 8
/** The longest token of any of the encodings, in characters: 128 spaces. */
export const LONGEST_TOKEN = 128

/** Other vendors' tokenizers beside o200k: Anthropic's since Opus 4.7 gives some 30 % more for the same text. */
const FEWEST = 0.75
const MOST = 1.35

export interface CountOptions {
  /** In place of `WHOLE_BYTES`, for a count that must be a bound. */
  readonly wholeBytes?: number
}

/**
 * Counts each text by itself, as messages and tools are. Special tokens in a text are text: `<|endoftext|>` is seven
 * tokens. Takes turns with the rest of the process, and a bounded time for any input.
 */
export async function countTokens(
  texts: Iterable<string>,
  model: string,
  { wholeBytes = WHOLE_BYTES }: CountOptions = {},
): Promise<TokenCount> {
  const { name, isPublished } = encodingOf(model)
  const size = sizeOf(texts)
  if (size.bytes === 0) return { tokens: 0, low: 0, high: 0, most: 0, isExact: true, encoding: name }
  const windows = sampled(size, wholeBytes)
  const seen = await countWindows(windows, await loadEncoding(name))
  const skipped = size.characters - seen.characters
  const most = Math.min(size.bytes, seen.tokens + seen.slack + size.bytes - seen.bytes)
  const count = {
    tokens: Math.max(1, Math.round(seen.tokens + (skipped * seen.tokens) / seen.characters)),
    low: seen.fewest + Math.floor(skipped * seen.sparsest),
    high: Math.min(most, seen.tokens + seen.slack + Math.ceil(skipped * seen.densest)),
  }
  if (isPublished) return { ...count, most, isExact: skipped === 0 && seen.slack === 0, encoding: name }
  return {
    tokens: count.tokens,
    low: Math.floor(count.low * FEWEST),
    high: Math.min(Math.ceil(count.high * MOST), size.bytes),
    // What nobody has published is bounded by its bytes alone.
    most: size.bytes,
    isExact: false,
    encoding: name,
  }
}

async function countWindows(windows: Iterable<readonly Slice[]>, encoding: BytePairs) {
  const total = { tokens: 0, slack: 0, fewest: 0, characters: 0, bytes: 0, sparsest: Infinity, densest: 0 }
  /** Words come again and again: within one count each is taken apart once. */
  const known = new Map<string, number>()
  let sinceTurn = 0
  for (const window of windows) {
    const seen = { tokens: 0, cuts: 0, characters: 0 }
    for (const { text, isCut } of window) {
      // Both of its ends may be in the midst of a token.
      if (isCut) seen.cuts += 2
      seen.characters += text.length
      total.bytes += Buffer.byteLength(text)
      for (const [piece] of text.matchAll(encoding.pattern)) {
        seen.cuts += Math.ceil(piece.length / LONGEST_RUN) - 1
        for (const run of runsOf(piece)) {
          let tokens = known.get(run)
          if (tokens === undefined) known.set(run, (tokens = encoding.count(run)))
          seen.tokens += tokens
          // A run that is known costs next to nothing; where there are very many, their number counts.
          if ((sinceTurn += run.length) < CHARACTERS_A_TURN) continue
          sinceTurn = 0
          await nextTurn()
        }
      }
    }
    const slack = seen.cuts * MOST_A_CUT_CHANGES
    const least = Math.max(seen.tokens - slack, Math.ceil(seen.characters / LONGEST_TOKEN))
    total.tokens += seen.tokens
    total.slack += slack
    total.fewest += least
    total.characters += seen.characters
    total.sparsest = Math.min(total.sparsest, least / seen.characters)
    total.densest = Math.max(total.densest, (seen.tokens + slack) / seen.characters)
  }
  return total
}

function* runsOf(piece: string): Generator<string> {
  for (let from = 0; from < piece.length; ) {
    const end = characterEnd(piece, Math.min(from + LONGEST_RUN, piece.length))
    yield piece.slice(from, end)
    from = end
  }
}
