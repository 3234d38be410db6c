// What an option must be: the rules that several options share.

import { isDatabaseUrl } from '../postgres/address.ts'
import type { ElementFault } from './elements.ts'
import { isFunction, isHttpUrl, isLabel, isWhole, readBoolean, readNumber, same } from './values.ts'

export interface OptionRule {
  readonly expects: string
  readonly accepts: (value: unknown) => boolean
  /** Only what fits into a string can come from the environment. */
  readonly env?: { readonly name: string; readonly read: (text: string) => unknown }
  readonly default?: unknown
  /** The first element that is wrong, of a list or a map that is one. */
  readonly element?: (value: never, resolved: never) => ElementFault | undefined
  /** Never quoted, not even when it is wrong. */
  readonly isSecret?: boolean
}

export const whole = (name: string, least: number, fallback: number): OptionRule => ({
  expects: `a whole number from ${least} to ${2 ** 31 - 1}`,
  accepts: isWhole(least),
  env: { name, read: readNumber },
  default: fallback,
})
export const yesOrNo = (name: string, fallback: boolean): OptionRule => ({
  expects: 'true or false',
  accepts: (value) => typeof value === 'boolean',
  env: { name, read: readBoolean },
  default: fallback,
})
export const httpUrl = (name: string): OptionRule => ({
  expects: 'an http or https URL',
  accepts: isHttpUrl,
  env: { name, read: same },
})
export const databaseUrl = (name: string): OptionRule => ({
  expects: 'an address such as postgres://user@host:5432/name',
  accepts: isDatabaseUrl,
  env: { name, read: same },
  // It may hold a password.
  isSecret: true,
})
export const callback: OptionRule = { expects: 'a function', accepts: isFunction }
export const label = (name: string): OptionRule => ({
  expects: 'a string of 1 to 256 characters',
  accepts: isLabel,
  env: { name, read: same },
})

export function oneOf(name: string, fallback: string, words: readonly string[]): OptionRule {
  const quoted = words.map((word) => `'${word}'`)
  return {
    expects: `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`,
    accepts: (value) => words.includes(value as string),
    env: { name, read: same },
    default: fallback,
  }
}
