// The ceiling of a call is a bound: whatever a provider bills for a request, it was no more than was said before.

import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { estimateCost } from '../../src/call/estimate.ts'
import { createExperience } from '../../src/call/experience.ts'
import { type Emulator, type Reply, startEmulator } from '../../src/emulator/index.ts'
import { parseUsd } from '../../src/money.ts'
import type { PriceBook } from '../../src/pricing/price.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { anthropic } from '../../src/providers/anthropic.ts'
import { google } from '../../src/providers/google.ts'
import { openai } from '../../src/providers/openai.ts'
import type { Json, Provider, Route } from '../../src/providers/provider.ts'
import { BUCKETS, type Bucket, type Usage } from '../../src/usage.ts'

let book: PriceBook
let emulator: Emulator
beforeAll(async () => {
  ;[book, emulator] = await Promise.all([loadPriceBook(), startEmulator()])
})
afterAll(() => emulator.close())

interface Asked {
  readonly provider: Provider
  readonly endpoint: string
  readonly path: string
  readonly body: Json
  /** What the provider may make of it. */
  readonly reply: Reply
}

function routeOf({ provider, endpoint }: Asked): Route {
  return provider.routes.find((one) => one.endpoint === endpoint && one.method !== 'socket' && !one.isFollowUp)!
}

function estimateOf(asked: Asked) {
  const { provider, endpoint, path, body } = asked
  const route = routeOf(asked)
  return estimateCost(book, createExperience(), {
    provider: provider.name,
    host: '127.0.0.1',
    tenantId: 'acme',
    endpoint,
    isTextless: route.isTextless === true,
    at: Date.now(),
    facts: route.request(body, path, false),
    body: () => body,
    prompt: () => route.prompt(body),
  })
}

async function billOf({ provider, path, body, reply }: Asked): Promise<bigint> {
  emulator.reply(reply)
  const before = emulator.bill().lines.length
  const { origin } = new URL(emulator[provider.name as 'openai' | 'anthropic' | 'google'].baseURL)
  const response = await fetch(`${origin}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer key', 'x-api-key': 'key' },
    body: JSON.stringify(body),
  })
  await response.text()
  expect(response.status).toBe(200)
  const lines = emulator.bill().lines.slice(before)
  expect(lines).toHaveLength(1)
  expect(lines[0]!.usd).toBeDefined()
  return parseUsd(lines[0]!.usd!)!
}

const text = fc.oneof(
  fc.string({ minLength: 1, maxLength: 300 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 300 }),
  fc.constantFrom('Hi', '的'.repeat(500), 'word '.repeat(2000), '<|endoftext|>'),
)
const cap = fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined })
const share = fc.double({ min: 0, max: 1, noNaN: true })

/** Any part of what the texts can come to: as many tokens as bytes, and four around each message. */
function replyOf(
  texts: readonly string[],
  media: number,
  shares: readonly [number, number, number],
  output: number,
): Reply {
  const most = texts.reduce((sum, one) => sum + Buffer.byteLength(one) + 4, 3) + media
  const inputTokens = Math.max(1, Math.floor(most * shares[0]))
  const cachedTokens = Math.floor(inputTokens * shares[1])
  return { inputTokens, cachedTokens, outputTokens: output, reasoningTokens: Math.floor(output * shares[2]) }
}

/** What the largest image that is let in was billed at. */
const LARGEST_IMAGE: Readonly<Record<string, number>> = {
  'gpt-4o': 1445,
  'gpt-4o-mini': 48_169,
  'gpt-4.1': 1445,
  'gpt-5': 1190,
  'gpt-5-nano': 3779,
  'gpt-6-sol': 36_000,
}

const described = (name: string) => ({ name, description: 'Says what the weather is.', parameters: { type: 'object' } })

const chats: fc.Arbitrary<Asked> = fc
  .record({
    model: fc.constantFrom(...Object.keys(LARGEST_IMAGE)),
    texts: fc.array(text, { minLength: 1, maxLength: 5 }),
    cap,
    n: fc.constantFrom(undefined, 1, 3),
    tools: fc.boolean(),
    images: fc.nat(2),
    tier: fc.constantFrom(undefined, 'default', 'flex'),
    shares: fc.tuple(share, share, share),
    output: fc.integer({ min: 1, max: 4000 }),
  })
  .map(({ model, texts, cap: most, n, tools, images, tier, shares, output }) => {
    const media = Array.from({ length: images }, () => ({
      type: 'image_url',
      image_url: { url: 'https://x.test/a.png' },
    }))
    const messages = texts.map((content) => ({ role: 'user', content: [{ type: 'text', text: content }, ...media] }))
    const all = tools ? [...texts, 'weather', 'Says what the weather is.'] : texts
    const imageTokens = texts.length * images * LARGEST_IMAGE[model]!
    // Only GPT-5 has a row for flex in the emulator's list.
    const served = model === 'gpt-5' ? tier : undefined
    return {
      provider: openai,
      endpoint: 'chat.completions',
      path: '/v1/chat/completions',
      body: {
        ...{ model, messages, n, max_completion_tokens: most, service_tier: served },
        ...(tools && { tools: [{ type: 'function', function: described('weather') }] }),
      },
      reply: {
        ...replyOf(all, imageTokens, shares, output),
        ...(served && { serviceTier: served }),
      },
    }
  })

const responses: fc.Arbitrary<Asked> = fc
  .record({
    model: fc.constantFrom('gpt-4o', 'gpt-5', 'gpt-5-mini', 'gpt-6-luna'),
    input: text,
    instructions: text,
    cap,
    searches: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
    shares: fc.tuple(share, share, share),
    output: fc.integer({ min: 1, max: 4000 }),
  })
  .map(({ model, input, instructions, cap: most, searches, shares, output }) => ({
    provider: openai,
    endpoint: 'responses',
    path: '/v1/responses',
    body: {
      ...{ model, input, instructions, max_output_tokens: most },
      ...(searches !== undefined && { tools: [{ type: 'web_search' }], max_tool_calls: searches }),
    },
    reply: {
      ...replyOf([input, instructions], (searches ?? 0) * 100_000, shares, output),
      ...(searches && { webSearches: searches }),
    },
  }))

const messages: fc.Arbitrary<Asked> = fc
  .record({
    model: fc.constantFrom('claude-opus-5', 'claude-sonnet-5', 'claude-haiku-4-5', 'claude-opus-5-5'),
    texts: fc.array(text, { minLength: 1, maxLength: 4 }),
    most: fc.integer({ min: 1, max: 5000 }),
    cache: fc.constantFrom(undefined, '5m', '1h'),
    images: fc.nat(2),
    searches: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
    shares: fc.tuple(share, share, share),
    output: fc.integer({ min: 1, max: 4000 }),
  })
  .map(({ model, texts, most, cache, images, searches, shares, output }) => {
    const cacheControl = cache && { cache_control: { type: 'ephemeral', ttl: cache } }
    const source = { type: 'url', url: 'https://x.test/a.png' }
    const media = Array.from({ length: images }, () => ({ type: 'image', source }))
    const { cachedTokens = 0, ...reply } = replyOf(texts, texts.length * images * 4784, shares, output)
    return {
      provider: anthropic,
      endpoint: 'messages',
      path: '/v1/messages',
      body: {
        ...{ model, max_tokens: most },
        messages: texts.map((content) => ({
          role: 'user',
          content: [{ type: 'text', text: content, ...cacheControl }, ...media],
        })),
        ...(searches && { tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: searches }] }),
      },
      reply: {
        ...reply,
        ...(cache === undefined && { cachedTokens }),
        ...(cache === '5m' && { cacheWriteTokens: cachedTokens }),
        ...(cache === '1h' && { cacheWrite1hTokens: cachedTokens }),
        ...(searches && { webSearches: searches }),
      },
    }
  })

const contents: fc.Arbitrary<Asked> = fc
  .record({
    model: fc.constantFrom('gemini-2.5-flash', 'gemini-2.5-pro', 'gemini-3.1-pro-preview'),
    texts: fc.array(text, { minLength: 1, maxLength: 4 }),
    cap,
    images: fc.nat(2),
    shares: fc.tuple(share, share, share),
    output: fc.integer({ min: 1, max: 4000 }),
  })
  .map(({ model, texts, cap: most, images, shares, output }) => {
    const media = Array.from({ length: images }, () => ({ inlineData: { mimeType: 'image/png', data: 'AAAA' } }))
    return {
      provider: google,
      endpoint: 'generateContent',
      path: `/v1beta/models/${model}:generateContent`,
      body: {
        contents: texts.map((one) => ({ role: 'user', parts: [{ text: one }, ...media] })),
        ...(most && { generationConfig: { maxOutputTokens: most } }),
      },
      reply: replyOf(texts, texts.length * images * (model.startsWith('gemini-3') ? 2240 : 2048), shares, output),
    }
  })

describe('no bill of the emulator passes the ceiling', () => {
  test.each([
    ['chats', chats],
    ['responses', responses],
    ['messages', messages],
    ['contents', contents],
  ] as const)('of random %s', async (_, requests) => {
    await fc.assert(
      fc.asyncProperty(requests, async (asked) => {
        const { ceiling, expected, isBound, tighten } = estimateOf(asked)!
        const billed = await billOf(asked)
        expect(isBound).toBe(true)
        expect(ceiling).toBeGreaterThanOrEqual(billed)
        expect(expected).toBeLessThanOrEqual(ceiling)
        if (tighten) expect((await tighten()).ceiling).toBeLessThanOrEqual(ceiling)
      }),
      { numRuns: 60 },
    )
  })
})

interface Case {
  readonly id: string
  readonly provider: string
  readonly model: string
  readonly priced_at: string
  readonly context: Readonly<Record<string, unknown>>
  readonly usage: Readonly<Partial<Record<'speed' | 'service_tier' | 'trafficType' | 'inference_geo', string>>>
  readonly expected_lines: readonly { readonly bucket: string; readonly quantity: number }[]
  readonly expected_usd: string
}

const FOLDER = new URL('../fixtures/pricing/', import.meta.url)
const known = new Set<string>(BUCKETS)
const cases = readdirSync(FOLDER)
  .flatMap((file) => (JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as { cases: Case[] }).cases)
  // What decides the price besides the quantities stands in the answer alone.
  .filter(
    ({ context, expected_lines }) =>
      Object.keys(context).length === 0 && expected_lines.every(({ bucket }) => known.has(bucket)),
  )

describe('no worked case passes the ceiling of its size', () => {
  test('there are some', () => {
    expect(cases.length).toBeGreaterThan(20)
  })

  test.each(cases.map((one) => [one.id, one] as const))('%s', (_, one) => {
    const units: { [B in Bucket]?: number } = {}
    let [inputTokens, outputTokens] = [0, 0]
    for (const { bucket, quantity } of one.expected_lines) {
      if (bucket.startsWith('input.text')) inputTokens += quantity
      else if (bucket === 'output.text' || bucket === 'output.reasoning') outputTokens += quantity
      else units[bucket as Bucket] = (units[bucket as Bucket] ?? 0) + quantity
    }
    const { speed, service_tier: tier, trafficType, inference_geo: geo } = one.usage
    const query = {
      ...{ provider: one.provider, model: one.model, at: Date.parse(one.priced_at) },
      serviceTier: speed === 'fast' ? speed : (tier ?? trafficType),
      geo: geo === 'us' ? geo : undefined,
    }
    const ceiling = book.ceiling({ inputTokens, outputTokens, units: units as Usage }, query)
    expect(ceiling).toBeDefined()
    expect(ceiling).toBeGreaterThanOrEqual(parseUsd(one.expected_usd)!)
  })
})
