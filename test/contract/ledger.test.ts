// The contract of a ledger: exact sums, reports, limits that stay. The same for each, and a newcomer is one line in `LEDGERS`.

import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { type LLMEvent, WIRE_NAMES } from '../../src/event.ts'
import { formatUsd, parseUsd } from '../../src/money.ts'
import { EVENT_COLUMNS } from '../../src/sinks/columns.ts'
import { DIMENSIONS, isLedger, type StoredLimit } from '../../src/sinks/ledger.ts'
import { DAY, event, failureOf, LEDGERS, NOV_22, stopServers } from '../support/ledgers.ts'

const MAX_PICO = 2n ** 63n - 1n

afterAll(stopServers)

describe.each(Object.entries(LEDGERS))('the %s ledger', (_, kind) => {
  test('is one', async () => {
    await using book = await kind.book()
    expect(isLedger(book.ledger)).toBe(true)
  })

  describe('sums', () => {
    test('are exact far beyond 64 bits', async () => {
      const costs = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.bigInt({ min: 0n, max: MAX_PICO })), {
        minLength: 1,
        maxLength: 40,
      })
      let beyond = 0
      await fc.assert(
        fc.asyncProperty(costs, async (entries) => {
          await using book = await kind.book()
          await book.put(...entries.map(([tenantId, pico]) => event({ tenantId, costUsd: formatUsd(pico) })))
          const expected = new Map<string, bigint>()
          for (const [tenant, pico] of entries) expected.set(tenant, (expected.get(tenant) ?? 0n) + pico)
          const rows = await book.ledger.totals({ by: ['tenant'] })
          expect(new Map(rows.map(({ key, cost }) => [key[0], cost]))).toEqual(expected)
          for (const [tenant, pico] of expected) expect(await book.ledger.spent(tenant, 0)).toBe(pico)
          const all = entries.reduce((sum, [, pico]) => sum + pico, 0n)
          expect((await book.ledger.totals({ by: [] }))[0]!.cost).toBe(all)
          if (all > MAX_PICO) beyond++
        }),
        { numRuns: kind.runs },
      )
      expect(beyond).toBeGreaterThan(kind.runs / 4)
    })

    test('add a cost of less than a cent to sums of millions without losing a digit', async () => {
      await using book = await kind.book()
      await book.put(
        event({ costUsd: '9223372.036854775807' }),
        event({ costUsd: '9223372' }),
        event({ costUsd: '0.000000000001' }),
      )
      expect(formatUsd(await book.ledger.spent('acme', 0))).toBe('18446744.036854775808')
    })

    test('count calls, errors, estimates and calls without a price; a roll-up counts for all it stands for', async () => {
      await using book = await kind.book()
      await book.put(
        event({ costUsd: '0.5', inputTokens: 10, cachedTokens: 4, outputTokens: 5 }),
        event({ costUsd: '0', error: 'aborted', usageSource: 'partial', inputTokens: 10, outputTokens: 1 }),
        event({ error: 'http_400', usageSource: 'absent' }),
        event({ inputTokens: 7, costSource: 'unpriced' }),
        event({ usage: { 'fee.web_search': 1 } }),
        event({ usage: {} }),
        event({ imageCount: 1, usageSource: 'estimated' }),
        event({
          calls: 40,
          costUsd: '1',
          inputTokens: 100,
          outputTokens: 50,
          error: 'http_500',
          usageSource: 'estimated',
        }),
      )
      expect(await book.ledger.totals({ by: [] })).toEqual([
        {
          key: [],
          calls: 47,
          errors: 42,
          unpriced: 3,
          estimated: 42,
          inputTokens: 127,
          cachedTokens: 4,
          outputTokens: 56,
          cost: 1_500_000_000_000n,
        },
      ])
    })

    test.each(['in batches of their own', 'in one batch'])(
      'an estimate of one project is not taken over by a report of another, %s',
      async (how) => {
        await using book = await kind.book()
        const estimate = event({ project: 'batch', usageSource: 'estimated', costUsd: '1' })
        const stranger = { ...estimate, project: 'web', tenantId: 'hijacker', usageSource: 'reported' as const }
        const { project: _, ...unbound } = { ...estimate, usageSource: 'reported' as const }
        const rightful = { ...estimate, usageSource: 'reported' as const, costUsd: '2' }
        const all = [estimate, stranger, unbound, rightful]
        if (how === 'in one batch') await book.put(...all)
        else for (const one of all) await book.put(one)
        expect(await book.ledger.totals({ by: ['tenant', 'project'] })).toMatchObject([
          { key: ['acme', 'batch'], calls: 1, cost: 2_000_000_000_000n },
        ])
      },
    )

    test('do not fail on counts whose sum is beyond 64 bits', async () => {
      await using book = await kind.book()
      await book.put(...Array.from({ length: 1100 }, () => event({ inputTokens: Number.MAX_SAFE_INTEGER })))
      const [total] = await book.ledger.totals({ by: [] })
      expect(total!.inputTokens).toBe(Number(BigInt(Number.MAX_SAFE_INTEGER) * 1100n))
    })

    test('of nothing are one row of zeros, or no group', async () => {
      await using book = await kind.book()
      expect(await book.ledger.totals({ by: [] })).toMatchObject([{ key: [], calls: 0, cost: 0n }])
      expect(await book.ledger.totals({ by: ['tenant'] })).toEqual([])
      expect(await book.ledger.spent('nobody', 0)).toBe(0n)
    })
  })

  describe('a report', () => {
    test('groups by every dimension, and by all of them', async () => {
      await using book = await kind.book()
      const one = event({
        userId: 'u',
        sessionId: 's',
        feature: 'f',
        team: 't',
        project: 'p',
        costCenter: 'c',
        appName: 'app',
        environment: 'prod',
        host: 'h',
        serviceTier: 'flex',
      })
      await book.put(one, event({ tenantId: undefined as never, model: 'other' }))
      const values = [
        'acme',
        'u',
        's',
        'f',
        't',
        'p',
        'c',
        'app',
        'prod',
        'openai',
        'h',
        'gpt-4o',
        'chat.completions',
        'flex',
        '2026-11-22',
      ]
      const rows = await book.ledger.totals({ by: DIMENSIONS })
      expect(rows.map(({ key }) => key)).toContainEqual(values)
      for (const [i, dimension] of DIMENSIONS.entries()) {
        const keys = (await book.ledger.totals({ by: [dimension] })).map(({ key }) => key[0])
        expect(keys).toContain(values[i])
      }
      expect(rows.find(({ key }) => key[11] === 'other')!.key[0]).toBeNull()
    })

    test('refuses a dimension that it does not know, which could be SQL', async () => {
      await using book = await kind.book()
      const error = await failureOf(book.ledger.totals({ by: ['1; DROP TABLE events' as never] }))
      expect(error.code).toBe('BAD_INPUT')
    })

    test('takes days in UTC', async () => {
      const time = fc.integer({ min: Date.UTC(1969, 0, 1), max: Date.UTC(2100, 0, 1) })
      await fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.oneof(
              time,
              time.map((at) => at - (at % DAY)),
              time.map((at) => at - (at % DAY) - 1),
            ),
            { minLength: 1, maxLength: 10 },
          ),
          async (times) => {
            await using book = await kind.book()
            await book.put(...times.map((at, i) => event({ at, eventId: `e${i}` })))
            const days = (await book.ledger.totals({ by: ['day'] })).map(({ key }) => key[0])
            expect(days).toEqual([...new Set(times.map((at) => new Date(at).toISOString().slice(0, 10)))].sort())
          },
        ),
        { numRuns: kind.runs },
      )
    })

    test('includes its first moment and excludes its last', async () => {
      await using book = await kind.book()
      await book.put(...[0, 1, 2, 3].map((hours) => event({ at: NOV_22 + hours, costUsd: String(10 ** hours) })))
      const [total] = await book.ledger.totals({ by: [], since: NOV_22 + 1, until: NOV_22 + 3 })
      expect([total!.calls, formatUsd(total!.cost)]).toEqual([2, '110'])
      expect(formatUsd(await book.ledger.spent('acme', NOV_22 + 2))).toBe('1100')
      expect((await book.ledger.totals({ by: [], tenantId: 'other' }))[0]!.calls).toBe(0)
      expect(
        (await book.ledger.events({ since: NOV_22 + 1, until: NOV_22 + 3, tenantId: 'acme', limit: 1 }))[0]!.costUsd,
      ).toBe('100')
    })
  })

  describe('limits', () => {
    const limit = (over: Partial<StoredLimit> = {}): StoredLimit => ({
      tenantId: 'acme',
      window: 'month',
      limit: 50n * 10n ** 12n,
      mode: 'expected',
      ...over,
    })

    test('stay when the ledger is opened again; one for each tenant and window', async () => {
      await using book = await kind.book()
      const { ledger } = book
      expect(await ledger.limits()).toEqual([])
      await ledger.putLimit(limit())
      await ledger.putLimit(limit({ window: 'day', limit: 10n ** 30n, mode: 'hard' }))
      await ledger.putLimit(limit({ tenantId: "o'hara", limit: 0n }))
      await ledger.putLimit(limit({ limit: 7n }))
      await ledger.close()
      const again = book.open()
      expect(await again.limits()).toEqual([
        limit({ window: 'day', limit: 10n ** 30n, mode: 'hard' }),
        limit({ limit: 7n }),
        limit({ tenantId: "o'hara", limit: 0n }),
      ])
      await again.removeLimit('acme', 'day')
      await again.removeLimit('nobody', 'hour')
      expect(await again.limits()).toHaveLength(2)
    })
  })

  describe('events', () => {
    test('come newest first, by the time of their calls and then by their ids', async () => {
      await using book = await kind.book()
      const events = [9, 10, 100, 1000].map((ms) => event({ at: NOV_22 + ms }))
      const twins = [event({ at: NOV_22, eventId: 'b' }), event({ at: NOV_22, eventId: 'a' })]
      await book.put(...events, ...twins)
      expect(await book.ledger.events()).toEqual([...events.toReversed(), ...twins])
      expect(await book.ledger.events({ limit: 2 })).toEqual([events[3], events[2]])
    })

    test('of one id count once, whatever time each says', async () => {
      await using book = await kind.book()
      const first = event({ eventId: 'order-17', costUsd: '1' })
      const job = event({ eventId: '8f14e45f-ceea-867a-9d3c-1f2e3d4c5b6a', costUsd: '2' })
      await book.put(first, job)
      const later = new Date(NOV_22 + 90 * DAY).toISOString()
      const again = await book.put({ ...first, timestamp: later }, { ...job, timestamp: later })
      expect(again).toMatchObject({ outcome: 'delivered', duplicates: 2 })
      expect(formatUsd(await book.ledger.spent('acme', 0))).toBe('3')
    })

    test('of a provider and a model are found, and of nothing else', async () => {
      await using book = await kind.book()
      await book.put(event({ model: 'a' }), event({ model: 'b' }), event({ model: 'a', provider: 'azure' }))
      const seen: LLMEvent[] = []
      await book.ledger.reprice({ provider: 'openai', model: 'a' }, (one) => void seen.push(one))
      expect(seen.map(({ provider, model }) => [provider, model])).toEqual([['openai', 'a']])
    })
  })

  describe('pricing again', () => {
    const dearer = (one: LLMEvent) => ({ ...one, costUsd: formatUsd(2n * parseUsd(one.costUsd!)!), priceVersion: 'v2' })

    test('shows every event, the oldest first, and writes nothing unless told to', async () => {
      await using book = await kind.book()
      const events = Array.from({ length: 2500 }, (_, i) => event({ at: NOV_22 + Math.floor(i / 3), costUsd: '1' }))
      await book.put(...events)
      const seen: string[] = []
      await book.ledger.reprice({}, (one) => {
        seen.push(one.eventId)
        return dearer(one)
      })
      expect(seen).toEqual(events.map((one) => one.eventId))
      expect(formatUsd(await book.ledger.spent('acme', 0))).toBe('2500')
      await book.ledger.reprice({ since: NOV_22 + 100 }, dearer, { apply: true })
      expect(formatUsd(await book.ledger.spent('acme', 0))).toBe('4700')
      const [last] = await book.ledger.events({ limit: 1 })
      expect([last!.costUsd, last!.priceVersion]).toEqual(['2', 'v2'])
    })

    test('keeps what it was told nothing about', async () => {
      await using book = await kind.book()
      const one = event({ costUsd: '1', costSource: 'reported', tags: { a: 1 }, metadata: { status: 200 } })
      await book.put(one, event({ at: NOV_22 + 5, costUsd: '5' }))
      await book.ledger.reprice({}, (it) => (it.costUsd === '5' ? dearer(it) : undefined), { apply: true })
      expect((await book.ledger.events())[1]).toEqual(one)
    })

    test('that fails half way leaves everything as it was', async () => {
      await using book = await kind.book()
      await book.put(...Array.from({ length: 1500 }, () => event({ costUsd: '1' })))
      let seen = 0
      const failing = book.ledger.reprice(
        {},
        (one) => {
          if (++seen > 1200) throw new Error('no price')
          return dearer(one)
        },
        { apply: true },
      )
      await failureOf(failing)
      expect(formatUsd(await book.ledger.spent('acme', 0))).toBe('1500')
    })
  })
})

test('the names of the wire are the names of the columns, but for time and money', () => {
  const renamed = EVENT_COLUMNS.filter(({ field, name }) => WIRE_NAMES[field] !== name).map(({ name }) => name)
  expect(renamed).toEqual(['at', 'cost_pico', 'resale_pico'])
})
