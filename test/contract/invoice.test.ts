// An invoice is exact: its lines, its models and its total are the sums of the events, whatever these look like, on every database.

import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { CostLine, LLMEvent } from '../../src/event.ts'
import type { Invoice } from '../../src/ledger/invoice.ts'
import { formatUsd, parseUsd } from '../../src/money.ts'
import { type Book, DAY, event, failureOf, LEDGERS, NOV_22, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

const line = (bucket: string, quantity: number, costUsd: string, rate = 'openai/gpt-4o'): CostLine => ({
  bucket,
  quantity,
  costUsd,
  rate,
})

/** A call of these lines, which costs what they come to. */
function call(lines: readonly CostLine[], over: Parameters<typeof event>[0] = {}): LLMEvent {
  const cost = lines.reduce((sum, { costUsd }) => sum + parseUsd(costUsd)!, 0n)
  return event({ costUsd: formatUsd(cost), costLines: lines, ...over })
}

/** Whatever an invoice says, it adds up. */
function checkSums({ models, total }: Invoice): void {
  const sum = (list: readonly { readonly cost?: bigint }[]) => list.reduce((all, { cost = 0n }) => all + cost, 0n)
  for (const { lines, cost, charge, markup = 0n } of models) {
    expect(sum(lines)).toBe(cost)
    expect(cost + markup).toBe(charge)
    for (const { unitPrice, quantity, cost = 0n } of lines)
      if (unitPrice !== undefined) expect(exactly(quantity) * unitPrice).toBe(cost * 10n ** BigInt(PLACES))
  }
  expect(sum(models)).toBe(total.cost)
  expect(models.reduce((all, { charge }) => all + charge, 0n)).toBe(total.charge)
  for (const name of ['calls', 'errors', 'unpriced', 'estimated', 'uncharged'] as const)
    expect(models.reduce((all, model) => all + model[name], 0)).toBe(total[name])
}

describe.each(Object.entries(LEDGERS))('%s', (_, { book: open, runs }) => {
  async function invoiceOf(book: Book, options: { tenantId?: string; month?: string; timeZone?: string } = {}) {
    const invoice = await book.views().invoice({ tenantId: 'acme', month: '2026-11', ...options })
    checkSums(invoice)
    return invoice
  }

  test('a line for each bucket and price, with its unit price where there is one', async () => {
    await using book = await open()
    await book.put(
      call([line('input.text', 1000, '0.0025'), line('output.text', 10, '0.0001')]),
      call([line('input.text', 500, '0.00125'), line('fee.web_search', 2, '0.02', 'openai/fees:*')]),
      call([line('input.text', 100, '0.000125', 'openai/gpt-4o;batch')]),
      call([line('unit.input_seconds', 0.1, '0.00001')], { model: 'whisper-1' }),
      call([line('unit.input_seconds', 0.2, '0.00002')], { model: 'whisper-1' }),
      // The same row at two prices: as after a discount that a line does not name.
      call([line('unit.input_pages', 1, '0.1')], { model: 'ocr', provider: 'mistral' }),
      call([line('unit.input_pages', 1, '0.2')], { model: 'ocr', provider: 'mistral' }),
      call([line('input.text', 5, '5')], { tenantId: 'other' }),
    )
    const { models, total } = await invoiceOf(book)
    expect(models.map(({ provider, model, cost, calls }) => [provider, model, cost, calls])).toEqual([
      ['mistral', 'ocr', 300_000_000_000n, 2],
      ['openai', 'gpt-4o', 23_975_000_000n, 3],
      ['openai', 'whisper-1', 30_000_000n, 2],
    ])
    expect(models.map(({ lines }) => lines)).toEqual([
      [
        {
          kind: 'usage',
          bucket: 'unit.input_pages',
          rate: 'openai/gpt-4o',
          quantity: '2',
          unit: 'pages',
          cost: 300_000_000_000n,
        },
      ],
      [
        {
          kind: 'usage',
          bucket: 'input.text',
          rate: 'openai/gpt-4o',
          quantity: '1500',
          unit: 'tokens',
          unitPrice: 2_500_000n,
          cost: 3_750_000_000n,
        },
        {
          kind: 'usage',
          bucket: 'input.text',
          rate: 'openai/gpt-4o;batch',
          quantity: '100',
          unit: 'tokens',
          unitPrice: 1_250_000n,
          cost: 125_000_000n,
        },
        {
          kind: 'usage',
          bucket: 'output.text',
          rate: 'openai/gpt-4o',
          quantity: '10',
          unit: 'tokens',
          unitPrice: 10_000_000n,
          cost: 100_000_000n,
        },
        {
          kind: 'usage',
          bucket: 'fee.web_search',
          rate: 'openai/fees:*',
          quantity: '2',
          unit: 'times',
          unitPrice: 10_000_000_000n,
          cost: 20_000_000_000n,
        },
      ],
      [
        {
          kind: 'usage',
          bucket: 'unit.input_seconds',
          rate: 'openai/gpt-4o',
          quantity: '0.3',
          unit: 'seconds',
          unitPrice: 100_000_000n,
          cost: 30_000_000n,
        },
      ],
    ])
    expect(total).toEqual({
      calls: 7,
      errors: 0,
      unpriced: 0,
      estimated: 0,
      uncharged: 0,
      cost: 324_005_000_000n,
      charge: 324_005_000_000n,
    })
  })

  test('what no line tells has a line of its own: sums of a provider, differences, calls without a price', async () => {
    await using book = await open()
    await book.put(
      event({ costUsd: '0.5', costSource: 'reported' }),
      event({ costUsd: '1', costLines: [line('input.text', 1, '0.4')] }),
      event({ inputTokens: 7, usageSource: 'estimated', error: 'interrupted' }),
      event({ calls: 3, costUsd: '3', costLines: [] }),
    )
    const { models } = await invoiceOf(book)
    expect(models).toMatchObject([
      {
        calls: 6,
        errors: 1,
        unpriced: 1,
        estimated: 1,
        lines: [
          { kind: 'usage', cost: 400_000_000_000n },
          { kind: 'whole', bucket: null, quantity: '4', unit: 'calls', cost: 3_500_000_000_000n },
          { kind: 'difference', bucket: null, cost: 600_000_000_000n },
          { kind: 'unpriced', quantity: '1', unit: 'calls' },
        ],
      },
    ])
    expect(models[0]!.lines[3]).not.toHaveProperty('cost')
  })

  test('where calls were sold, the tenant pays that, and what carries no price is said', async () => {
    await using book = await open()
    await book.put(
      call([line('input.text', 1000, '0.0025')], { resaleUsd: '0.003000000001' }),
      call([line('input.text', 1000, '0.01')], { model: 'house', provider: 'own' }),
    )
    const { models, total } = await invoiceOf(book)
    expect(models).toMatchObject([
      { model: 'house', charge: 0n, markup: -10_000_000_000n, uncharged: 1 },
      { model: 'gpt-4o', charge: 3_000_000_001n, markup: 500_000_001n, uncharged: 0 },
    ])
    expect(total).toMatchObject({ cost: 12_500_000_000n, charge: 3_000_000_001n, uncharged: 1 })
  })

  test('a month begins and ends by the clocks of its zone', async () => {
    await using book = await open()
    const at = (text: string, costUsd: string) => call([line('input.text', 1, costUsd)], { at: Date.parse(text) })
    await book.put(
      at('2026-10-31T22:59:59.999Z', '1'),
      at('2026-10-31T23:00:00.000Z', '10'),
      at('2026-11-30T22:59:59.999Z', '100'),
      at('2026-11-30T23:00:00.000Z', '1000'),
    )
    const dollars = async (options: Parameters<typeof invoiceOf>[1]) =>
      formatUsd((await invoiceOf(book, options)).total.cost)
    expect(await dollars({ timeZone: 'Europe/Vienna' })).toBe('110')
    expect(await dollars({})).toBe('1100')
    expect(await dollars({ month: '2026-10' })).toBe('11')
    expect(await dollars({ month: '2026-12', timeZone: 'Europe/Vienna' })).toBe('1000')
    expect(await dollars({ tenantId: 'nobody' })).toBe('0')
    expect(await dollars({ tenantId: "'; DROP TABLE events; --" })).toBe('0')
  })

  test('days whose events were deleted are one line, and never a part of a day', async () => {
    await using book = await open()
    const sold = { resaleUsd: '2' }
    await book.put(
      call([line('input.text', 1, '1')], { at: NOV_22 - 3 * DAY, ...sold }),
      call([line('input.text', 1, '1')], sold),
    )
    await book.views().keep(NOV_22)
    // What comes late is there and in the roll-up: it counts once.
    await book.put(call([line('input.text', 1, '4')], { at: NOV_22 - 3 * DAY, ...sold }))
    const { models, total } = await invoiceOf(book)
    expect(models.map(({ model, cost, charge, calls }) => [model, cost, charge, calls])).toEqual([
      ['gpt-4o', 5n * 10n ** 12n, 4n * 10n ** 12n, 2],
      [null, 10n ** 12n, 2n * 10n ** 12n, 1],
    ])
    expect(models[1]!.lines).toEqual([
      { kind: 'deleted', bucket: null, rate: null, quantity: '1', unit: 'calls', cost: 10n ** 12n },
    ])
    expect(total).toMatchObject({ calls: 3, cost: 6n * 10n ** 12n, charge: 6n * 10n ** 12n })
    expect((await failureOf(invoiceOf(book, { timeZone: 'Europe/Vienna' }))).message).toBe(
      'The events of before 2026-11-22 were deleted for their age, and 2026-11 begins or ends within a day of theirs in Europe/Vienna: ask for it in UTC.',
    )
    const labelled = book.views().invoice({ tenantId: 'acme', month: '2026-11', where: { project: 'web' } })
    expect((await failureOf(labelled)).message).toMatch(/of 2026-11 there are sums of whole tenants only\.$/)
    expect((await invoiceOf(book, { month: '2026-12', timeZone: 'Europe/Vienna' })).total.calls).toBe(0)
  })

  test('whatever events are like, it is their sum', async () => {
    const pico = fc.oneof(fc.bigInt(0n, 3_000_000n), fc.bigInt(0n, 9_223_372_036_854_775_807n))
    const usd = pico.map(formatUsd)
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).map((any) => any.replaceAll('\0', ' '))
    const someLine = fc.record({
      bucket: fc.oneof(fc.constantFrom('input.text', 'output.text', 'unit.input_seconds'), text),
      quantity: fc.oneof(fc.nat(), fc.double({ min: 0, max: 1e12, noNaN: true }), fc.constant(Number.MAX_SAFE_INTEGER)),
      costUsd: usd,
      rate: fc.constantFrom('a', 'b'),
    })
    const some = fc.record(
      {
        model: fc.constantFrom('m', 'n'),
        costUsd: usd,
        costLines: fc.array(someLine, { maxLength: 3 }),
        resaleUsd: usd,
        inputTokens: fc.nat(),
      },
      { requiredKeys: [] },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(some, { minLength: 1, maxLength: 12 }), async (given) => {
        await using book = await open()
        const events = given.map((over) => event(over))
        expect(await book.put(...events)).toMatchObject({ outcome: 'delivered' })
        const invoice = await invoiceOf(book)
        const totals = await book.views().totals({ where: { tenant: 'acme' } })
        const { calls, unpriced, cost } = totals.total
        expect(invoice.total).toMatchObject({ calls, unpriced, cost, charge: totals.total.resale ?? cost })
        const quantities = new Map<string, string>()
        for (const { bucket, quantity } of invoice.models.flatMap(({ lines }) => lines))
          if (bucket !== null) quantities.set(bucket, plus(quantities.get(bucket) ?? '0', quantity))
        const wanted = new Map<string, string>()
        for (const { bucket, quantity } of events.flatMap(({ costLines = [] }) => costLines))
          wanted.set(bucket, plus(wanted.get(bucket) ?? '0', String(quantity)))
        expect(sorted(quantities)).toEqual(sorted(wanted))
      }),
      { numRuns: runs },
    )
  })
})

const sorted = (map: ReadonlyMap<string, string>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

/** Of decimals as JSON writes numbers: by digits, all to so many places that none is lost. */
function plus(a: string, b: string): string {
  const [left, right] = [exactly(a), exactly(b)]
  const digits = String(left + right).padStart(PLACES + 1, '0')
  const fraction = digits.slice(-PLACES).replace(/0+$/, '')
  return `${digits.slice(0, -PLACES)}${fraction === '' ? '' : `.${fraction}`}`
}

/** The smallest double has its last digit here. */
const PLACES = 350

function exactly(text: string): bigint {
  const [mantissa = '', exponent = '0'] = text.split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  return BigInt(whole + fraction) * 10n ** BigInt(PLACES + Number(exponent) - fraction.length)
}

test.each([
  [{ month: '2026-13' }, "Expected `month` to be a month such as 2026-11, got '2026-13'."],
  [{ month: '2026-1' }, "Expected `month` to be a month such as 2026-11, got '2026-1'."],
  [{ month: 202611 }, 'Expected `month` to be a month such as 2026-11, got `202611`.'],
  [
    { timeZone: 'Mars/Olympus' },
    "Expected `timeZone` to be the IANA name of a time zone, such as 'Europe/Berlin', got 'Mars/Olympus'.",
  ],
  [{ timeZone: 5 }, 'Expected `timeZone` to be the name of a time zone, got `5`.'],
  [{ tenantId: '' }, /tenant/],
  [{ where: { planet: 'mars' } }, /^Expected `where` to be one of tenant, /],
])('%j cannot be asked for', async (wrong, sentence) => {
  await using book = await LEDGERS['SQLite']!.book()
  const asked = { tenantId: 'acme', month: '2026-11', ...wrong } as never
  const { code, message } = await failureOf(book.views().invoice(asked))
  expect(code).toBe('BAD_INPUT')
  if (typeof sentence === 'string') expect(message.replaceAll(/[`"]/g, "'")).toBe(sentence.replaceAll(/[`"]/g, "'"))
  else expect(message).toMatch(sentence)
})
