// SentencePiece's unigram model of a tokenizer file, counting only: the likeliest way to cut a piece.

import { byteToken, type CountPiece } from './merges.ts'
import { unsupported } from './pattern.ts'

/** What SentencePiece takes off the least likely token's score for a character that it does not have. */
const UNKNOWN_PENALTY = 10

export function unigramOf(model: Record<string, unknown>): CountPiece {
  const { vocab } = model
  if (!Array.isArray(vocab) || vocab.length === 0) throw unsupported('its model has no vocabulary')
  const scores = new Map<string, number>()
  let least = 0
  let longest = 1
  for (const entry of vocab as readonly unknown[]) {
    const [token, score] = Array.isArray(entry) ? (entry as unknown[]) : []
    if (typeof token !== 'string' || typeof score !== 'number')
      throw unsupported('its vocabulary is no list of tokens and scores')
    if (token === '') continue
    scores.set(token, score)
    least = Math.min(least, score)
    longest = Math.max(longest, token.length)
  }
  const hasBytes = model['byte_fallback'] === true && scores.has(byteToken(0))
  const unknown = least - UNKNOWN_PENALTY

  return (piece) => {
    const length = piece.length
    /** By position: the best score of what is before it, its tokens, and whether the last of them is unknown. */
    const best = new Float64Array(length + 1).fill(Number.NEGATIVE_INFINITY)
    const tokens = new Float64Array(length + 1)
    const endsUnknown = new Uint8Array(length + 1)
    best[0] = 0
    for (let at = 0; at < length; at++) {
      if (best[at] === Number.NEGATIVE_INFINITY) continue
      const wide = piece.codePointAt(at)! > 0xffff ? 2 : 1
      let isKnown = false
      for (let end = at + 1; end <= length && end - at <= longest; end++) {
        const score = scores.get(piece.slice(at, end))
        if (score === undefined) continue
        if (end - at === wide) isKnown = true
        if (best[at]! + score > best[end]!) {
          best[end] = best[at]! + score
          tokens[end] = tokens[at]! + 1
          endsUnknown[end] = 0
        }
      }
      const end = at + wide
      if (isKnown || best[at]! + unknown <= best[end]!) continue
      best[end] = best[at]! + unknown
      // Neighbours that are unknown are one token, where they are not written as bytes.
      const bytes = Buffer.byteLength(piece.slice(at, end))
      tokens[end] = tokens[at]! + (hasBytes ? bytes : endsUnknown[at] === 1 ? 0 : 1)
      endsUnknown[end] = 1
    }
    return tokens[length]!
  }
}
