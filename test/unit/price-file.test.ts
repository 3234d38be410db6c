// Prices of one's own: what is read from a file or from code, and the one sentence for what cannot be read.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { MeterError } from '../../src/errors.ts'
import { bookUnder } from '../../src/pricing/book-under.ts'
import { JsonFault, parsePlaced } from '../../src/pricing/json-places.ts'
import { loadBookData } from '../../src/pricing/price-book.ts'
import { ownPrices, type PriceFile } from '../../src/pricing/price-file.ts'
import { temporaryFolder } from '../support/ingest.ts'

const AT = Date.UTC(2026, 10, 22)

function file(text: string): string {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const path = join(folder.path, 'prices.json')
  writeFileSync(path, text)
  return path
}

function fault(given: unknown): string {
  try {
    ownPrices(given as PriceFile)
  } catch (error) {
    expect(error).toBeInstanceOf(MeterError)
    expect(error).toMatchObject({ code: 'BAD_INPUT' })
    return (error as Error).message
  }
  return 'nothing was wrong'
}

describe('JSON with places', () => {
  test('is read as JSON.parse reads it, whatever it holds', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(undefined, 2), (text, indent) => {
        const value: unknown = JSON.parse(text)
        expect(parsePlaced(JSON.stringify(value, null, indent)).value).toEqual(value)
      }),
    )
  })

  test('never fails otherwise than by saying where, on any text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parsePlaced(text)
          JSON.parse(text.replace(/^\uFEFF/, ''))
        } catch (error) {
          expect(error).toBeInstanceOf(JsonFault)
          const { line, column } = (error as JsonFault).place
          expect(line).toBeGreaterThan(0)
          expect(column).toBeGreaterThan(0)
        }
      }),
    )
  })

  test('knows the place of each value and each name', () => {
    const placed = parsePlaced('\uFEFF{\n  "a": [1,\n    {"b": true}]\n}')
    const { a } = placed.value as { a: [number, { b: boolean }] }
    expect(placed.placeOf(placed.value, 'a')).toEqual({ line: 2, column: 8 })
    expect(placed.placeOf(a, 1)).toEqual({ line: 3, column: 5 })
    expect(placed.placeOfName(a[1], 'b')).toEqual({ line: 3, column: 6 })
  })

  test('a name called __proto__ is a name', () => {
    const { value } = parsePlaced('{"__proto__": {"x": 1}}')
    expect(Object.keys(value as object)).toEqual(['__proto__'])
    expect((value as { x?: unknown }).x).toBeUndefined()
  })
})

describe('what is wrong is said with file, line and column', () => {
  test.each([
    ['', '1:1: This is no JSON: expected a value, got the end.'],
    ['{', '1:2: This is no JSON: expected a name in double quotes, got the end.'],
    ['{"prices": [1,]}', '1:15: This is no JSON: expected a value, got "]".'],
    ["{'prices': []}", '1:2: This is no JSON: expected a name in double quotes, got "\'".'],
    ['{"prices": []\n} // mine', '2:3: This is no JSON: expected nothing more, got "/".'],
    ['{"a": 1,\n "a": 2}', '2:2: This is no JSON: the name "a" stands twice in one object.'],
    ['7', '1:1: Expected `prices` to be an object such as `{ "prices": [] }`, got `7`.'],
    ['{"price": []}', '1:2: There is no "price" in a price file; what can stand there is provider, prices, overlays.'],
    ['{"prices": {}}', '1:12: Expected `prices` to be a list of at most 10000, got an object.'],
    [
      '{"prices": [\n  7]}',
      '2:3: Expected `prices[0]` to be an object such as `{ "model": "gpt-5", "multiply": "0.85" }`, got `7`.',
    ],
    ['[{"model": "gpt-5"}]', '1:2: Expected `prices[0]` to be a price, with `rates` or `multiply`, got an object.'],
    [
      '{"prices": [\n  { "multiply": "0,85" }]}',
      '2:17: Expected `prices[0].multiply` to be a factor of 0 or more such as "0.85" or "17/20", got "0,85".',
    ],
    [
      '[\n {"rates": {\n  "input": "2.5 dollars" }}]',
      '3:12: Expected `prices[0].rates.input` to be a rate such as "2.5" or "0.006/minute", got "2.5 dollars".',
    ],
    [
      '[{"rates": {"input": -1}}]',
      '1:22: Expected `prices[0].rates.input` to be a rate such as "2.5" or "0.006/minute", got `-1`.',
    ],
    [
      '[{"rates": {}}]',
      '1:12: Expected `prices[0].rates` to be an object of rates such as `{ "input": "2.5" }`, got an object.',
    ],
    [
      '[{"multiply": 1, "from": "2026-02-30"}]',
      '1:26: Expected `prices[0].from` to be a day such as "2026-10-01", or a moment such as "2026-10-01T16:00:00Z", got "2026-02-30".',
    ],
    [
      '[{"multiply": 1, "model": ["gpt-5", 7]}]',
      '1:37: Expected `prices[0].model[1]` to be a string of 1 to 256 characters, got `7`.',
    ],
    ['{"provider": "", "prices": []}', '1:14: Expected `provider` to be a string of 1 to 256 characters, got "".'],
    [
      '{"provider": "mine", "rows": [\n {"model": "m", "from": "2026-01-01",\n  "rates": {"input.text": "1,0"}}]}',
      '3:27: `prices.rows[0].rates.input.text`: expected dollars as a decimal in quotes, "2.5" or "0.006/minute", got "1,0".',
    ],
  ])('%s', (text, said) => {
    const path = file(text)
    expect(fault(path)).toBe(`${path}:${said}`)
  })

  test('a field or a bucket that is none is pointed at, with those that are', () => {
    const path = file('[{"multiply": 1,\n "tenant": "acme"}]')
    expect(fault(path)).toBe(
      `${path}:2:2: There is no "tenant" in \`prices[0]\`; what can stand there is name, provider, model, tenantId, tier, geo, from, until, rates, multiply, fees, source, read, note.`,
    )
    expect(fault(file('[{"rates": {"inptu": 1}}]'))).toContain(
      ':1:13: There is no "inptu" in `prices[0].rates`; what can stand there is input, output, cache_read, cache_write, input.text, ',
    )
  })

  test.each([
    [
      '[{"multiply": 1, "tier": "prority"}]',
      '1:26: Expected `prices[0].tier` to be a tier such as "priority", got "prority".',
    ],
    [
      '[{"multiply": 1, "model": "gpt-*-mini"}]',
      '1:27: Expected `prices[0].model` to be an id, or the beginning of some with `*` at its end, got "gpt-*-mini".',
    ],
    ['[{"multiply": 1, "from": "2026-02-01",\n "until": "2026-01-31"}]', '2:11: `prices[0]` ends before it begins.'],
    ['[{"rates": {"input": 1,\n "input.text": 2}}]', '2:16: `prices[0].rates` has two rates for input.text.'],
  ])('a price that could match no call is pointed at: %s', (text, said) => {
    const path = file(text)
    expect(fault(path)).toBe(`${path}:${said}`)
  })

  test('a byte order mark is no fault', () => {
    expect(ownPrices(file('\uFEFF[{"multiply": "0.5"}]')).agreed).toHaveLength(1)
  })

  test.each([
    [{ provider: 'OpenAI', model: 'GPT-4o' }, 'openai', 'gpt-4o', {}],
    [{ provider: 'xAI' }, 'x-ai', 'grok-4.5', {}],
    [{ provider: 'gemini' }, 'google', 'gemini-2.5-flash', {}],
    [{ provider: 'bedrock' }, 'aws', 'amazon.nova-pro-v1:0', {}],
    [{ tier: 'default' }, 'openai', 'gpt-4o', {}],
    [{ tier: 'Batch' }, 'openai', 'gpt-4o', { serviceTier: 'batch' }],
    [{ provider: 'openai', tier: 'fast' }, 'openai', 'gpt-4o', { serviceTier: 'priority' }],
    [{ geo: 'EU' }, 'openai', 'gpt-5.6-sol', { geo: 'eu' }],
  ])('a price for %j counts for %s %s %j', async (rule, provider, model, more) => {
    const book = bookUnder(ownPrices([{ ...rule, name: 'mine', multiply: '0.5' }]), await loadBookData())
    const cost = book.price({ 'input.text': 1000 }, { provider, model, at: Date.parse('2026-11-18'), ...more })
    expect(cost?.lines[0]?.rate).toMatch(/!mine\*/)
  })

  test('a file that is not there, and one that is none', () => {
    expect(fault('/nowhere/prices.json')).toBe('The price file /nowhere/prices.json cannot be read (ENOENT).')
    expect(fault('/')).toBe('The price file / cannot be read (EISDIR).')
  })

  test('of an object in code, without a place', () => {
    expect(fault({ prices: [{ multiply: '-1' }] })).toBe(
      'Expected `prices[0].multiply` to be a factor of 0 or more such as "0.85" or "17/20", got "-1".',
    )
    expect(fault({ prices: [{ multiply: 1, from: '2026-02-01', until: '2026-01-31' }] })).toBe(
      '`prices[0]` ends before it begins.',
    )
    expect(fault({ prices: [{ rates: { input: 1, 'input.text': 2 } }] })).toBe(
      '`prices[0].rates` has two rates for input.text.',
    )
  })

  test('whatever comes, it is one sentence or prices', () => {
    const value = fc.anything({ withNullPrototype: true })
    fc.assert(fc.property(value, (given) => void (typeof given === 'string' || fault({ prices: [given] }))))
  })
})

describe('what is read', () => {
  test('a provider for all, several models, short names of rates, numbers as they are written', () => {
    const given = {
      provider: 'openai',
      prices: [
        { model: ['GPT-5', 'gpt-5-mini'], rates: { input: 0.1, output: '4' }, note: 'contract 7' },
        { provider: 'anthropic', multiply: 1e-7, tenantId: 'acme', from: '2026-10-01', until: '2026-10-01' },
      ],
    }
    const agreed = [
      { name: '1', provider: 'openai', model: 'gpt-5', rates: { 'input.text': '0.1', 'output.text': '4' } },
      { name: '1', provider: 'openai', model: 'gpt-5-mini', rates: { 'input.text': '0.1', 'output.text': '4' } },
      {
        name: '2',
        provider: 'anthropic',
        multiply: '0.0000001',
        tenantId: 'acme',
        from: '2026-10-01',
        until: '2026-10-01',
      },
    ]
    expect(ownPrices(given)).toEqual({ agreed, overlays: [] })
    expect(ownPrices(file(JSON.stringify(given, null, 2)))).toEqual({ agreed, overlays: [] })
  })

  test('prices the calls that it is for, and no others; the version of the book tells them apart', async () => {
    const data = await loadBookData()
    const own = ownPrices({
      prices: [
        { provider: 'openai', multiply: '17/20', tenantId: 'acme', from: '2026-11-01' },
        { provider: 'llm.example.com', model: 'house-*', rates: { input: '1', output: '2' } },
      ],
      overlays: [
        {
          provider: 'mine',
          rows: [
            {
              model: 'my-llama',
              from: '2026-01-01',
              rates: { 'input.text': '0.1' },
              above: [{ inputTokens: 1000, rates: { 'input.text': '0.2' } }],
            },
          ],
        },
      ],
    })
    const [plain, book] = [bookUnder({ agreed: [], overlays: [] }, data), bookUnder(own, data)]
    const cost = (provider: string, model: string, tokens: number, tenantId?: string, at = AT) =>
      book.price({ 'input.text': tokens }, { provider, model, at, tenantId })?.pico
    const list = plain.price({ 'input.text': 1_000_000 }, { provider: 'openai', model: 'gpt-5', at: AT })!.pico
    expect(cost('openai', 'gpt-5', 1_000_000)).toBe(list)
    expect(cost('openai', 'gpt-5', 1_000_000, 'acme')).toBe((list * 17n) / 20n)
    expect(cost('openai', 'gpt-5', 1_000_000, 'acme', Date.UTC(2026, 9, 31))).toBe(list)
    expect(cost('llm.example.com', 'house-7', 1_000_000)).toBe(1_000_000_000_000n)
    expect(cost('mine', 'my-llama', 1000)).toBe(100_000_000n)
    expect(cost('mine', 'my-llama', 1001)).toBe(200_200_000n)
    expect(plain.version).toBe(data.version)
    expect(book.version).toMatch(new RegExp(`^${data.version.replaceAll('+', '\\+')}\\+own-[0-9a-f]{8}$`))
    expect(bookUnder(own, data).version).toBe(book.version)
  })
})
