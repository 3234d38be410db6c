// What a limit of each mode lets through, holds and counts, and whose calls it counts.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LimitExceededError } from '../../src/errors.ts'
import type { Estimate } from '../../src/limits/estimate.ts'
import { AT, clocks, memory, process, remote, usd } from '../support/limits.ts'

/** An input of a cent, and a tenth of a cent for each token of output. */
const perToken = (outputTokens: number, over: Partial<Estimate> = {}): Estimate => {
  const ceilingAt = (tokens: number) => usd('0.01') + BigInt(tokens) * usd('0.001')
  return { expected: usd('0.02'), ceiling: ceilingAt(outputTokens), outputTokens, ceilingAt, ...over }
}

function alone() {
  const clock = clocks()
  return { clock, ...process(memory(clock), clock) }
}

describe('clamp', () => {
  test('lowers the cap of a request to what is left', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit('acme', { usd: 1, mode: 'clamp' })
    const first = await call(perToken(600))
    expect(first.cap).toBeUndefined()
    const second = await call(perToken(600))
    expect(second.cap).toBe(380)
    expect(limiter.heldTotal).toBe(usd('1'))
    limiter.settle(first, usd('0.1'), AT)
    limiter.settle(second, usd('0.39'), AT)
    expect(await standing()).toBe('0.51 left, 0.49 spent, 0 held')
    expect(limiter.counts.clamped).toBe(1)
  })

  test('but never below what is of use, 256 tokens where nothing else is said', async () => {
    const { limit, call } = alone()
    await limit('acme', { usd: '0.265', mode: 'clamp' })
    await expect(call(perToken(600))).rejects.toMatchObject({ mode: 'clamp' })
    await limit('acme', { usd: '0.266', mode: 'clamp' })
    expect((await call(perToken(600))).cap).toBe(256)
    await limit('acme', { usd: '0.286', mode: 'clamp', minOutputTokens: 10 })
    expect((await call(perToken(600))).cap).toBe(10)
  })

  test('a request that asks for less than that gets it or nothing', async () => {
    const { limit, call } = alone()
    await limit('acme', { usd: '0.1', mode: 'clamp' })
    expect((await call(perToken(50))).cap).toBeUndefined()
    await expect(call(perToken(50))).rejects.toBeInstanceOf(LimitExceededError)
  })

  test('a hard limit beside it holds no more than the lowered cap can cost', async () => {
    const { limit, call, standing } = alone()
    await limit('acme', { usd: 1, per: 'day', mode: 'hard' })
    await limit('acme', { usd: '0.41', mode: 'clamp' })
    expect((await call(perToken(5000))).cap).toBe(400)
    expect(await standing('acme', 'day')).toBe('0.59 left, 0 spent, 0.41 held')
  })

  test('is hard where the output of a call has no price of its own', async () => {
    const { limit, call } = alone()
    await limit('acme', { usd: '0.5', mode: 'clamp' })
    await expect(call({ expected: usd('0.1'), ceiling: usd('0.6') })).rejects.toMatchObject({ mode: 'clamp' })
  })
})

describe('stream', () => {
  test('holds the money of a stream as it comes, and tells when there is no more', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit('acme', { usd: '3.5', mode: 'stream' })
    const hold = await call(perToken(100_000, { isStream: true }))
    expect(await standing()).toBe('2.49 left, 0 spent, 1.01 held')
    expect(hold.paidTokens).toBe(1000)
    expect(await hold.topUp(999)).toBeUndefined()
    expect(await hold.topUp(1000)).toBeUndefined()
    expect(hold.paidTokens).toBe(2000)
    expect(await standing()).toBe('1.49 left, 0 spent, 2.01 held')
    await hold.topUp(2000)
    await hold.topUp(3000)
    expect(await hold.topUp(3490)).toMatchObject({ code: 'LIMIT_EXCEEDED', mode: 'stream', heldUsd: '3.5' })
    limiter.settle(hold, usd('3.01'), AT)
    expect(await standing()).toBe('0.49 left, 3.01 spent, 0 held')
    expect(await hold.topUp(9000)).toBeUndefined()
  })

  test('spends what is left, down to a hundred tokens, and is not ended with most of the money still there', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit('acme', { usd: '1.9', mode: 'stream' })
    const hold = await call(perToken(100_000, { isStream: true }))
    expect(await hold.topUp(1040)).toBeUndefined()
    expect(hold.paidTokens).toBe(1890)
    expect(await standing()).toBe('0 left, 0 spent, 1.9 held')
    expect(await hold.topUp(1890)).toMatchObject({ mode: 'stream' })
    limiter.settle(hold, usd('1.9'), AT)
    await limit('acme', { usd: '3.019', mode: 'stream' })
    const next = await call(perToken(100_000, { isStream: true }))
    expect(await next.topUp(1010)).toMatchObject({ mode: 'stream', heldUsd: '1.01' })
  })

  test('of two limits goes as far as the smaller one pays for, and to its end where both do', async () => {
    const { limit, call } = alone()
    await limit('acme', { usd: '1.5', mode: 'stream' })
    await limit('acme', { usd: '1.2', per: 'day', mode: 'stream' })
    const hold = await call(perToken(1300, { isStream: true }))
    await hold.topUp(1000)
    expect(hold.paidTokens).toBe(1190)
    await limit('acme', { usd: '9', per: 'day', mode: 'stream' })
    expect(await hold.topUp(1190)).toBeUndefined()
    expect(hold.paidTokens).toBeUndefined()
  })

  test('whatever comes in whatever chunks: streams hold no more than the limit, and what is paid for is held', async () => {
    const limitCents = fc.integer({ min: 102, max: 900 })
    const chunks = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 900 })), { maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(limitCents, fc.integer({ min: 1001, max: 5000 }), chunks, async (cents, most, coming) => {
        const { limit, call, limiter } = alone()
        const bound = usd('0.01') * BigInt(cents)
        await limit('acme', { usd: cents / 100, mode: 'stream' })
        const estimate = perToken(most, { isStream: true })
        const calls = [0, 1, 2].map(() => call(estimate).catch(() => undefined))
        const streams = (await Promise.all(calls)).map((hold) => ({ hold, came: 0, isEnded: hold === undefined }))
        for (const [n, tokens] of coming) {
          const stream = streams[n]!
          const { hold } = stream
          if (!hold || stream.isEnded) continue
          // What is passed on before more is asked for.
          stream.came = Math.min(stream.came + tokens, hold.paidTokens ?? most)
          stream.isEnded = (await hold.topUp(stream.came)) !== undefined
          if (!stream.isEnded) expect(hold.paidTokens ?? most).toBeGreaterThanOrEqual(stream.came)
          expect(hold.parts[0]!.amount).toBeGreaterThanOrEqual(estimate.ceilingAt!(stream.came))
          expect(limiter.heldTotal).toBeLessThanOrEqual(bound)
        }
        let spent = 0n
        for (const { hold, came } of streams)
          if (hold) {
            limiter.settle(hold, estimate.ceilingAt!(came), AT)
            spent += estimate.ceilingAt!(came)
          }
        expect(spent).toBeLessThanOrEqual(bound)
        expect(limiter.counts.overruns).toBe(0)
      }),
      { numRuns: 100 },
    )
  })

  test('holds the whole ceiling of a call that is no stream', async () => {
    const { limit, call } = alone()
    await limit('acme', { usd: '3.5', mode: 'stream' })
    expect((await call(perToken(1500))).paidTokens).toBeUndefined()
    await expect(call(perToken(5000))).rejects.toMatchObject({ mode: 'stream' })
  })
})

describe('soft and observe', () => {
  test('a soft limit refuses nothing and counts everything', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit('acme', { usd: 1, mode: 'soft' })
    for (let at = 0; at < 3; at++) limiter.settle(await call('5'), usd('5'), AT)
    expect(await standing()).toBe('0 left, 15 spent, 0 held')
    expect(limiter.counts).toMatchObject({ observed: 0, overruns: 0 })
  })

  test('an observed limit counts what it would have refused', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit('acme', { usd: 1, mode: 'observe' })
    const holds = [await call('0.6'), await call('0.6'), await call('0.3')]
    expect(limiter.counts.observed).toBe(2)
    for (const hold of holds) limiter.settle(hold, usd('0.6'), AT)
    expect(await standing()).toBe('0 left, 1.8 spent, 0 held')
    limiter.settle(await call('0.1'), 0n, AT)
    expect(limiter.counts.observed).toBe(3)
    expect(limiter.heldTotal).toBe(0n)
  })
})

describe('a closer estimate', () => {
  test('is asked for only where the ceiling would be refused', async () => {
    const { limit, call } = alone()
    let asked = 0
    const tighten = () => {
      asked++
      return Promise.resolve({ expected: usd('0.1'), ceiling: usd('0.4') })
    }
    await limit('acme', { usd: 1, mode: 'hard' })
    await call({ expected: usd('0.1'), ceiling: usd('0.8'), tighten })
    expect(asked).toBe(0)
    await expect(call({ expected: usd('0.1'), ceiling: usd('0.8'), tighten })).rejects.toMatchObject({ heldUsd: '0.8' })
    expect(asked).toBe(1)
    await limit('acme', { usd: '1.2', mode: 'hard' })
    await call({ expected: usd('0.1'), ceiling: usd('0.8'), tighten })
    expect(asked).toBe(2)
  })
})

describe('what is counted', () => {
  test('a refusal with money for what such calls come to is false', async () => {
    const { limit, call, limiter } = alone()
    await limit('acme', { usd: 1, mode: 'hard' })
    await expect(call({ expected: usd('0.01'), ceiling: usd('2') })).rejects.toThrow()
    expect(limiter.counts.falseRefusals).toBe(1)
    await expect(call({ expected: usd('1.5'), ceiling: usd('2') })).rejects.toThrow()
    expect(limiter.counts.falseRefusals).toBe(1)
  })

  test('a refusal says where a cap would have helped', async () => {
    const { limit, call } = alone()
    await limit('acme', { usd: 1, mode: 'hard' })
    const refused = await call(perToken(128_000, { hasNoCap: true })).catch((error: unknown) => error)
    expect(refused).toMatchObject({ wouldPassWithCap: true })
    expect((refused as Error).message).toContain('The request sets no output cap; with one it would have passed.')
  })

  test('a call that cost more than was held is settled in full and counted', async () => {
    const clock = clocks()
    let told = 0
    const { limit, call, limiter, standing } = process(memory(clock), clock, { onOverrun: () => told++ })
    await limit('acme', { usd: 10, mode: 'hard' })
    limiter.settle(await call('1'), usd('1.25'), AT)
    expect(limiter.counts).toMatchObject({ overruns: 1, overrun: usd('0.25') })
    expect(told).toBe(1)
    expect(await standing()).toBe('8.75 left, 1.25 spent, 0 held')
  })
})

describe('scopes', () => {
  const acme = { tenantId: 'acme', userId: 'u1', feature: 'search', model: 'gpt-4o', sessionId: 's', operationId: 'r' }

  test.each([
    ['tenant', 'acme'],
    ['user', { tenant: 'acme', user: 'u1' }],
    ['user', { user: 'u1' }],
    ['feature', { feature: 'search' }],
    ['model', { tenant: 'acme', model: 'gpt-4o' }],
    ['session', { session: 's' }],
    ['run', { run: 'r' }],
    ['run', { tenant: 'acme', user: 'u1', feature: 'search', run: 'r' }],
    ['organization', { organization: 'big', tenants: ['globex', 'acme'] }],
    ['*', '*'],
  ] as const)('a limit for one %s: %o', async (scope, target) => {
    const { limit, call, limiter, standing } = alone()
    await limit(target, { usd: 1 })
    limiter.settle(await call('0.75', acme), usd('0.75'), AT)
    await call('0.25', acme)
    await expect(call('0.1', acme)).rejects.toMatchObject({ scope, tenantId: 'acme', spentUsd: '0.75' })
    expect(await standing(target)).toBe('0 left, 0.75 spent, 0.25 held')
    const other = { tenantId: 'initech', userId: 'u2', feature: 'chat', model: 'o3', sessionId: 't', operationId: 'q' }
    if (target === '*') await expect(call('9', other)).rejects.toMatchObject({ scope: '*', tenantId: 'initech' })
    else expect((await call('9', other)).parts).toEqual([])
  })

  test('a call takes from all of its limits or from none', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit('acme', { usd: 10 })
    await limit('*', { usd: 10 })
    await limit({ tenant: 'acme', user: 'u1' }, { usd: 1, mode: 'hard' })
    await expect(call('2', acme)).rejects.toMatchObject({ scope: 'user', limitOf: 'tenant=acme&user=u1' })
    expect(limiter.heldTotal).toBe(0n)
    expect(await standing('*')).toBe('10 left, 0 spent, 0 held')
    limiter.settle(await call('1', acme), usd('1'), AT)
    for (const target of ['acme', '*'] as const) expect(await standing(target)).toBe('9 left, 1 spent, 0 held')
  })

  test('nobody’s calls count in what is everybody’s', async () => {
    const { limit, call } = alone()
    await limit({ feature: 'search' }, { usd: 1 })
    await call('1', { feature: 'search' })
    const refused = await call('1', { feature: 'search' }).catch((error: unknown) => error)
    expect(refused).toMatchObject({ tenantId: undefined, scope: 'feature' })
    expect((refused as Error).message).toMatch(/^Feature "search" has \$0 spent and \$1 held/)
  })

  test('what is removed counts no more, and what an organization gains counts from then on', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit({ organization: 'big', tenants: ['acme'] }, { usd: 1 })
    expect((await call('1', { tenantId: 'globex' })).parts).toEqual([])
    await limit({ organization: 'big', tenants: ['acme', 'globex'] }, { usd: 1 })
    limiter.settle(await call('1', { tenantId: 'globex' }), usd('1'), AT)
    await expect(call('1')).rejects.toMatchObject({ scope: 'organization' })
    expect(await standing({ organization: 'big' })).toBe('0 left, 1 spent, 0 held')
    await limiter.removeLimit({ scope: 'organization=big', per: 'month' })
    expect((await call('1')).parts).toEqual([])
  })
})

describe('warnings', () => {
  test('come once for each threshold and window', async () => {
    const { limit, call, limiter, warnings, clock } = alone()
    await limit('acme', { usd: 10, per: 'day' })
    for (const cost of ['4.9', '0.1', '0.1', '4', '1', '5']) {
      limiter.settle(await call('0'), usd(cost), clock.now)
      await limiter.beat()
    }
    expect(warnings.map(({ percent, spentUsd }) => [percent, spentUsd])).toEqual([
      [50, '5'],
      [80, '9.1'],
      [100, '10.1'],
    ])
    expect(warnings[0]).toMatchObject({ of: 'acme', tenantId: 'acme', limitUsd: '10', window: 'day' })
    expect(warnings[0]!.resetsAt).toEqual(new Date('2026-11-23T00:00:00Z'))
    clock.now += 24 * 3_600_000
    limiter.settle(await call('0'), usd('8'), clock.now)
    await limiter.beat()
    expect(warnings.slice(3).map(({ percent }) => percent)).toEqual([50, 80])
  })

  test('come once where a threshold is named twice', async () => {
    const clock = clocks()
    const { limit, call, limiter, warnings } = process(memory(clock), clock, { warnAt: [80, 80] })
    await limit('acme', { usd: 10 })
    limiter.settle(await call('0'), usd('9'), AT)
    await limiter.beat()
    expect(warnings.map(({ percent }) => percent)).toEqual([80])
  })

  test('come from one of the processes that share a limit', async () => {
    const clock = clocks()
    const store = memory(clock)
    const [one, two] = [process(store, clock), process(store, clock)]
    await one.limit('acme', { usd: 10, mode: 'soft' })
    one.limiter.settle(await one.call('0'), usd('3'), AT)
    await one.limiter.beat()
    two.limiter.settle(await two.call('0'), usd('3'), AT)
    await two.limiter.beat()
    one.limiter.settle(await one.call('0'), usd('0.01'), AT)
    await one.limiter.beat()
    await one.limiter.beat()
    expect(one.warnings.length + two.warnings.length).toBe(1)
  })
})

describe('a question', () => {
  test('is answered without holding anything', async () => {
    const { limit, call, limiter, standing } = alone()
    await limit('acme', { usd: 10 })
    await limit('acme', { usd: 1, per: 'day' })
    await call('0.4')
    expect(await limiter.check({ tenantId: 'acme' }, usd('0.6'))).toMatchObject({ allowed: true, exceeded: undefined })
    const short = await limiter.check({ tenantId: 'acme' }, usd('0.7'))
    expect(short).toMatchObject({ allowed: false, exceeded: { window: 'day', remainingUsd: '0.6' } })
    expect(short.limits).toHaveLength(2)
    expect(await limiter.check({ tenantId: 'nobody' }, usd('5'))).toEqual({
      allowed: true,
      limits: [],
      exceeded: undefined,
    })
    expect(await standing('acme', 'day')).toBe('0.6 left, 0 spent, 0.4 held')
  })
})

describe('money of a rolling limit', () => {
  const MINUTE = 60_000
  const at = (minutes: number) => Date.UTC(2026, 10, 22, 13, minutes)
  const slotsLater = new Date(at(90))

  async function spending(...spends: (readonly [minutes: number, dollars: string])[]) {
    const one = alone()
    await one.limit('acme', { usd: 10, per: 'hour', rolling: true, mode: 'hard' })
    for (const [minutes, dollars] of spends) {
      one.clock.now = at(minutes)
      // What is free in the slot before goes back first.
      one.limiter.settle(await one.call('0'), 0n, one.clock.now)
      await one.limiter.beat()
      one.limiter.settle(await one.call(dollars), usd(dollars), one.clock.now)
      await one.limiter.beat()
    }
    const resetsAt = async () => (await one.limiter.state('tenant=acme', 'hour'))?.resetsAt
    return { ...one, resetsAt }
  }

  test('comes back when what was spent leaves, and not when the next slot begins', async () => {
    const { call, resetsAt, clock } = await spending([27, '10'])
    expect(await resetsAt()).toEqual(slotsLater)
    await expect(call('1')).rejects.toMatchObject({ resetsAt: slotsLater })
    clock.now = at(90) - 1
    await expect(call('1')).rejects.toMatchObject({ resetsAt: slotsLater })
    clock.now = at(90)
    await call('1')
  })

  test('comes back with the oldest slot, but where it takes more of them to have any free', async () => {
    const { resetsAt, limit } = await spending([2, '3'], [17, '2'], [27, '5'])
    expect(await resetsAt()).toEqual(new Date(at(65)))
    await limit('acme', { usd: 6, per: 'hour', rolling: true, mode: 'hard' })
    expect(await resetsAt()).toEqual(new Date(at(80)))
    await limit('acme', { usd: 20, per: 'hour', rolling: true, mode: 'hard' })
    expect(await resetsAt()).toEqual(new Date(at(65)))
    await limit('acme', { usd: 0, per: 'hour', rolling: true, mode: 'hard' })
    expect(await resetsAt()).toBeUndefined()
  })

  test('has no such moment while none of it is spent', async () => {
    const { resetsAt, clock } = await spending()
    expect(await resetsAt()).toBeUndefined()
    clock.now += MINUTE
    expect(await resetsAt()).toBeUndefined()
  })

  test('comes back at the same moment for a process behind a wire', async () => {
    const clock = clocks()
    const store = remote(memory(clock))
    const { limit, call, limiter } = process(store, clock)
    await limit('acme', { usd: 10, per: 'hour', rolling: true, mode: 'hard' })
    clock.now = at(27)
    limiter.settle(await call('10'), usd('10'), clock.now)
    await expect(call('1')).rejects.toMatchObject({ resetsAt: slotsLater })
    store.state = 'down'
    await expect(call('1')).rejects.toMatchObject({ resetsAt: slotsLater })
  })
})
