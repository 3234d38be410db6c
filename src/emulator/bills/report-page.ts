// What the reports of both houses have in common: lists in a query, pages of buckets, and the form of an answer.

import type { IncomingHttpHeaders } from 'node:http'

export interface AdminOptions {
  /** Buckets on one page at most, whatever is asked for: as many as the provider allows. */
  readonly pageSize?: number
  /** Every nth request is answered 429; never. */
  readonly busyEvery?: number
  /** Seconds of `Retry-After`; 0. */
  readonly retryAfter?: number
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Throws nothing: what is wrong is answered as the provider answers it. */
export type Answerer = (path: string, query: URLSearchParams, headers: IncomingHttpHeaders) => Answer

/** Both SDKs write lists as `group_by[]=a&group_by[]=b`. */
export function listOf(query: URLSearchParams, name: string): readonly string[] {
  return [...query.getAll(`${name}[]`), ...query.getAll(name)]
}

/** Buckets from one moment to another, those of one page, and the name of the next. */
export function pageOf(
  since: number,
  until: number,
  width: number,
  limit: number,
  page: string | null,
): { readonly starts: readonly number[]; readonly next: string | null } {
  const from = page === null ? 0 : Number(page.replace(/^page_/, ''))
  const starts: number[] = []
  const all = Math.ceil((until - since) / width)
  for (let i = from; i < Math.min(all, from + limit); i++) starts.push(since + i * width)
  return { starts, next: from + limit < all ? `page_${from + limit}` : null }
}
