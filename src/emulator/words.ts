// The emulator's own way of counting: a token is up to six letters of a word with the space before it, or one other sign.

const PIECE = /\s*[\p{L}\p{M}\p{N}_]{1,6}|\s*\S|\s+/gu

/** The tokens of a text, which joined give it back. */
export function pieces(text: string): string[] {
  return text.match(PIECE) ?? []
}

/** The tokens of every text in a value, however deep; keys and numbers count nothing. */
export function countTokens(value: unknown): number {
  if (typeof value === 'string') return pieces(value).length
  if (typeof value !== 'object' || value === null) return 0
  let total = 0
  for (const part of Object.values(value)) total += countTokens(part)
  return total
}

const SAMPLE =
  'A small river finds its own way down to the sea and keeps no tally of the stones it has passed on the way'.split(' ')

/** A text of so many tokens, the same for the same seed. */
export function sampleText(tokens: number, seed: number): string {
  const words = Array.from({ length: tokens }, (_, index) => SAMPLE[(index + seed) % SAMPLE.length])
  return words.join(' ')
}

/** A vector that depends on the text alone: FNV-1a into a small linear generator. */
export function sampleVector(text: string, dimensions: number): number[] {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  return Array.from({ length: dimensions }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    // Fractions of a power of two survive float32, so base64 and plain vectors are the same numbers.
    return (state >> 16) / 32768
  })
}
