import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { retryDelay } from '../../src/delivery/retry.ts'
import { deliveryOf, waitOf } from '../../src/sinks/http-answer.ts'

describe('the wait before a retry', () => {
  test.each([
    [1, 500],
    [2, 1000],
    [3, 2000],
    [7, 32_000],
    [8, 60_000],
    [1000, 60_000],
  ])('after failure %i is anywhere up to %i ms', (failures, ceiling) => {
    expect(retryDelay(failures, undefined, () => 0)).toBe(0)
    expect(retryDelay(failures, undefined, () => 0.5)).toBe(ceiling / 2)
    expect(retryDelay(failures, undefined, () => 1)).toBe(ceiling)
  })

  test('is never shorter than what the sink asks for, and never longer than five minutes and a bit', () => {
    expect(retryDelay(1, 30_000, () => 0)).toBe(30_000)
    expect(retryDelay(9, 30_000, () => 1)).toBe(30_500)
    expect(retryDelay(1, 86_400_000, () => 0)).toBe(300_000)
  })

  test('is a finite time of 0 or more for whatever comes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1 }),
        fc.option(fc.double(), { nil: undefined }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, afterMs, random) => {
          const delay = retryDelay(failures, afterMs, () => random)
          expect(delay).toBeGreaterThanOrEqual(0)
          expect(delay).toBeLessThanOrEqual(300_500)
        },
      ),
    )
  })
})

describe('Retry-After', () => {
  const now = Date.UTC(2026, 10, 22, 12)
  test.each([
    ['0', 0],
    ['3', 3000],
    [' 120 ', 120_000],
    ['1.5', 1500],
    ['Sun, 22 Nov 2026 12:00:30 GMT', 30_000],
    ['Sun, 22 Nov 2026 11:59:00 GMT', 0],
    ['-1', undefined],
    ['soon', undefined],
    ['', undefined],
    ['Infinity', undefined],
    [undefined, undefined],
  ])('%j is %j ms', (header, ms) => {
    expect(waitOf(header, now)).toBe(ms)
  })
})

describe('an answer', () => {
  test.each([
    [200, 'delivered'],
    [202, 'delivered'],
    [204, 'delivered'],
    [301, 'paused'],
    [307, 'paused'],
    [400, 'rejected'],
    [401, 'paused'],
    [402, 'paused'],
    [403, 'paused'],
    [404, 'paused'],
    [405, 'paused'],
    [408, 'retry'],
    [409, 'retry'],
    [410, 'paused'],
    [413, 'too-large'],
    [415, 'paused'],
    [422, 'rejected'],
    [425, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [501, 'retry'],
    [503, 'retry'],
    [599, 'retry'],
  ])('of %i means %s', (status, outcome) => {
    expect(deliveryOf(status, undefined, undefined, 'https://x').outcome).toBe(outcome)
  })

  test('carries the wait it asks for, in the first of several headers', () => {
    expect(deliveryOf(429, ['7', '9'], undefined, 'https://x')).toMatchObject({ outcome: 'retry', afterMs: 7000 })
  })

  test.each([
    [undefined],
    [null],
    ['ok'],
    [[]],
    [{}],
    [{ rejected: 'no' }],
    [{ rejected: [null, 1, {}, { event_id: 5 }] }],
  ])('of 200 with the body %j takes the whole batch', (body) => {
    expect(deliveryOf(200, undefined, body, 'https://x')).toEqual({ outcome: 'delivered' })
  })

  test('names what it refused, with a reason of bounded length', () => {
    const body = { duplicates: 2, rejected: [{ event_id: 'a', reason: 'x'.repeat(5000) }, { event_id: 'b' }] }
    expect(deliveryOf(200, undefined, body, 'https://x')).toEqual({
      outcome: 'delivered',
      duplicates: 2,
      rejected: [
        { eventId: 'a', reason: 'x'.repeat(200) },
        { eventId: 'b', reason: 'no reason given' },
      ],
    })
  })
})
