// Events that had to be given up for want of room, as one event: whoever adds up the bill must see that some are missing.

import { eventId, isoTime, type LLMEvent } from '../event.ts'
import type { Loss } from './spool/cursor.ts'

export function lossOf(events: number, before: Loss | undefined): Loss {
  if (before !== undefined) return { ...before, events: before.events + events }
  const now = Date.now()
  return { events, eventId: eventId(now), timestamp: isoTime(now) }
}

export function lossEvent({ events, eventId, timestamp }: Loss): LLMEvent {
  return Object.freeze({
    eventId,
    timestamp,
    provider: 'tallygate',
    model: 'unknown',
    endpoint: 'delivery',
    usageSource: 'absent',
    error: 'lost',
    calls: events,
  })
}
