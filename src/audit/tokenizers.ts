// Which tokenizer counts what a model wrote: one that its user brought, the published encoding, or a stand-in that bounds it.

import { fingerprintOf } from '../call/own-counts.ts'
import { MeterError } from '../errors.ts'
import { countTokens } from '../providers/count-tokens.ts'
import { encodingOf, PUBLISHERS } from '../providers/encodings.ts'
import type { TokenizerFile } from './tokenizer/file.ts'

export interface Count {
  readonly tokens: number
  readonly low: number
  readonly high: number
}

export interface Counter {
  /** Tells one tokenizer from all others. */
  readonly fingerprint: string
  /** It is the model's own, so that its counts are those that are billed. */
  readonly isOwn: boolean
  count(texts: readonly string[]): Promise<Count>
}

export type Counters = (provider: string, model: string) => Counter

/** A tokenizer for the models of a name, `qwen3-32b`, of a beginning, `qwen3*`, or of a provider, `together/qwen3*`. */
export interface OwnTokenizer {
  readonly model: string
  readonly tokenizer: TokenizerFile
}

/** A text of more bytes is counted in windows, and bounded. */
const WHOLE_BYTES = 16 * 1024 * 1024

/** What stands behind `=` of `qwen3*=tokenizer.json`, for each model that is named. */
export function ownTokenizers(
  given: readonly string[],
  read: (path: string) => TokenizerFile,
): readonly OwnTokenizer[] {
  return given.map((text) => {
    const at = text.indexOf('=')
    if (at < 1 || at === text.length - 1)
      throw new MeterError(
        'BAD_INPUT',
        `Expected a tokenizer as \`model=tokenizer.json\`, got ${JSON.stringify(text.slice(0, 100))}.`,
      )
    return { model: text.slice(0, at).toLowerCase(), tokenizer: read(text.slice(at + 1)) }
  })
}

export function createCounters(own: readonly OwnTokenizer[], [least, most]: readonly [number, number]): Counters {
  const known = new Map<string, Counter>()

  function find(provider: string, model: string): Counter {
    const brought = own.find((one) => isMeant(one.model, provider, model.toLowerCase()))
    if (brought) return ofFile(brought.tokenizer)
    const { name, isPublished } = encodingOf(model)
    const isOwn = isPublished && PUBLISHERS.has(provider)
    return {
      fingerprint: fingerprintOf(name),
      isOwn,
      async count(texts) {
        const { tokens, low, high } = await countTokens(texts, isOwn ? model : STAND_IN, { wholeBytes: WHOLE_BYTES })
        return isOwn ? { tokens, low, high } : { tokens, ...around(tokens, texts, least, most) }
      },
    }
  }

  return (provider, model) => {
    const key = `${provider}\n${model}`
    let counter = known.get(key)
    if (!counter) known.set(key, (counter = find(provider, model)))
    return counter
  }
}

/** A model that counts in o200k_base by its maker's word. */
const STAND_IN = 'gpt-4o'

function isMeant(named: string, provider: string, model: string): boolean {
  return [model, `${provider}/${model}`].some((id) =>
    named.endsWith('*') ? id.startsWith(named.slice(0, -1)) : id === named,
  )
}

function ofFile({ fingerprint, count }: TokenizerFile): Counter {
  return {
    fingerprint,
    isOwn: true,
    async count(texts) {
      let tokens = 0
      for (const text of texts) tokens += await count(text)
      return { tokens, low: tokens, high: tokens }
    },
  }
}

/** Letters of scripts that tokenizers differ in by a factor, and not by a third. */
const FAR = /[\p{L}\p{M}]/gu
const NEAR = /[\p{Script=Latin}\p{Script=Common}\p{Script=Inherited}]/u
const LOOKED_AT = 20_000

/** How much of the letters is of another script than the Latin one, from 0 to 1. */
export function farShare(texts: readonly string[]): number {
  let letters = 0
  let far = 0
  for (const text of texts)
    for (const [letter] of text.slice(0, LOOKED_AT).matchAll(FAR)) {
      letters++
      if (!NEAR.test(letter)) far++
    }
  return letters === 0 ? 0 : far / letters
}

/**
 * Of Chinese, o200k_base makes some 0.7 tokens a character; older tokenizers make up to 2, and those made for it 0.5. So
 * the band of a text in such a script goes from 0.4 to 3 times what o200k_base makes.
 */
export function around(
  tokens: number,
  texts: readonly string[],
  least: number,
  most: number,
): { readonly low: number; readonly high: number } {
  const share = farShare(texts)
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const low = least + share * (Math.min(least, 40) - least)
  const high = most + share * (Math.max(most, 300) - most)
  // No tokenizer in use makes more than one token of a byte.
  return {
    low: Math.floor((tokens * low) / 100),
    high: Math.min(Math.ceil((tokens * high) / 100), Math.max(bytes, tokens)),
  }
}
