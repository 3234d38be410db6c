// Moments as a person types them: a date, a time, so long ago, or the start of the current day or month. All in UTC.

import type { LimitWindow } from '../errors.ts'
import { LIMIT_WINDOWS, windowStart } from '../limits/window.ts'

export const MOMENT_FORMS =
  'a date (2026-11-01) or month (2026-11), a time (2026-11-01T14:00), so long ago (30m, 24h, 7d, 2w), or hour, day, week, month for the start of the current one'

const AGO = /^(\d{1,6})([mhdw])$/
const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const DATE = /^(\d{4})-(\d\d)(?:-(\d\d))?(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/

/** Epoch milliseconds; `undefined` for a text that is no moment. */
export function parseMoment(text: string, now: number): number | undefined {
  const ago = AGO.exec(text)
  if (ago) return now - Number(ago[1]) * UNIT_MS[ago[2]!]!
  if (text !== 'total' && LIMIT_WINDOWS.includes(text as LimitWindow)) return windowStart(text as LimitWindow, now)
  const match = DATE.exec(text)
  if (!match) return undefined
  const [, year, month, day, hour, , , zone] = match
  // `new Date('2026-02-30')` is the second of March to some engines.
  if (day !== undefined && Number(day) > daysIn(Number(year), Number(month))) return undefined
  if (hour !== undefined && day === undefined) return undefined
  // Without a zone a time would be the machine's own, while a date is UTC: one rule for both.
  const at = Date.parse(hour === undefined || zone !== undefined ? text : `${text}Z`)
  return Number.isNaN(at) ? undefined : at
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate()
}

/** `2026-11-01` at midnight, `2026-11-01 14:05` otherwise; UTC. */
export function formatMoment(at: number): string {
  const iso = new Date(at).toISOString()
  return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : iso.slice(0, 16).replace('T', ' ')
}

/** How long from now, in the two largest units: `8 d 4 h`, `25 min`. */
export function formatDuration(ms: number): string {
  const minutes = Math.max(1, Math.ceil(ms / 60_000))
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (days > 0) return hours % 24 > 0 ? `${days} d ${hours % 24} h` : `${days} d`
  if (hours > 0) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`
  return `${minutes} min`
}
