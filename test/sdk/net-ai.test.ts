// The net under the AI SDK, which calls the providers without any of their SDKs.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type { LanguageModel } from 'ai'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Emulator, Reply } from '../../src/emulator/index.ts'
import { LimitExceededError } from '../../src/errors.ts'
import { all, billed, billOf, compared, netted } from '../support/net.ts'

const prompt = 'How deep is the sea?'

interface Kit {
  readonly ai: typeof import('ai')
  readonly openai: typeof import('@ai-sdk/openai')
  readonly anthropic: typeof import('@ai-sdk/anthropic')
  readonly google: typeof import('@ai-sdk/google')
}

/** The majors before this one, under the names that tools/sdks gives them, typed as this one: only what they share is used. */
const OTHERS = createRequire(new URL('../../tools/sdks/package.json', import.meta.url))

async function older(major: 5 | 6): Promise<Kit | undefined> {
  const load = async <T>(name: string): Promise<T> =>
    (await import(pathToFileURL(OTHERS.resolve(`ai-${major}${name}`)).href)) as T
  const folder = new URL(`../../tools/sdks/node_modules/ai-${major}-openai`, import.meta.url)
  if (!existsSync(folder)) return undefined
  return {
    ai: await load(''),
    openai: await load('-openai'),
    anthropic: await load('-anthropic'),
    google: await load('-google'),
  }
}

const KITS: readonly (readonly [major: string, kit: Kit])[] = [
  [
    '7',
    {
      ai: await import('ai'),
      openai: await import('@ai-sdk/openai'),
      anthropic: await import('@ai-sdk/anthropic'),
      google: await import('@ai-sdk/google'),
    },
  ],
  ...(await Promise.all(([6, 5] as const).map(async (major) => [String(major), await older(major)] as const))).flatMap(
    ([major, kit]) => (kit ? [[major, kit] as const] : []),
  ),
]

const makers = (kit: Kit) => ({
  openai: ({ openai }: Emulator) => kit.openai.createOpenAI({ baseURL: openai.baseURL, apiKey: 'key' }),
  anthropic: ({ anthropic }: Emulator) =>
    kit.anthropic.createAnthropic({ baseURL: `${anthropic.baseURL}/v1`, apiKey: 'key' }),
  google: ({ google }: Emulator) =>
    kit.google.createGoogleGenerativeAI({ baseURL: `${google.baseURL}/v1beta`, apiKey: 'key' }),
})

type Make = (kit: Kit, to: Emulator) => LanguageModel

const MODELS: readonly (readonly [name: string, endpoint: string, make: Make])[] = [
  ['@ai-sdk/openai chat', 'chat.completions', (kit, to) => makers(kit).openai(to).chat('gpt-4o')],
  ['@ai-sdk/openai responses', 'responses', (kit, to) => makers(kit).openai(to).responses('gpt-5')],
  ['@ai-sdk/anthropic', 'messages', (kit, to) => makers(kit).anthropic(to)('claude-sonnet-4-6')],
  ['@ai-sdk/google', 'generateContent', (kit, to) => makers(kit).google(to)('gemini-2.5-flash')],
]

/** All parts of a stream: 7 calls them `stream`. */
function partsOf(result: { readonly stream?: unknown; readonly fullStream?: unknown }) {
  return (result.stream ?? result.fullStream) as AsyncIterable<{ readonly type: string }>
}

/** What a result says, without times and the echo of the request. */
function told({ text, usage, finishReason }: { text: unknown; usage: unknown; finishReason: unknown }): object {
  return { text, usage, finishReason }
}

describe.each(
  KITS.flatMap(([major, kit]) => MODELS.map(([name, endpoint, make]) => [major, name, endpoint, kit, make] as const)),
)('ai %s, %s', (_major, _name, endpoint, kit, make) => {
  const { generateObject, generateText, stepCountIs, streamText, tool } = kit.ai
  const model = (to: Emulator) => make(kit, to)

  test('generateText is one event, as the provider bills it', async () => {
    const { plain, metered, recorded, emulator } = await compared(
      async (to) => told(await generateText({ model: model(to), prompt })),
      [{ text: 'Deep.', cachedTokens: 3 }],
    )
    expect(metered).toEqual(plain)
    expect(billed(recorded)).toEqual(billOf(emulator))
    expect(recorded).toMatchObject([{ tenantId: 'acme', endpoint, usageSource: 'reported', cachedTokens: 3 }])
  })

  test('streamText gives the same parts, and is one event', async () => {
    const { plain, metered, recorded, emulator } = await compared(
      async (to) => {
        const result = streamText({ model: model(to), prompt })
        const parts = (await all(partsOf(result))).map(({ type }) => type)
        return {
          parts,
          ...told({ text: await result.text, usage: await result.usage, finishReason: await result.finishReason }),
        }
      },
      [{ text: 'Very deep, and blue.' }],
    )
    expect(metered).toEqual(plain)
    expect(billed(recorded)).toEqual(billOf(emulator))
    expect(recorded).toMatchObject([{ tenantId: 'acme', endpoint, stream: true, usageSource: 'reported' }])
  })

  const TOOLS: readonly Reply[] = [
    { toolCalls: [{ name: 'depth', args: { place: 'Oslo' } }] },
    { toolCalls: [{ name: 'depth', args: { place: 'Bergen' } }] },
    { text: 'Deep, both of them.' },
  ]
  const tools = {
    depth: tool({ inputSchema: z.object({ place: z.string() }), execute: ({ place }) => `${place}: 383 m` }),
  }

  test('tools in several steps are one event a step, for the same tenant', async () => {
    const steps = { tools, prompt, stopWhen: stepCountIs(5) }
    const { plain, metered, recorded, emulator } = await compared(
      async (to) => told(await generateText({ model: model(to), ...steps })),
      TOOLS,
    )
    expect(metered).toEqual(plain)
    expect(recorded.map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme', 'acme'])
    expect(billed(recorded)).toEqual(billOf(emulator))
    const streamed = await compared(async (to) => streamText({ model: model(to), ...steps }).text, TOOLS)
    expect(streamed.metered).toEqual(streamed.plain)
    expect(streamed.recorded.map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme', 'acme'])
    expect(billed(streamed.recorded)).toEqual(billOf(streamed.emulator))
  })

  test('an object is one event', async () => {
    const schema = z.object({ metres: z.number() })
    const { plain, metered, recorded, emulator } = await compared(
      async (to) => {
        try {
          return (await generateObject({ model: model(to), prompt, schema })).object
        } catch (error) {
          return (error as Error).name
        }
      },
      [{ text: '{"metres":383}' }],
    )
    expect(metered).toEqual(plain)
    expect(billed(recorded)).toEqual(billOf(emulator))
  })

  test('each try of the framework is an exchange of its own', async () => {
    const net = await netted(undefined, [{ status: 503, headers: { 'retry-after-ms': '1' } }, { text: 'Deep.' }])
    await net.meter.forTenant('acme', () => generateText({ model: model(net.emulator), prompt }))
    expect(await net.events()).toMatchObject([
      { error: 'http_503', usageSource: 'absent', tenantId: 'acme' },
      { usageSource: 'reported', tenantId: 'acme' },
    ])
  })

  test('a stream that is left early, or aborted, is counted as far as it is known', async () => {
    const reply: Reply = { text: 'one two three four five six seven eight', msBetweenEvents: 5, times: 2 }
    const net = await netted({}, [reply])
    const left = streamText({ model: model(net.emulator), prompt })
    for await (const _part of left.textStream) break
    const controller = new AbortController()
    const aborted = streamText({
      model: model(net.emulator),
      prompt,
      abortSignal: controller.signal,
      onError: () => {},
    })
    for await (const _part of aborted.textStream) controller.abort()
    await net.emulator.until(
      () => net.emulator.requests.length === 2 && net.emulator.requests.every(({ ended }) => ended),
    )
    await net.meter.close()
    const events = await net.events()
    expect(events).toHaveLength(2)
    for (const event of events) expect(event.usage).toBeDefined()
    expect(events.some(({ error }) => error === 'aborted')).toBe(true)
  })

  test('a refusal reaches the application through the errors of the framework, and nothing is sent or tried again', async () => {
    const net = await netted()
    await net.meter.setLimit('acme', { usd: 0 })
    const refused = await net.meter
      .forTenant('acme', () => generateText({ model: model(net.emulator), prompt }))
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'AI_APICallError', statusCode: 402, isRetryable: false })
    expect((refused as Error).message).toContain('limit of $0')
    expect(LimitExceededError.from(refused)).toMatchObject({ tenantId: 'acme', limitUsd: '0' })
    let streamError: unknown
    const stream = net.meter.forTenant('acme', () =>
      streamText({ model: model(net.emulator), prompt, onError: ({ error }) => void (streamError = error) }),
    )
    await stream.consumeStream()
    expect(LimitExceededError.from(streamError)).toMatchObject({ tenantId: 'acme' })
    expect(net.emulator.requests).toEqual([])
    expect(net.meter.stats().refused).toBe(2)
  })
})

describe.each(KITS)('ai %s', (_, kit) => {
  const { embed, embedMany, generateText } = kit.ai

  test('embed and embedMany are metered', async () => {
    const { recorded, emulator, plain, metered } = await compared(async (to) => {
      const openai = makers(kit).openai(to).textEmbeddingModel('text-embedding-3-small')
      const google = makers(kit).google(to).textEmbeddingModel('gemini-embedding-001')
      const one = await embed({ model: openai, value: 'the sea' })
      const many = await embedMany({ model: openai, values: ['the sea', 'the sky'] })
      const other = await embed({ model: google, value: 'the sea' })
      return [one.usage, many.usage, one.embedding, many.embeddings, other.embedding]
    })
    expect(metered).toEqual(plain)
    expect(recorded).toHaveLength(3)
    expect(billed(recorded.slice(0, 2))).toEqual(billOf(emulator).slice(0, 2))
    expect(recorded.map(({ provider }) => provider)).toEqual(['openai', 'openai', 'google'])
  })

  test('two tenants at once keep their calls apart', async () => {
    const net = await netted()
    const model = makers(kit).openai(net.emulator).chat('gpt-4o')
    const ask = (tenant: string) => net.meter.forTenant(tenant, () => generateText({ model, prompt: tenant }))
    await Promise.all(['acme', 'zeta', 'acme', 'zeta'].map(ask))
    const tenants = (await net.events()).map(({ tenantId }) => tenantId ?? '')
    expect(tenants.toSorted((a, b) => a.localeCompare(b))).toEqual(['acme', 'acme', 'zeta', 'zeta'])
  })
})
