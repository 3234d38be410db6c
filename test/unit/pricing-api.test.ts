// Pricing answers of the past: every form that people keep them in, and everything that is none.

import { describe, expect, test } from 'vitest'
import { MeterError, type MeterErrorCode } from '../../src/errors.ts'
import { loadPrices, priceResponse, type ResponseToPrice } from '../../src/pricing-api.ts'

const prices = await loadPrices()
const at = '2026-11-18T12:00:00Z'

const usage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 }
const chat = { provider: 'openai', endpoint: 'chat.completions', model: 'gpt-4o', at }
/** 1000 at 2.50 and 100 at 10.00 for a million. */
const USD = '0.0035'

test('a cost is the sum of its lines, each at a rate that has a page', async () => {
  expect(await priceResponse({ ...chat, response: { model: 'gpt-4o-2024-08-06', usage } })).toEqual({
    costUsd: USD,
    costSource: 'priced',
    lines: [
      expect.objectContaining({ bucket: 'input.text', quantity: 1000, rateUsd: '2.5', per: 1_000_000, usd: '0.0025' }),
      expect.objectContaining({ bucket: 'output.text', quantity: 100, rateUsd: '10', per: 1_000_000, usd: '0.001' }),
    ],
    provider: 'openai',
    endpoint: 'chat.completions',
    model: 'gpt-4o-2024-08-06',
    usage: { 'input.text': 1000, 'output.text': 100 },
    usageSource: 'reported',
    priceVersion: prices.version,
    flags: [],
  })
  for (const line of prices.priceResponse({ ...chat, response: { usage } }).lines) {
    expect(line.source).toMatch(/^https:\/\//)
    expect(line.read).toMatch(/^202\d-\d\d-\d\d$/)
  }
})

describe('the same answer', () => {
  const body = { id: 'c', object: 'chat.completion', model: 'gpt-4o', choices: [], usage }
  const chunks = [
    { object: 'chat.completion.chunk', model: 'gpt-4o', choices: [{ delta: { content: 'Hi' } }] },
    { ...body, object: 'chat.completion.chunk' },
  ]
  test.each<[string, Partial<ResponseToPrice>]>([
    ['as its body', { response: body }],
    ['as the text of its body', { response: JSON.stringify(body) }],
    ['as its usage', { response: usage }],
    ['as a fragment', { response: { usage } }],
    ['as the chunks of its stream', { response: chunks }],
    ['as its last chunk', { response: chunks[1] }],
    [
      'as a stream of events',
      { response: `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n` },
    ],
    ['as lines of JSON', { response: chunks.map((chunk) => JSON.stringify(chunk)).join('\n') }],
    ['by its looks', { endpoint: undefined, response: body }],
    ['its usage by its looks', { endpoint: undefined, response: usage }],
    ['by its path', { endpoint: '/v1/chat/completions', response: body }],
    ['by its method', { endpoint: 'client.chat.completions.create', response: body }],
    ['by another name', { endpoint: 'chat_completion', response: body }],
    ['by its host', { provider: undefined, host: 'https://api.openai.com/v1', response: body }],
    ['at a Date', { at: new Date(at), response: body }],
    ['at epoch milliseconds', { at: Date.parse(at), response: body }],
    ['its model in the request', { model: undefined, request: { model: 'gpt-4o' }, response: { usage } }],
  ])('%s', (_, how) => {
    expect(prices.priceResponse({ ...chat, ...how } as ResponseToPrice).costUsd).toBe(USD)
  })
})

test('the line of a batch is priced as one', () => {
  const line = {
    id: 'b',
    custom_id: 'a',
    response: { status_code: 200, body: { object: 'chat.completion', model: 'gpt-4o', usage } },
  }
  const batched = prices.priceResponse({ ...chat, response: { usage }, batch: true })
  expect(batched.costUsd).toBe('0.00175')
  expect(prices.priceResponse({ provider: 'openai', response: line, at })).toEqual({ ...batched, model: 'gpt-4o' })
  expect(prices.priceResponse({ ...chat, endpoint: 'batches', response: { usage } }).costUsd).toBe('0.00175')
  expect(prices.priceResponse({ ...chat, response: line, batch: false }).costUsd).toBe(USD)
})

test("Anthropic's stream, its last event, and a line of its batch", () => {
  const anthropic = { provider: 'anthropic', model: 'claude-sonnet-5-5', at }
  const start = {
    type: 'message_start',
    message: { model: 'claude-sonnet-5-5', usage: { input_tokens: 1000, output_tokens: 1 } },
  }
  const delta = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 100 } }
  expect(prices.priceResponse({ ...anthropic, response: [start, delta] }).costUsd).toBe('0.003')
  const merged = { input_tokens: 1000, output_tokens: 100 }
  expect(prices.priceResponse({ ...anthropic, response: { ...delta, usage: merged } }).costUsd).toBe('0.003')
  const message = { type: 'message', model: 'claude-sonnet-5-5', usage: merged }
  const line = { custom_id: 'a', result: { type: 'succeeded', message } }
  expect(prices.priceResponse({ provider: 'anthropic', response: line, at }).costUsd).toBe('0.0015')
  expect(prices.priceResponse({ ...anthropic, response: start })).toMatchObject({
    costSource: 'unpriced',
    flags: ['partial'],
    usageSource: 'partial',
  })
})

test("Google's answer as its client for Python keeps it", () => {
  const google = { provider: 'gemini', model: 'gemini-2.5-flash', at }
  const camel = { promptTokenCount: 1000, candidatesTokenCount: 100, thoughtsTokenCount: 50, totalTokenCount: 1150 }
  const snake = {
    prompt_token_count: 1000,
    candidates_token_count: 100,
    thoughts_token_count: 50,
    total_token_count: 1150,
  }
  const known = prices.priceResponse({ ...google, response: { usageMetadata: camel } })
  expect(known.costUsd).toBe('0.000675')
  expect(prices.priceResponse({ ...google, response: { usage_metadata: snake } }).costUsd).toBe(known.costUsd)
  expect(prices.priceResponse({ ...google, response: { usage: camel } }).costUsd).toBe(known.costUsd)
  expect(
    prices.priceResponse({
      ...google,
      response: [{ candidates: [] }, { usageMetadata: camel, candidates: [{ finishReason: 'STOP' }] }],
    }).costUsd,
  ).toBe(known.costUsd)
})

test('what only the request says: characters, sizes, seconds, memory', () => {
  const openai = { provider: 'openai', at }
  const speech = { ...openai, endpoint: 'audio.speech', response: {} }
  expect(prices.priceResponse({ ...speech, request: { model: 'tts-1', input: 'a'.repeat(4096) } }).costUsd).toBe(
    '0.06144',
  )
  const images = { ...openai, endpoint: 'images', response: { created: 1, data: [{ url: 'x' }, { url: 'y' }] } }
  const request = { model: 'dall-e-3', size: '1024x1792', quality: 'hd' }
  expect(prices.priceResponse({ ...images, request })).toMatchObject({ costUsd: '0.24', variant: '1024x1792/hd' })
  const sandbox = {
    model: 'o4-mini',
    tools: [{ type: 'code_interpreter', container: { type: 'auto', memory_limit: '4g' } }],
  }
  const response = {
    object: 'response',
    model: 'o4-mini',
    output: [{ type: 'code_interpreter_call', container_id: 'c1' }],
    usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 },
  }
  expect(prices.priceResponse({ ...openai, request: sandbox, response }).costUsd).toBe('0.12')
  const video = { provider: 'google', endpoint: 'generateVideos', model: 'veo-3.1-generate-preview', at }
  const made = { name: 'o', done: true, response: { generateVideoResponse: { generatedSamples: [{}] } } }
  expect(
    prices.priceResponse({
      ...video,
      request: { parameters: { durationSeconds: 4, resolution: '4K' } },
      response: made,
    }),
  ).toMatchObject({ costUsd: '2.4', variant: '4k' })
  expect(prices.priceResponse({ ...video, response: made })).toMatchObject({ costUsd: '3.2', costSource: 'estimated' })
})

test('the place decides where it is part of the price, and fees stay as they are', () => {
  const sol = {
    provider: 'openai',
    model: 'gpt-5.6-sol',
    response: {
      usage: { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 },
      tool_usage: { web_search: { num_requests: 1 } },
    },
    at,
  }
  expect(prices.priceResponse(sol).costUsd).toBe('0.016')
  const there = prices.priceResponse({ ...sol, host: 'https://EU.api.openai.com/v1' })
  expect(there).toMatchObject({ costUsd: '0.0166', geo: 'eu' })
  expect(prices.priceResponse({ ...sol, model: 'gpt-4.1', host: 'eu.api.openai.com' }).geo).toBe('eu')
  const opus = { provider: 'anthropic', model: 'claude-opus-5-5', at }
  const here = { input_tokens: 1000, output_tokens: 100 }
  expect(prices.priceResponse({ ...opus, response: here }).costUsd).toBe('0.006')
  expect(prices.priceResponse({ ...opus, response: { ...here, inference_geo: 'us' } }).costUsd).toBe('0.0066')
  const vertex = { provider: 'google', endpoint: 'messages', model: 'claude-opus-5', response: here, at }
  expect(prices.priceResponse({ ...vertex, host: 'aiplatform.googleapis.com' }).geo).toBeUndefined()
  expect(prices.priceResponse({ ...vertex, host: 'europe-west1-aiplatform.googleapis.com' }).geo).toBe('europe-west1')
  expect(prices.priceResponse({ ...vertex, host: 'aiplatform.us.rep.googleapis.com' })).toMatchObject({
    geo: 'us',
    costUsd: '0.00825',
  })
})

test('prices of your own stand over those of the book', async () => {
  const own = await loadPrices({
    prices: [{ provider: 'openai', model: 'gpt-4o*', multiply: '0.9', tenantId: 'acme' }],
  })
  expect(own.priceResponse({ ...chat, response: { usage } }).costUsd).toBe(USD)
  expect(own.priceResponse({ ...chat, response: { usage }, tenantId: 'acme' }).costUsd).toBe('0.00315')
})

test('what the provider says that it charges wins, and is the one line', () => {
  const response = { usage: { ...usage, cost: 0.95 } }
  expect(
    prices.priceResponse({ provider: 'openrouter', model: 'anthropic/claude-opus-4.8', response, at }),
  ).toMatchObject({
    costUsd: '0.95',
    costSource: 'reported',
    lines: [{ bucket: 'reported.cost', quantity: 1, rateUsd: '0.95', per: 1, usd: '0.95' }],
  })
})

describe('what cannot be right is flagged, and never free', () => {
  test.each<[string, Partial<ResponseToPrice>, string | undefined, readonly string[]]>([
    [
      'a total above its parts',
      { response: { usage: { ...usage, total_tokens: 1200 } } },
      '0.0045',
      ['sum:total_tokens'],
    ],
    [
      'more cached than there is',
      { response: { usage: { ...usage, prompt_tokens_details: { cached_tokens: 5000 } } } },
      '0.0085',
      ['subset:prompt_tokens'],
    ],
    [
      'a negative count',
      { response: { usage: { ...usage, completion_tokens: -5 } } },
      undefined,
      ['negative:completion_tokens', 'sum:total_tokens'],
    ],
    [
      'a fraction',
      { response: { usage: { prompt_tokens: 999.5, completion_tokens: 100 } } },
      USD,
      ['fractional:prompt_tokens'],
    ],
    [
      'a string',
      { response: { usage: { prompt_tokens: 'many', completion_tokens: 100 } } },
      undefined,
      ['not-a-count:prompt_tokens'],
    ],
    ['half of a usage', { response: { usage: { prompt_tokens: 1000 } } }, undefined, ['missing:completion_tokens']],
    ['no usage', { response: { model: 'gpt-4o', choices: [] } }, undefined, ['missing:usage']],
    ['an empty object', { response: {} }, undefined, ['missing:usage']],
    ['an error', { response: { error: { message: 'no', code: 'invalid' } } }, undefined, ['missing:usage']],
    [
      "another provider's answer",
      { response: { usageMetadata: { promptTokenCount: 5 } } },
      undefined,
      ['missing:usage'],
    ],
    [
      "another endpoint's usage",
      { response: { usage: { input_tokens: 5, output_tokens: 5 } } },
      undefined,
      ['missing:prompt_tokens', 'missing:completion_tokens'],
    ],
    ['an unknown model', { model: 'gpt-99', response: { usage } }, undefined, []],
    ['a model of 10,000 characters', { model: 'x'.repeat(10_000), response: { usage } }, undefined, []],
    ['an unknown provider', { provider: 'nobody', response: { usage } }, undefined, []],
    ['a time before the first price', { at: '1999-01-01', response: { usage } }, undefined, []],
    ['an unknown tier', { response: { usage, service_tier: 'platinum' } }, undefined, []],
  ])('%s', (_, how, costUsd, flags) => {
    const priced = prices.priceResponse({ ...chat, ...how } as ResponseToPrice)
    expect(priced.costUsd).toBe(costUsd)
    expect(priced.flags.filter((flag) => flags.includes(flag))).toEqual(flags)
    if (costUsd !== undefined) return
    expect(priced).toMatchObject({ costSource: 'unpriced', lines: [] })
    expect(priced.unpriced).toMatch(/^[A-Z].{10,300}\.$/)
  })

  test('numbers that nobody here understands are kept', () => {
    const strange = { ...usage, prompt_tokens_details: { cached_tokens: 0, video_tokens: 40 }, moon_tokens: 7 }
    expect(prices.priceResponse({ ...chat, response: strange }).reported).toEqual({
      moon_tokens: 7,
      'prompt_tokens_details.video_tokens': 40,
    })
  })
})

describe('what is no answer is one clear error', () => {
  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /`answer` to be an object/],
    ['no response', { ...chat }, /`response` to be/],
    ['null', { ...chat, response: null }, /`response` to be/],
    ['a number', { ...chat, response: 7 }, /`response` to be/],
    [
      'text that is no answer',
      { ...chat, response: 'my secret prompt' },
      /`response` to be.*"my secret prompt"|`response` to be/,
    ],
    ['an empty list', { ...chat, response: [] }, /`response` to be/],
    ['a list of numbers', { ...chat, response: [1, 2, 3] }, /`response` to be/],
    ['no provider', { response: { usage } }, /`provider` to be/],
    ['a host that is not known', { host: 'llm.example.com', response: { usage } }, /`host` to be/],
    ['a provider that is no name', { ...chat, provider: 7, response: { usage } }, /`provider` to be/],
    [
      'an endpoint that is not known',
      { ...chat, endpoint: 'poems', response: { usage } },
      /no endpoint `poems` of openai; those known are/,
    ],
    ['a time that is none', { ...chat, at: 'yesterday', response: { usage } }, /`at` to be/],
    ['an invalid Date', { ...chat, at: new Date(Number.NaN), response: { usage } }, /`at` to be/],
    ['a time beyond time', { ...chat, at: 1e300, response: { usage } }, /`at` to be/],
    ['a request that is none', { ...chat, request: 'hello', response: { usage } }, /`request` to be/],
    ['a batch that is neither', { ...chat, batch: 'yes', response: { usage } }, /`batch` to be/],
  ])('%s', async (_, input, message) => {
    const failing = priceResponse(input as ResponseToPrice)
    await expect(failing).rejects.toThrow(message)
    const error = (await failing.catch((cause: unknown) => cause)) as MeterError
    expect(error).toBeInstanceOf(MeterError)
    expect(error.code).toBe('BAD_INPUT' satisfies MeterErrorCode)
  })
})
