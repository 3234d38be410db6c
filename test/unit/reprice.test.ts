// Recorded calls priced again, each from its event alone.

import { describe, expect, onTestFinished, test } from 'vitest'
import { eventId, isoTime, type LLMEvent } from '../../src/event.ts'
import { formatUsd, parseUsd } from '../../src/money.ts'
import { bookUnder } from '../../src/pricing/book-under.ts'
import { createPriceBook, loadBookData, loadPriceBook } from '../../src/pricing/price-book.ts'
import { ownPrices } from '../../src/pricing/price-file.ts'
import { repriceEvent, repriceEvents, withPrice } from '../../src/reprice.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'

const AT = Date.UTC(2026, 10, 22)
const signal = new AbortController().signal
let made = 0

function event(over: Partial<LLMEvent> = {}): LLMEvent {
  return {
    eventId: eventId(AT + ++made),
    timestamp: isoTime(AT),
    tenantId: 'acme',
    provider: 'mine',
    model: 'm-1',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    usage: { 'input.text': 1000, 'output.text': 100 },
    costUsd: '0.001',
    costSource: 'priced',
    priceVersion: 'old',
    ...over,
  }
}

const book = createPriceBook({ version: 'new', columns: [], providers: {} }, [
  { provider: 'mine', rates: { 'input.text': '2', 'output.text': '10' } },
  { provider: 'mine', tenantId: 'globex', multiply: '0.5', rates: { 'input.text': '1' } },
  { provider: 'mine', model: 'm-2', rates: { 'input.text': '4', 'output.text': '20' } },
])

describe('an event', () => {
  test('has its old and its new cost, with the lines of the new one', () => {
    const one = event()
    expect(repriceEvents([one], book)).toEqual([
      {
        eventId: one.eventId,
        before: { costUsd: '0.001', costSource: 'priced', priceVersion: 'old' },
        after: { costUsd: '0.003', costSource: 'priced', priceVersion: 'new' },
        lines: [
          { bucket: 'input.text', quantity: 1000, costUsd: '0.002', rate: expect.any(String) },
          { bucket: 'output.text', quantity: 100, costUsd: '0.001', rate: expect.any(String) },
        ],
        priceVersion: 'new',
        changed: true,
        isFallback: false,
      },
    ])
  })

  test.each<[string, Partial<LLMEvent>, string | undefined]>([
    ['whose cost the provider reported', { costSource: 'reported' }, 'reported'],
    ['that stands for several calls', { calls: 3 }, 'rolled-up'],
    ['of a model that the book does not have', { provider: 'nobody' }, 'unpriced'],
    ['that used something without a price', { usage: { 'input.audio': 3 } }, 'unpriced'],
  ])('%s keeps what it has', (_, over, kept) => {
    const one = event(over)
    const repriced = repriceEvent(one, book)
    expect(repriced).toMatchObject({ changed: false, kept, after: repriced.before })
    expect(withPrice(one, repriced)).toBe(one)
  })

  test('without usage keeps what it has', () => {
    const { usage: _, ...rest } = event()
    expect(repriceEvent(rest, book)).toMatchObject({ changed: false, kept: 'no-usage' })
  })

  test('that had no price loses the reason why', () => {
    const {
      costUsd: _,
      priceVersion: __,
      ...rest
    } = event({
      costSource: 'unpriced',
      metadata: { http_status: 200, unpriced: 'unknown-model' },
    })
    const repriced = repriceEvent(rest, book)
    expect(repriced.before).toEqual({ costSource: 'unpriced' })
    expect(withPrice(rest, repriced)).toMatchObject({
      costUsd: '0.003',
      costSource: 'priced',
      priceVersion: 'new',
      metadata: { http_status: 200 },
    })
    expect(withPrice(rest, repriced).metadata).not.toHaveProperty('unpriced')
  })

  test('of estimated usage stays an estimate, and of the family a guess', async () => {
    const shipped = await loadPriceBook()
    const guess = event({ provider: 'google', model: 'gemini-3.8-flash-xyz', usageSource: 'estimated' })
    const repriced = repriceEvent(guess, shipped)
    expect(repriced).toMatchObject({ after: { costSource: 'estimated' }, isFallback: true })
    expect(withPrice(guess, repriced).metadata).toEqual({ price_fallback: true })
  })

  test('of several models is priced by each of them, for its tenant', () => {
    const usageByModel = { 'm-1': { 'input.text': 1000 }, 'm-2': { 'input.text': 500 } } as const
    const usage = { 'input.text': 1500 }
    expect(repriceEvent(event({ usage, usageByModel }), book).after.costUsd).toBe('0.004')
    expect(repriceEvent(event({ tenantId: 'globex' }), book)).toMatchObject({ kept: 'unpriced' })
  })

  test('is priced as the meter priced it: by the same book nothing changes, whatever tier, place and size it has', async () => {
    const shipped = await loadPriceBook()
    const priced = (over: Partial<LLMEvent>) => {
      const one = event({ provider: 'openai', model: 'gpt-5', ...over })
      return withPrice(one, repriceEvent(one, shipped))
    }
    const events = [
      priced({}),
      priced({ serviceTier: 'batch' }),
      priced({ model: 'gpt-6-sol', geo: 'us', usage: { 'input.text': 1, 'output.text': 7 } }),
      priced({ model: 'gpt-image-1', priceVariant: '1024x1024/high', usage: { 'unit.output_images': 1 } }),
    ]
    for (const repriced of repriceEvents(events, shipped)) expect(repriced.changed).toBe(false)
  })
})

describe('a ledger', () => {
  async function ledgerOf(events: readonly LLMEvent[]) {
    const ledger = sqliteLedger({ path: ':memory:' })
    onTestFinished(() => ledger.close())
    await ledger.send({ id: 'b', events }, signal)
    return ledger
  }
  const priceAnew = (one: LLMEvent) => {
    const repriced = repriceEvent(one, book)
    return repriced.changed ? withPrice(one, repriced) : undefined
  }

  test('shows every event a page at a time, the oldest first, and writes nothing of itself', async () => {
    const events = Array.from({ length: 2500 }, (_, i) => event({ timestamp: isoTime(AT + Math.floor(i / 7)) }))
    const ledger = await ledgerOf([...events].reverse())
    const seen: string[] = []
    await ledger.reprice({}, (one) => {
      seen.push(one.eventId)
      return priceAnew(one)
    })
    expect(new Set(seen).size).toBe(2500)
    expect(seen).toEqual(events.map((one) => one.eventId))
    expect(formatUsd((await ledger.totals({ by: [] }))[0]!.cost)).toBe('2.5')
  })

  test('takes the new costs, keeps the old ones, and what a tenant has spent follows; a second time nothing changes', async () => {
    const ledger = await ledgerOf([
      event(),
      event({ costSource: 'reported' }),
      event({ model: 'm-2', timestamp: isoTime(AT - 1) }),
      event({ tenantId: 'initech' }),
    ])
    const query = { since: AT, tenantId: 'acme', provider: 'mine', model: 'm-1' }
    let written = 0
    const count = (one: LLMEvent) => {
      const priced = priceAnew(one)
      if (priced) written++
      return priced
    }
    await ledger.reprice(query, count, { apply: true })
    expect(written).toBe(1)
    expect(await ledger.spent('acme', 0)).toBe(parseUsd('0.005'))
    expect(await ledger.spent('initech', 0)).toBe(parseUsd('0.001'))
    await ledger.reprice(query, count, { apply: true })
    expect(written).toBe(1)
  })

  test('is as it was where one of them fails', async () => {
    const ledger = await ledgerOf([event(), event()])
    let seen = 0
    const failing = (one: LLMEvent) => {
      if (++seen === 2) throw new RangeError('no')
      return priceAnew(one)
    }
    await expect(ledger.reprice({}, failing, { apply: true })).rejects.toThrow()
    expect(await ledger.spent('acme', 0)).toBe(parseUsd('0.002'))
  })
})

test('prices of a file make a book that prices events again', async () => {
  const own = ownPrices({ prices: [{ provider: 'openai', model: 'gpt-4o', multiply: '0.5' }] })
  const half = bookUnder(own, await loadBookData())
  const one = event({ provider: 'openai', model: 'gpt-4o' })
  const [full, halved] = [await loadPriceBook(), half].map((by) => parseUsd(repriceEvent(one, by).after.costUsd!)!)
  expect(halved! * 2n).toBe(full)
})
