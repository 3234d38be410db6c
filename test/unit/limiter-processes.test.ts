// Several processes on one store: what each knows of the others, and what happens when one dies, freezes, or the store is gone.

import { describe, expect, test } from 'vitest'
import type { Estimate } from '../../src/limits/estimate.ts'
import { ruleOf } from '../../src/limits/limit.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import type { StoreDownPolicy } from '../../src/limits/outage.ts'
import { clocks, memory, process, remote, usd } from '../support/limits.ts'

function several(count: number, over: Parameters<typeof process>[2] = {}) {
  const clock = clocks()
  const store = memory(clock)
  const wires = Array.from({ length: count }, () => remote(store))
  const processes = wires.map((wire) => process(wire, clock, over))
  return { clock, store, wires, processes }
}

const refused = { code: 'LIMIT_EXCEEDED' }

describe('processes that share a store', () => {
  test('never spend the same money, however many calls are under way in each', async () => {
    const { processes, clock } = several(8)
    await processes[0]!.limit('acme', { usd: 10, mode: 'hard' })
    let spent = 0n
    const work = async ({ call, limiter }: (typeof processes)[number], seed: number) => {
      for (let n = seed; ; n += 7) {
        const hold = await call('0.02').catch(() => undefined)
        if (!hold) return
        await new Promise((resolve) => setImmediate(resolve))
        const cost = (usd('0.02') * BigInt(1 + (n % 10))) / 10n
        limiter.settle(hold, cost, clock.now)
        spent += cost
      }
    }
    await Promise.all(processes.flatMap((one) => Array.from({ length: 25 }, (_, seed) => work(one, seed))))
    expect(spent).toBeLessThanOrEqual(usd('10'))
    for (const { limiter } of processes) await limiter.close()
    expect(spent).toBeGreaterThan(usd('9'))
    const { standing } = process(processes[0] ? several(0).store : several(0).store, clock)
    expect(await standing()).toBe('no limit')
  })

  test('learn of a limit that another has set, lowered or removed within a heartbeat', async () => {
    const { processes } = several(2)
    const [one, two] = processes as [(typeof processes)[0], (typeof processes)[0]]
    expect((await two.call('5')).parts).toEqual([])
    await one.limit('acme', { usd: 10, mode: 'hard' })
    await two.limiter.beat()
    await two.call('5')
    await one.limit('acme', { usd: 6, mode: 'hard' })
    await two.limiter.beat()
    await two.call('1')
    await expect(two.call('0.5')).rejects.toMatchObject({ ...refused, limitUsd: '6' })
    await one.limiter.removeLimit({ scope: 'tenant=acme', per: 'month' })
    await two.limiter.beat()
    expect((await two.call('50')).parts).toEqual([])
  })

  test('hold a limit in a time zone that only the one who set it knows, with all others and with the limits after it', async () => {
    const { processes, store } = several(1)
    const strange: string[] = []
    const one = process(remote(store), clocks(), { onStrangeZone: ({ scope }) => strange.push(scope) })
    const of = (tenant: string) => ruleOf(tenant, { usd: 1, mode: 'hard' })
    await store.setLimit({ ...of('somebody'), settings: { timeZone: 'Mars/Olympus' } })
    await store.setLimit(of('acme'))
    await one.call('1')
    await one.call('1', { tenantId: 'somebody' })
    expect(strange).toEqual(['tenant=somebody'])
    for (const { call } of [one, processes[0]!])
      for (const tenantId of ['acme', 'somebody']) await expect(call('1', { tenantId })).rejects.toMatchObject(refused)
  })

  test('ask for a lease one step at a time, also while a heartbeat goes through thousands of them', async () => {
    const clock = clocks()
    const store = memory(clock)
    const under = new Set<string>()
    const doubled: string[] = []
    let answer: Promise<unknown> = Promise.resolve()
    const slow: LimitStore = {
      ...store,
      async lease(steps) {
        for (const { leaseId } of steps) under.has(leaseId) ? doubled.push(leaseId) : under.add(leaseId)
        await answer
        for (const { leaseId } of steps) under.delete(leaseId)
        return store.lease(steps)
      },
    }
    const { limiter, limit, call } = process(slow, clock)
    const tenants = Array.from({ length: 1200 }, (_, n) => `t${n}`)
    for (const tenantId of tenants) await limit(tenantId, { usd: 10, mode: 'hard' })
    const spend = async (tenantId: string) => limiter.settle(await call('0.01', { tenantId }), usd('0.01'), clock.now)
    for (const tenantId of tenants) await spend(tenantId)
    await limiter.beat()
    for (const [n, tenantId] of tenants.entries()) if (n % 2 === 0) await spend(tenantId)
    let release = () => {}
    answer = new Promise<void>((resolve) => {
      release = resolve
    })
    const beat = limiter.beat()
    // The heartbeat has looked at 500 of them and lets others work: these want more than there is in their pockets.
    await new Promise((resolve) => setImmediate(resolve))
    const calls = tenants.slice(0, 300).map((tenantId) => call('9', { tenantId }))
    await new Promise((resolve) => setImmediate(resolve))
    release()
    await Promise.all([beat, ...calls])
    expect(doubled).toEqual([])
  })

  test('give back what lies idle', async () => {
    const { processes, clock } = several(2)
    const [one, two] = processes as [(typeof processes)[0], (typeof processes)[0]]
    await one.limit('acme', { usd: 10, mode: 'hard' })
    one.limiter.settle(await one.call('4'), usd('1'), clock.now)
    await expect(two.call('9')).rejects.toMatchObject(refused)
    clock.monotonic += 6000
    await one.limiter.beat()
    await two.call('9')
  })

  test('ask the store for a small part of their calls', async () => {
    const { processes, wires, clock } = several(1)
    const [one] = processes as [(typeof processes)[0]]
    await one.limit('acme', { usd: 1000 })
    for (let call = 0; call < 1000; call++) one.limiter.settle(await one.call('0.02'), usd('0.01'), clock.now)
    expect(wires[0]!.operations).toBeLessThan(30)
  })
})

describe('a process that dies', () => {
  test('leaves its slice charged, and nobody spends it again', async () => {
    const { processes, clock } = several(2)
    const [one, two] = processes as [(typeof processes)[0], (typeof processes)[0]]
    await one.limit('acme', { usd: 10, mode: 'hard' })
    await one.call('3')
    clock.monotonic += 60_000
    await expect(two.call('9')).rejects.toMatchObject({ ...refused, spentUsd: '0' })
    await two.call('1')
  })

  test('and one that was only frozen does not admit from a lease that has run out, and gets it back by asking', async () => {
    const { processes, wires, clock } = several(2, { whenDown: 'lease-then-deny' })
    const [one, two] = processes as [(typeof processes)[0], (typeof processes)[0]]
    await one.limit('acme', { usd: 10, mode: 'hard' })
    const hold = await one.call('1')
    clock.monotonic += 29_999
    wires[0]!.state = 'down'
    one.limiter.settle(hold, usd('0.5'), clock.now)
    const again = await one.call('1')
    clock.monotonic += 1
    await expect(one.call('0.1')).rejects.toMatchObject({ code: 'LIMIT_STORE_DOWN' })
    await two.call('2')
    wires[0]!.state = 'up'
    await one.limiter.beat()
    await one.call('0.1')
    one.limiter.settle(again, usd('0.5'), clock.now)
    await one.limiter.beat()
    // Of what is held, 3 are the other process'''s slice.
    expect(await one.standing()).toBe('5.9 left, 1 spent, 3.1 held')
  })

  test('and was settled for meanwhile, goes on with a new lease and is charged once', async () => {
    const { processes, store, clock } = several(1)
    const [one] = processes as [(typeof processes)[0]]
    await one.limit('acme', { usd: 10, mode: 'hard' })
    const hold = await one.call('2')
    const { pocket } = hold.parts[0]!
    clock.monotonic += 60_000
    // Somebody found what it had noted: a call of $2 in flight.
    const key = { scope: 'tenant=acme', per: 'month', windowId: '2026-11', earlier: [] } as const
    const amounts = { need: 0n, least: 0n, want: 0n, granted: 0n, returned: 0n, opening: 0n, warned: 0 }
    const spent = 2_000_000_000n
    const { leaseId } = pocket
    const at = { ...key, leaseId, seq: 99, ttlMs: 1000, endsAt: undefined, final: true }
    await store.lease([{ ...at, ...amounts, spent }])
    one.limiter.settle(hold, usd('1.5'), clock.now)
    await one.call('3')
    await one.limiter.beat()
    expect(await one.standing()).toBe('5 left, 2 spent, 3 held')
  })
})

describe('a store that does not answer', () => {
  const policies: [StoreDownPolicy | undefined, 'hard' | 'expected', withLease: boolean, without: boolean][] = [
    [undefined, 'hard', true, false],
    [undefined, 'expected', true, true],
    ['lease-then-deny', 'expected', true, false],
    ['lease-then-allow', 'hard', true, true],
    ['deny', 'expected', false, false],
    ['allow', 'hard', true, true],
  ]
  test.each(policies)('policy %s under a limit of mode %s', async (policy, mode, withLease, without) => {
    const { processes, wires, clock } = several(1, { whenDown: policy as 'deny' })
    const [one] = processes as [(typeof processes)[0]]
    await one.limit('acme', { usd: 100, mode })
    one.limiter.settle(await one.call('1'), usd('0.5'), clock.now)
    wires[0]!.state = 'down'
    await one.limiter.beat()
    expect(one.states).toEqual(['down'])
    const passes = (amount: string) =>
      one.call(amount).then(
        () => true,
        (error: { code: string }) => {
          expect(error.code).toBe('LIMIT_STORE_DOWN')
          return false
        },
      )
    expect(await passes('0.5')).toBe(withLease)
    expect(await passes('60')).toBe(without)
    expect(one.limiter.counts.allowedWhileDown).toBe(without ? 1 : 0)
    wires[0]!.state = 'up'
    await one.limiter.beat()
    expect(one.states).toEqual(['down', 'up'])
    await one.call('1')
  })

  test('an overdraft is lent to the cent, and again after the store was back', async () => {
    const { processes, wires, clock } = several(1, { whenDown: { overdraft: usd('5') } })
    const [one] = processes as [(typeof processes)[0]]
    await one.limit('acme', { usd: 100, mode: 'hard' })
    await one.limiter.pockets({ tenantId: 'acme' }, clock.now)
    wires[0]!.state = 'down'
    await one.limiter.beat()
    const holds = [await one.call('2'), await one.call('3')]
    await expect(one.call('0.01')).rejects.toMatchObject({ code: 'LIMIT_STORE_DOWN' })
    for (const hold of holds) one.limiter.settle(hold, usd('2.5'), clock.now)
    wires[0]!.state = 'up'
    await one.limiter.beat()
    expect(await one.standing()).toBe('95 left, 5 spent, 0 held')
    wires[0]!.state = 'down'
    await one.limiter.beat()
    await one.call('90').catch(() => undefined)
    await one.call('4')
  })

  test('what was spent meanwhile is told to the last cent when it is back', async () => {
    const { processes, wires, clock } = several(2)
    const [one, two] = processes as [(typeof processes)[0], (typeof processes)[0]]
    await one.limit('acme', { usd: 100 })
    await one.limiter.pockets({ tenantId: 'acme' }, clock.now)
    for (const wire of wires) wire.state = 'down'
    await one.limiter.beat()
    for (let call = 0; call < 50; call++) one.limiter.settle(await one.call('1'), usd('0.123456789'), clock.now)
    for (const wire of wires) wire.state = 'up'
    await one.limiter.beat()
    expect(await two.standing()).toBe('93.82716055 left, 6.17283945 spent, 0 held')
  })

  test('one that hangs holds up nobody whose money is in the pocket, and the others for less than a second', async () => {
    const { processes, wires } = several(1, { timeoutMs: 20 })
    const [one] = processes as [(typeof processes)[0]]
    await one.limit('acme', { usd: 100, mode: 'hard' })
    await one.call('1')
    wires[0]!.state = 'hangs'
    const pockets = await one.limiter.pockets({ tenantId: 'acme' }, clocks().now)
    const estimate = { expected: usd('1'), ceiling: usd('1') }
    expect(one.limiter.reserve(pockets, estimate, { tenantId: 'acme' })).not.toBeInstanceOf(Promise)
    await expect(one.call('50')).rejects.toMatchObject({ code: 'LIMIT_STORE_DOWN' })
    expect(one.states).toEqual(['down'])
  })

  test('a store that has lost everything is told the rules again', async () => {
    const clock = clocks()
    let store = memory(clock)
    const facade = remote({
      setLimit: (rule) => store.setLimit(rule),
      removeLimit: (key) => store.removeLimit(key),
      changes: (since) => store.changes(since),
      accounts: (keys) => store.accounts(keys),
      lease: (steps) => store.lease(steps),
    })
    const one = process(facade, clock)
    await one.limit('acme', { usd: 10, mode: 'hard' })
    await one.limit('globex', { usd: 5 })
    const hold = await one.call('4')
    store = memory(clock)
    await one.limiter.beat()
    expect(one.states).toEqual(['lost'])
    await one.limiter.beat()
    one.limiter.settle(hold, usd('3'), clock.now)
    await one.limiter.beat()
    expect(await one.standing()).toBe('7 left, 3 spent, 0 held')
    expect(await one.standing('globex')).toBe('5 left, 0 spent, 0 held')
  })
})

test('a rolling limit counts what was spent before it once, and its own spend once, however many slots pass', async () => {
  const clock = clocks()
  let known = usd('2')
  const { limiter, limit, call, standing } = process(memory(clock), clock, { opening: () => known / 1000n })
  await limit('acme', { usd: 10, per: 'hour', rolling: true, mode: 'hard' })
  for (const spent of ['3', '4', '5']) {
    limiter.settle(await call('1'), usd('1'), clock.now)
    known += usd('1')
    await limiter.beat()
    clock.now += 5 * 60_000
    expect(await standing('acme', 'hour')).toContain(` ${spent} spent`)
  }
})

describe('a process that starts while the store is down', () => {
  const policies: [StoreDownPolicy | undefined, passes: boolean][] = [
    [undefined, true],
    ['lease-then-allow', true],
    ['allow', true],
    ['lease-then-deny', false],
    ['deny', false],
  ]
  test.each(policies)('and knows no limits goes by the policy %s, and counts it', async (policy, passes) => {
    const { processes, wires, clock } = several(2, { whenDown: policy as 'deny' })
    const [one, two] = processes as [(typeof processes)[0], (typeof processes)[0]]
    await one.limit('acme', { usd: 10, mode: 'hard' })
    wires[1]!.state = 'down'
    const call = () => two.call('1').then(({ parts }) => parts.length)
    if (passes) expect([await call(), await call()]).toEqual([0, 0])
    else {
      await expect(call()).rejects.toMatchObject({ code: 'LIMIT_STORE_DOWN', tenantId: 'acme' })
      await expect(call()).rejects.toThrow('it is not known which limits there are')
    }
    expect(two.states).toEqual(['down'])
    expect(two.limiter.counts.allowedWhileDown).toBe(passes ? 2 : 0)
    // A limit that it was told itself is one that it knows.
    two.limit('acme', { usd: 10, mode: 'hard' }).catch(() => undefined)
    expect(two.limiter.pockets({ tenantId: 'acme' }, clock.now)).toHaveLength(1)
    wires[1]!.state = 'up'
    await two.limiter.beat()
    expect(await call()).toBe(1)
    expect(two.limiter.counts.allowedWhileDown).toBe(passes ? 2 : 0)
  })

  test('lends no more than the overdraft', async () => {
    const { processes, wires, clock } = several(2, { whenDown: { overdraft: usd('3') } })
    const [one, two] = processes as [(typeof processes)[0], (typeof processes)[0]]
    await one.limit('acme', { usd: 10, mode: 'hard' })
    wires[1]!.state = 'down'
    for (const cost of ['2', '1.5']) {
      await two.call('1')
      two.limiter.spend({ tenantId: 'acme' }, usd(cost), clock.now)
    }
    await expect(two.call('1')).rejects.toMatchObject({ code: 'LIMIT_STORE_DOWN' })
  })
})

describe('a stream that comes to the end of what is paid for', () => {
  const stream = (most: number): Estimate => ({
    expected: usd('1'),
    ceiling: usd('0.001') * BigInt(most),
    outputTokens: most,
    ceilingAt: (tokens) => usd('0.001') * BigInt(tokens),
    isStream: true,
  })

  test('while the store is down goes on with what its process has, and then as the policy says', async () => {
    for (const [policy, code] of [
      [undefined, 'LIMIT_STORE_DOWN'],
      ['lease-then-allow', undefined],
    ] as const) {
      const { processes, wires } = several(1, { whenDown: policy })
      const [one] = processes as [(typeof processes)[0]]
      await one.limit('acme', { usd: 100, mode: 'stream' })
      const hold = await one.call(stream(20_000))
      wires[0]!.state = 'down'
      await one.limiter.beat()
      // A slice is four times what was asked for.
      for (let tokens = 1000; tokens < 4000; tokens += 1000) expect(await hold.topUp(tokens)).toBeUndefined()
      expect((await hold.topUp(4000))?.code).toBe(code)
      expect(one.limiter.counts).toMatchObject({ endedStreams: code ? 1 : 0, allowedWhileDown: code ? 0 : 1 })
    }
  })

  test('and is over before the store has answered holds nothing', async () => {
    const { processes, clock } = several(1)
    const [one] = processes as [(typeof processes)[0]]
    await one.limit('acme', { usd: 100, mode: 'stream' })
    const hold = await one.call(stream(20_000))
    const asked = hold.topUp(15_000)
    one.limiter.settle(hold, usd('1'), clock.now)
    expect(await asked).toBeUndefined()
    expect(one.limiter.heldTotal).toBe(0n)
    expect(await one.standing()).toBe('99 left, 1 spent, 0 held')
  })

  test('without money for more is ended and counted', async () => {
    const { processes } = several(1)
    const [one] = processes as [(typeof processes)[0]]
    await one.limit('acme', { usd: 2, mode: 'stream' })
    const hold = await one.call(stream(20_000))
    expect(await hold.topUp(1500)).toBeUndefined()
    expect((await hold.topUp(hold.paidTokens!))?.code).toBe('LIMIT_EXCEEDED')
    expect(one.limiter.counts.endedStreams).toBe(1)
  })
})
