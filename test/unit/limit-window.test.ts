import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LimitWindow } from '../../src/errors.ts'
import type { LimitSettings } from '../../src/limits/limit-store.ts'
import { calendarOf, LIMIT_WINDOWS, ROLLING, windowEnd, windowStart } from '../../src/limits/window.ts'

const at = (iso: string) => Date.parse(iso)
const windowId = (per: LimitWindow, moment: number) => calendarOf(per).at(moment).id
const local = (settings: LimitSettings, per: LimitWindow, iso: string) => {
  const { id, from, until } = calendarOf(per, settings).at(at(iso))
  return [id, new Date(from).toISOString(), new Date(until).toISOString()]
}

describe('calendar windows in UTC', () => {
  test.each([
    ['hour', '2026-11-22T14:59:59.999Z', '2026-11-22T14:00:00Z', '2026-11-22T15:00:00Z', '2026-11-22T14'],
    ['hour', '2026-11-22T15:00:00.000Z', '2026-11-22T15:00:00Z', '2026-11-22T16:00:00Z', '2026-11-22T15'],
    ['day', '2026-12-31T23:59:59.999Z', '2026-12-31T00:00:00Z', '2027-01-01T00:00:00Z', '2026-12-31'],
    ['day', '2028-02-29T12:00:00.000Z', '2028-02-29T00:00:00Z', '2028-03-01T00:00:00Z', '2028-02-29'],
    ['week', '2026-11-22T23:59:59.999Z', '2026-11-16T00:00:00Z', '2026-11-23T00:00:00Z', 'week-2026-11-16'],
    ['week', '2026-11-23T00:00:00.000Z', '2026-11-23T00:00:00Z', '2026-11-30T00:00:00Z', 'week-2026-11-23'],
    ['week', '1970-01-01T00:00:00.000Z', '1969-12-29T00:00:00Z', '1970-01-05T00:00:00Z', 'week-1969-12-29'],
    ['month', '2026-11-30T23:59:59.999Z', '2026-11-01T00:00:00Z', '2026-12-01T00:00:00Z', '2026-11'],
    ['month', '2026-12-15T00:00:00.000Z', '2026-12-01T00:00:00Z', '2027-01-01T00:00:00Z', '2026-12'],
    ['month', '2028-02-01T00:00:00.000Z', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z', '2028-02'],
  ] as const)('the %s of %s', (window, moment, start, end, id) => {
    expect(windowStart(window, at(moment))).toBe(at(start))
    expect(windowEnd(window, at(moment))).toBe(at(end))
    expect(windowId(window, at(moment))).toBe(id)
  })

  test('the total begins with time and never ends', () => {
    expect([windowStart('total', 1e12), windowEnd('total', 1e12), windowId('total', 1e12)]).toEqual([
      0,
      undefined,
      'total',
    ])
  })

  test('every moment is in exactly one window of a kind, and its neighbours follow on', () => {
    const moment = fc.integer({ min: -at('2100-01-01T00:00:00Z'), max: at('2200-01-01T00:00:00Z') })
    fc.assert(
      fc.property(moment, fc.constantFrom(...LIMIT_WINDOWS), (time, window) => {
        if (window === 'total') return
        const [start, end] = [windowStart(window, time), windowEnd(window, time)!]
        expect(start <= time && time < end).toBe(true)
        expect(windowStart(window, start)).toBe(start)
        expect(windowEnd(window, end - 1)).toBe(end)
        expect(windowStart(window, end)).toBe(end)
        expect(windowId(window, end)).not.toBe(windowId(window, time))
        expect(windowId(window, start)).toBe(windowId(window, end - 1))
        // The ledger sums by hours: every window begins with one.
        expect(Number.isInteger(start / 3_600_000)).toBe(true)
      }),
    )
  })
})

describe('calendar windows of a time zone', () => {
  test.each([
    // Summer time begins in Berlin: a day of 23 hours, and a month that lost one.
    ['Europe/Berlin', 'day', '2026-03-29T10:00:00Z', '2026-03-28T23:00:00.000Z', '2026-03-29T22:00:00.000Z'],
    ['Europe/Berlin', 'month', '2026-03-31T21:59:00Z', '2026-02-28T23:00:00.000Z', '2026-03-31T22:00:00.000Z'],
    // It ends: a day of 25 hours.
    ['Europe/Berlin', 'day', '2026-10-25T22:30:00Z', '2026-10-24T22:00:00.000Z', '2026-10-25T23:00:00.000Z'],
    ['Asia/Kathmandu', 'day', '2026-11-22T18:14:59Z', '2026-11-21T18:15:00.000Z', '2026-11-22T18:15:00.000Z'],
    ['Asia/Kathmandu', 'hour', '2026-11-22T18:14:59Z', '2026-11-22T17:15:00.000Z', '2026-11-22T18:15:00.000Z'],
    // Half an hour of summer time.
    ['Australia/Lord_Howe', 'day', '2026-10-03T20:00:00Z', '2026-10-03T13:30:00.000Z', '2026-10-04T13:00:00.000Z'],
    // Midnight does not exist on the day on which summer time begins.
    ['Asia/Beirut', 'day', '2026-03-29T05:00:00Z', '2026-03-28T22:00:00.000Z', '2026-03-29T21:00:00.000Z'],
    ['Africa/Cairo', 'day', '2026-04-24T05:00:00Z', '2026-04-23T22:00:00.000Z', '2026-04-24T21:00:00.000Z'],
    // The clock goes from 24:00 back to 23:00: the day before has 25 hours.
    ['Africa/Cairo', 'day', '2026-10-29T21:30:00Z', '2026-10-28T21:00:00.000Z', '2026-10-29T22:00:00.000Z'],
    // Midnight comes twice, at one o'clock in summer and at midnight in winter.
    ['America/Havana', 'day', '2026-11-01T04:30:00Z', '2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z'],
    ['America/Havana', 'day', '2026-11-01T05:30:00Z', '2026-11-01T04:00:00.000Z', '2026-11-02T05:00:00.000Z'],
    ['Pacific/Kiritimati', 'day', '2026-11-22T10:00:00Z', '2026-11-22T10:00:00.000Z', '2026-11-23T10:00:00.000Z'],
    // Offsets, which `Intl` of Node 20 does not take.
    ['+05:45', 'day', '2026-11-22T18:14:59Z', '2026-11-21T18:15:00.000Z', '2026-11-22T18:15:00.000Z'],
    ['-0330', 'hour', '2026-11-22T18:14:59Z', '2026-11-22T17:30:00.000Z', '2026-11-22T18:30:00.000Z'],
    // A whole day was left out.
    ['Pacific/Apia', 'day', '2011-12-30T09:59:59Z', '2011-12-29T10:00:00.000Z', '2011-12-30T10:00:00.000Z'],
    ['Pacific/Apia', 'day', '2011-12-30T10:00:00Z', '2011-12-30T10:00:00.000Z', '2011-12-31T10:00:00.000Z'],
  ] as const)('%s: the %s of %s', (timeZone, per, moment, from, until) => {
    expect(local({ timeZone }, per, moment).slice(1)).toEqual([from, until])
  })

  test('they have names of their own', () => {
    expect(local({ timeZone: 'Europe/Berlin' }, 'month', '2026-11-30T23:30:00Z')[0]).toBe('2026-12 Europe/Berlin')
    expect(local({ timeZone: 'Europe/Berlin', anchor: 15 }, 'month', '2026-11-30T23:30:00Z')[0]).toBe(
      '2026-11-15 Europe/Berlin',
    )
  })

  test('a zone that there is none of is said in one sentence', () => {
    expect(() => calendarOf('day', { timeZone: 'Mars/Olympus' })).toThrow(
      'Expected `timeZone` to be the IANA name of a time zone, such as \'Europe/Berlin\', got "Mars/Olympus".',
    )
  })
})

describe('anchors', () => {
  test.each([
    ['month', 31, '2026-03-01T00:00:00Z', '2026-02-28T00:00:00.000Z', '2026-03-31T00:00:00.000Z', '2026-02-28'],
    ['month', 31, '2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z', '2028-03-31T00:00:00.000Z', '2028-02-29'],
    ['month', 15, '2026-01-14T23:59:59Z', '2025-12-15T00:00:00.000Z', '2026-01-15T00:00:00.000Z', '2025-12-15'],
    ['month', 1, '2026-01-14T23:59:59Z', '2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z', '2026-01'],
    ['week', 7, '2026-11-22T00:00:00Z', '2026-11-22T00:00:00.000Z', '2026-11-29T00:00:00.000Z', 'week-2026-11-22'],
    ['week', 7, '2026-11-21T23:59:59Z', '2026-11-15T00:00:00.000Z', '2026-11-22T00:00:00.000Z', 'week-2026-11-15'],
    ['day', 6, '2026-11-22T05:59:59Z', '2026-11-21T06:00:00.000Z', '2026-11-22T06:00:00.000Z', '2026-11-21T06'],
  ] as const)('a %s from %i on: that of %s', (per, anchor, moment, from, until, id) => {
    expect(local({ anchor }, per, moment)).toEqual([id, from, until])
  })
})

test('whatever the zone and the anchor: every moment is in one window, and windows follow on each other', () => {
  const zones = [
    ...['Europe/Berlin', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Asia/Beirut', 'Africa/Cairo', 'America/Havana'],
    ...['America/St_Johns', 'Pacific/Apia', 'Pacific/Chatham', 'Africa/Casablanca', 'America/Sao_Paulo', 'Asia/Gaza'],
  ]
  const anchors = { hour: undefined, day: [0, 23], week: [1, 7], month: [1, 31] } as const
  const kind = fc.constantFrom('hour', 'day', 'week', 'month' as const).chain((per) =>
    fc.record({
      per: fc.constant(per as keyof typeof anchors),
      anchor: anchors[per as keyof typeof anchors]
        ? fc.option(fc.integer({ min: anchors[per as 'day']![0], max: anchors[per as 'day']![1] }), { nil: undefined })
        : fc.constant(undefined),
    }),
  )
  const moment = fc.integer({ min: at('2005-01-01T00:00:00Z'), max: at('2037-01-01T00:00:00Z') })
  const longest = { hour: 1, day: 50, week: 24 * 9, month: 24 * 32 }
  fc.assert(
    fc.property(moment, fc.constantFrom(...zones), kind, (time, timeZone, { per, anchor }) => {
      const calendar = calendarOf(per, { timeZone, ...(anchor !== undefined && { anchor }) })
      const { id, from, until } = calendar.at(time)
      expect(from <= time && time < until).toBe(true)
      expect(until - from).toBeLessThanOrEqual(longest[per] * 3_600_000)
      expect(calendar.at(from)).toEqual(calendar.at(until - 1))
      expect(calendar.at(from).id).toBe(id)
      expect(calendar.at(until).from).toBe(until)
      expect(calendar.at(until).id).not.toBe(id)
      expect(calendar.at(from - 1).until).toBe(from)
    }),
    { numRuns: 400 },
  )
})

describe('rolling windows', () => {
  test.each(Object.entries(ROLLING))(
    'an %s is at least as long as it says, and at most one slot longer; what is in later slots counts too',
    (per, { slot, slots }) => {
      const calendar = calendarOf(per as LimitWindow, { rolling: true })
      for (const time of [at('2026-11-22T14:29:59.999Z'), at('2026-11-22T14:30:00Z')]) {
        const { id, from, until, earlier, since, endsAt } = calendar.at(time)
        expect([until - from, earlier.length, from - since]).toEqual([slot, 2 * slots, slot * slots])
        expect(new Set([id, ...earlier]).size).toBe(2 * slots + 1)
        expect(earlier[0]).toBe(calendar.at(from - 1).id)
        expect(earlier[slots - 1]).toBe(calendar.at(since).id)
        expect(earlier[slots]).toBe(calendar.at(until).id)
        expect(earlier.at(-1)).toBe(calendar.at(until + slot * slots - 1).id)
        expect(endsAt).toBe(until + slot * slots)
      }
    },
  )
})
