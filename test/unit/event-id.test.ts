// The ids of events: what makes a delivered event count once, and keeps a ledger's index in the order of time.

import { expect, test } from 'vitest'
import { eventId } from '../../src/event.ts'

const AT = Date.UTC(2026, 10, 22, 1, 2, 3, 456)

test.each([0, 1, 255, 65_535, 65_536, 65_537, AT, 2 ** 48 - 1])('an id of %i tells its time', (at) => {
  const id = eventId(at)
  expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/)
  expect(Number.parseInt(id.slice(0, 13).replace('-', ''), 16)).toBe(at)
})

test('ids of one millisecond are all different', () => {
  const ids = new Set(Array.from({ length: 10_000 }, () => eventId(AT)))
  expect(ids.size).toBe(10_000)
})

test('ids sort as their times do, whatever comes in between', () => {
  const times = [AT, AT + 1, AT + 256, AT + 65_536, AT + 10_000_000]
  const ids = times.toReversed().map((at) => eventId(at))
  expect(ids.toSorted()).toEqual(ids.toReversed())
})
