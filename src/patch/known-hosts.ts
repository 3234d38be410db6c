// Which of the hosts that are dialled serve models: asked for each call of `fetch`, whatever it is for.

import type { Observer } from './exchange.ts'
import { type FetchInput, originOf } from './fetch-request.ts'

const ORIGINS_REMEMBERED = 1000

/** Which host a call is for, where it is one that the observer knows: one look into a map for all the others. */
export function knownHosts(): (watcher: Observer, input: FetchInput) => string | null {
  let of: Observer | undefined
  const known = new Map<string, string | null>()
  return (watcher, input) => {
    let origin: string
    try {
      origin = originOf(input)
    } catch {
      // What cannot be made a text of: `fetch` itself will say so.
      return null
    }
    if (of !== watcher) known.clear()
    of = watcher
    const seen = known.get(origin)
    if (seen !== undefined) return seen
    const host = hostOf(origin)
    const answer = host !== undefined && watcher.knowsHost(host) ? host : null
    if (known.size >= ORIGINS_REMEMBERED) known.clear()
    known.set(origin, answer)
    return answer
  }
}

function hostOf(origin: string): string | undefined {
  try {
    const { protocol, host } = new URL(origin)
    return protocol === 'https:' || protocol === 'http:' ? host : undefined
  } catch {
    return undefined
  }
}
