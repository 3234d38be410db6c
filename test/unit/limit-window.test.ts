import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMIT_WINDOWS, windowEnd, windowId, windowStart } from '../../src/limits/window.ts'

const at = (iso: string) => Date.parse(iso)

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
