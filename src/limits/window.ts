// Windows: when one starts, when it ends, and its name. By the calendar of a time zone, or rolling on.

import type { LimitWindow } from '../errors.ts'
import type { LimitSettings } from './limit-store.ts'
import { type LocalTime, shifted, UTC, type Zone, zoneOf } from './zone.ts'

export const LIMIT_WINDOWS = ['hour', 'day', 'week', 'month', 'total'] as const satisfies LimitWindow[]

/** One window, or the newest slot of a rolling one. */
export interface Window {
  /** `2026-11-22T14`, `2026-11-22`, `week-2026-11-16` (its Monday), `2026-11`, `total`; with the zone where that is not UTC. */
  readonly id: string
  /** Epoch milliseconds. */
  readonly from: number
  /** Not included; infinite for `total`. */
  readonly until: number
  /**
   * The names of the other slots that a rolling window sums up: the earlier ones, newest first, and as many later ones.
   * A process whose clock is ahead has money of those already.
   */
  readonly earlier: readonly string[]
  /** Where what counts in it began: `from`, but for a rolling window. */
  readonly since: number
  /** After this no call counts in it any more; `undefined` for `total`. */
  readonly endsAt: number | undefined
}

export interface Calendar {
  /** The window that holds a moment (epoch milliseconds). */
  at(moment: number): Window
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** 1970-01-01 was a Thursday. */
const FIRST_MONDAY = 4 * DAY
const TOTAL: Window = { id: 'total', from: 0, until: Infinity, earlier: [], since: 0, endsAt: undefined }

/** A rolling window counts whole slots: it is as long as it says, and up to one slot longer. */
export const ROLLING: Readonly<
  Record<Exclude<LimitWindow, 'total'>, { readonly slot: number; readonly slots: number }>
> = {
  hour: { slot: HOUR / 12, slots: 12 },
  day: { slot: HOUR, slots: 24 },
  week: { slot: 6 * HOUR, slots: 28 },
  month: { slot: DAY, slots: 30 },
}

const calendars = new Map<string, Calendar>()

/** One for each kind of window, so that limits of one kind look at the calendar once. */
export function calendarOf(per: LimitWindow, settings: LimitSettings = {}): Calendar {
  const { timeZone = 'UTC', anchor, rolling } = settings
  const name = `${per} ${timeZone} ${anchor} ${rolling}`
  let calendar = calendars.get(name)
  if (!calendar) calendars.set(name, (calendar = remembering(per === 'total' ? () => TOTAL : finderOf(per, settings))))
  return calendar
}

/** For a zone that this Node does not know: windows of the same names, so that the account is everybody's, by UTC. */
export function calendarByUtc(per: LimitWindow, settings: LimitSettings): Calendar {
  if (per === 'total') return calendarOf(per)
  return remembering(finderOf(per, settings, (name) => shifted(name, 0)))
}

function finderOf(per: Exclude<LimitWindow, 'total'>, settings: LimitSettings, zoneFor = zoneOf) {
  const { timeZone = 'UTC', anchor, rolling } = settings
  if (rolling) return (moment: number) => rollingWindow(per, moment)
  const zone = timeZone === 'UTC' ? UTC : zoneFor(timeZone)
  return (moment: number) => calendarWindow(per, zone, anchor, moment)
}

function remembering(find: (moment: number) => Window): Calendar {
  let last: Window | undefined
  return {
    at(moment) {
      if (last && moment >= last.from && moment < last.until) return last
      const found = find(moment)
      // A call that was made a while ago must not cost the others the window of today.
      if (!last || found.from >= last.from) last = found
      return found
    },
  }
}

function rollingWindow(per: Exclude<LimitWindow, 'total'>, moment: number): Window {
  const { slot, slots } = ROLLING[per]
  const number = Math.floor(moment / slot)
  const idOf = (n: number) => `rolling-${new Date(n * slot).toISOString().slice(0, 16)}`
  const from = number * slot
  return {
    id: idOf(number),
    from,
    until: from + slot,
    earlier: [-1, 1].flatMap((side) => Array.from({ length: slots }, (_, i) => idOf(number + side * (i + 1)))),
    since: from - slots * slot,
    endsAt: from + (slots + 1) * slot,
  }
}

/** When a slot of a rolling window, by its name, has left every window (epoch milliseconds). */
export function leavesAt(per: Exclude<LimitWindow, 'total'>, id: string): number {
  const { slot, slots } = ROLLING[per]
  return Date.parse(`${id.slice('rolling-'.length)}Z`) + (slots + 1) * slot
}

function calendarWindow(
  per: Exclude<LimitWindow, 'total'>,
  zone: Zone,
  anchor: number | undefined,
  moment: number,
): Window {
  if (per === 'hour') return hourWindow(zone, moment)
  // Where a clock is put back over midnight a day comes twice: it is one window, and so is the day before it.
  let start = startOf(per, anchor, zone.localOf(moment))
  while (zone.firstAt(start) > moment) start = startOf(per, anchor, start - 1)
  let end = nextStart(per, anchor, start)
  while (zone.firstAt(end) <= moment) {
    start = end
    end = nextStart(per, anchor, end)
  }
  return windowOf(nameOf(per, anchor, start), zone, zone.firstAt(start), zone.firstAt(end))
}

function windowOf(name: string, zone: Zone, from: number, until: number): Window {
  const id = zone === UTC ? name : `${name} ${zone.name}`
  return { id, from, until, earlier: [], since: from, endsAt: until }
}

/** Hours are counted from the start of the day, so that one is an hour long on days whose clock is put forward or back, too. */
function hourWindow(zone: Zone, moment: number): Window {
  const day = calendarWindow('day', zone, undefined, moment)
  const from = day.from + Math.floor((moment - day.from) / HOUR) * HOUR
  const name = zone === UTC ? new Date(from).toISOString().slice(0, 13) : new Date(from).toISOString().slice(0, 16)
  return windowOf(name, zone, from, Math.min(from + HOUR, day.until))
}

function startOf(per: LimitWindow, anchor: number | undefined, local: LocalTime): LocalTime {
  if (per === 'day') {
    const shift = (anchor ?? 0) * HOUR
    return Math.floor((local - shift) / DAY) * DAY + shift
  }
  if (per === 'week') {
    const first = FIRST_MONDAY + ((anchor ?? 1) - 1) * DAY
    return Math.floor((local - first) / (7 * DAY)) * 7 * DAY + first
  }
  const date = new Date(local)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  const start = monthStart(year, month, anchor)
  return start <= local ? start : monthStart(year, month - 1, anchor)
}

function nextStart(per: LimitWindow, anchor: number | undefined, start: LocalTime): LocalTime {
  if (per === 'day') return start + DAY
  if (per === 'week') return start + 7 * DAY
  const date = new Date(start)
  return monthStart(date.getUTCFullYear(), date.getUTCMonth() + 1, anchor)
}

/** A month that is too short for the day begins with its last one. */
function monthStart(year: number, month: number, anchor = 1): LocalTime {
  const days = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  return Date.UTC(year, month, Math.min(anchor, days))
}

function nameOf(per: LimitWindow, anchor: number | undefined, start: LocalTime): string {
  const iso = new Date(start).toISOString()
  const date = iso.slice(0, 10)
  if (per === 'week') return `week-${date}`
  if (per === 'month') return anchor === undefined || anchor === 1 ? iso.slice(0, 7) : date
  return anchor ? iso.slice(0, 13) : date
}

/** When a window in UTC began and ends (`undefined` for `total`), for whoever asks a ledger. */
export function windowStart(per: LimitWindow, at: number): number {
  return calendarOf(per).at(at).from
}

export function windowEnd(per: LimitWindow, at: number): number | undefined {
  const { until } = calendarOf(per).at(at)
  return until === Infinity ? undefined : until
}
