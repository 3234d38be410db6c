import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { EVENT_FIELDS, fromWire, type LLMEvent, toWire } from '../../src/event.ts'
import { type ManualCall, type ManualContext, manualEvent } from '../../src/manual.ts'
import { formatUsd } from '../../src/money.ts'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { toRow } from '../../src/sinks/columns.ts'
import { checkWireEvent, explainWireEvent } from '../../src/wire.ts'

const NOW = Date.UTC(2026, 10, 22, 9, 30)
let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

function track(call: unknown, over: Partial<ManualContext> = {}) {
  const complaints: string[] = []
  const ignored: string[] = []
  const { event, cost } = manualEvent(call as ManualCall, {
    payer: { tenantId: undefined, attribution: {} },
    appName: undefined,
    environment: undefined,
    now: NOW,
    complain: (sentence) => complaints.push(sentence),
    ignore: (names) => ignored.push(...names),
    ...over,
  }).price(book)
  return { event, cost, complaints, ignored }
}

const openai = { provider: 'openai', model: 'gpt-4o' }

/** Every field of an event, as an application may know it. */
const FULL: LLMEvent = {
  eventId: '019a5c3e-7d2a-7c11-9e55-1f0b6c1d2e3f',
  timestamp: '2026-11-22T08:00:00.123Z',
  tenantId: 'acme',
  userId: 'u1',
  sessionId: 's1',
  feature: 'search',
  team: 'ml',
  project: 'p1',
  costCenter: 'cc-7',
  tags: { plan: 'pro', seats: 3, trial: false },
  appName: 'shop',
  environment: 'test',
  provider: 'openai',
  host: 'api.openai.com',
  model: 'gpt-4o',
  modelRequested: 'gpt-4o-latest',
  endpoint: 'chat.completions',
  upstreamProvider: 'azure',
  serviceTier: 'default',
  geo: 'us',
  priceVariant: '1024x1024/high',
  stream: true,
  usage: { 'input.text': 600, 'input.text.cache_read': 400, 'output.text': 90, 'output.reasoning': 10 },
  usageSource: 'partial',
  usageBounds: { inputTokens: [900, 1100], outputTokens: [100, 120] },
  usageFlags: ['sum:total_tokens'],
  inputTokens: 1000,
  outputTokens: 100,
  totalTokens: 1100,
  cachedTokens: 400,
  cacheCreationTokens: 0,
  reasoningTokens: 10,
  audioInputTokens: 0,
  audioOutputTokens: 0,
  usageByModel: { 'gpt-4o': { 'input.text': 600 } },
  cacheMissTokens: 600,
  inputTextTokens: 1000,
  cachedInputTextTokens: 400,
  inputImageTokens: 1,
  cachedInputImageTokens: 2,
  outputImageTokens: 3,
  imageCount: 4,
  characterCount: 5,
  durationSeconds: 1.5,
  durationUnavailable: true,
  inputTokensDetails: { text: 1000 },
  costUsd: '0.0025',
  costSource: 'reported',
  costLines: [{ bucket: 'input.text', quantity: 600, costUsd: '0.0015', rate: 'openai/gpt-4o' }],
  priceVersion: 'mine-1',
  resaleUsd: '0.003',
  durationMs: 812,
  timeToFirstTokenMs: 120.5,
  requestId: 'req_1',
  responseId: 'chatcmpl_1',
  operationId: 'op-1',
  attempts: [
    { status: 500, billable: 'unknown' },
    { status: 200, requestId: 'req_1', billable: 'yes' },
  ],
  error: 'interrupted',
  metadata: { http_status: 200, temperature: 0.2 },
  fimPrefix: 'function fib(n) {',
  fimSuffix: '}',
  countedOutputTokens: 7,
  outputTokenizer: 'js-tiktoken@1.0.21/o200k_base',
  inputHashes: ['12:0f'],
  outputHash: '1a2b',
  calls: 2,
}

describe('every field of an event', () => {
  test('is taken as it is said, so that an event may be reported again', () => {
    expect(Object.keys(FULL).sort()).toEqual([...EVENT_FIELDS].sort())
    const { event, cost, complaints, ignored } = track(FULL)
    expect(event).toEqual(FULL)
    expect(cost).toBe(2_500_000_000n)
    expect([...complaints, ...ignored]).toEqual([])
    expect(Object.isFrozen(event)).toBe(true)
  })

  const WRONG: Record<string, readonly unknown[]> = {
    id: ['', 'x'.repeat(257), 'a\nb', 7],
    text: ['', 'x'.repeat(1025), 7, {}],
    count: [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1e11, '5', true],
    number: [-0.1, Number.NaN, Number.POSITIVE_INFINITY, 1e11, '5'],
    boolean: ['true', 1],
    object: [[], 'x', 7, { deep: { deeper: 1 } }],
    models: [[], 'x', 7, { deep: 1 }],
    list: [{}, 'x', [null], [7], Array.from({ length: 300 }, () => 'x')],
    word: ['maybe', 7],
  }
  const KINDS: Partial<Record<keyof LLMEvent, string>> = {
    eventId: 'id',
    tenantId: 'id',
    stream: 'boolean',
    durationUnavailable: 'boolean',
    usageSource: 'word',
    costSource: 'word',
    durationMs: 'number',
    durationSeconds: 'number',
    timeToFirstTokenMs: 'number',
    tags: 'object',
    metadata: 'object',
    inputTokensDetails: 'object',
    usageByModel: 'models',
    usageBounds: 'object',
    usageFlags: 'list',
    attempts: 'list',
    costLines: 'list',
  }
  const fields = EVENT_FIELDS.filter((field) => !['timestamp', 'costUsd', 'usage'].includes(field))
  const kindOf = (field: keyof LLMEvent) => KINDS[field] ?? (/(tokens|count|^calls)$/i.test(field) ? 'count' : 'text')
  const cases = fields.flatMap((field) => WRONG[kindOf(field)]!.map((value) => [field, value] as const))

  test.each(cases)('%s: %o is left out, told of and flagged', (field, value) => {
    const { event, complaints } = track({ ...openai, [field]: value })
    expect(event[field]).not.toEqual(value)
    expect(complaints).toHaveLength(1)
    expect(complaints[0]).toMatch(new RegExp(`^Expected \`${field}\` to be .+, got .+\\.$`))
    expect(event.usageFlags).toEqual([`manual:${field}`])
    expect(checkWireEvent(toWire(event))).toBe(true)
  })

  test('null is the same as left out', () => {
    const { event, complaints } = track({ ...openai, tenantId: null, tags: null, usage: null, costUsd: null })
    expect(event).not.toHaveProperty('tenantId')
    expect(complaints).toEqual([])
  })

  test('unknown ones are passed over, and named', () => {
    const { event, ignored, complaints } = track({ ...openai, prompt: 'a secret', tokens: 5 })
    expect(ignored).toEqual(['prompt', 'tokens'])
    expect(complaints).toEqual([])
    expect(JSON.stringify(event)).not.toContain('secret')
  })

  test('nothing of the application’s own objects is kept', () => {
    const call = { ...openai, tags: { plan: 'pro' }, usage: { 'input.text': 5 }, attempts: [{ billable: 'yes' }] }
    const manual = manualEvent(call as ManualCall, {
      payer: { tenantId: undefined, attribution: {} },
      appName: undefined,
      environment: undefined,
      now: NOW,
      complain: () => {},
      ignore: () => {},
    })
    call.tags.plan = 'free'
    call.usage['input.text'] = 7
    call.attempts.length = 0
    call.model = 'other'
    expect(manual.price(book).event).toMatchObject({
      model: 'gpt-4o',
      tags: { plan: 'pro' },
      usage: { 'input.text': 5 },
      attempts: [{ billable: 'yes' }],
    })
  })
})

describe('who pays', () => {
  const payer = { tenantId: 'acme', attribution: { feature: 'search', team: 'ml' } }

  test('is who is paying where it is called, unless the call says otherwise', () => {
    const over = { payer, appName: 'shop', environment: 'test' }
    expect(track(openai, over).event).toMatchObject({ tenantId: 'acme', feature: 'search', appName: 'shop' })
    expect(track({ ...openai, tenantId: 'globex', feature: 'chat', environment: 'live' }, over).event).toMatchObject({
      tenantId: 'globex',
      feature: 'chat',
      team: 'ml',
      appName: 'shop',
      environment: 'live',
    })
  })

  test('a tenant that cannot be one bills nobody, rather than whoever the running code stands for', () => {
    const { event, complaints } = track({ ...openai, tenantId: 'x'.repeat(10_000) }, { payer })
    expect(event.tenantId).toBeUndefined()
    expect(complaints).toEqual([
      'Expected `tenantId` to be a string of 1 to 256 characters without control characters, got a string of 10000 characters.',
    ])
  })
})

describe('usage', () => {
  test.each([
    [
      { inputTokens: 512, outputTokens: 128 },
      { 'input.text': 512, 'output.text': 128 },
    ],
    [
      { inputTokens: 1000, cachedTokens: 400, cacheCreationTokens: 100, audioInputTokens: 50, outputTokens: 9 },
      {
        'input.text': 450,
        'input.text.cache_read': 400,
        'input.text.cache_write': 100,
        'input.audio': 50,
        'output.text': 9,
      },
    ],
    [
      { outputTokens: 100, reasoningTokens: 60 },
      { 'output.text': 40, 'output.reasoning': 60 },
    ],
    [{ totalTokens: 100 }, { 'output.text': 100 }],
    [
      { inputTokens: 60, totalTokens: 100 },
      { 'input.text': 60, 'output.text': 40 },
    ],
    [
      { outputTokens: 40, totalTokens: 100 },
      { 'input.text': 60, 'output.text': 40 },
    ],
    [{ inputTokens: 0, outputTokens: 0 }, {}],
    [{ usage: { 'input.text': 7, 'output.text': 0 }, inputTokens: 99 }, { 'input.text': 7 }],
  ])('of %o', (given, usage) => {
    const { event, complaints } = track({ ...openai, ...given })
    expect(event.usage).toEqual(usage)
    expect(event.usageSource).toBe('reported')
    expect(event.totalTokens).toBe(event.inputTokens! + event.outputTokens!)
    expect(complaints).toEqual([])
  })

  test('that is not said is absent, which is not zero', () => {
    const { event, cost } = track({ ...openai, imageCount: 1 })
    expect(event).toMatchObject({ usageSource: 'absent', imageCount: 1 })
    for (const field of ['usage', 'inputTokens', 'costUsd', 'costSource']) expect(event).not.toHaveProperty(field)
    expect(cost).toBeUndefined()
  })

  test.each([
    [{ inputTokens: 100, cachedTokens: 101 }, 'cachedTokens', { 'input.text.cache_read': 100 }],
    [{ outputTokens: 5, reasoningTokens: 6 }, 'reasoningTokens', { 'output.reasoning': 5 }],
    [{ usage: { 'input.text': 5, 'input.smell': 6 } }, 'usage', { 'input.text': 5 }],
    [{ usage: { 'input.text': -5, 'output.text': 2 } }, 'usage', { 'output.text': 2 }],
    [{ usage: { 'input.text': 1.5 } }, 'usage', {}],
    [{ usage: 'lots', inputTokens: 5 }, 'usage', { 'input.text': 5 }],
    [{ usage: [5], inputTokens: 5 }, 'usage', { 'input.text': 5 }],
  ])('that contradicts itself is told of: %o', (given, field, usage) => {
    const { event, complaints } = track({ ...openai, ...given })
    expect(event.usage).toEqual(usage)
    expect(complaints).toHaveLength(1)
    expect(event.usageFlags).toEqual([`manual:${field}`])
  })
})

describe('cost', () => {
  test('comes from the price book, exactly, at the time of the call', () => {
    const { event, cost } = track({ ...openai, inputTokens: 1000, outputTokens: 1000 })
    expect(cost).toBe(12_500_000_000n)
    expect(event).toMatchObject({ costUsd: '0.0125', costSource: 'priced', priceVersion: book.version })
    expect(event.costLines).toHaveLength(2)
  })

  test.each([
    ['0.0025', '0.0025'],
    [0.1 + 0.2, '0.3'],
    [0, '0'],
    [1e-7, '0.0000001'],
    ['9223372.036854775807', '9223372.036854775807'],
  ])('of %o is what the application says it is', (costUsd, exact) => {
    const { event, cost, complaints } = track({ ...openai, inputTokens: 1000, costUsd })
    expect(event).toMatchObject({ costUsd: exact, costSource: 'reported' })
    expect(formatUsd(cost!)).toBe(exact)
    expect(complaints).toEqual([])
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, '-0.1', '$5', '', 1e300, '9223372.036854775808', {}, true])(
    'of %o is refused, and the usage priced',
    (costUsd) => {
      const { event, complaints } = track({ ...openai, inputTokens: 1000, costUsd })
      expect(event).toMatchObject({ costUsd: '0.0025', costSource: 'priced', usageFlags: ['manual:costUsd'] })
      expect(complaints[0]).toMatch(/^Expected `costUsd` to be a decimal number of dollars, at least 0, got /)
    },
  )

  test('of a model that nobody knows is none, which is not zero', () => {
    const { event, cost } = track({ provider: 'acme-llm', model: 'one', inputTokens: 5 })
    expect(event.costSource).toBe('unpriced')
    expect(event).not.toHaveProperty('costUsd')
    expect(cost).toBeUndefined()
  })

  test('beyond what a ledger holds is none, and told of', () => {
    const usage = { 'output.text': 1e10, 'output.reasoning': 1e10 }
    const { event, complaints } = track({ provider: 'openai', model: 'o1-pro', usage })
    expect(event).toMatchObject({ costSource: 'unpriced', usageFlags: ['manual:usage'] })
    expect(complaints).toEqual(['Expected `usage` to be that of one call: its cost is beyond what a ledger holds.'])
  })
})

describe('time', () => {
  test.each([
    ['2026-11-20T10:00:00Z', '2026-11-20T10:00:00.000Z'],
    ['2026-11-20T10:00:00.5+02:00', '2026-11-20T08:00:00.500Z'],
    [new Date('2026-01-01T00:00:00Z'), '2026-01-01T00:00:00.000Z'],
    [undefined, '2026-11-22T09:30:00.000Z'],
  ])('of %o', (timestamp, iso) => {
    expect(track({ ...openai, timestamp }).event.timestamp).toBe(iso)
  })

  test.each(['yesterday', new Date(Number.NaN), 1_700_000_000, '+275760-09-13T00:00:00Z', '1969-12-31T00:00:00Z', {}])(
    'that cannot be is now, and told of: %o',
    (timestamp) => {
      const { event, complaints } = track({ ...openai, timestamp })
      expect(event.timestamp).toBe('2026-11-22T09:30:00.000Z')
      expect(complaints[0]).toMatch(/^Expected `timestamp` to be a Date or an ISO 8601 string, got /)
    },
  )
})

describe('what is no call', () => {
  test.each([undefined, null, 7, 'call', () => {}, [], Symbol('call'), 5n])('%o is an event all the same', (call) => {
    const { event, complaints } = track(call)
    expect(event).toMatchObject({ provider: 'unknown', model: 'unknown', endpoint: 'manual' })
    expect(complaints.length).toBeGreaterThan(0)
    expect(checkWireEvent(toWire(event))).toBe(true)
  })

  test('an object whose fields throw is one too, and what they say is not repeated', () => {
    const call = {
      ...openai,
      get inputTokens(): number {
        throw new Error('a secret')
      },
    }
    const { event, complaints } = track(call)
    expect(event.usageFlags).toContain('manual:call')
    expect(complaints.join()).not.toContain('secret')
  })

  test('long texts are never quoted', () => {
    const secret = 'a secret word in a long prompt'.repeat(50)
    const call = Object.fromEntries(EVENT_FIELDS.map((field) => [field, secret]))
    const { event, complaints } = track({ ...call, tags: { note: secret }, usage: { [secret]: 1 } })
    expect(JSON.stringify(event)).not.toContain('secret word')
    expect(complaints.filter((sentence) => sentence.includes('prompt'))).toEqual([])
  })
})

describe('whatever comes', () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withSparseArray: true,
  })
  const field = fc.constantFrom(...EVENT_FIELDS)

  test('there is an event that the wire takes, that a row holds, and that comes back as it went', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anything, fc.dictionary(field, anything)), async (call) => {
        const { event } = track(call)
        const wire = JSON.parse(JSON.stringify(toWire(event))) as Record<string, unknown>
        expect(await explainWireEvent(wire)).toBeUndefined()
        expect(checkWireEvent(wire)).toBe(true)
        expect(fromWire(wire)).toEqual(event)
        expect(toRow(event)).toHaveLength(EVENT_FIELDS.length)
      }),
      { numRuns: 1000 },
    )
  })

  test('fields that are nearly right too', () => {
    const nearly = fc.oneof(
      fc.constantFrom(...Object.values(FULL)),
      fc.integer(),
      fc.double(),
      fc.string(),
      fc.array(fc.oneof(fc.constantFrom(...FULL.attempts!, ...FULL.costLines!), fc.integer(), fc.string())),
      fc.dictionary(fc.string(), fc.oneof(fc.integer(), fc.string(), fc.boolean())),
      fc.record({ inputTokens: fc.array(fc.integer()), outputTokens: fc.tuple(fc.nat(), fc.nat()) }),
    )
    fc.assert(
      fc.property(fc.dictionary(field, nearly), (call) => {
        const { event } = track(call)
        expect(checkWireEvent(JSON.parse(JSON.stringify(toWire(event))))).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
