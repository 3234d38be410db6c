// How many tokens one model makes of what another has counted: nothing where both count in one encoding, a documented band else.

import { encodingOf, PUBLISHERS } from '../providers/encodings.ts'

/** Tokens there for a hundred tokens here, least and most, and how that is known. */
export interface TokenBand {
  readonly lowPercent: number
  readonly highPercent: number
  /** `EXACT`: both count in one published encoding. `BOUNDED`: by what is documented of the two. */
  readonly label: 'EXACT' | 'BOUNDED'
  /** One sentence for a report. */
  readonly why: string
}

type Tokenizer = 'o200k_base' | 'cl100k_base' | 'p50k_base' | 'r50k_base' | 'claude-new' | 'claude-old' | 'unpublished'

/**
 * platform.claude.com, token counting, read 2026-11-21: "Claude Opus 4.7 and later Opus models, Fable 5, Mythos 5, Sonnet
 * 5 use a newer tokenizer. The same input text produces approximately 30 percent more tokens" (1.0 to 1.35 at launch).
 */
const NEW_CLAUDE = /claude-(?:opus-(?:4-[7-9]|[5-9])|(?:sonnet|fable|mythos)-[5-9])/
const OLD_CLAUDE = /claude-(?:v?[23]|instant|opus-4|sonnet-[34]|haiku-[34])/

function tokenizerOf(provider: string, model: string): Tokenizer {
  const id = model.toLowerCase()
  if (NEW_CLAUDE.test(id)) return 'claude-new'
  if (OLD_CLAUDE.test(id)) return 'claude-old'
  // Elsewhere a model of the same name may be another.
  if (!PUBLISHERS.has(provider)) return 'unpublished'
  const { name, isPublished } = encodingOf(id)
  return isPublished ? name : 'unpublished'
}

type Range = readonly [low: number, high: number]

/**
 * Tokens of each for a hundred of o200k_base. cl100k: openai.com, "Hello GPT-4o", read 2026-11-21: o200k makes 1.1 times
 * fewer tokens of English and up to 4.4 times fewer of Gujarati. The older two: more than cl100k for every text but plain
 * prose. What nobody has published: what the other vendors' tokenizers were seen to give, from 0.75 to 1.35.
 */
const BESIDE_O200K: Readonly<Record<Tokenizer, Range>> = {
  o200k_base: [100, 100],
  cl100k_base: [95, 440],
  p50k_base: [95, 800],
  r50k_base: [95, 800],
  'claude-old': [75, 135],
  'claude-new': [75, 135],
  unpublished: [75, 135],
}

/** What is said of two by their maker. */
const BETWEEN: Partial<Record<`${Tokenizer} ${Tokenizer}`, Range>> = {
  'claude-old claude-new': [100, 135],
  'claude-new claude-old': [74, 100],
}

/** What a model of `to` makes of a text that a model of `from` has counted. */
export function tokensApart(
  from: { readonly provider: string; readonly model: string },
  to: { readonly provider: string; readonly model: string },
): TokenBand {
  const [here, there] = [tokenizerOf(from.provider, from.model), tokenizerOf(to.provider, to.model)]
  if (here === there && here !== 'unpublished') {
    if (!here.startsWith('claude'))
      return { lowPercent: 100, highPercent: 100, label: 'EXACT', why: `Both count in ${here}.` }
    const why = 'Both count in one tokenizer, by the word of their maker.'
    return { lowPercent: 100, highPercent: 100, label: 'BOUNDED', why }
  }
  if (from.model === to.model && from.provider === to.provider)
    return { lowPercent: 100, highPercent: 100, label: 'EXACT', why: 'It is the same model.' }
  const said = BETWEEN[`${here} ${there}`]
  const [low, high] = said ?? quotient(BESIDE_O200K[there], BESIDE_O200K[here])
  const why = said
    ? `By the word of their maker, ${named(there)} makes ${low} to ${high} tokens where ${named(here)} makes 100.`
    : `Where ${named(here)} makes 100 tokens, ${named(there)} makes ${low} to ${high}.`
  return { lowPercent: low, highPercent: high, label: 'BOUNDED', why }
}

function quotient([low, high]: Range, [least, most]: Range): Range {
  return [Math.floor((low * 100) / most), Math.ceil((high * 100) / least)]
}

const NAMES: Partial<Record<Tokenizer, string>> = {
  'claude-old': 'the older tokenizer of Claude',
  'claude-new': 'the newer tokenizer of Claude',
  unpublished: 'a tokenizer that nobody has published',
}

function named(tokenizer: Tokenizer): string {
  return NAMES[tokenizer] ?? tokenizer
}
