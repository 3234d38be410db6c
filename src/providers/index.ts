// The list of providers, and the way from a host and a path to a route.

import { anthropic } from './anthropic.ts'
import { google } from './google.ts'
import { openai } from './openai.ts'
import type { Provider, Route } from './provider.ts'

/** The wire that a client speaks; `any`: the host alone decides. */
type Wire = Exclude<Provider['wire'], 'own'> | 'any'

/** Every wire we read. Adding one is a file and a line here. */
export const PROVIDERS: readonly Provider[] = [openai, anthropic, google]

export interface Found {
  /** `openai`, ..., or the host's own name where it is not known. */
  readonly provider: string
  readonly route: Route
}

/** Finds routes. `hosts` says what an application's own hosts are: a gateway, a proxy, an emulator. */
export function createRouting(hosts: Readonly<Record<string, string>> = {}) {
  const found = new Map<string, Map<string, Map<string, Found | null>>>()

  /** A host that is named without a port is meant on every port. */
  function named(host: string): string | undefined {
    if (Object.hasOwn(hosts, host)) return hosts[host]
    const hostname = host.replace(/:\d+$/, '')
    return Object.hasOwn(hosts, hostname) ? hosts[hostname] : undefined
  }

  function find(wire: Wire, method: string, host: string, path: string): Found | null {
    const name = named(host) ?? PROVIDERS.find((known) => known.hosts.test(host))?.name ?? host
    const own = PROVIDERS.filter((known) => known.name === name)
    const known = wire === 'any' ? own : own.filter((provider) => provider.wire === wire)
    // A host that is not known speaks the wire of the SDK that dials it.
    const speaking = known.length > 0 ? known : PROVIDERS.filter((provider) => provider.name === wire)
    for (const { routes } of speaking) {
      const route = routes.find((one) => (one.method ?? 'post') === method && one.path.test(path))
      if (route) return { provider: name, route }
    }
    return null
  }

  /** The route of a request, or `null` when it is not billable. Remembered: the same few come again and again. */
  return (wire: Wire, method: string, host: string, path: string): Found | null => {
    const paths = remembered(remembered(found, wire), host)
    // Ids stand in the paths of other methods: there are as many of them as calls.
    if (method !== 'post') return find(wire, method, host, path)
    let route = paths.get(path)
    if (route === undefined) {
      route = find(wire, method, host, path)
      if (paths.size >= 1000) paths.clear()
      paths.set(path, route)
    }
    return route
  }
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
