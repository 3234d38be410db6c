// What `patch`, `unpatch` and the option `patches` may name.

import type { PatchName } from '../patch/patches.ts'
import { SDK_NAMES } from '../patch/sdks.ts'
import type { HostName } from '../providers/hosts.ts'
import { DIALECTS, PROVIDERS } from '../providers/index.ts'

/**
 * An SDK (`'openai'`, `'anthropic'`, `'google'`, `'groq'`), `'fetch'`, a provider that is called through another's SDK
 * (`'deepseek'`, `'azure'`, ...) or one of your own, or `'langchain'`: the copies of SDKs that it brings along.
 */
export type PatchTarget = PatchName | HostName | 'langchain' | (string & {})

/** Every name that can be patched, in the order in which a person would look for one. */
export function knownNames(own: readonly { readonly name: string }[] = []): readonly string[] {
  const names = [...SDK_NAMES, 'fetch', 'langchain', ...[...own, ...PROVIDERS, ...DIALECTS].map(({ name }) => name)]
  return [...new Set(names)]
}

/** `'openai', 'anthropic', ...` */
export function listed(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ')
}
