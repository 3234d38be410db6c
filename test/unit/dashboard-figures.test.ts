// What the dashboard writes, and its times held against the clocks of their zones.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatShare } from '../../src/dashboard/figures.ts'
import { linkTo, linkWith, rangeOf, readRoute } from '../../src/dashboard/route.ts'
import { dateIn, dateText, startOfDay, startOfMonth } from '../../src/dashboard/zone.ts'
import { calendarOf } from '../../src/limits/window.ts'

test.each([
  [0, 0, '0 %'],
  [1, 3000, '<0.1 %'],
  [1, 3, '33 %'],
  [9, 100, '9 %'],
  [95, 1000, '9.5 %'],
  [2999, 3000, '>99.9 %'],
  [3, 3, '100 %'],
])('%i of %i is %s', (part, whole, text) => {
  expect(formatShare(part, whole)).toBe(text)
})

const zones = fc.constantFrom(
  'UTC',
  'Europe/Vienna',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
)
const moments = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2040, 0, 1) })

test('days and months begin when those of limits do', () => {
  fc.assert(
    fc.property(moments, zones, (at, timeZone) => {
      expect(startOfDay(at, timeZone)).toBe(calendarOf('day', { timeZone }).at(at).from)
      expect(startOfMonth(at, timeZone)).toBe(calendarOf('month', { timeZone }).at(at).from)
      expect(dateIn(dateText(at, timeZone), timeZone)).toBe(startOfDay(at, timeZone))
    }),
  )
})

const NOW = Date.UTC(2026, 10, 22, 10, 30)
const range = (query: string) => {
  const { since, until, every, zone } = rangeOf(readRoute(`#/?${query}`), NOW)
  const text = (at: number | undefined) => (at === undefined ? null : new Date(at).toISOString())
  return [text(since), text(until), every, zone]
}

test.each([
  ['', ['2026-10-24T00:00:00.000Z', null, 'day', 'UTC']],
  ['range=24h', ['2026-11-21T11:00:00.000Z', null, 'hour', 'UTC']],
  ['range=today&zone=Europe/Vienna', ['2026-11-21T23:00:00.000Z', null, 'hour', 'Europe/Vienna']],
  [
    'range=last-month&zone=Europe/Vienna',
    ['2026-09-30T22:00:00.000Z', '2026-10-31T23:00:00.000Z', 'day', 'Europe/Vienna'],
  ],
  ['range=12m', ['2025-12-01T00:00:00.000Z', null, 'month', 'UTC']],
  ['range=all', [null, null, 'month', 'UTC']],
  [
    'range=custom&from=2026-11-01&to=2026-11-03',
    ['2026-11-01T00:00:00.000Z', '2026-11-04T00:00:00.000Z', 'hour', 'UTC'],
  ],
  [
    'range=custom&from=2026-11-05&to=2026-11-03',
    ['2026-11-05T00:00:00.000Z', '2026-11-06T00:00:00.000Z', 'hour', 'UTC'],
  ],
  ['range=custom&from=x&to=9', [null, null, 'month', 'UTC']],
  ['range=__proto__&zone=Mars', ['2026-10-24T00:00:00.000Z', null, 'day', 'UTC']],
])('the range of %j', (query, expected) => {
  expect(range(query)).toEqual(expected)
})

test('whatever a tenant is called, the address of its page leads to it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (id) => {
      const here = readRoute('#/tenants?range=7d&zone=UTC&cursor=x')
      const there = readRoute(linkTo(here, 'tenants', id))
      expect([there.page, there.of, there.params.toString()]).toEqual(['tenants', id, 'range=7d&zone=UTC'])
      expect(readRoute(linkWith(there, { by: id })).params.get('by')).toBe(id)
    }),
  )
})
