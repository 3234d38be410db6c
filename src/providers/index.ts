// The list of providers, and the way from a host and a path to a route.

import { anthropic } from './anthropic.ts'
import { aws } from './aws.ts'
import { cohere } from './cohere.ts'
import { dialectsOf } from './dialect.ts'
import { isFreePath } from './free-paths.ts'
import { google } from './google.ts'
import { mistral } from './mistral.ts'
import { openai } from './openai.ts'
import type { Provider, Route } from './provider.ts'
import { vercel } from './vercel.ts'

/** The wire that a client speaks; `any`: the host alone decides. */
type Wire = Exclude<Provider['wire'], 'own'> | 'any'

/** Every wire we read. Adding one is a file and a line here. */
export const PROVIDERS: readonly Provider[] = [openai, anthropic, google, mistral, cohere, aws, vercel]

/** The hosts that speak a wire of another's: see `hosts.ts`. */
export const DIALECTS: readonly Provider[] = dialectsOf(PROVIDERS)

export interface Found {
  /** `openai`, `deepseek`, ..., or the host's own name where it is not known. */
  readonly provider: string
  readonly route: Route
}

/** The way from a request to its route. */
export interface Routing {
  /** The route of a request, or `null` when it is not billable. Remembered: the same few come again and again. */
  (wire: Wire, method: string, host: string, path: string): Found | null
  /** Whose calls those to `host` are; `undefined` for a host that is not known to serve models. */
  providerOf(host: string): string | undefined
  /** Whether a request that has no route may go unmetered: it is free, or its host is one that the application defined. */
  isFree(host: string, path: string): boolean
}

/**
 * Finds routes. `hosts` says what an application's own hosts are: a gateway, a proxy, an emulator. `own` are providers
 * that it has defined, which come before ours.
 */
export function createRouting(hosts: Readonly<Record<string, string>> = {}, own: readonly Provider[] = []): Routing {
  const all = [...own, ...PROVIDERS, ...DIALECTS]
  const found = new Map<string, Map<string, Map<string, Found | null>>>()

  /** A host that is named without a port is meant on every port. */
  function named(host: string): string | undefined {
    if (Object.hasOwn(hosts, host)) return hosts[host]
    const hostname = host.replace(/:\d+$/, '')
    return Object.hasOwn(hosts, hostname) ? hosts[hostname] : undefined
  }

  function providerOf(host: string): string | undefined {
    return named(host) ?? all.find((known) => known.hosts.test(host))?.name
  }

  function find(wire: Wire, method: string, host: string, path: string): Found | null {
    const name = providerOf(host) ?? host
    const served = all.filter((known) => known.name === name)
    const spoken = wire === 'any' ? served : served.filter((provider) => provider.wire === wire)
    // A host that is not known speaks the wire of the SDK that dials it.
    const makers = spoken.length > 0 ? [] : PROVIDERS.filter((provider) => provider.wire === wire)
    const unspoken = wire === 'any' ? [] : served.filter((provider) => provider.wire === 'own')
    // Its own wire before another's: an SDK can be made to call any path.
    for (const { routes } of [...unspoken, ...spoken, ...makers]) {
      const route = routes.find((one) => (one.method ?? 'post') === method && one.path.test(path))
      if (route) return { provider: name, route }
    }
    return null
  }

  function route(wire: Wire, method: string, host: string, path: string): Found | null {
    const paths = remembered(remembered(found, wire), host)
    // Ids stand in the paths of other methods: there are as many of them as calls.
    if (method !== 'post') return find(wire, method, host, path)
    let known = paths.get(path)
    if (known === undefined) {
      known = find(wire, method, host, path)
      if (paths.size >= 1000) paths.clear()
      paths.set(path, known)
    }
    return known
  }

  function isFree(host: string, path: string): boolean {
    const name = providerOf(host)
    return name === undefined || own.some((defined) => defined.name === name) || isFreePath(name, path)
  }

  return Object.assign(route, { providerOf, isFree })
}

/** One map in another rather than one key of many words, which would be put together and hashed for each call. */
function remembered<Inner>(map: Map<string, Map<string, Inner>>, key: string): Map<string, Inner> {
  let inner = map.get(key)
  if (!inner) {
    if (map.size >= 1000) map.clear()
    map.set(key, (inner = new Map()))
  }
  return inner
}
