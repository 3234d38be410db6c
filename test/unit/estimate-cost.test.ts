// What a call may cost before it is made: the ceiling, what is expected, and what has no bound.

import { beforeAll, describe, expect, test } from 'vitest'
import { type EstimateInput, estimateCost } from '../../src/call/estimate.ts'
import { createExperience } from '../../src/call/experience.ts'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { anthropic } from '../../src/providers/anthropic.ts'
import { google } from '../../src/providers/google.ts'
import { openai } from '../../src/providers/openai.ts'
import type { Json, Provider } from '../../src/providers/provider.ts'

const AT = Date.UTC(2026, 10, 22)
let book: PriceBook
beforeAll(async () => {
  book = await loadPriceBook()
})

const PATHS: Readonly<Record<string, string>> = {
  'chat.completions': '/v1/chat/completions',
  responses: '/v1/responses',
  embeddings: '/v1/embeddings',
  'images.generate': '/v1/images/generations',
  'audio.speech': '/v1/audio/speech',
  'audio.transcriptions': '/v1/audio/transcriptions',
  videos: '/v1/videos',
  messages: '/v1/messages',
  generateContent: '/v1beta/models/gemini-2.5-flash:generateContent',
}

function estimate(
  provider: Provider,
  endpoint: string,
  body: Json,
  {
    experience = createExperience(),
    ...over
  }: Partial<EstimateInput> & { experience?: ReturnType<typeof createExperience> } = {},
) {
  const route = provider.routes.find((one) => one.endpoint === endpoint && one.method !== 'socket' && !one.isFollowUp)!
  return estimateCost(book, experience, {
    provider: provider.name,
    host: '127.0.0.1',
    tenantId: 'acme',
    endpoint,
    isTextless: route.isTextless === true,
    at: AT,
    facts: route.request(body, PATHS[endpoint]!, false),
    body: () => body,
    prompt: () => route.prompt(body),
    ...over,
  })
}

const chat = (body: Json = {}, over = {}) =>
  estimate(openai, 'chat.completions', { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }], ...body }, over)

// $2.50 a million for input and $10 for output; a prompt of two bytes is at most 64 tokens with its frame.
const INPUT = 64n * 2_500_000n
const TOKEN = 10_000_000n

describe('what a call may cost', () => {
  test('is bounded by the output that its request allows', () => {
    const { ceiling, expected, isBound, unbounded } = chat({ max_tokens: 100 })!
    expect(ceiling).toBe(100n * TOKEN + INPUT)
    expect(expected).toBe(100n * TOKEN + INPUT / 2n)
    expect(isBound).toBe(true)
    expect(unbounded).toEqual([])
  })

  test('is bounded by the longest output of the model where it sets no cap, for each of the answers', () => {
    const longest = BigInt(book.maxOutputTokens({ provider: 'openai', model: 'gpt-4o', at: AT }) ?? 128_000)
    expect(chat()!.ceiling).toBe(longest * TOKEN + INPUT)
    expect(chat({ n: 3 })!.ceiling).toBe(3n * longest * TOKEN + INPUT)
    expect(chat({ n: 3, max_completion_tokens: 10 })!.ceiling).toBe(30n * TOKEN + INPUT)
  })

  test('is the dearer of the tier that is asked for and the one that may serve it', () => {
    const standard = chat({ max_tokens: 100 })!
    for (const tier of ['flex', 'priority', 'auto', 'no-such-tier'])
      expect(chat({ max_tokens: 100, service_tier: tier })!.ceiling).toBeGreaterThanOrEqual(standard.ceiling)
    expect(chat({ max_tokens: 100, service_tier: 'priority' })!.ceiling).toBeGreaterThan(standard.ceiling)
  })

  test('counts the definitions of tools as input', () => {
    const tools = [{ type: 'function', function: { name: 'weather', description: 'x'.repeat(1000), parameters: {} } }]
    expect(chat({ max_tokens: 1, tools })!.ceiling - chat({ max_tokens: 1 })!.ceiling).toBeGreaterThan(
      1000n * 2_500_000n,
    )
  })

  test('is the dearest of the models that may answer', () => {
    const alone = chat({ model: 'gpt-4o-mini', max_tokens: 100 })!
    const others = chat({ model: 'gpt-4o-mini', models: ['gpt-4o'], max_tokens: 100 })!
    expect(others.ceiling).toBe(chat({ max_tokens: 100 })!.ceiling)
    expect(others.ceiling).toBeGreaterThan(alone.ceiling)
  })

  test('has the premium of a cache write where the request asks for one', () => {
    const block = (cache_control?: object) => ({
      ...{ model: 'claude-sonnet-5', max_tokens: 1 },
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'x'.repeat(1000), ...(cache_control && { cache_control }) }] },
      ],
    })
    const plain = estimate(anthropic, 'messages', block())!.ceiling
    const short = estimate(anthropic, 'messages', block({ type: 'ephemeral' }))!.ceiling
    const long = estimate(anthropic, 'messages', block({ type: 'ephemeral', ttl: '1h' }))!.ceiling
    expect(short).toBeGreaterThan(plain)
    expect(long).toBeGreaterThan(short)
  })

  test('of images is the most that their model makes of one', () => {
    const content = (detail?: string) => [{ type: 'image_url', image_url: { url: 'https://x.test/a.png', detail } }]
    const asked = (detail?: string) => chat({ max_tokens: 1, messages: [{ role: 'user', content: content(detail) }] })!
    const none = chat({ max_tokens: 1, messages: [{ role: 'user', content: [] }] })!.ceiling
    expect(asked().isBound).toBe(true)
    expect(asked().ceiling - none).toBeGreaterThanOrEqual(1445n * 2_500_000n)
    expect(asked('low').ceiling - none).toBeGreaterThanOrEqual(85n * 2_500_000n)
    expect(asked('low').ceiling).toBeLessThan(asked().ceiling)
  })

  test('of a model without a price is not known', () => {
    expect(chat({ model: 'my-own-model' })).toBeUndefined()
  })

  test('by units: characters, images, seconds', () => {
    const speech = estimate(openai, 'audio.speech', { model: 'tts-1', input: 'x'.repeat(1000), voice: 'alloy' })
    // $15 a million characters.
    if (speech) expect(speech.ceiling).toBeGreaterThanOrEqual(1000n * 15_000_000n)
    expect(speech?.isBound ?? true).toBe(true)
    const spoken = estimate(openai, 'audio.speech', { model: 'gpt-4o-mini-tts', input: 'Hi', voice: 'alloy' })
    expect(spoken?.isBound ?? false).toBe(false)
  })
})

describe('a closer ceiling', () => {
  const prose = 'The sea is deep, and nobody has seen the whole of its floor. '.repeat(100)

  test('counts the tokens of a model whose encoding is published', async () => {
    const told: number[] = []
    const counted = (tokens: number) => void told.push(tokens)
    const wide = chat({ max_tokens: 1, messages: [{ role: 'user', content: prose }] }, { counted })!
    expect(told).toEqual([])
    const close = await wide.tighten!()
    expect(close.ceiling).toBeLessThan(wide.ceiling / 3n)
    // 13 tokens and a space a sentence: 1,400 tokens and the frame.
    expect(close.ceiling).toBeGreaterThan(1400n * 2_500_000n)
    expect(told).toHaveLength(1)
    expect(told[0]).toBeGreaterThan(1300)
    expect(close.isBound).toBe(true)
  })

  test('is not to be had where nobody has published how a model counts', () => {
    expect(chat({ model: 'gpt-6-sol', max_tokens: 1 })!.tighten).toBeUndefined()
    const claude = { model: 'claude-sonnet-5', max_tokens: 1, messages: [{ role: 'user', content: prose }] }
    expect(estimate(anthropic, 'messages', claude)!.tighten).toBeUndefined()
  })
})

describe('what has no bound says so', () => {
  const hi = [{ role: 'user', content: 'Hi' }]
  const inlined = (mimeType: string) => ({ contents: [{ parts: [{ inlineData: { mimeType, data: 'AAAA' } }] }] })
  const files = { contents: [{ parts: [{ fileData: { mimeType: 'video/mp4', fileUri: 'https://x.test/a' } }] }] }
  const claude = { model: 'claude-sonnet-5', max_tokens: 1, messages: hi }
  const document = (source: object) => ({
    ...claude,
    messages: [{ role: 'user', content: [{ type: 'document', source }] }],
  })

  test.each([
    ['a stored conversation', openai, 'responses', { previous_response_id: 'resp_1' }, ['stored conversation']],
    ['a conversation', openai, 'responses', { conversation: 'conv_1' }, ['stored conversation']],
    ['a stored prompt', openai, 'responses', { prompt: { id: 'pmpt_1' } }, ['stored prompt']],
    ['work in the background', openai, 'responses', { background: true }, ['background']],
    ['a search', openai, 'responses', { tools: [{ type: 'web_search' }] }, ['tool web_search without max_tool_calls']],
    [
      'code',
      openai,
      'responses',
      { tools: [{ type: 'code_interpreter' }], max_tool_calls: 2 },
      ['tool code_interpreter'],
    ],
    [
      'a file',
      openai,
      'responses',
      { input: [{ role: 'user', content: [{ type: 'input_file', file_id: 'f' }] }] },
      ['file'],
    ],
    ['an earlier item', openai, 'responses', { input: [{ type: 'item_reference', id: 'i' }] }, ['stored item']],
    ['a search in a chat', openai, 'chat.completions', { messages: hi, web_search_options: {} }, ['web search']],
    [
      'a search of Claude',
      anthropic,
      'messages',
      { ...claude, tools: [{ type: 'web_search_20250305', name: 'w' }] },
      ['tool web_search_20250305 without max_uses'],
    ],
    [
      'a page that Claude fetches',
      anthropic,
      'messages',
      { ...claude, tools: [{ type: 'web_fetch_20250910', max_uses: 1 }] },
      ['tool web_fetch_20250910'],
    ],
    [
      'a server of tools',
      anthropic,
      'messages',
      { ...claude, mcp_servers: [{ url: 'https://x.test' }] },
      ['mcp servers'],
    ],
    [
      'a PDF',
      anthropic,
      'messages',
      document({ type: 'base64', media_type: 'application/pdf', data: 'AAAA' }),
      ['document'],
    ],
    ['a remote document', anthropic, 'messages', document({ type: 'url', url: 'https://x.test/a.pdf' }), ['document']],
    ['a cache', google, 'generateContent', { cachedContent: 'cachedContents/1' }, ['cached content']],
    ['grounding', google, 'generateContent', { tools: [{ googleSearch: {} }] }, ['tool googleSearch']],
    ['a video', google, 'generateContent', inlined('video/mp4'), ['length of the video']],
    ['a remote video', google, 'generateContent', files, ['length of the video']],
  ] as const)('%s', (_, provider, endpoint, body, reasons) => {
    const capped = {
      model: 'gpt-4o',
      max_output_tokens: 1,
      max_tokens: 1,
      ...{ generationConfig: { maxOutputTokens: 1 } },
    }
    const { isBound, unbounded } = estimate(provider as Provider, endpoint, { ...capped, ...body } as Json)!
    expect(unbounded).toEqual(reasons)
    expect(isBound).toBe(false)
  })

  test.each([
    ['sound that may be silence', google, 'generateContent', inlined('audio/flac'), ['length of the audio']],
    ['sound in Ogg', google, 'generateContent', inlined('audio/ogg; codecs=opus'), ['length of the audio']],
    [
      'what was said aloud before',
      openai,
      'chat.completions',
      { messages: [...hi, { role: 'assistant', audio: { id: 'audio_1' } }] },
      ['stored sound'],
    ],
  ] as const)('%s', (_, provider, endpoint, body, reasons) => {
    const capped = { model: 'gpt-4o', max_tokens: 1, generationConfig: { maxOutputTokens: 1 } }
    const { isBound, unbounded } = estimate(provider as Provider, endpoint, { ...capped, ...body } as unknown as Json)!
    expect(unbounded).toEqual(reasons)
    expect(isBound).toBe(false)
  })

  test('an image of a model that bills text besides', () => {
    const body = { model: 'gpt-image-1.5', prompt: 'A cat', quality: 'high', size: '1024x1024' }
    expect(estimate(openai, 'images.generate', body)!.unbounded).toContain('how large the images are')
    expect(estimate(openai, 'images.generate', { ...body, model: 'gpt-image-1-mini' })!.isBound).toBe(true)
  })

  test.each([
    [
      'an image of Claude',
      anthropic,
      'messages',
      {
        ...claude,
        messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'https://x.test/a' } }] }],
      },
    ],
    [
      'a document of text',
      anthropic,
      'messages',
      document({ type: 'text', media_type: 'text/plain', data: 'x'.repeat(500) }),
    ],
    [
      'a search with a cap',
      anthropic,
      'messages',
      { ...claude, tools: [{ type: 'web_search_20250305', name: 'w', max_uses: 2 }] },
    ],
    [
      'searches with a cap',
      openai,
      'responses',
      { model: 'gpt-4o', max_output_tokens: 1, input: 'Hi', tools: [{ type: 'web_search' }], max_tool_calls: 2 },
    ],
    [
      'an image of Gemini',
      google,
      'generateContent',
      { ...inlined('image/png'), generationConfig: { maxOutputTokens: 1 } },
    ],
    [
      'sound of Gemini',
      google,
      'generateContent',
      { ...inlined('audio/mp3'), generationConfig: { maxOutputTokens: 1 } },
    ],
  ] as const)('%s is bounded, and dearer than without', (_, provider, endpoint, body) => {
    const { isBound, ceiling } = estimate(provider as Provider, endpoint, body as unknown as Json)!
    expect(isBound).toBe(true)
    const { messages, contents, tools, input, ...rest } = body as Json
    expect(ceiling).toBeGreaterThan(estimate(provider as Provider, endpoint, rest as Json)!.ceiling)
  })

  test('no request makes it throw', () => {
    const odd = [undefined, null, 7, 'x', [], [null], {}, [{ content: 7 }], [{ content: [null, 7, {}] }]]
    for (const [provider, endpoint] of [
      [openai, 'chat.completions'],
      [openai, 'responses'],
      [anthropic, 'messages'],
      [google, 'generateContent'],
    ] as const)
      for (const value of odd) {
        const body = { model: 'gpt-4o', ...Object.fromEntries(FIELDS.map((field) => [field, value])) }
        expect(() => estimate(provider, endpoint, body)).not.toThrow()
      }
  })
})

const FIELDS = [
  ...['messages', 'input', 'contents', 'system', 'tools', 'generationConfig', 'systemInstruction', 'modalities', 'n'],
  ...['models', 'max_tool_calls', 'mcp_servers', 'fallbacks', 'container', 'cache_control', 'output_config'],
]

describe('what is expected', () => {
  const lesson = { tenantId: 'acme', endpoint: 'chat.completions', model: 'gpt-4o', outputTokens: 200 }

  test('is what such calls gave as a rule, before there are enough of them', () => {
    const experience = createExperience()
    expect(chat({}, { experience })!.expected).toBe(1000n * TOKEN + INPUT / 2n)
    experience.learn({ ...lesson, cost: 5_000_000n })
    expect(chat({}, { experience })!.expected).toBe(200n * TOKEN + INPUT / 2n)
  })

  test('is what 95 of 100 of the tenant stayed below, and everybody while it has made too few', () => {
    const experience = createExperience()
    for (let call = 1; call <= 100; call++) experience.learn({ ...lesson, cost: BigInt(call) * 1_000_000_000n })
    const own = chat({}, { experience })!.expected
    expect(own).toBeGreaterThanOrEqual(95_000_000_000n)
    expect(own).toBeLessThanOrEqual(105_000_000_000n)
    expect(chat({}, { experience, tenantId: 'newcomer' })!.expected).toBe(own)
    for (let call = 0; call < 20; call++) experience.learn({ ...lesson, tenantId: 'small', cost: 2_000_000_000n })
    expect(chat({}, { experience, tenantId: 'small' })!.expected).toBeLessThan(2_200_000_000n)
  })

  test('is never above the ceiling, nor below what its own prompt comes to', () => {
    const experience = createExperience()
    for (let call = 0; call < 20; call++) experience.learn({ ...lesson, cost: 1_000_000_000_000n })
    const small = chat({ max_tokens: 5 }, { experience })!
    expect(small.expected).toBe(small.ceiling)
    const poor = createExperience()
    for (let call = 0; call < 20; call++) poor.learn({ ...lesson, cost: 1000n })
    const long = { messages: [{ role: 'user', content: 'word '.repeat(10_000) }] }
    expect(chat(long, { experience: poor })!.expected).toBeGreaterThan(12_500n * 2_500_000n)
  })
})
