// How many tokens a text is, where no provider says it: counted with o200k, sampled where it is long.

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

/** js-tiktoken counts 60,000 to 500,000 tokens a second: a sample of this size holds the event loop for at most some 50 ms. */
const SAMPLE_CHARACTERS = 8192
/** A run without a space, longer than this, makes every BPE counter quadratic (100,000 × "a": 25 s); cut, it costs 4 ms. */
const LONGEST_RUN = 512
const RUNS = /\S{513,}|\s{513,}/gu

/**
 * Counts with OpenAI's newest encoding. Other vendors' tokenizers differ: Anthropic's since Opus 4.7 gives some 30 %
 * more for the same text, which is what the upper bound allows for.
 */
export async function estimateTokens(parts: Iterable<string>): Promise<TokenEstimate> {
  let sample = ''
  let characters = 0
  for (const part of parts) {
    characters += part.length
    if (sample.length < SAMPLE_CHARACTERS) sample += part.slice(0, SAMPLE_CHARACTERS - sample.length)
  }
  if (characters === 0) return { tokens: 0, low: 0, high: 0 }
  const { encode } = await loadEncoder().then((loaded) => ({ encode: loaded.encode.bind(loaded) }))
  let counted = 0
  // Special tokens in a text are text here: by default the encoder throws on them.
  for (const piece of pieces(sample)) counted += encode(piece, [], []).length
  const tokens = Math.max(1, Math.round((counted * characters) / sample.length))
  return { tokens, low: Math.floor(tokens * 0.75), high: Math.ceil(tokens * 1.35) + 50 }
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
export function likelyTokens(parts: Iterable<string>): number {
  return Math.ceil(mostTokens(parts) / 2)
}
