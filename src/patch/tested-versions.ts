// The versions of the SDKs that the patches were tried with: what docs/compatibility.md and the recipes of the waists speak of.

import type { SdkName } from './exchange.ts'

/** First and last, each as major and minor. */
const TESTED: Readonly<Record<SdkName, readonly [first: string, last: string]>> = {
  openai: ['4.0', '7.57'],
  anthropic: ['0.20', '1.12'],
  google: ['1.0', '3.1'],
  groq: ['1.6', '1.6'],
}

/** `older` and `newer`: outside of the range that was tried; its seams are looked for all the same. */
export type Support = 'tested' | 'older' | 'newer' | 'unknown'

export function testedRange(sdk: SdkName): string {
  return TESTED[sdk].join(' to ')
}

/** Where a version stands to those that were tried; `unknown` for none, and for what is no version. */
export function supportOf(sdk: SdkName, version: string | undefined): Support {
  const at = version === undefined ? undefined : ordinal(version)
  if (at === undefined) return 'unknown'
  const [first, last] = TESTED[sdk]
  return at < ordinal(first)! ? 'older' : at > ordinal(last)! ? 'newer' : 'tested'
}

const MINORS = 100_000

function ordinal(version: string): number | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? []
  return major === undefined ? undefined : Number(major) * MINORS + Number(minor)
}
