// A limit that is reached stops the next call before anything is sent, through each SDK, as that SDK's own error.

import { setImmediate as nextTurn } from 'node:timers/promises'
import Anthropic from '@anthropic-ai/sdk'
import { ApiError } from '@google/genai'
import OpenAI from 'openai'
import { LimitExceededError, MeterError } from 'tallygate'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { type Metered, metered } from '../support/metered.ts'

afterEach(() => void vi.useRealTimers())

const messages = [{ role: 'user' as const, content: 'Hi' }]
/** gpt-4o: $2.50 and $10 a million; claude-sonnet-4-6: $3 and $15; gemini-2.5-flash: $0.30 and $2.50. */
const thousand = { inputTokens: 1000, outputTokens: 1000, times: Number.POSITIVE_INFINITY }

const read = async (stream: AsyncIterable<unknown>) => {
  for await (const _ of stream);
}

type Call = (app: Metered) => Promise<unknown>
const CALLS: [string, new (...args: never[]) => Error, Call][] = [
  ['openai chat.completions', OpenAI.APIError, ({ chat }) => chat()],
  [
    'openai chat.completions, streamed',
    OpenAI.APIError,
    async ({ openai }) => read(await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true })),
  ],
  [
    'openai chat.completions.stream()',
    OpenAI.APIError,
    ({ openai }) => openai.chat.completions.stream({ model: 'gpt-4o', messages }).finalChatCompletion(),
  ],
  [
    'openai chat.completions, withResponse()',
    OpenAI.APIError,
    ({ openai }) => openai.chat.completions.create({ model: 'gpt-4o', messages }).withResponse(),
  ],
  [
    'openai chat.completions, asResponse()',
    OpenAI.APIError,
    async ({ openai }) => (await openai.chat.completions.create({ model: 'gpt-4o', messages }).asResponse()).json(),
  ],
  ['openai responses', OpenAI.APIError, ({ openai }) => openai.responses.create({ model: 'gpt-4o', input: 'Hi' })],
  [
    'openai responses.stream()',
    OpenAI.APIError,
    ({ openai }) => openai.responses.stream({ model: 'gpt-4o', input: 'Hi' }).finalResponse(),
  ],
  [
    'openai embeddings',
    OpenAI.APIError,
    ({ openai }) => openai.embeddings.create({ model: 'text-embedding-3-small', input: 'Hi' }),
  ],
  [
    'anthropic messages',
    Anthropic.APIError,
    ({ anthropic }) => anthropic.messages.create({ model: 'claude-sonnet-4-6', max_tokens: 1000, messages }),
  ],
  [
    'anthropic messages.stream()',
    Anthropic.APIError,
    ({ anthropic }) =>
      anthropic.messages.stream({ model: 'claude-sonnet-4-6', max_tokens: 1000, messages }).finalMessage(),
  ],
  [
    'google generateContent',
    ApiError,
    ({ google }) => google.models.generateContent({ model: 'gemini-2.5-flash', contents: 'Hi' }),
  ],
  [
    'google generateContentStream',
    ApiError,
    async ({ google }) =>
      read(await google.models.generateContentStream({ model: 'gemini-2.5-flash', contents: 'Hi' })),
  ],
  [
    'a chat of google',
    ApiError,
    ({ google }) => google.chats.create({ model: 'gemini-2.5-flash' }).sendMessage({ message: 'Hi' }),
  ],
]

describe('a tenant whose money is spent', () => {
  test.each(CALLS)('is refused: %s', async (_, APIError, call) => {
    await using app = await metered()
    const { meter, emulator } = app
    emulator.reply({ ...thousand, match: ({ path }) => !path.endsWith('/embeddings') })
    await meter.setLimit('acme', { usd: '0.00000001' })
    // With nothing in flight and money left, one call is always let through.
    await meter.forTenant('acme', () => call(app))
    const [spent] = await app.events()
    const error: unknown = await meter
      .forTenant('acme', () => call(app))
      .then(
        () => undefined,
        (caught: unknown) => caught,
      )
    expect(error).toBeInstanceOf(LimitExceededError)
    expect(error).toBeInstanceOf(MeterError)
    expect(error).toBeInstanceOf(APIError)
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'LimitExceededError',
      code: 'LIMIT_EXCEEDED',
      status: 402,
      tenantId: 'acme',
      limitUsd: '0.00000001',
      spentUsd: spent!.costUsd,
      heldUsd: '0',
      window: 'month',
      scope: 'tenant',
      resetsAt: expect.any(Date),
    })
    expect((error as Error).message).toContain(`Tenant "acme" has $${spent!.costUsd} spent of its limit of $0.00000001`)
    expect(emulator.requests).toHaveLength(1)
    expect(await app.events()).toHaveLength(1)
    expect(meter.stats()).toMatchObject({ refused: 1, openCalls: 0, heldUsd: '0' })
    expect(app.problems).toEqual([])
  })

  test('does not stop another, nor a call of nobody', async () => {
    await using app = await metered({ onMissingTenant: 'record' })
    await app.meter.setLimit('acme', { usd: 0 })
    await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toThrow(LimitExceededError)
    await app.meter.forTenant('globex', () => app.chat())
    await app.chat()
    expect(app.emulator.requests).toHaveLength(2)
  })

  test('is refused from the call on that follows setLimit, awaited or not', async () => {
    await using app = await metered()
    await app.meter.forTenant('acme', () => app.chat())
    const stored = app.meter.setLimit('acme', { usd: 0 })
    await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toThrow(LimitExceededError)
    await stored
    const raised = app.meter.setLimit('acme', { usd: 1 })
    await app.meter.forTenant('acme', () => app.chat())
    await raised
  })

  test('is let through again when its limit is raised, and when it is removed', async () => {
    await using app = await metered()
    const { meter, emulator } = app
    emulator.reply(thousand)
    await meter.setLimit('acme', { usd: 0.0125 })
    await meter.forTenant('acme', () => app.chat())
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toThrow('$0.0125 spent')
    await meter.setLimit('acme', { usd: 0.025 })
    await meter.forTenant('acme', () => app.chat())
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toThrow('$0.025 spent')
    await meter.removeLimit('acme')
    await meter.forTenant('acme', () => app.chat())
    expect(await meter.limits('acme')).toEqual([])
    await meter.setLimit('acme', { usd: 0.0375 })
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toThrow('$0.0375 spent')
    expect(emulator.requests).toHaveLength(3)
  })

  test('is charged for what broke off, and not for what the provider refused', async () => {
    await using app = await metered()
    const { meter, emulator, openai } = app
    await meter.setLimit('acme', { usd: 1 })
    emulator.reply({ status: 400 }, { inputTokens: 1000, text: 'one two three four five six', msBetweenEvents: 1 })
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toThrow(OpenAI.BadRequestError)
    expect(await meter.limits('acme')).toMatchObject([{ spentUsd: '0', heldUsd: '0' }])
    await meter.forTenant('acme', async () => {
      for await (const _ of await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true })) break
    })
    const [, broken] = await app.events()
    expect(broken!.usageSource).not.toBe('reported')
    expect(Number(broken!.costUsd)).toBeGreaterThan(0)
    const [state] = await meter.limits('acme')
    expect(Number(state!.spentUsd) - Number(broken!.costUsd)).toBeLessThan(1e-9)
    expect(state).toMatchObject({ heldUsd: '0' })
  })
})

describe('many calls at once', () => {
  test('a hundred of them do not pass a hard limit', async () => {
    await using app = await metered()
    const { meter, emulator } = app
    emulator.reply({ ...thousand, outputTokens: 500, inputTokens: 10, delayMs: 20 })
    // A call holds at most $0.0104 or so: its 1000 output tokens and a prompt of some bytes.
    await meter.setLimit('acme', { usd: '0.105', mode: 'hard' })
    const results = await Promise.allSettled(
      Array.from({ length: 100 }, () => meter.forTenant('acme', () => app.chat())),
    )
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
    for (const refusal of refusals) expect(refusal).toBeInstanceOf(LimitExceededError)
    expect(refusals.length).toBeLessThan(100)
    expect(emulator.requests).toHaveLength(100 - refusals.length)
    const [first] = refusals as LimitExceededError[]
    expect(Number(first!.heldUsd)).toBeGreaterThan(0)
    expect(Number(emulator.bill().usd)).toBeLessThanOrEqual(0.105)
    const [state] = await meter.limits('acme')
    expect(state).toMatchObject({ mode: 'hard', heldUsd: '0' })
    expect(Number(state!.spentUsd)).toBeLessThanOrEqual(0.105)
    // What they held and did not use is free again.
    await meter.forTenant('acme', () => app.chat())
  })

  test('calls that are admitted while the price book is still being read count on each other', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: '0.012', mode: 'hard' })
    app.emulator.reply({ ...thousand, inputTokens: 10, outputTokens: 100 })
    const results = await Promise.allSettled([1, 2, 3].map(() => app.meter.forTenant('acme', () => app.chat())))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('nothing is held once all have ended, however they ended', async () => {
    await using app = await metered()
    const { meter, emulator, openai } = app
    await meter.setLimit('acme', { usd: 10 })
    emulator.reply(
      { status: 500, match: { path: '/chat/completions' }, times: 3 },
      { hangUp: true, match: { path: '/responses' }, times: 3 },
      { body: '<html>', match: { path: '/embeddings' } },
    )
    await meter.forTenant('acme', async () => {
      const aborted = new AbortController()
      const hung = openai.chat.completions.create(
        { model: 'gpt-4o', messages: [{ role: 'user', content: 'abort' }], stream: true },
        { signal: aborted.signal, maxRetries: 0 },
      )
      aborted.abort()
      await Promise.allSettled([
        hung,
        app.chat(),
        openai.responses.create({ model: 'gpt-4o', input: 'Hi' }),
        openai.embeddings.create({ model: 'text-embedding-3-small', input: 'Hi' }),
      ])
    })
    await meter.flush()
    expect(meter.stats()).toMatchObject({ heldUsd: '0', openCalls: 0 })
    expect(await meter.limits('acme')).toMatchObject([{ heldUsd: '0' }])
  })
})

describe('windows', () => {
  const at = (iso: string) => vi.setSystemTime(new Date(iso))

  test.each([
    ['hour', '2026-11-22T14:59:59.000Z', '2026-11-22T15:00:00.000Z'],
    ['day', '2026-11-22T23:59:59.000Z', '2026-11-23T00:00:00.000Z'],
    ['week', '2026-11-22T23:59:59.000Z', '2026-11-23T00:00:00.000Z'],
    ['month', '2026-11-30T23:59:59.000Z', '2026-12-01T00:00:00.000Z'],
  ] as const)('a limit per %s begins anew when it ends', async (per, before, after) => {
    vi.useFakeTimers({ toFake: ['Date'] })
    at(before)
    await using app = await metered()
    const { meter, emulator } = app
    emulator.reply(thousand)
    await meter.setLimit('acme', { usd: 0.01, per })
    await meter.forTenant('acme', () => app.chat())
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({
      window: per,
      resetsAt: new Date(after),
    })
    at(after)
    expect(await meter.limits('acme')).toMatchObject([{ spentUsd: '0', remainingUsd: '0.01' }])
    await meter.forTenant('acme', () => app.chat())
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toThrow(LimitExceededError)
    expect(emulator.requests).toHaveLength(2)
  })

  test('a limit in total never begins anew', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    at('2026-11-22T12:00:00.000Z')
    await using app = await metered()
    app.emulator.reply(thousand)
    await app.meter.setLimit('acme', { usd: 0.01, per: 'total' })
    await app.meter.forTenant('acme', () => app.chat())
    at('2036-11-22T12:00:00.000Z')
    await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({
      window: 'total',
      resetsAt: undefined,
      message: 'Tenant "acme" has $0.0125 spent of its limit of $0.01 in total.',
    })
  })

  test('a call counts in the window that it began in', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    at('2026-11-22T14:59:59.000Z')
    await using app = await metered()
    const { meter, emulator } = app
    emulator.reply({ ...thousand, times: 1, delayMs: 50 }, thousand)
    await meter.setLimit('acme', { usd: 0.01, per: 'hour' })
    const late = meter.forTenant('acme', () => app.chat())
    await emulator.until(() => emulator.requests.length === 1)
    at('2026-11-22T15:00:00.000Z')
    await meter.forTenant('acme', () => app.chat())
    await late
    expect(await meter.limits('acme')).toMatchObject([{ spentUsd: '0.0125' }])
  })

  test('a tenant may have a limit on each, and the tightest one refuses', async () => {
    await using app = await metered()
    const { meter } = app
    app.emulator.reply(thousand)
    await Promise.all([meter.setLimit('acme', { usd: 100 }), meter.setLimit('acme', { usd: 0.01, per: 'day' })])
    await meter.forTenant('acme', () => app.chat())
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({ window: 'day' })
    expect(await meter.limits('acme')).toMatchObject([
      { of: 'acme', window: 'day', limitUsd: '0.01', spentUsd: '0.0125', remainingUsd: '0' },
      { of: 'acme', window: 'month', limitUsd: '100', spentUsd: '0.0125', remainingUsd: '99.9875' },
    ])
    await meter.removeLimit('acme', 'day')
    await meter.forTenant('acme', () => app.chat())
  })
})

describe('a model without a price', () => {
  test('is refused under a hard limit, which could not be kept, before anything is sent', async () => {
    await using app = await metered()
    const { meter } = app
    await meter.setLimit('acme', { usd: 1, mode: 'hard' })
    await expect(meter.forTenant('acme', () => app.chat('my-own-model'))).rejects.toMatchObject({
      code: 'UNKNOWN_PRICE',
      provider: 'openai',
      model: 'my-own-model',
      tenantId: 'acme',
      limitUsd: '1',
    })
    expect(app.emulator.requests).toEqual([])
  })

  test('is let through under another, counted and reported, since nothing can be held for it', async () => {
    await using app = await metered()
    const { meter } = app
    await meter.setLimit('acme', { usd: 1 })
    await meter.forTenant('acme', () => app.chat('my-own-model'))
    const [event] = await app.events()
    expect(event).toMatchObject({ model: 'my-own-model', costSource: 'unpriced' })
    expect(event).not.toHaveProperty('costUsd')
    expect(meter.stats().unpriced).toEqual({ 'openai my-own-model': 1 })
    expect(app.problems).toMatchObject([{ kind: 'price', message: expect.stringContaining('"my-own-model"') }])
    expect(await meter.limits('acme')).toMatchObject([{ spentUsd: '0', heldUsd: '0' }])
  })

  test('is charged when the model that served it has one', async () => {
    await using app = await metered()
    const { meter, emulator } = app
    await meter.setLimit('acme', { usd: 0.01 })
    emulator.reply({ ...thousand, model: 'gpt-4o' })
    await meter.forTenant('acme', () => app.chat('my-alias'))
    expect(await meter.limits('acme')).toMatchObject([{ spentUsd: '0.0125' }])
    await expect(meter.forTenant('acme', () => app.chat('gpt-4o'))).rejects.toThrow(LimitExceededError)
  })
})

test.each([
  [{ bogus: 1 }, 'There is no field `bogus` in a question about limits; the only one is estimateUsd.'],
  [{ estimateUsd: -1 }, 'Expected `estimateUsd` to be a number of dollars of 0 or more, got `-1`.'],
  [0.5, 'Expected `question` to be an object such as `{ estimateUsd: 0.25 }`, got `0.5`.'],
])('whether a call would pass is not answered for %o', async (question, message) => {
  await using app = await metered()
  await expect(app.meter.checkLimit('acme', question as { estimateUsd?: number })).rejects.toThrow(message)
})

test.each([{ timeZone: 'UTC' }, { timeZone: 'Asia/Kathmandu' }, { timeZone: 'Asia/Kolkata' }, { rolling: true }])(
  'what was spent this hour counts in a limit that is set on it, whenever that hour begins: %o',
  async (when) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 10, 22, 14, 40) })
    await using app = await metered()
    const { meter } = app
    meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1e6, outputTokens: 0, tenantId: 'acme' })
    await meter.setLimit('acme', { usd: 2, per: 'hour', ...when })
    expect(await meter.getLimit('acme', 'hour')).toMatchObject({ spentUsd: '2.5' })
    await expect(meter.forTenant('acme', () => app.chat())).rejects.toThrow(LimitExceededError)
  },
)

describe('a limit that cannot be', () => {
  const bad: [unknown, string][] = [
    [
      { usd: 5, per_month: true },
      'There is no field `per_month` in a limit; the fields are usd, per, timeZone, anchor, rolling, mode, minOutputTokens.',
    ],
    [
      { usd: 5, window: 'day' },
      'There is no field `window` in a limit; the fields are usd, per, timeZone, anchor, rolling, mode, minOutputTokens.',
    ],
    [
      { dollars: 5 },
      'There is no field `dollars` in a limit; the fields are usd, per, timeZone, anchor, rolling, mode, minOutputTokens.',
    ],
    [{ usd: -1 }, 'Expected `usd` to be a number of dollars from 0 to 9223372036, got `-1`.'],
    [{ usd: Number.NaN }, 'Expected `usd` to be a number of dollars from 0 to 9223372036, got `NaN`.'],
    [
      { usd: Number.POSITIVE_INFINITY },
      'Expected `usd` to be a number of dollars from 0 to 9223372036, got `Infinity`.',
    ],
    [{ usd: 1e10 }, 'Expected `usd` to be a number of dollars from 0 to 9223372036, got `10000000000`.'],
    [{ usd: 1e-10 }, 'Expected `usd` to be 0, or at least a billionth of a dollar, got `1e-10`.'],
    [{ usd: '$5' }, 'Expected `usd` to be a number of dollars from 0 to 9223372036, got "$5".'],
    [{ usd: '' }, 'Expected `usd` to be a number of dollars from 0 to 9223372036, got "".'],
    [{ usd: null }, 'Expected `usd` to be a number of dollars from 0 to 9223372036, got `null`.'],
    [{}, 'Expected `usd` to be a number of dollars from 0 to 9223372036, got `undefined`.'],
    [undefined, 'Expected `limit` to be an object such as `{ usd: 50 }`, got `undefined`.'],
    [50, 'Expected `limit` to be an object such as `{ usd: 50 }`, got `50`.'],
    [{ usd: 5, per: 'year' }, "Expected `per` to be one of 'hour', 'day', 'week', 'month', 'total', got \"year\"."],
    [{ usd: 5, per: 7 }, "Expected `per` to be one of 'hour', 'day', 'week', 'month', 'total', got `7`."],
    [
      { usd: 5, mode: 'strict' },
      "Expected `mode` to be one of 'expected', 'hard', 'clamp', 'stream', 'soft', 'observe', got \"strict\".",
    ],
    [
      { usd: 5, timeZone: 'Berlin' },
      'Expected `timeZone` to be the IANA name of a time zone, such as \'Europe/Berlin\', got "Berlin".',
    ],
    [{ usd: 5, anchor: 32 }, 'Expected `anchor` to be a whole number from 1 to 31, got `32`.'],
    [{ usd: 5, per: 'total', anchor: 1 }, 'A limit per total has no `anchor`.'],
    [
      { usd: 5, rolling: true, timeZone: 'UTC' },
      'A rolling limit has no `timeZone` and no `anchor`, and is per hour, day, week or month.',
    ],
  ]
  test.each(bad)('%o is refused in one sentence', async (limit, message) => {
    await using app = await metered()
    const set = () => app.meter.setLimit('acme', limit as { usd: number })
    expect(set).toThrow(MeterError)
    expect(set).toThrow(message)
    expect(await app.meter.limits('acme')).toEqual([])
  })

  test.each([
    ['', 'Expected `tenantId` to be a non-empty string, got "".'],
    [undefined, 'Expected `tenantId` to be a non-empty string, got `undefined`.'],
    ['x'.repeat(10_000), 'Expected `tenantId` to be at most 256 characters, got a string of 10000 characters.'],
    ['a\u0000b', 'Expected `tenantId` to be a string without control characters, got "a\\u0000b".'],
  ])('nor for a tenant that cannot be', async (tenantId, message) => {
    await using app = await metered()
    expect(() => app.meter.setLimit(tenantId as string, { usd: 1 })).toThrow(message)
    expect(() => app.meter.removeLimit(tenantId as string)).toThrow(message)
    expect(await app.meter.limits(tenantId as string)).toEqual([])
  })

  test('dollars that a computer makes of decimals are taken for what they mean', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: 0.1 + 0.2 })
    await app.meter.setLimit('acme', { usd: '49.99', per: 'total' })
    expect(await app.meter.limits('acme')).toMatchObject([{ limitUsd: '0.3' }, { limitUsd: '49.99' }])
  })

  test.each(['__proto__', 'constructor', 'toString', 'a b/c?d#e%2e', '🐋'.repeat(64)])(
    'a tenant called %j has limits like any other',
    async (tenantId) => {
      await using app = await metered()
      const { meter } = app
      await meter.setLimit(tenantId, { usd: 0 })
      await expect(meter.forTenant(tenantId, () => app.chat())).rejects.toMatchObject({ tenantId })
      expect(await meter.limits(tenantId)).toHaveLength(1)
      expect(await meter.limits('acme')).toEqual([])
      await meter.forTenant('acme', () => app.chat())
      await meter.setLimit(tenantId, { usd: 1 })
      await meter.forTenant(tenantId, () => app.chat())
      expect((await app.events()).map((event) => event.tenantId)).toEqual(['acme', tenantId])
    },
  )
})

describe('a stream that is kept and never read', () => {
  const text = 'one two three four five six'
  const piecesOf = async (stream: AsyncIterable<unknown>, pick: (piece: never) => string | null | undefined) => {
    let all = ''
    for await (const piece of stream) all += pick(piece as never) ?? ''
    return all
  }
  type Kept = () => Promise<string>
  const KEPT: [string, (app: Metered) => Promise<Kept>][] = [
    [
      'openai',
      async ({ openai }) => {
        const stream = await openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true })
        return () => piecesOf(stream, (chunk: OpenAI.ChatCompletionChunk) => chunk.choices[0]?.delta.content)
      },
    ],
    [
      'openai, asResponse()',
      async ({ openai }) => {
        const request = { model: 'gpt-4o', messages, stream: true } as const
        const response = await openai.chat.completions.create(request).asResponse()
        return async () => {
          const lines = (await response.text()).split('\n').filter((line) => line.startsWith('data: {'))
          const chunks = lines.map((line) => JSON.parse(line.slice(6)) as OpenAI.ChatCompletionChunk)
          return chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')
        }
      },
    ],
    [
      'anthropic',
      async ({ anthropic }) => {
        const request = { model: 'claude-sonnet-4-6', max_tokens: 1000, messages, stream: true } as const
        const stream = await anthropic.messages.create(request)
        return () =>
          piecesOf(stream, (event: Anthropic.MessageStreamEvent) =>
            event.type === 'content_block_delta' && event.delta.type === 'text_delta' ? event.delta.text : '',
          )
      },
    ],
    [
      'google',
      async ({ google }) => {
        const stream = await google.models.generateContentStream({ model: 'gemini-2.5-flash', contents: 'Hi' })
        return () => piecesOf(stream, (chunk: { text?: string }) => chunk.text)
      },
    ],
  ]

  test.each(KEPT)('gives its money back after ten minutes, and can still be read: %s', async (_, make) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await using app = await metered()
    app.emulator.reply({ text })
    await app.meter.setLimit('acme', { usd: 1 })
    const readOn = await app.meter.forTenant('acme', () => make(app))
    vi.advanceTimersByTime(9.5 * 60_000)
    expect(app.meter.stats()).toMatchObject({ openCalls: 1, calls: 0 })
    vi.advanceTimersByTime(60_000)
    const events = await app.events()
    expect(events).toMatchObject([
      { tenantId: 'acme', usageSource: 'estimated', metadata: { http_status: 200, stream_end: 'unread' } },
    ])
    expect(app.meter.stats()).toMatchObject({ openCalls: 0, heldUsd: '0' })
    expect(await readOn()).toBe(text)
    expect(await app.events()).toHaveLength(1)
    expect(app.problems).toEqual([])
  })

  test.each(KEPT)('is left alone once somebody has begun to read it: %s', async (_, make) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await using app = await metered()
    app.emulator.reply({ text, stallAfterEvents: 3 })
    const readOn = await app.meter.forTenant('acme', () => make(app))
    const reading = readOn().catch(() => 'broken off')
    await nextTurn()
    vi.advanceTimersByTime(60 * 60_000)
    expect(app.meter.stats()).toMatchObject({ openCalls: 1, calls: 0 })
    await app.emulator.close()
    await reading
  })
})
