// Which encoding a model counts in, as far as its maker has said, and the encodings of js-tiktoken, each read on first use.

import type { TiktokenBPE } from 'js-tiktoken/lite'
import { type BytePairs, readBytePairs } from './byte-pairs.ts'

export type EncodingName = 'o200k_base' | 'cl100k_base' | 'p50k_base' | 'r50k_base'

/** The js-tiktoken whose tables the counts in test/unit/token-counts.test.ts were taken from. */
export const TOKENIZER_VERSION = '1.0.21'

/** Whose models count in the encodings that are published: elsewhere a model of the same name may be another. */
export const PUBLISHERS: ReadonlySet<string> = new Set(['openai', 'azure', 'github-copilot'])

export interface Encoding {
  readonly name: EncodingName
  /** The maker says that this model counts in it; otherwise it stands in for a tokenizer that nobody has published. */
  readonly isPublished: boolean
}

/**
 * As published: github.com/openai/tiktoken, tiktoken/model.py (MODEL_TO_ENCODING and MODEL_PREFIX_TO_ENCODING, with
 * `ft:` before a name for fine-tuned models), read in copies of 0.12, which has GPT-5. GPT-5.1 is in it since 0.14 by its
 * maintainer's word (issue 578, 2026-08-17); the other GPT-5.x are taken to be with it. js-tiktoken's own list has
 * `davinci-002` and `babbage-002` elsewhere; OpenAI's is the one that is billed by.
 */
const PUBLISHED: readonly (readonly [EncodingName, RegExp])[] = [
  ['o200k_base', /^(?:o1|o3|o4-mini|gpt-5|gpt-4\.5|gpt-4\.1|chatgpt-4o|gpt-4o)(?![a-z0-9])/],
  ['cl100k_base', /^(?:gpt-4|gpt-3\.5|gpt-35)(?:-turbo)?(?![a-z0-9.])/],
  ['cl100k_base', /^(?:text-embedding-ada-002|text-embedding-3-(?:small|large)|davinci-002|babbage-002)$/],
  ['p50k_base', /^(?:text-davinci-00[23]|code-davinci-00[12]|code-cushman-00[12]|(?:davinci|cushman)-codex)$/],
  ['r50k_base', /^(?:text-)?(?:davinci|curie|babbage|ada)(?:-001)?$/],
  ['r50k_base', /^(?:text|code)-(?:similarity|search)-[a-z]+(?:-[a-z]+)?-001$/],
]

/** Everything else is counted in OpenAI's newest, and said to be. */
const STAND_IN: Encoding = { name: 'o200k_base', isPublished: false }

const remembered = new Map<string, Encoding>()
const REMEMBERED = 1000

export function encodingOf(model: string): Encoding {
  let encoding = remembered.get(model)
  if (encoding) return encoding
  const name = model.replace(/^ft:/, '').replace(/:.*/, '')
  const found = PUBLISHED.find(([, models]) => models.test(name))
  encoding = found ? { name: found[0], isPublished: true } : STAND_IN
  if (remembered.size >= REMEMBERED) remembered.clear()
  remembered.set(model, encoding)
  return encoding
}

/** Each is half a megabyte to two: only the one that is needed. */
const TABLES: Readonly<Record<EncodingName, () => Promise<{ readonly default: TiktokenBPE }>>> = {
  o200k_base: () => import('js-tiktoken/ranks/o200k_base'),
  cl100k_base: () => import('js-tiktoken/ranks/cl100k_base'),
  p50k_base: () => import('js-tiktoken/ranks/p50k_base'),
  r50k_base: () => import('js-tiktoken/ranks/r50k_base'),
}

const loading = new Map<EncodingName, Promise<BytePairs>>()

export function loadEncoding(name: EncodingName): Promise<BytePairs> {
  let loaded = loading.get(name)
  if (!loaded) {
    loaded = TABLES[name]().then((table) => readBytePairs(table.default))
    loading.set(name, loaded)
    // Tried again by the next one that asks.
    loaded.catch(() => loading.delete(name))
  }
  return loaded
}
