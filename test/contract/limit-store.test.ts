// The contract of a limit store, over every store there is: one entry of STORES makes a newcomer answer for all of it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { LimitWindow } from '../../src/errors.ts'
import { httpLimitStore } from '../../src/limits/http-store.ts'
import type { LeaseStep, LimitRule, LimitStore } from '../../src/limits/limit-store.ts'
import { memoryLimitStore } from '../../src/limits/memory-store.ts'
import { createUnsynced } from '../../src/limits/unsynced.ts'
import { picoFromNano } from '../../src/money.ts'
import { API_KEY, ingest } from '../support/ingest.ts'

const AT = Date.UTC(2026, 10, 22, 14, 30)

interface Subject extends AsyncDisposable {
  readonly store: LimitStore
  /** What the process that holds the leases spent, in nano-dollars, where a store learns of it beside them. */
  spent(tenantId: string, nano: bigint): void
}

const STORES: Record<string, () => Promise<Subject>> = {
  memory: async () => ({ store: memoryLimitStore(), spent: () => {}, async [Symbol.asyncDispose]() {} }),
  async http() {
    const backend = await ingest()
    const unsynced = createUnsynced()
    const store = httpLimitStore({
      baseUrl: backend.base,
      apiKey: API_KEY,
      ttlMs: 5000,
      unsynced,
      now: () => AT,
      onFailure: (error) => {
        throw error
      },
    })
    return {
      store,
      spent: (tenantId, nano) => unsynced.recorded(tenantId, picoFromNano(nano), AT),
      [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
    }
  },
}

const rule = (limitNanoUsd: bigint, over: Partial<LimitRule> = {}): LimitRule => ({
  tenantId: 'acme',
  window: 'month',
  limitNanoUsd,
  mode: 'expected',
  ...over,
})

const step = (over: Partial<LeaseStep>): LeaseStep => ({
  leaseId: 'lease-1',
  seq: 1,
  tenantId: 'acme',
  window: 'month',
  at: AT,
  need: 0n,
  want: over.need ?? 0n,
  spent: 0n,
  returned: 0n,
  final: false,
  ...over,
})

describe.each(Object.entries(STORES))('%s', (_, open) => {
  async function opened(...rules: LimitRule[]) {
    const subject = await open()
    const { store, spent } = subject
    for (const one of rules) await store.setLimit(one)
    const standing = async (tenantId = 'acme', window: LimitWindow = 'month') => {
      const account = (await store.accounts(tenantId, AT)).find((one) => one.window === window)
      return account && { committed: account.committed, escrow: account.escrow, limit: account.limitNanoUsd }
    }
    /** A step of a process that has newly spent `more`. */
    const tell = async (over: Partial<LeaseStep>, more = 0n) => {
      spent(over.tenantId ?? 'acme', more)
      return (await store.lease(step(over)))?.granted
    }
    if (rules.length > 0) await store.accounts(rules[0]!.tenantId, AT)
    return { store, standing, tell, [Symbol.asyncDispose]: () => subject[Symbol.asyncDispose]() }
  }

  test('a tenant without a limit has no account and is leased nothing', async () => {
    await using subject = await opened()
    expect(await subject.store.accounts('acme', AT)).toEqual([])
    expect(await subject.store.lease(step({ need: 1n }))).toBeUndefined()
  })

  test('a limit is an account of its window', async () => {
    await using subject = await opened(rule(50_000_000_000n, { mode: 'hard' }))
    expect(await subject.store.accounts('acme', AT)).toMatchObject([
      { tenantId: 'acme', window: 'month', windowId: '2026-11', mode: 'hard', limitNanoUsd: 50_000_000_000n },
    ])
    expect(await subject.standing()).toEqual({ limit: 50_000_000_000n, committed: 0n, escrow: 0n })
    expect(await subject.store.lease(step({ window: 'day', need: 1n }))).toBeUndefined()
  })

  test('a tenant has one account a window, and money of one is not money of another', async () => {
    await using subject = await opened(rule(100n), rule(30n, { window: 'day' }), rule(900n, { window: 'total' }))
    const accounts = await subject.store.accounts('acme', AT)
    expect(accounts.map(({ windowId }) => windowId).sort()).toEqual(['2026-11', '2026-11-22', 'total'])
    expect(await subject.tell({ window: 'day', need: 20n })).toBe(20n)
    expect(await subject.standing('acme', 'day')).toMatchObject({ escrow: 20n })
    expect(await subject.standing()).toMatchObject({ escrow: 0n })
  })

  test('a limit that is set again keeps what was spent', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 60n })
    await subject.tell({ seq: 2, spent: 40n }, 40n)
    await subject.store.setLimit(rule(200n, { mode: 'hard' }))
    const [account] = await subject.store.accounts('acme', AT)
    expect(account).toMatchObject({ limitNanoUsd: 200n, mode: 'hard', committed: 40n, escrow: 20n })
  })

  test('a limit that is removed is gone, and the others stay', async () => {
    await using subject = await opened(rule(100n), rule(30n, { window: 'day' }))
    await subject.store.removeLimit('acme', 'month')
    expect((await subject.store.accounts('acme', AT)).map(({ window }) => window)).toEqual(['day'])
    expect(await subject.tell({ need: 1n })).toBeUndefined()
    await subject.store.removeLimit('acme', 'month')
    await subject.store.removeLimit('nobody', 'day')
  })

  test('a step is granted what it wants, or what is left from what it needs on, or nothing', async () => {
    await using subject = await opened(rule(100n))
    expect(await subject.tell({ need: 10n, want: 60n })).toBe(60n)
    expect(await subject.tell({ seq: 2, need: 50n })).toBe(0n)
    expect(await subject.tell({ seq: 3, need: 10n, want: 60n })).toBe(40n)
    expect(await subject.tell({ seq: 4, need: 1n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 0n, escrow: 100n })
  })

  test('a step that is repeated gets its answer again and nothing more', async () => {
    await using subject = await opened(rule(100n))
    for (let time = 0; time < 3; time++) expect(await subject.tell({ need: 30n })).toBe(30n)
    expect(await subject.standing()).toMatchObject({ escrow: 30n })
  })

  test('a double that arrives after a later step changes nothing', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 30n })
    await subject.tell({ seq: 2, spent: 20n, returned: 5n }, 20n)
    await subject.tell({ seq: 3, spent: 20n, returned: 5n, need: 7n })
    expect(await subject.tell({ need: 30n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 12n })
  })

  test('a step that is lost is made up for by the next', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 50n })
    // Steps 2 to 8 never arrived.
    await subject.tell({ seq: 9, spent: 35n, returned: 10n }, 35n)
    expect(await subject.standing()).toMatchObject({ committed: 35n, escrow: 5n })
  })

  test('what was spent beyond a grant is committed, and the next grant covers it first', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 10n })
    await subject.tell({ seq: 2, spent: 25n }, 25n)
    expect(await subject.standing()).toMatchObject({ committed: 25n, escrow: 0n })
    // 15 of the 40 are spent already: what is taken anew is 25.
    expect(await subject.tell({ seq: 3, spent: 25n, need: 40n })).toBe(40n)
    expect(await subject.standing()).toMatchObject({ committed: 25n, escrow: 25n })
    expect(await subject.tell({ leaseId: 'lease-2', need: 51n })).toBe(0n)
    expect(await subject.tell({ leaseId: 'lease-2', seq: 2, need: 50n })).toBe(50n)
  })

  test('an account that is past its limit grants nothing', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ spent: 130n }, 130n)
    // One more than the lease has overspent is the least that would be of use.
    expect(await subject.tell({ seq: 2, spent: 130n, need: 131n })).toBe(0n)
    expect(await subject.tell({ leaseId: 'lease-2', need: 1n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 130n, escrow: 0n })
  })

  test('what a lease has left goes back when it ends, and a late double of it does not bring it back', async () => {
    await using subject = await opened(rule(100n))
    await subject.tell({ need: 60n })
    await subject.tell({ seq: 2, spent: 20n, final: true }, 20n)
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 0n })
    await subject.tell({ need: 60n })
    await subject.tell({ seq: 2, spent: 20n, final: true })
    expect(await subject.tell({ seq: 3, spent: 20n, need: 1n })).toBe(0n)
    expect(await subject.standing()).toMatchObject({ committed: 20n, escrow: 0n })
    expect(await subject.tell({ leaseId: 'lease-2', need: 80n })).toBe(80n)
  })

  test('a limit of nothing grants nothing', async () => {
    await using subject = await opened(rule(0n))
    expect(await subject.tell({ need: 1n })).toBe(0n)
  })

  test.each([
    ['__proto__'],
    ['constructor'],
    ['a/b?c=d#e'],
    ['%2e%2e'],
    ['ünïcødé 🐋'],
    [' '],
    ['with 256 characters', 'x'.repeat(256)],
  ])('a tenant may be called %j', async (name, tenantId = name) => {
    await using subject = await opened(rule(100n, { tenantId }), rule(7n, { tenantId: 'other' }))
    expect(await subject.tell({ tenantId, need: 40n })).toBe(40n)
    expect(await subject.standing(tenantId)).toMatchObject({ escrow: 40n })
    expect(await subject.standing('other')).toMatchObject({ escrow: 0n, limit: 7n })
  })

  test('whatever is asked, told, lost, doubled and late: committed and escrow never pass the limit', async () => {
    const amount = fc.bigInt({ min: 1n, max: 400n })
    const action = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('spend' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('return' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('repeat' as const), lease: fc.nat(2), amount }),
      fc.record({ kind: fc.constant('lose' as const), lease: fc.nat(2), amount }),
    )
    await using subject = await opened()
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 30 }),
        fc.bigInt({ min: 0n, max: 1000n }),
        async (actions, limit) => {
          const tenantId = `tenant-${++run}`
          await subject.store.setLimit(rule(limit, { tenantId }))
          await subject.store.accounts(tenantId, AT)
          const leases = [0, 1, 2].map((number) => ({
            leaseId: `lease-${number}`,
            granted: 0n,
            spent: 0n,
            told: 0n,
            returned: 0n,
            sent: [] as { step: Partial<LeaseStep>; granted: bigint | undefined }[],
            seq: 0,
          }))
          for (const { kind, lease: number, amount } of actions) {
            const lease = leases[number]!
            const free = lease.granted - lease.spent - lease.returned
            if (kind === 'spend' && amount <= free) lease.spent += amount
            else if (kind === 'return' && amount <= free) lease.returned += amount
            else if (kind === 'lose') lease.seq++
            else if (kind === 'repeat' && lease.sent.length > 0) {
              const at = Number(amount) % lease.sent.length
              const { step: again, granted } = lease.sent[at]!
              const isLast = at === lease.sent.length - 1 && again.seq === lease.seq
              const answer = await subject.tell(again)
              if (isLast) expect(answer).toBe(granted)
              else if (again.seq !== lease.sent.at(-1)!.step.seq) expect(answer).toBe(0n)
            } else if (kind === 'ask') {
              const { leaseId, spent, returned } = lease
              const request = { leaseId, tenantId, seq: ++lease.seq, need: amount, spent, returned }
              const granted = await subject.tell(request, spent - lease.told)
              expect([0n, amount]).toContain(granted)
              lease.told = spent
              lease.granted += granted!
              lease.sent.push({ step: request, granted })
            }
            const standing = await subject.standing(tenantId)
            expect(standing!.committed).toBe(leases.reduce((sum, { told }) => sum + told, 0n))
            expect(standing!.committed + standing!.escrow).toBeLessThanOrEqual(limit)
          }
          for (const lease of leases) {
            const { leaseId, spent, returned } = lease
            await subject.tell(
              { leaseId, tenantId, seq: ++lease.seq, spent, returned, final: true },
              spent - lease.told,
            )
          }
          const committed = leases.reduce((sum, { spent }) => sum + spent, 0n)
          expect(await subject.standing(tenantId)).toEqual({ limit, committed, escrow: 0n })
        },
      ),
      { numRuns: 100 },
    )
  })
})
