// What `patch`, `unpatch` and the option `patches` may name.

import type { PatchName } from '../patch/patches.ts'
import { SDK_NAMES } from '../patch/sdks.ts'
import type { HostName } from '../providers/hosts.ts'
import { DIALECTS, PROVIDERS } from '../providers/index.ts'
import { nearest } from './nearest.ts'

/**
 * An SDK (`'openai'`, `'anthropic'`, `'google'`, `'groq'`), `'fetch'`, a provider that is called through another's SDK
 * (`'deepseek'`, `'azure'`, ...) or one of your own, or `'langchain'`: the copies of SDKs that it brings along.
 */
export type PatchTarget = PatchName | HostName | 'langchain' | (string & {})

/** Every name that can be patched, in the order in which a person would look for one. */
export function knownNames(own: readonly { readonly name: string }[] = []): readonly string[] {
  return [...new Set([...SDK_NAMES, 'fetch', 'langchain', ...providerNames(own)])]
}

/** Every provider whose calls can be read, those of an application's own first. */
export function providerNames(own: readonly { readonly name: string }[] = []): readonly string[] {
  return [...new Set([...own, ...PROVIDERS, ...DIALECTS].map(({ name }) => name))]
}

/** What people call a provider or its models, where that is far from its name here. */
const CALLED = new Map([
  ['amazon', 'aws'],
  ['bedrock', 'aws'],
  ['chatgpt', 'openai'],
  ['claude', 'anthropic'],
  ['codestral', 'mistral'],
  ['foundry', 'azure'],
  ['gemini', 'google'],
  ['gpt', 'openai'],
  ['grok', 'x-ai'],
  ['kimi', 'moonshotai'],
  ['palm', 'google'],
  ['vertex', 'google'],
])

/** The provider that was probably meant: `x-ai` by `xAI`, `google` by `vertex-ai`. */
export function nearestProvider(typed: string, names: readonly string[]): string | undefined {
  const bare = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')
  const plain = bare(typed.slice(0, 64))
  if (plain === '') return undefined
  const same = names.find((name) => bare(name) === plain) ?? [...CALLED].find(([word]) => plain.startsWith(word))?.[1]
  return (
    same ?? nearest(plain, names) ?? names.find((name) => plain.startsWith(bare(name)) || bare(name) === `${plain}ai`)
  )
}

/** `'openai', 'anthropic', ...` */
export function listed(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}
