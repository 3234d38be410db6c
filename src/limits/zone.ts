// Local time: what the clock on a wall shows at an instant, and the first instant at which it shows a time.

import { expected, MeterError } from '../errors.ts'

const MINUTE = 60_000
const DAY = 86_400_000

/** Milliseconds since 1970 as if the clock on the wall were in UTC: the fields of a `Date` of it are what the wall shows. */
export type LocalTime = number

export interface Zone {
  readonly name: string
  localOf(instant: number): LocalTime
  /** The first instant at which the wall shows `local` or later: the end of the gap, where a clock change skips it. */
  firstAt(local: LocalTime): number
}

export const UTC: Zone = shifted('UTC', 0)

/** A zone whose clock is never put forward or back. */
export function shifted(name: string, offset: number): Zone {
  return { name, localOf: (instant) => instant + offset, firstAt: (local) => local - offset }
}

/** `Intl` of Node 20 does not take one, and of Node 22 does. */
const OFFSET = /^([+-])(\d\d):?([0-5]\d)$/

function fixedZone(name: string): Zone | undefined {
  const [, sign, hours, minutes] = OFFSET.exec(name) ?? []
  if (hours === undefined || Number(hours) > 23) return undefined
  return shifted(name, (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * MINUTE)
}

const zones = new Map<string, Zone>([['UTC', UTC]])

/** The zone of an IANA name or of an offset such as `+05:30`. Throws MeterError `BAD_INPUT` in one sentence for a name that there is none of. */
export function zoneOf(name: string): Zone {
  let zone = zones.get(name)
  if (!zone) zones.set(name, (zone = fixedZone(name) ?? createZone(name)))
  return zone
}

function createZone(name: string): Zone {
  const format = formatFor(name)
  const offset = (instant: number): number => localIn(format, instant) - floor(instant)

  function transition(before: number, after: number): number {
    const old = offset(before)
    let [low, high] = [before, after]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (offset(middle) === old) low = middle
      else high = middle
    }
    return high
  }

  return {
    name,
    localOf: (instant) => instant + offset(instant),
    firstAt(local) {
      // No zone changes its clock twice within two days.
      const [before, after] = [offset(local - DAY), offset(local + DAY)]
      if (before === after) return local - before
      const changed = transition(local - DAY, local + DAY)
      const early = local - before
      if (early < changed) return early
      const late = local - after
      return late > changed ? late : changed
    },
  }
}

function formatFor(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
      era: 'short',
    })
  } catch {
    throw new MeterError(
      'BAD_INPUT',
      expected('timeZone', "the IANA name of a time zone, such as 'Europe/Berlin'", timeZone),
    )
  }
}

/** To the second: no offset of our time is finer than a minute, and older ones are to the second. */
function floor(instant: number): number {
  return Math.floor(instant / 1000) * 1000
}

function localIn(format: Intl.DateTimeFormat, instant: number): LocalTime {
  const fields: Partial<Record<Intl.DateTimeFormatPartTypes, string>> = {}
  for (const { type, value } of format.formatToParts(floor(instant))) fields[type] = value
  const year = Number(fields.year)
  const date = new Date(0)
  date.setUTCFullYear(fields.era === 'BC' ? 1 - year : year, Number(fields.month) - 1, Number(fields.day))
  return date.getTime() + (Number(fields.hour) * 60 + Number(fields.minute)) * MINUTE + Number(fields.second) * 1000
}
