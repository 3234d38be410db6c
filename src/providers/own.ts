// Providers of an application's own: a host that speaks a known wire, or routes of a wire that nobody here knows.

import { anthropic } from './anthropic.ts'
import { withQuirks } from './dialect.ts'
import { google } from './google.ts'
import type { Quirks } from './hosts.ts'
import { openai } from './openai.ts'
import { checkDefinition } from './own-check.ts'
import { type OwnRoute, routeOf } from './own-route.ts'
import type { Provider } from './provider.ts'

/**
 * A provider of your own. With `wire` alone its host is read as the maker of that wire is, but for the quirks given
 * here; `routes` come before those of the wire.
 *
 * @example
 * const house: ProviderDefinition = { name: 'house', hosts: 'llm.house.example', wire: 'openai', streamUsage: 'refused' }
 */
export interface ProviderDefinition extends Quirks {
  /** As it stands on events, and as `patch` and `unpatch` take it. */
  readonly name: string
  /** `llm.example.com` on any port, `llm.example.com:8080`, `*.example.com`, or a pattern for host and port. */
  readonly hosts: string | RegExp | readonly (string | RegExp)[]
  /** Whose SDK calls it. Left out: nobody's, and only `patch('fetch')` sees its calls. */
  readonly wire?: 'openai' | 'anthropic' | 'google' | undefined
  readonly routes?: readonly OwnRoute[] | undefined
}

const DEFINED = Symbol.for('tallygate.provider')

/** What {@link defineProvider} gives, for the option `providers`. */
export interface OwnProvider {
  readonly name: string
  readonly [DEFINED]: readonly Provider[]
}

const MAKERS = { openai, anthropic, google } as const

/**
 * Defines a provider that tallygate does not know, for `new Meter({ providers: [...] })`. Throws MeterError `BAD_INPUT`
 * in one sentence for the first thing that cannot be.
 *
 * @example
 * const muse = defineProvider({
 *   name: 'muse',
 *   hosts: 'api.muse.example',
 *   routes: [
 *     {
 *       endpoint: 'verses',
 *       path: '/v1/verses',
 *       read({ poet, tally }) {
 *         if (!tally) return undefined // an event of a stream without figures, an answer without usage
 *         const { heard, sung } = tally as { heard: number; sung: number }
 *         return { model: poet as string, usage: { 'input.text': heard, 'output.text': sung } }
 *       },
 *     },
 *   ],
 * })
 * const mine = new Meter({ providers: [muse] })
 * mine.patch('fetch')
 */
export function defineProvider(definition: ProviderDefinition): OwnProvider {
  checkDefinition(definition)
  const { name, hosts: _, wire, routes = [], ...quirks } = definition
  const hosts = hostsPattern(definition.hosts)
  const own = routes.map(routeOf)
  const spoken = wire ? MAKERS[wire].routes.map((route) => withQuirks(route, quirks)) : []
  const provider = Object.freeze<Provider>({ name, wire: wire ?? 'own', hosts, routes: [...own, ...spoken] })
  return Object.freeze({ name, [DEFINED]: Object.freeze([provider]) })
}

/** The providers within; `undefined` for anything that `defineProvider` has not made. */
export function definedBy(value: unknown): readonly Provider[] | undefined {
  return (value as Partial<OwnProvider> | null | undefined)?.[DEFINED]
}

const SPECIAL = /[.*+?^${}()|[\]\\/]/g

/** A host without a port is meant on every port; `*.` stands for any number of names before it. */
function hostsPattern(hosts: ProviderDefinition['hosts']): RegExp {
  const all = Array.isArray(hosts) ? (hosts as readonly (string | RegExp)[]) : [hosts as string | RegExp]
  const patterns = all.map((host) => {
    if (host instanceof RegExp) return `(?:${host.source})`
    const name = host.toLowerCase().replace(/^\*\./, '')
    const before = name === host.toLowerCase() ? '' : '(?:[a-z0-9-]+\\.)+'
    const after = /:\d+$/.test(name) ? '' : '(?::\\d+)?'
    return `^${before}${name.replace(SPECIAL, '\\$&')}${after}$`
  })
  return new RegExp(patterns.join('|'))
}
