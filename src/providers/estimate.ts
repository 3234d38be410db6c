// How many tokens a text is, where no provider says it: counted with o200k, sampled where it is long.

import { setImmediate as nextTurn } from 'node:timers/promises'

/** Lowest and highest that the true count can be. */
export interface TokenEstimate {
  readonly tokens: number
  readonly low: number
  readonly high: number
}

interface Encoder {
  encode(text: string, allowed: [], disallowed: []): number[]
}

let encoder: Promise<Encoder> | undefined

/** The tokenizer and its ranks cost 17 ms of CPU to load: only for the first text that has to be estimated. */
function loadEncoder(): Promise<Encoder> {
  encoder ??= Promise.all([import('js-tiktoken/lite'), import('js-tiktoken/ranks/o200k_base')]).then(
    ([{ Tiktoken }, ranks]) => new Tiktoken(ranks.default),
  )
  return encoder
}

/** What is counted at a stretch: a millisecond for prose, tens for the worst that a text can be. */
const WINDOW_CHARACTERS = 512
/** A text of up to so many windows is counted in whole; of a longer one, so many evenly spread. */
const WINDOWS = 16
/**
 * js-tiktoken 1.0.21 takes a run without a space at the square of its bytes (512 x "的": 800 ms; 100,000 x "a": 25 s).
 * Cut, it costs a few milliseconds; a cut parts a token now and then.
 */
const LONGEST_RUN = 64
const RUNS = /\S{65,}|\s{65,}/gu
/** The longest token of o200k: 128 spaces. */
const LONGEST_TOKEN = 128
/** 96 slashes are one token; cut after 33 of them they are eight: this encoding knows repeats by powers of two. */
const MOST_A_CUT_ADDS = 8

/** Other vendors' tokenizers differ from o200k: Anthropic's since Opus 4.7 gives some 30 % more for the same text. */
const FEWEST = 0.75
const MOST = 1.35
/** What every rendering puts around the text. */
const FRAME = 50

/** Counts with OpenAI's newest encoding, in windows, and goes by the densest and the sparsest of them for what it skips. */
export async function estimateTokens(parts: Iterable<string>): Promise<TokenEstimate> {
  const texts = [...parts].filter((part) => part !== '')
  const characters = texts.reduce((sum, { length }) => sum + length, 0)
  if (characters === 0) return { tokens: 0, low: 0, high: 0 }
  const { encode } = await loadEncoder().then((loaded) => ({ encode: loaded.encode.bind(loaded) }))
  let counted = 0
  let fewest = 0
  let seen = 0
  let sparsest = Number.POSITIVE_INFINITY
  let densest = 0
  for (const window of windows(texts, characters)) {
    if (seen > 0) await nextTurn()
    let tokens = 0
    // Between two pieces, or two windows.
    let cuts = seen > 0 ? 0 : -1
    for (const piece of pieces(window)) {
      // Special tokens in a text are text here: by default the encoder throws on them.
      tokens += encode(piece, [], []).length
      cuts++
    }
    const least = Math.max(tokens - cuts * MOST_A_CUT_ADDS, window.length / LONGEST_TOKEN)
    counted += tokens
    fewest += least
    seen += window.length
    sparsest = Math.min(sparsest, least / window.length)
    densest = Math.max(densest, tokens / window.length)
  }
  const skipped = Math.max(0, characters - seen)
  return {
    tokens: Math.max(1, Math.round(counted + (skipped * counted) / seen)),
    low: Math.floor((fewest + skipped * sparsest) * FEWEST),
    high: Math.ceil((counted + skipped * densest) * MOST) + FRAME,
  }
}

/** The same from characters alone, for when there is no time to load the tokenizer: prose of every script has some four bytes a token. */
export function guessTokens(parts: Iterable<string>): TokenEstimate {
  let bytes = 0
  for (const part of parts) bytes += Buffer.byteLength(part)
  if (bytes === 0) return { tokens: 0, low: 0, high: 0 }
  return {
    tokens: Math.ceil(bytes / 4),
    low: Math.floor((bytes / LONGEST_TOKEN) * FEWEST),
    // Byte-level BPE never makes more than one token of a byte.
    high: bytes + FRAME,
  }
}

/** The whole text in windows, or windows at even distances; a cut never parts a surrogate pair. */
function* windows(texts: readonly string[], characters: number): Generator<string> {
  const isWhole = characters <= WINDOWS * WINDOW_CHARACTERS
  const step = isWhole ? WINDOW_CHARACTERS : characters / WINDOWS
  let part = 0
  let before = 0
  let from = 0
  for (let i = 0; i * step < characters; i++) {
    from = Math.max(from, Math.floor(i * step))
    let window = ''
    while (part < texts.length && window.length < WINDOW_CHARACTERS) {
      const text = texts[part]!
      const start = from - before
      let end = Math.min(text.length, start + WINDOW_CHARACTERS - window.length)
      if (end < text.length && isHighSurrogate(text, end - 1)) end++
      if (end > start) window += text.slice(start, end)
      from = before + Math.max(start, end)
      if (from < before + text.length) break
      before += text.length
      part++
    }
    if (window !== '') yield window
  }
}

function* pieces(text: string): Generator<string> {
  let from = 0
  for (const match of text.matchAll(RUNS)) {
    for (let at = from; at < match.index + match[0].length; ) {
      let end = at < match.index ? match.index : Math.min(at + LONGEST_RUN, match.index + match[0].length)
      // Never between the halves of a surrogate pair.
      if (isHighSurrogate(text, end - 1)) end++
      yield text.slice(at, end)
      at = end
    }
    from = match.index + match[0].length
  }
  if (from < text.length) yield text.slice(from)
}

function isHighSurrogate(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0xd800 && code <= 0xdbff
}

/** Byte-level BPE never makes more than one token of a UTF-8 byte: a true upper bound, and four times too much for prose. */
export function mostTokens(parts: Iterable<string>): number {
  let bytes = 0
  let count = 0
  for (const part of parts) {
    bytes += Buffer.byteLength(part)
    count++
  }
  // The frame around each message and tool: 3 to 12 tokens in every rendering that is documented.
  return bytes + count * 12 + 50
}

/** Half a token a byte covers prose and code of every script measured; the hold of a limit that is not hard. */
export function likelyTokens(most: number): number {
  return Math.ceil(most / 2)
}
