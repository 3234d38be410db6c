// What we look at is the application's own: a getter, a proxy or a half-broken client may throw, and its call goes on.

import type { Observer } from './exchange.ts'

/** What `look` gives, or `undefined` where it throws: then the call is made as if nobody looked, and that is said. */
export function guarded<T>(watcher: Observer, what: string, look: () => T): T | undefined {
  try {
    return look()
  } catch (cause) {
    watcher.problem(`${what} could not be read: the call is made and is not metered.`, cause)
    return undefined
  }
}
