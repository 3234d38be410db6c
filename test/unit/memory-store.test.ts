// What the memory store does besides its contract: what nobody settles in any more is let go.

import { expect, test } from 'vitest'
import type { LeaseStep } from '../../src/limits/limit-store.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'

const DAY = 24 * 3_600_000
const AT = Date.UTC(2026, 10, 22, 14, 30)

const step = (over: Partial<LeaseStep>): LeaseStep => ({
  scope: 'tenant=acme',
  per: 'day',
  windowId: '2026-11-22',
  earlier: [],
  leaseId: 'l',
  seq: 1,
  need: 0n,
  least: 0n,
  want: 0n,
  granted: 0n,
  spent: 0n,
  returned: 0n,
  final: false,
  ttlMs: 1000,
  opening: 0n,
  endsAt: AT,
  warned: 0,
  ...over,
})

test('a window is forgotten a week after it ended, and one that never ends never', async () => {
  const clock = { now: AT }
  const store = memoryLimitStore({ now: () => clock.now })
  const rule = { limitNanoUsd: 100n, mode: 'hard', settings: {}, scope: 'tenant=acme' } as const
  await store.setLimit({ ...rule, per: 'day' })
  await store.setLimit({ ...rule, per: 'total' })
  const total = { per: 'total', windowId: 'total', endsAt: undefined } as const
  await store.lease([step({ spent: 9n }), step({ ...total, leaseId: 't', spent: 9n })])
  const spent = async () => (await store.accounts([step({}), step(total)])).map((account) => account?.committed)
  clock.now = AT + 7 * DAY
  await store.lease([step({ windowId: '2026-11-29', leaseId: 'm', endsAt: clock.now + DAY })])
  expect(await spent()).toEqual([9n, 9n])
  clock.now += 1
  await store.lease([step({ windowId: '2026-11-30', leaseId: 'n', endsAt: clock.now + DAY })])
  expect(await spent()).toEqual([0n, 9n])
})

test('leases run out by a clock that only rises, whatever happens to the time of day', async () => {
  const clock = { now: AT, monotonic: 5 }
  const store = memoryLimitStore({ now: () => clock.now, monotonic: () => clock.monotonic })
  await store.setLimit({ scope: 'tenant=acme', per: 'day', limitNanoUsd: 100n, mode: 'hard', settings: {} })
  await store.lease([step({ need: 40n, least: 40n, want: 40n })])
  clock.now += 365 * DAY
  clock.monotonic += 999
  const other = (seq: number) => store.lease([step({ leaseId: 'other', seq })])
  expect(await other(1)).toMatchObject([{ account: { escrow: 40n, suspense: 0n } }])
  clock.monotonic += 1
  expect(await other(2)).toMatchObject([{ account: { escrow: 0n, suspense: 40n } }])
})
