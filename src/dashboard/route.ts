// Where the reader is, as the part of the address behind `#`: a page, what it is about, the range and the zone. All of it can be shared.

import { dateIn, isZone, type Step, startOfDay, startOfMonth } from './zone.ts'

export interface Route {
  /** `''` is the overview. */
  readonly page: string
  /** A tenant, an event. */
  readonly of: string | undefined
  readonly params: URLSearchParams
}

export const RANGES = {
  '24h': 'Last 24 hours',
  today: 'Today',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
  month: 'This month',
  'last-month': 'Last month',
  '90d': 'Last 90 days',
  '12m': 'Last 12 months',
  all: 'All time',
  custom: 'From … to …',
} as const
export type RangeName = keyof typeof RANGES

export interface Range {
  readonly name: RangeName
  readonly zone: string
  /** Epoch milliseconds; nothing is the first event. */
  readonly since: number | undefined
  /** Not included; nothing is now. */
  readonly until: number | undefined
  readonly every: Step
}

const USUAL: RangeName = '30d'
const HOUR = 3_600_000
const DAY = 24 * HOUR

export function readRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const [page = '', of] = path.split('/')
  return { page, of: of === undefined ? undefined : decoded(of), params: new URLSearchParams(query) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The address of a page in the same range and zone. Values of `undefined` are left out. */
export function linkTo(
  route: Route,
  page: string,
  of?: string,
  params: Readonly<Record<string, string | undefined>> = {},
): string {
  const query = new URLSearchParams()
  for (const name of ['range', 'from', 'to', 'zone']) {
    const value = route.params.get(name)
    if (value !== null) query.set(name, value)
  }
  for (const [name, value] of Object.entries(params))
    if (value === undefined) query.delete(name)
    else query.set(name, value)
  const path = of === undefined ? page : `${page}/${encodeURIComponent(of)}`
  return `#/${path}${query.size === 0 ? '' : `?${query}`}`
}

/** The same page with other parameters. */
export function linkWith(route: Route, changed: Readonly<Record<string, string | undefined>>): string {
  const all = Object.fromEntries(route.params)
  return linkTo({ ...route, params: new URLSearchParams() }, route.page, route.of, { ...all, ...changed })
}

export function rangeOf({ params }: Route, now: number): Range {
  const asked = params.get('range') ?? USUAL
  const name = Object.hasOwn(RANGES, asked) ? (asked as RangeName) : USUAL
  const given = params.get('zone') ?? 'UTC'
  const zone = isZone(given) ? given : 'UTC'
  const [since, until] = momentsOf(name, zone, params, now)
  return { name, zone, since, until, every: stepOf(name, since, until ?? now) }
}

function momentsOf(
  name: RangeName,
  zone: string,
  params: URLSearchParams,
  now: number,
): readonly [since?: number | undefined, until?: number | undefined] {
  switch (name) {
    case '24h':
      return [now - (now % HOUR) - 23 * HOUR]
    case 'today':
      return [startOfDay(now, zone)]
    case '7d':
      return [startOfDay(now, zone, 6)]
    case '30d':
      return [startOfDay(now, zone, 29)]
    case '90d':
      return [startOfDay(now, zone, 89)]
    case 'month':
      return [startOfMonth(now, zone)]
    case 'last-month':
      return [startOfMonth(now, zone, 1), startOfMonth(now, zone)]
    case '12m':
      return [startOfMonth(now, zone, 11)]
    case 'all':
      return []
    case 'custom': {
      const since = dateIn(params.get('from') ?? '', zone)
      const until = dateIn(params.get('to') ?? '', zone, 1)
      // A range that ends before it begins is that of its first day.
      return [since, since !== undefined && until !== undefined && until <= since ? since + DAY : until]
    }
  }
}

function stepOf(name: RangeName, since: number | undefined, until: number): Step {
  if (name === '12m' || since === undefined) return 'month'
  const length = until - since
  if (length <= 3 * DAY) return 'hour'
  if (length <= 100 * DAY) return 'day'
  return length <= 400 * DAY ? 'week' : 'month'
}

/** What the server is asked of a range. */
export function rangeParams({ since, until }: Range): Record<string, string> {
  return {
    ...(since !== undefined && { since: new Date(since).toISOString() }),
    ...(until !== undefined && { until: new Date(until).toISOString() }),
  }
}
