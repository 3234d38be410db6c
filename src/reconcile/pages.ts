// Goes from page to page of a report, and checks that its buckets are whole: none twice, none missing, none cut off.

import { type Fields, listIn, objectIn, stop, stopAt } from './fields.ts'
import type { Puller } from './pull.ts'
import type { Period } from './statement.ts'

const MOST_PAGES = 100_000

/** What `data` of every page holds, one after the other. */
export async function* pagesOf(
  pull: Puller,
  path: string,
  query: URLSearchParams,
  where: string,
): AsyncGenerator<Fields> {
  const asked = new Set<string>()
  let page: string | undefined
  for (let count = 0; count < MOST_PAGES; count++) {
    const these = new URLSearchParams(query)
    if (page !== undefined) these.set('page', page)
    const answer = await pull.get(path, these)
    for (const item of listIn(answer['data'], where, 'data')) yield objectIn(item, where, 'data[]')
    if (answer['has_more'] !== true) {
      if (answer['has_more'] === false) return
      stop(where, 'has_more', 'true or false', answer['has_more'])
    }
    const next = answer['next_page']
    if (typeof next !== 'string' || asked.has(next)) stop(where, 'next_page', 'a page that was not asked for yet', next)
    asked.add((page = next as string))
  }
}

export interface Span {
  readonly since: number
  readonly until: number
}

/** Told of each bucket in turn, stops at one that overlaps the last, leaves a gap, or is of another width. */
export function bucketCheck(period: Period, stepMs: number, where: string): { see(span: Span): void; end(): void } {
  let next = period.since
  const at = (moment: number) => new Date(moment).toISOString()
  return {
    see({ since, until }) {
      if (until - since !== stepMs)
        stopAt(where, 'the bucket', `one of ${stepMs / 60_000} minutes from ${at(since)} on`, `one until ${at(until)}`)
      if (since !== next)
        stopAt(where, 'the next bucket', `one that begins at ${at(next)}`, `one that begins at ${at(since)}`)
      next = until
    },
    end() {
      if (next < period.until)
        stopAt(where, 'the report', `one until ${at(period.until)}`, `one that ends at ${at(next)}`)
    },
  }
}
