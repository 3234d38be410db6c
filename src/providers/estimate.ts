// How many tokens a side of a call comes to, where no provider says it: counted, guessed, or bounded by its bytes.

import { countTokens, LONGEST_TOKEN } from './count-tokens.ts'

/** Lowest and highest that the true count can be. */
export interface TokenEstimate {
  readonly tokens: number
  readonly low: number
  readonly high: number
}

/** What stands around texts as a rule where nobody has documented it. */
const UNKNOWN_FRAME: TokenEstimate = { tokens: 0, low: 0, high: 50 }
export const NO_TOKENS: TokenEstimate = { tokens: 0, low: 0, high: 0 }

/** The texts and what stands around them; nothing where there is no text. */
export async function estimateTokens(
  texts: Iterable<string>,
  model: string,
  frame: TokenEstimate = UNKNOWN_FRAME,
): Promise<TokenEstimate> {
  const { tokens, low, high } = await countTokens(texts, model)
  return tokens === 0 ? NO_TOKENS : framed({ tokens, low, high }, frame)
}

/** The same from characters alone, for when there is no time to load the tokenizer: prose of every script has some four bytes a token. */
export function guessTokens(texts: Iterable<string>, frame: TokenEstimate = UNKNOWN_FRAME): TokenEstimate {
  let bytes = 0
  for (const text of texts) bytes += Buffer.byteLength(text)
  if (bytes === 0) return NO_TOKENS
  // Byte-level BPE never makes more than one token of a byte.
  return framed({ tokens: Math.ceil(bytes / 4), low: Math.floor((bytes / LONGEST_TOKEN) * 0.75), high: bytes }, frame)
}

function framed(texts: TokenEstimate, frame: TokenEstimate): TokenEstimate {
  return { tokens: texts.tokens + frame.tokens, low: texts.low + frame.low, high: texts.high + frame.high }
}

/** What stands around each text: the frame of a message or a tool takes 3 to 12 tokens in every rendering that is documented. */
export function mostFrame(texts: number): number {
  return texts * 12 + 50
}

/** Byte-level BPE never makes more than one token of a UTF-8 byte: a true upper bound, and four times too much for prose. */
export function mostTokens(texts: Iterable<string>): number {
  let bytes = 0
  let count = 0
  for (const text of texts) {
    bytes += Buffer.byteLength(text)
    count++
  }
  return bytes + mostFrame(count)
}

/** Half a token a byte covers prose and code of every script measured; the hold of a limit that is not hard. */
export function likelyTokens(most: number): number {
  return Math.ceil(most / 2)
}
