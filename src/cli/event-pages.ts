// The events of a ledger that a command is asked for, a page at a time: no more of them in memory, whatever it holds.

import type { LLMEvent } from '../event.ts'
import type { Where } from '../ledger/query.ts'
import type { LedgerViews } from '../ledger/views.ts'
import type { Period } from './query.ts'

const PAGE = 1000

/** The oldest first. */
export async function* eventPages(
  views: Pick<LedgerViews, 'events'>,
  { since, until, tenantId }: Period,
  where: Where,
): AsyncGenerator<readonly LLMEvent[]> {
  const whose = tenantId === undefined ? where : { ...where, tenant: tenantId }
  let cursor: string | undefined
  do {
    const page = await views.events({ since, until, where: whose, cursor, limit: PAGE, oldestFirst: true })
    if (page.events.length > 0) yield page.events
    cursor = page.next
  } while (cursor !== undefined)
}

export async function* eventsOf(
  views: Pick<LedgerViews, 'events'>,
  period: Period,
  where: Where,
): AsyncGenerator<LLMEvent> {
  for await (const events of eventPages(views, period, where)) yield* events
}
