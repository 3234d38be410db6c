// Moments in a time zone: when a day or a month begins there, and how a moment is written.

const DAY = 86_400_000
const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const name = `${zone} ${JSON.stringify(options)}`
  let made = formats.get(name)
  if (made === undefined) formats.set(name, (made = new Intl.DateTimeFormat('en-GB', { timeZone: zone, ...options })))
  return made
}

export function isZone(zone: string): boolean {
  try {
    format(zone, {})
    return true
  } catch {
    return false
  }
}

/** Every zone that this browser knows, with UTC first. */
export function zones(): string[] {
  const own = new Intl.DateTimeFormat().resolvedOptions().timeZone
  const known = Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')
  return ['UTC', ...(own === 'UTC' || !isZone(own) ? [] : [own]), ...known.filter((zone) => zone !== own)]
}

const PARTS = {
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
} as const

/** What the clocks there show, as if that were UTC. */
function wallAt(at: number, zone: string): number {
  const parts = Object.fromEntries(
    format(zone, PARTS)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/** The moment at which the clocks there show this; the first one, where they show it twice. */
function momentOf(wall: number, zone: string): number {
  let at = wall - (wallAt(wall, zone) - wall)
  at += wall - wallAt(at, zone)
  return at
}

/** The month that it is there: `2026-11`. */
export function monthIn(zone: string, at = Date.now()): string {
  return new Date(wallAt(at, zone)).toISOString().slice(0, 7)
}

export function startOfDay(at: number, zone: string, daysBefore = 0): number {
  const wall = wallAt(at, zone)
  return momentOf(wall - (wall % DAY) - daysBefore * DAY, zone)
}

export function startOfMonth(at: number, zone: string, monthsBefore = 0): number {
  const wall = new Date(wallAt(at, zone))
  return momentOf(Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() - monthsBefore, 1), zone)
}

/** `2026-11-22` there; `undefined` for what is no date. */
export function dateIn(text: string, zone: string, daysAfter = 0): number | undefined {
  const wall = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(wall) ? undefined : momentOf(wall + daysAfter * DAY, zone)
}

export function dateText(at: number, zone: string): string {
  return new Date(wallAt(at, zone)).toISOString().slice(0, 10)
}

/** `22 Nov 2026, 14:05:09`. */
export function momentText(at: number, zone: string): string {
  return format(zone, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }).format(at)
}

export type Step = 'hour' | 'day' | 'week' | 'month'

export function bucketText(at: number, every: Step, zone: string): string {
  if (every === 'hour')
    return format(zone, {
      day: 'numeric',
      month: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    }).format(at)
  if (every === 'month') return format(zone, { month: 'short', year: 'numeric' }).format(at)
  return format(zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(at)
}

/** As short as the axis of a chart wants it. */
export function tickText(at: number, every: Step, zone: string): string {
  if (every === 'hour' && wallAt(at, zone) % DAY !== 0)
    return format(zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at)
  if (every === 'month') return format(zone, { month: 'short', year: '2-digit' }).format(at)
  return format(zone, { day: 'numeric', month: 'short' }).format(at)
}

/** How long ago, in its largest unit. */
export function agoText(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000))
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86_400)} days ago`
}
