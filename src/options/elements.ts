// What is wrong with one element of an option that is a list or a map: which it is, what was expected there, what came.

import { definedBy, type OwnProvider } from '../providers/own.ts'
import { knownNames, listed, nearestProvider, providerNames } from './patch-names.ts'

export interface ElementFault {
  /** What follows the option's name: `[0]`, `["llm.example.com"]`, `.lease`. */
  readonly at: string
  readonly expects: string
  readonly got: unknown
}

/** Names of SDKs and providers: those of the option `providers` too. */
export function badName(
  names: readonly unknown[],
  { providers }: { readonly providers?: readonly OwnProvider[] | undefined },
): ElementFault | undefined {
  const known: readonly unknown[] = knownNames(providers)
  return firstBad((name) => known.includes(name), `one of ${listed(knownNames(providers))}`)(names)
}

export const badProvider = firstBad(
  (value) => definedBy(value) !== undefined,
  'a provider that `defineProvider` has made',
)

export const badSink = firstBad(
  (value) => isFunction((value as { send?: unknown } | null | undefined)?.send),
  'a sink, an object with a function `send`',
)

/** The first element of a list that is not accepted; a hole in it is one too. */
function firstBad(accepts: (value: unknown) => boolean, expects: string) {
  return (list: readonly unknown[]): ElementFault | undefined => {
    const index = Array.from(list).findIndex((value) => !accepts(value))
    return index < 0 ? undefined : { at: `[${index}]`, expects, got: list[index] }
  }
}

/** A URL in place of a host, or a provider that nobody reads, would match nothing, and nobody would notice. */
export function badHost(
  hosts: Readonly<Record<string, unknown>>,
  { providers }: { readonly providers?: readonly OwnProvider[] | undefined },
): ElementFault | undefined {
  const names = providerNames(providers)
  for (const [host, provider] of Object.entries(hosts)) {
    if (!/^[^\s/@]+$/.test(host)) {
      const expects = 'an object from host, such as `llm.example.com:8080`, to provider'
      // What stands before an @ may be a password.
      return { at: '', expects, got: host.includes('@') ? hosts : host }
    }
    const at = `[${JSON.stringify(host.slice(0, 40))}]`
    if (typeof provider !== 'string' || provider === '') return { at, expects: 'the name of a provider', got: provider }
    if (names.includes(provider)) continue
    const meant = nearestProvider(provider, names)
    const others = 'or of one in `providers`'
    const expects = meant
      ? `the name of a provider, perhaps '${meant}', ${others}`
      : `one of ${listed(names)}, ${others}`
    return { at, expects, got: provider }
  }
  return undefined
}

const STORE_METHODS = ['setLimit', 'removeLimit', 'changes', 'accounts', 'lease']

export function badMethod(store: Readonly<Record<string, unknown>>): ElementFault | undefined {
  const name = STORE_METHODS.find((method) => !isFunction(store[method]))
  return name === undefined ? undefined : { at: `.${name}`, expects: 'a function', got: store[name] }
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}
