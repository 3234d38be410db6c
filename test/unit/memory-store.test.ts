// What the memory store does besides its contract: windows that roll over, and what was spent before it began.

import { describe, expect, test } from 'vitest'
import type { LimitRule } from '../../src/limits/limit-store.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'

const HOUR = 3_600_000
const AT = Date.UTC(2026, 10, 22, 14, 30)

const rule = (over: Partial<LimitRule> = {}): LimitRule => ({
  tenantId: 'acme',
  window: 'hour',
  limitNanoUsd: 100n,
  mode: 'expected',
  ...over,
})
const step = { leaseId: 'l', tenantId: 'acme', window: 'hour', spent: 0n, returned: 0n, final: false } as const
const ask = (seq: number, need: bigint, at: number, spent = 0n) => ({ ...step, seq, need, want: need, at, spent })

/** A promise that the test resolves. */
function gate<T>() {
  let open!: (value: T) => void
  const promise = new Promise<T>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

describe('windows', () => {
  test('a new window begins with nothing spent and nothing held', async () => {
    const store = memoryLimitStore()
    await store.setLimit(rule())
    expect(store.lease(ask(1, 80n, AT))).toMatchObject({ granted: 80n })
    expect(store.accounts('acme', AT + HOUR)).toMatchObject([{ windowId: '2026-11-22T15', committed: 0n, escrow: 0n }])
    expect(store.lease({ ...ask(1, 100n, AT + HOUR), leaseId: 'm' })).toMatchObject({ granted: 100n })
  })

  test('a call of the last window settles there, and does not bring it back for others', async () => {
    const store = memoryLimitStore()
    await store.setLimit(rule())
    await store.lease(ask(1, 80n, AT))
    await store.lease({ ...ask(1, 30n, AT + HOUR), leaseId: 'm' })
    expect(store.lease(ask(2, 0n, AT, 80n))).toMatchObject({ account: { windowId: '2026-11-22T14', committed: 80n } })
    expect(store.accounts('acme', AT + HOUR)).toMatchObject([{ committed: 0n, escrow: 30n }])
    expect(store.accounts('acme', AT)).toMatchObject([{ committed: 80n, escrow: 0n }])
    expect(store.accounts('acme', AT + HOUR)).toMatchObject([{ committed: 0n, escrow: 30n }])
  })

  test('it is asked what was spent once a window, from its first moment on', async () => {
    const asked: unknown[] = []
    const store = memoryLimitStore({
      spentSince(tenantId, since) {
        asked.push([tenantId, new Date(since).toISOString()])
        return 25n
      },
    })
    await store.setLimit(rule())
    await store.setLimit(rule({ window: 'total' }))
    for (const at of [AT, AT + 1, AT + HOUR, AT]) await store.accounts('acme', at)
    expect(store.accounts('acme', AT)).toMatchObject([{ committed: 25n }, { committed: 25n }])
    expect(asked).toEqual([
      ['acme', '2026-11-22T14:00:00.000Z'],
      ['acme', '1970-01-01T00:00:00.000Z'],
      ['acme', '2026-11-22T15:00:00.000Z'],
    ])
  })

  test('accounts that nobody can settle in any more are let go', async () => {
    const opened: number[] = []
    const store = memoryLimitStore({
      spentSince(_, since) {
        opened.push(since)
        return 0n
      },
    })
    await store.setLimit(rule())
    for (let hour = 0; hour < 4; hour++) await store.accounts('acme', AT + hour * HOUR)
    await store.accounts('acme', AT + 2 * HOUR)
    expect(opened).toHaveLength(4)
    await store.accounts('acme', AT)
    expect(opened).toHaveLength(5)
  })
})

describe('while it is asked what was spent', () => {
  test('calls that wait for one account count on the same one', async () => {
    const { promise, open } = gate<bigint>()
    const store = memoryLimitStore({ spentSince: () => promise })
    await store.setLimit(rule())
    const answers = ['a', 'b', 'c'].map((leaseId) => store.lease({ ...ask(1, 30n, AT), leaseId }))
    open(40n)
    expect((await Promise.all(answers.map(async (answer) => answer))).map((answer) => answer?.granted)).toEqual([
      30n,
      30n,
      0n,
    ])
    expect(await store.accounts('acme', AT)).toMatchObject([{ committed: 40n, escrow: 60n }])
  })

  test('one that waited longer does not open the account anew', async () => {
    const gates = [gate<bigint>(), gate<bigint>()]
    let asked = 0
    const store = memoryLimitStore({ spentSince: () => gates[asked++]!.promise })
    await store.setLimit(rule())
    const first = store.lease(ask(1, 30n, AT))
    const second = store.lease({ ...ask(1, 70n, AT), leaseId: 'm' })
    gates[0]!.open(0n)
    expect(await first).toMatchObject({ granted: 30n })
    gates[1]!.open(0n)
    expect(await second).toMatchObject({ granted: 70n, account: { escrow: 100n } })
  })

  test('a limit that is changed meanwhile is the one that holds', async () => {
    const { promise, open } = gate<bigint>()
    const store = memoryLimitStore({ spentSince: () => promise })
    await store.setLimit(rule())
    const answer = store.accounts('acme', AT)
    await store.setLimit(rule({ limitNanoUsd: 7n, mode: 'hard' }))
    open(0n)
    expect(await answer).toMatchObject([{ limitNanoUsd: 7n, mode: 'hard' }])
  })

  test('a limit that is removed meanwhile holds no more', async () => {
    const { promise, open } = gate<bigint>()
    const store = memoryLimitStore({ spentSince: () => promise })
    await store.setLimit(rule())
    await store.setLimit(rule({ window: 'day' }))
    const answer = store.accounts('acme', AT)
    await store.removeLimit('acme', 'hour')
    open(0n)
    expect((await answer).map(({ window }) => window)).toEqual(['day'])
  })
})

test('a limit that was removed and is set again asks anew what was spent', async () => {
  let spent = 10n
  const store = memoryLimitStore({ spentSince: () => spent })
  await store.setLimit(rule())
  await store.lease(ask(1, 50n, AT, 20n))
  await store.removeLimit('acme', 'hour')
  spent = 30n
  await store.setLimit(rule())
  expect(store.accounts('acme', AT)).toMatchObject([{ committed: 30n, escrow: 0n }])
})
