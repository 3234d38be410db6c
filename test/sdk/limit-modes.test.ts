// Limits that lower the output cap of a request, or end a stream, through the real SDKs.

import Anthropic from '@anthropic-ai/sdk'
import { ApiError, GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'
import { LimitExceededError } from '../../src/errors.ts'
import { Meter, type Problem } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/memory.ts'

type Metered = Awaited<ReturnType<typeof metered>>

async function metered() {
  const emulator = await startEmulator()
  const sink = memorySink()
  const problems: Problem[] = []
  const onProblem = (problem: Problem) => void problems.push(problem)
  const meter = new Meter({ sinks: [sink], hosts: emulator.hosts, onProblem })
  meter.patch('openai', { modules: [OpenAI] })
  meter.patch('anthropic', { modules: [Anthropic] })
  meter.patch('google', { modules: [GoogleGenAI] })
  meter.patch('fetch')
  return {
    meter,
    emulator,
    problems,
    openai: new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'key' }),
    anthropic: new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'key' }),
    google: new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: emulator.google.baseURL } }),
    async events() {
      await meter.flush()
      return sink.events
    },
    async [Symbol.asyncDispose]() {
      await meter.close()
      await emulator.close()
    },
  }
}

const messages = [{ role: 'user' as const, content: 'Hi' }]
const MODEL = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-6', google: 'gemini-2.5-flash' } as const
/** A tenth of a cent to a cent: less than the longest answer of any of the models, and more than 256 tokens of it. */
const LITTLE = '0.01'

type Body = Record<string, unknown>
const bodyOf = ({ emulator }: Metered): Body => emulator.requests.at(-1)!.body as Body

async function textOf(stream: AsyncIterable<unknown>, pick: (piece: never) => string | null | undefined) {
  let text = ''
  for await (const piece of stream) text += pick(piece as never) ?? ''
  return text
}

const post = (url: string, body: Body, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer key', ...headers },
    body: JSON.stringify(body),
  })

describe('clamp', () => {
  type Capped = [name: string, call: (app: Metered, cap?: number) => Promise<unknown>, capOf: (body: Body) => unknown]
  const CALLS: Capped[] = [
    [
      'openai chat.completions',
      ({ openai }, cap) =>
        openai.chat.completions.create({
          model: MODEL.openai,
          messages,
          ...(cap !== undefined && { max_completion_tokens: cap }),
        }),
      (body) => body['max_completion_tokens'],
    ],
    [
      'openai chat.completions, streamed',
      async ({ openai }, cap) => {
        const more = cap === undefined ? {} : { max_completion_tokens: cap }
        const request = { model: MODEL.openai, messages, stream: true, ...more } as const
        await textOf(await openai.chat.completions.create(request), () => '')
      },
      (body) => body['max_completion_tokens'],
    ],
    [
      'openai responses',
      ({ openai }, cap) =>
        openai.responses.create({
          model: MODEL.openai,
          input: 'Hi',
          ...(cap !== undefined && { max_output_tokens: cap }),
        }),
      (body) => body['max_output_tokens'],
    ],
    [
      'anthropic messages',
      ({ anthropic }, cap = 8000) => anthropic.messages.create({ model: MODEL.anthropic, max_tokens: cap, messages }),
      (body) => body['max_tokens'],
    ],
    [
      'google generateContent',
      ({ google }, cap) =>
        google.models.generateContent({
          model: MODEL.google,
          contents: 'Hi',
          config: { temperature: 0.5, ...(cap !== undefined && { maxOutputTokens: cap }) },
        }),
      ({ generationConfig }) => (generationConfig as Body | undefined)?.['maxOutputTokens'],
    ],
    [
      'google generateContentStream',
      async ({ google }) =>
        textOf(await google.models.generateContentStream({ model: MODEL.google, contents: 'Hi' }), () => ''),
      ({ generationConfig }) => (generationConfig as Body | undefined)?.['maxOutputTokens'],
    ],
    [
      'fetch',
      ({ emulator }, cap) =>
        post(`${emulator.openai.baseURL}/chat/completions`, {
          model: MODEL.openai,
          messages,
          ...(cap !== undefined && { max_completion_tokens: cap }),
        }).then((response) => response.json()),
      (body) => body['max_completion_tokens'],
    ],
  ]

  test.each(CALLS)('lowers the cap to what is left, sends it, and says so: %s', async (_, call, capOf) => {
    await using app = await metered()
    const { meter } = app
    await meter.setLimit('acme', { usd: '0.002', mode: 'clamp', minOutputTokens: 10 })
    await meter.forTenant('acme', () => call(app))
    const cap = capOf(bodyOf(app))
    const [event] = await app.events()
    expect(cap).toBeTypeOf('number')
    expect(cap).toBeGreaterThanOrEqual(10)
    expect(event!.metadata).toMatchObject({ clamped_to: cap })
    expect(meter.stats().limits).toMatchObject({ clamped: 1, overruns: 0 })
    expect(await meter.limits('acme')).toMatchObject([{ heldUsd: '0' }])
    expect(app.problems).toEqual([])
  })

  test.each(CALLS.slice(0, 5))('leaves alone what fits: %s', async (_, call, capOf) => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: 100, mode: 'clamp' })
    await app.meter.forTenant('acme', () => call(app, 300))
    expect(capOf(bodyOf(app))).toBe(300)
    expect((await app.events())[0]!.metadata).not.toHaveProperty('clamped_to')
  })

  test('the cap that is sent costs what is left, to the token', async () => {
    await using app = await metered()
    const { meter, emulator } = app
    // gpt-4o: $10 a million tokens of output.
    await meter.setLimit('acme', { usd: LITTLE, mode: 'clamp' })
    emulator.reply({ inputTokens: 10, outputTokens: 256 })
    await meter.forTenant('acme', () => app.openai.chat.completions.create({ model: MODEL.openai, messages }))
    const cap = Number(bodyOf(app)['max_completion_tokens'])
    // A prompt of some bytes and what stands around it: at most a hundred tokens at $2.50 a million.
    expect(cap).toBeGreaterThan(970)
    expect(cap).toBeLessThan(1000)
  })

  test('below what is of use a call is refused, and nothing is sent', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: '0.002', mode: 'clamp' })
    const refused = app.meter.forTenant('acme', () =>
      app.openai.chat.completions.create({ model: MODEL.openai, messages }),
    )
    await expect(refused).rejects.toMatchObject({ mode: 'clamp', wouldPassWithCap: true })
    expect(app.emulator.requests).toEqual([])
  })

  test('the request of the caller stays as it is, and so does everything else in what is sent', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: LITTLE, mode: 'clamp' })
    const request = Object.freeze({
      model: MODEL.openai,
      messages: [{ role: 'user' as const, content: 'Say "max_tokens": 5 and {"max_completion_tokens":1}' }],
      max_tokens: 100_000,
      temperature: 0.5,
    })
    await app.meter.forTenant('acme', () => app.openai.chat.completions.create(request))
    const { max_tokens: cap, ...rest } = bodyOf(app)
    expect(cap).toBeLessThan(1000)
    expect(rest).toEqual({ model: request.model, messages: request.messages, temperature: 0.5 })
    expect(request.max_tokens).toBe(100_000)
  })

  test.each<[string, (app: Metered) => Promise<unknown>]>([
    [
      'several answers to one request',
      ({ openai }) => openai.chat.completions.create({ model: MODEL.openai, messages, n: 2 }),
    ],
    [
      'a budget for thoughts, which the cap must be above',
      ({ anthropic }) =>
        anthropic.messages.create({
          model: MODEL.anthropic,
          max_tokens: 8000,
          messages,
          thinking: { type: 'enabled', budget_tokens: 4000 },
        }),
    ],
    [
      'a body that encodes itself',
      ({ openai }) =>
        openai.post('/chat/completions', {
          body: { toJSON: () => ({ model: MODEL.openai, messages, max_tokens: 5000 }) },
        }),
    ],
    [
      'a request that is signed',
      ({ emulator }) =>
        post(
          `${emulator.openai.baseURL}/chat/completions`,
          { model: MODEL.openai, messages },
          { 'content-length': '75' },
        ).then((response) => {
          if (response.status === 402) throw LimitExceededError.from({ body: '' }) ?? new Error('402')
        }),
    ],
  ])('is hard for what no limit may change: %s', async (_, call) => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: LITTLE, mode: 'clamp' })
    await expect(app.meter.forTenant('acme', () => call(app))).rejects.toThrow()
    expect(app.emulator.requests).toEqual([])
  })

  test('each attempt of the SDK has the lowered cap', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: LITTLE, mode: 'clamp' })
    app.emulator.reply({ status: 500, headers: { 'retry-after-ms': '1' } })
    await app.meter.forTenant('acme', () => app.openai.chat.completions.create({ model: MODEL.openai, messages }))
    const caps = app.emulator.requests.map(({ body }) => (body as Body)['max_completion_tokens'])
    expect(caps).toHaveLength(2)
    expect(caps[0]).toBe(caps[1])
    expect(caps[0]).toBeLessThan(1000)
  })
})

describe('stream', () => {
  /** 6000 words, a token each as a rule, and three of the bytes that stand for one and a half. */
  const text = 'word '.repeat(6000)
  type Streamed = [
    name: string,
    usd: string,
    APIError: (new (...args: never[]) => Error) | undefined,
    read: (app: Metered, seen: { text: string }) => Promise<void>,
  ]
  const add = (seen: { text: string }) => (piece: string | null | undefined) => {
    seen.text += piece ?? ''
    return ''
  }
  const CALLS: Streamed[] = [
    [
      'openai chat.completions',
      '0.03',
      OpenAI.APIError,
      async ({ openai }, seen) => {
        const stream = await openai.chat.completions.create({ model: MODEL.openai, messages, stream: true })
        await textOf(stream, ({ choices }: OpenAI.ChatCompletionChunk) => add(seen)(choices[0]?.delta.content))
      },
    ],
    [
      'openai chat.completions, whose usage the caller asks for',
      '0.03',
      OpenAI.APIError,
      async ({ openai }, seen) => {
        const more = { stream: true, stream_options: { include_usage: true } } as const
        const stream = await openai.chat.completions.create({ model: MODEL.openai, messages, ...more })
        await textOf(stream, ({ choices }: OpenAI.ChatCompletionChunk) => add(seen)(choices[0]?.delta.content))
      },
    ],
    [
      'openai chat.completions.stream()',
      '0.03',
      OpenAI.APIError,
      async ({ openai }, seen) => {
        const stream = openai.chat.completions.stream({ model: MODEL.openai, messages })
        stream.on('content', add(seen))
        await stream.finalChatCompletion()
      },
    ],
    [
      'openai chat.completions, asResponse()',
      '0.03',
      undefined,
      async ({ openai }, seen) => {
        const request = { model: MODEL.openai, messages, stream: true } as const
        const response = await openai.chat.completions.create(request).asResponse()
        for await (const bytes of response.body!) add(seen)(new TextDecoder().decode(bytes as Uint8Array))
      },
    ],
    [
      'openai responses',
      '0.03',
      OpenAI.APIError,
      async ({ openai }, seen) => {
        const stream = await openai.responses.create({ model: MODEL.openai, input: 'Hi', stream: true })
        await textOf(stream, (event: OpenAI.Responses.ResponseStreamEvent) =>
          add(seen)(event.type === 'response.output_text.delta' ? event.delta : ''),
        )
      },
    ],
    [
      'anthropic messages.stream()',
      '0.05',
      Anthropic.APIError,
      async ({ anthropic }, seen) => {
        const stream = anthropic.messages.stream({ model: MODEL.anthropic, max_tokens: 60_000, messages })
        stream.on('text', add(seen))
        await stream.finalMessage()
      },
    ],
    [
      'google generateContentStream',
      '0.006',
      ApiError,
      async ({ google }, seen) => {
        const config = { thinkingConfig: { thinkingBudget: 0 } }
        const stream = await google.models.generateContentStream({ model: MODEL.google, contents: 'Hi', config })
        await textOf(stream, (chunk: { text?: string }) => add(seen)(chunk.text))
      },
    ],
    [
      'fetch',
      '0.03',
      undefined,
      async ({ emulator }, seen) => {
        const body = { model: MODEL.openai, messages, stream: true }
        const response = await post(`${emulator.openai.baseURL}/chat/completions`, body)
        for await (const bytes of response.body!) add(seen)(new TextDecoder().decode(bytes as Uint8Array))
      },
    ],
  ]

  test.each(CALLS)('ends the stream when there is no money for more: %s', async (_, usd, APIError, read) => {
    await using app = await metered()
    const { meter, emulator } = app
    await meter.setLimit('acme', { usd, mode: 'stream' })
    emulator.reply({ text, msBetweenEvents: 1 })
    const seen = { text: '' }
    const error: unknown = await meter
      .forTenant('acme', () => read(app, seen))
      .then(
        () => undefined,
        (caught: unknown) => caught,
      )
    expect(error).toBeInstanceOf(LimitExceededError)
    if (APIError) expect(error).toBeInstanceOf(APIError)
    expect(error).toMatchObject({ code: 'LIMIT_EXCEEDED', mode: 'stream', tenantId: 'acme', limitUsd: usd })
    expect(seen.text.length).toBeGreaterThan(500)
    const [event] = await app.events()
    expect(event).toMatchObject({ tenantId: 'acme', stream: true, metadata: { stream_end: 'limit' } })
    expect(event!.usageSource).not.toBe('reported')
    expect(Number(event!.costUsd)).toBeGreaterThan(0)
    expect(Number(event!.costUsd)).toBeLessThanOrEqual(Number(usd))
    expect(meter.stats()).toMatchObject({ openCalls: 0, heldUsd: '0', limits: { overruns: 0 } })
    // The connection is closed: the provider stops to make what nobody will read.
    await emulator.until(() => emulator.bill().lines.length === 1)
    expect(Number(emulator.bill().usd)).toBeLessThan(Number(usd))
    expect(app.problems).toEqual([])
  })

  test.each(CALLS)('lets a stream through that has the money: %s', async (_, usd, __, read) => {
    await using app = await metered()
    const { meter, emulator } = app
    await meter.setLimit('acme', { usd: Number(usd) * 20, mode: 'stream' })
    emulator.reply({ text })
    const seen = { text: '' }
    await meter.forTenant('acme', () => read(app, seen))
    const [event] = await app.events()
    expect(event!.usageSource).toBe('reported')
    expect(event!.metadata).not.toHaveProperty('stream_end')
    expect(event!.costUsd).toBe(emulator.bill().usd)
    expect(meter.stats()).toMatchObject({ heldUsd: '0', limits: { overruns: 0, falseRefusals: 0 } })
  })

  test.each<[string, (app: Metered) => Promise<unknown>]>([
    [
      'a model whose thoughts no stream shows',
      ({ openai }) => openai.chat.completions.create({ model: 'gpt-5', messages, stream: true }),
    ],
    [
      'thoughts that are shown in part',
      ({ anthropic }) =>
        anthropic.messages.create({
          model: MODEL.anthropic,
          max_tokens: 60_000,
          messages,
          stream: true,
          thinking: { type: 'enabled', budget_tokens: 2000 },
        }),
    ],
    [
      'a Gemini that thinks',
      ({ google }) => google.models.generateContentStream({ model: 'gemini-2.5-pro', contents: 'Hi' }),
    ],
    ['an answer that is no stream', ({ openai }) => openai.chat.completions.create({ model: MODEL.openai, messages })],
  ])('is hard for what cannot be counted as it comes: %s', async (_, call) => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: '0.02', mode: 'stream' })
    await expect(app.meter.forTenant('acme', () => call(app))).rejects.toMatchObject({ mode: 'stream' })
    expect(app.emulator.requests).toEqual([])
  })

  test('the caller may read on after the end, and gets nothing more', async () => {
    await using app = await metered()
    await app.meter.setLimit('acme', { usd: '0.03', mode: 'stream' })
    app.emulator.reply({ text, msBetweenEvents: 1 })
    const stream = await app.meter.forTenant('acme', () =>
      app.openai.chat.completions.create({ model: MODEL.openai, messages, stream: true }),
    )
    const iterator = stream[Symbol.asyncIterator]()
    await expect(
      (async () => {
        while (!(await iterator.next()).done);
      })(),
    ).rejects.toThrow(LimitExceededError)
    expect(await iterator.next()).toMatchObject({ done: true })
    expect(await app.events()).toHaveLength(1)
  })
})
