import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/event.ts'
import { createUnsynced } from '../../src/limits/unsynced.ts'
import { calendarOf } from '../../src/limits/window.ts'
import { formatUsd } from '../../src/money.ts'

const HOUR = 3_600_000
const NOW = Date.UTC(2026, 10, 22, 14, 30)

function event(cost: bigint, at = NOW, tenantId: string | null = 'acme'): LLMEvent {
  return {
    eventId: 'e',
    timestamp: new Date(at).toISOString(),
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    costUsd: formatUsd(cost),
    ...(tenantId === null ? {} : { tenantId }),
  }
}

describe('what a ledger does not know yet', () => {
  test('is what was recorded and not delivered', () => {
    const unsynced = createUnsynced()
    unsynced.recorded('acme', 700n, NOW)
    unsynced.recorded('acme', 300n, NOW)
    unsynced.recorded('globex', 9n, NOW)
    expect(unsynced.beyondAnswer('acme')(0)).toBe(1000n)
    unsynced.delivered([event(700n), event(9n, NOW, 'globex')])
    expect(unsynced.beyondAnswer('acme')(0)).toBe(300n)
    expect(unsynced.beyondAnswer('globex')(0)).toBe(0n)
    expect(unsynced.beyondAnswer('nobody')(0)).toBe(0n)
  })

  test('holds what arrives while the ledger is asked: its answer may be from before', () => {
    const unsynced = createUnsynced()
    unsynced.recorded('acme', 700n, NOW)
    const beyond = unsynced.beyondAnswer('acme')
    unsynced.delivered([event(700n)])
    unsynced.recorded('acme', 50n, NOW)
    expect(beyond(0)).toBe(750n)
    expect(unsynced.beyondAnswer('acme')(0)).toBe(50n)
  })

  test('of an earlier window is not counted in this one', () => {
    const unsynced = createUnsynced()
    unsynced.recorded('acme', 700n, NOW - HOUR)
    unsynced.recorded('acme', 50n, NOW)
    const beyond = unsynced.beyondAnswer('acme')
    expect(beyond(Date.UTC(2026, 10, 22, 14))).toBe(50n)
    expect(beyond(Date.UTC(2026, 10, 22, 13))).toBe(750n)
  })

  test.each([
    ['an hour in Kathmandu', calendarOf('hour', { timeZone: 'Asia/Kathmandu' })],
    ['a day in Kolkata', calendarOf('day', { timeZone: 'Asia/Kolkata' })],
    ['the last hour', calendarOf('hour', { rolling: true })],
  ])('counts in %s from its very beginning, which is no full hour in UTC, and not from before', (_, calendar) => {
    const { since } = calendar.at(Date.UTC(2026, 10, 22, 14, 20))
    const unsynced = createUnsynced()
    unsynced.recorded('acme', 5000n, since - 1)
    unsynced.recorded('acme', 700n, since)
    unsynced.recorded('acme', 30n, since + 20 * 60_000)
    const beyond = unsynced.beyondAnswer('acme')
    expect(beyond(since)).toBe(730n)
    unsynced.delivered([event(5000n, since - 1), event(700n, since)])
    expect(unsynced.beyondAnswer('acme')(since)).toBe(30n)
  })

  test('counts in a window that begins within its five minutes or, a day later, within its hour: rather more than less', () => {
    const unsynced = createUnsynced()
    unsynced.recorded('acme', 700n, NOW + 61_000)
    expect(unsynced.beyondAnswer('acme')(NOW + 120_000)).toBe(700n)
    for (let slot = 1; slot <= 30 * 12; slot++) unsynced.recorded('acme', 1n, NOW + slot * 300_000)
    expect(unsynced.beyondAnswer('acme')(NOW + 900_000)).toBe(700n + 360n)
    unsynced.delivered([event(700n, NOW + 61_000)])
    for (let slot = 1; slot <= 30 * 12; slot++) unsynced.delivered([event(1n, NOW + slot * 300_000)])
    expect([unsynced.beyondAnswer('acme')(0), unsynced.size]).toEqual([0n, 1])
  })

  test('an event that is delivered before it is recorded leaves nothing behind', () => {
    const unsynced = createUnsynced()
    const beyond = unsynced.beyondAnswer('acme')
    unsynced.delivered([event(700n)])
    unsynced.recorded('acme', 700n, NOW)
    expect(beyond(0)).toBe(700n)
    expect(unsynced.beyondAnswer('acme')(0)).toBe(0n)
  })

  test('a hundred thousand tenants whose spend has arrived leave nothing behind', () => {
    const unsynced = createUnsynced()
    for (let tenant = 0; tenant < 100_000; tenant++) {
      unsynced.recorded(`tenant-${tenant}`, 700n, NOW)
      unsynced.delivered([event(700n, NOW, `tenant-${tenant}`)])
    }
    unsynced.recorded('acme', 1n, NOW)
    expect(unsynced.size).toBe(1)
  })

  test('a thousand tenants that were asked about are forgotten with their answers', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const unsynced = createUnsynced()
    for (let tenant = 0; tenant < 1000; tenant++) unsynced.beyondAnswer(`tenant-${tenant}`)
    const kept = unsynced.beyondAnswer('acme')
    await expect
      .poll(() => {
        collect()
        return unsynced.size
      })
      .toBe(1)
    unsynced.recorded('acme', 5n, NOW)
    expect(kept(0)).toBe(5n)
  })

  test('an answer from before a tenant was settled still counts what is spent and arrives after it', () => {
    const unsynced = createUnsynced()
    const early = unsynced.beyondAnswer('acme')
    unsynced.recorded('acme', 700n, NOW)
    const beyond = unsynced.beyondAnswer('acme')
    unsynced.delivered([event(700n)])
    expect([early(0), beyond(0)]).toEqual([700n, 700n])
    unsynced.recorded('acme', 50n, NOW)
    expect([early(0), beyond(0), unsynced.beyondAnswer('acme')(0)]).toEqual([750n, 750n, 50n])
    unsynced.delivered([event(50n)])
    expect([early(0), beyond(0), unsynced.beyondAnswer('acme')(0)]).toEqual([750n, 750n, 0n])
  })

  test('events without a tenant or a price are nobody’s spend', () => {
    const unsynced = createUnsynced()
    const { costUsd: _, ...unpriced } = event(5n)
    unsynced.delivered([event(5n, NOW, null), unpriced])
    expect(unsynced.beyondAnswer('acme')(0)).toBe(0n)
  })

  test('a process that never delivers keeps a month by the hour and the rest as one sum', () => {
    const unsynced = createUnsynced()
    for (let hour = 0; hour < 2000; hour++) unsynced.recorded('acme', 1n, NOW - hour * HOUR)
    const beyond = unsynced.beyondAnswer('acme')
    expect(beyond(0)).toBe(2000n)
    expect(beyond(Date.UTC(2026, 10, 1))).toBe(BigInt(21 * 24 + 15))
  })

  test('whatever the order, nothing is counted less than once', () => {
    const item = fc.record({ cost: fc.bigInt({ min: 1n, max: 1000n }), hour: fc.nat(5), isDelivered: fc.boolean() })
    fc.assert(
      fc.property(fc.array(item), fc.nat(5), (items, since) => {
        const unsynced = createUnsynced()
        const at = (hour: number) => NOW + hour * HOUR
        const beyond = unsynced.beyondAnswer('acme')
        for (const { cost, hour, isDelivered } of items) {
          unsynced.recorded('acme', cost, at(hour))
          if (isDelivered) unsynced.delivered([event(cost, at(hour))])
        }
        const from = Date.UTC(2026, 10, 22, 14 + since)
        const sum = (list: typeof items) => list.reduce((total, { cost }) => total + cost, 0n)
        const inWindow = items.filter(({ hour }) => hour >= since)
        expect(unsynced.beyondAnswer('acme')(from)).toBe(sum(inWindow.filter(({ isDelivered }) => !isDelivered)))
        expect(beyond(from)).toBeGreaterThanOrEqual(sum(inWindow))
        expect(beyond(0)).toBe(sum(items))
      }),
    )
  })
})
