// The ids of the events that a sink took lately: for one whose destination cannot tell that it has an event already.

import type { LLMEvent } from '../event.ts'

type Identity = Pick<LLMEvent, 'eventId' | 'usageSource'>

export interface Recent {
  has(event: Identity): boolean
  /** Has it, or what it was an estimate of. */
  replaces(event: Identity): boolean
  add(event: Identity): void
}

/** What is sent again was sent a moment ago; an older one is known by its id to whoever reads. */
const REMEMBERED = 50_000

export function createRecent(): Recent {
  /** Whether what came under the id was an estimate. */
  const known = new Map<string, boolean>()
  return {
    has: ({ eventId }) => known.has(eventId),
    replaces: ({ eventId, usageSource }) => known.get(eventId) === true && usageSource === 'reported',
    add({ eventId, usageSource }) {
      if (!known.has(eventId) && known.size >= REMEMBERED) known.delete(known.keys().next().value!)
      known.set(eventId, usageSource === 'estimated')
    },
  }
}
