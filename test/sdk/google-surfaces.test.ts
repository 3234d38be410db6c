// Every surface of Google through its real SDK against the emulator: one event an exchange, with the emulator's own
// numbers, the tenant's name, and an answer that is the same as without a meter.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { GoogleGenAI } from '@google/genai'
import { describe, expect, test } from 'vitest'
import type { Reply } from '../../src/emulator/index.ts'
import { billedByModel, meteredByModel } from '../support/bill.ts'
import { all, compared, type Sdk, staged } from '../support/surface-stage.ts'

const require = createRequire(new URL('../apps/next/package.json', import.meta.url))
const file = require.resolve('@google/genai').replace(/[^/]+$/, 'index.mjs')
const next = (await import(pathToFileURL(file).href)) as typeof import('@google/genai')

function sdkOf(Client: typeof GoogleGenAI, vertexai: boolean): Sdk<GoogleGenAI> {
  return {
    provider: 'google',
    module: Client,
    client: (emulator) => new Client({ apiKey: 'key', vertexai, httpOptions: { baseUrl: emulator.google.baseURL } }),
  }
}

const COPIES: readonly (readonly [string, typeof GoogleGenAI])[] = [
  ['2.32', GoogleGenAI],
  ['3.1', next.GoogleGenAI],
]

const model = 'gemini-2.5-flash'
const contents = 'How deep is the sea?'
const RICH: Reply = {
  text: 'Deep.',
  inputTokens: 900,
  cachedTokens: 300,
  audioInputTokens: 100,
  outputTokens: 80,
  reasoningTokens: 60,
}
const weather = {
  tool: async () => ({
    functionDeclarations: [{ name: 'weather', parametersJsonSchema: { type: 'object', properties: {} } }],
  }),
  callTool: async () => [{ functionResponse: { name: 'weather', response: { weather: 'rain' } } }],
}
const TOOLS: readonly Reply[] = [{ toolCalls: [{ name: 'weather', id: 'c1' }] }, { text: 'It rains.' }]
/** A new one each time: the SDK writes into it. */
const afc = () => ({ model, contents, config: { tools: [weather] } })

interface Row {
  readonly script: readonly Reply[]
  readonly call: (client: GoogleGenAI) => Promise<unknown>
  readonly endpoint: string
  /** Default: both. */
  readonly mode?: 'vertex' | 'gemini'
  readonly only?: string
  readonly expected?: object
}

/** Answers whose methods and getters make them another object each time. */
const plain = (answer: unknown): unknown => JSON.parse(JSON.stringify(answer))
type Interactions = { create(params: object): Promise<unknown> }
const interactionsOf = (client: GoogleGenAI) => client.interactions as unknown as Interactions

const ROWS: Readonly<Record<string, Row>> = {
  generateContent: {
    script: [RICH],
    endpoint: 'generateContent',
    call: async (client) => plain(await client.models.generateContent({ model, contents })),
  },
  generateContentStream: {
    script: [{ ...RICH, splitBytes: 7 }],
    endpoint: 'generateContent',
    call: async (client) => plain(await all(await client.models.generateContentStream({ model, contents }))),
  },
  'generateContent, with a tier': {
    script: [{ text: 'Deep.', serviceTier: 'flex' }],
    endpoint: 'generateContent',
    expected: { serviceTier: 'flex' },
    call: async (client) => plain(await client.models.generateContent({ model, contents })),
  },
  'generateContent, grounded by the prompt': {
    script: [{ text: 'Deep.', webSearches: 3 }],
    endpoint: 'generateContent',
    call: async (client) => plain(await client.models.generateContent({ model, contents })),
  },
  'generateContentStream, grounded by the query and in maps': {
    script: [{ text: 'Deep.', webSearches: 3, mapsSearches: 1 }],
    endpoint: 'generateContent',
    call: async (client) =>
      plain(await all(await client.models.generateContentStream({ model: 'gemini-3.8-flash', contents }))),
  },
  chats: {
    script: [{ text: 'Deep.' }, { text: 'Wide.' }],
    endpoint: 'generateContent',
    async call(client) {
      const chat = client.chats.create({ model })
      const first = await chat.sendMessage({ message: 'How deep?' })
      return plain([first, await all(await chat.sendMessageStream({ message: 'How wide?' }))])
    },
  },
  'automatic function calling': {
    script: TOOLS,
    endpoint: 'generateContent',
    call: async (client) => plain(await client.models.generateContent(afc())),
  },
  'automatic function calling, streamed': {
    script: TOOLS,
    endpoint: 'generateContent',
    call: async (client) => plain(await all(await client.models.generateContentStream(afc()))),
  },
  embedContent: {
    script: [{}],
    endpoint: 'embedContent',
    mode: 'gemini',
    call: async (client) =>
      plain(await client.models.embedContent({ model: 'gemini-embedding-001', contents: ['How deep?', 'How wide?'] })),
  },
  'embedContent, by the character': {
    script: [{}],
    endpoint: 'embedContent',
    mode: 'vertex',
    call: async (client) =>
      plain(await client.models.embedContent({ model: 'text-embedding-005', contents: ['How deep?'] })),
  },
  'embedContent, by the token': {
    script: [{}],
    endpoint: 'embedContent',
    mode: 'vertex',
    call: async (client) =>
      plain(await client.models.embedContent({ model: 'gemini-embedding-001', contents: ['How deep?', 'How wide?'] })),
  },
  'embedContent, of one content': {
    script: [{}],
    endpoint: 'embedContent',
    mode: 'vertex',
    call: async (client) =>
      plain(await client.models.embedContent({ model: 'gemini-embedding-2', contents: ['How deep?'] })),
  },
  generateImages: {
    script: [{}],
    endpoint: 'generateImages',
    mode: 'vertex',
    expected: { imageCount: 3 },
    call: async (client) =>
      plain(
        await client.models.generateImages({
          model: 'imagen-4.0-generate-001',
          prompt: 'The sea',
          config: { numberOfImages: 3 },
        }),
      ),
  },
  'generateImages, one filtered': {
    script: [{ images: 1 }],
    endpoint: 'generateImages',
    mode: 'vertex',
    call: async (client) =>
      plain(
        await client.models.generateImages({
          model: 'imagen-4.0-generate-001',
          prompt: 'The sea',
          config: { numberOfImages: 2, includeRaiReason: true },
        }),
      ),
  },
  upscaleImage: {
    script: [{}],
    endpoint: 'generateImages',
    mode: 'vertex',
    expected: { metadata: { mode: 'upscale' } },
    call: async (client) =>
      plain(
        await client.models.upscaleImage({
          model: 'imagen-4.0-upscale-preview',
          image: { imageBytes: 'iVBORw0KGgo=', mimeType: 'image/png' },
          upscaleFactor: 'x2',
        }),
      ),
  },
  editImage: {
    script: [{}],
    endpoint: 'generateImages',
    mode: 'vertex',
    call: async (client) =>
      plain(
        await client.models.editImage({
          model: 'imagen-3.0-capability-001',
          prompt: 'Deeper',
          referenceImages: [],
          config: { numberOfImages: 2 },
        }),
      ),
  },
  'caches.create, then kept longer': {
    script: [{ inputTokens: 7200 }],
    endpoint: 'caches',
    mode: 'gemini',
    async call(client) {
      const made = await client.caches.create({ model: 'gemini-3.8-flash', config: { contents, ttl: '3600s' } })
      const end = new Date(Date.parse(made.expireTime!) + 1_800_000).toISOString()
      await client.caches.update({ name: made.name!, config: { expireTime: end } })
      await client.caches.delete({ name: made.name! })
      return made.model
    },
  },
  'interactions.create': {
    script: [{ ...RICH, webSearches: 2, mapsSearches: 1 }],
    endpoint: 'interactions',
    mode: 'gemini',
    call: async (client) => plain(await interactionsOf(client).create({ model, input: contents })),
  },
  'interactions.create, streamed': {
    script: [{ ...RICH, splitBytes: 7 }],
    endpoint: 'interactions',
    mode: 'gemini',
    call: async (client) =>
      plain(
        await all(
          (await interactionsOf(client).create({ model, input: contents, stream: true })) as AsyncIterable<unknown>,
        ),
      ),
  },
  'interactions.create, in several parts': {
    script: [{ text: 'De', continues: true }, { text: 'ep.' }],
    endpoint: 'interactions',
    mode: 'gemini',
    call: async (client) => plain(await interactionsOf(client).create({ model, input: contents })),
  },
  'interactions.create, in several parts, streamed': {
    script: [{ text: 'De', continues: true }, { text: 'ep.' }],
    endpoint: 'interactions',
    mode: 'gemini',
    call: async (client) =>
      plain(
        await all(
          (await interactionsOf(client).create({ model, input: contents, stream: true })) as AsyncIterable<unknown>,
        ),
      ),
  },
}

describe.each(COPIES)('@google/genai %s', (_, Client) => {
  describe.each(['gemini', 'vertex'] as const)('%s', (mode) => {
    const sdk = sdkOf(Client, mode === 'vertex')
    const rows = Object.entries(ROWS).filter(([, row]) => row.mode === undefined || row.mode === mode)
    test.each(rows)('%s', async (_, { script, call, endpoint, expected }) => {
      const { emulator, events, problems } = await compared(sdk, script, call)
      const { lines } = emulator.bill()
      expect(events.map(meteredByModel)).toEqual(lines.map((line) => billedByModel([line])))
      for (const event of events) {
        expect(event).toMatchObject({
          tenantId: 'acme',
          provider: 'google',
          endpoint,
          usageSource: 'reported',
          ...expected,
        })
        expect(event).not.toHaveProperty('usageFlags')
      }
      // Of searches, caches, images and tiers no price is known yet.
      expect(problems.filter(({ kind }) => kind !== 'price')).toEqual([])
    })
  })

  const sdk = sdkOf(Client, false)

  test('the prompt that tools brought in stands apart', async () => {
    const { emulator, events } = await compared(
      sdk,
      [{ inputTokens: 20, toolUseTokens: 70, outputTokens: 5 }],
      (client) => client.models.generateContent({ model, contents }).then(plain),
    )
    expect(events[0]!.usage).toEqual({ 'input.text': 20, 'input.text.tool_use': 70, 'output.text': 5 })
    expect(events[0]).toMatchObject({ inputTokens: emulator.bill().lines[0]!.inputTokens, outputTokens: 5 })
  })

  test('each part of an interaction is paid for by whoever asked for it, whoever reads it', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events } = await process()
    emulator.reply({ text: 'De', continues: true }, { text: 'ep.' })
    const stream = await meter.forTenant('acme', () =>
      interactionsOf(client).create({ model, input: contents, stream: true }),
    )
    await meter.forTenant('other', () => all(stream as AsyncIterable<unknown>))
    expect((await events()).map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme'])
  })

  test('an interaction that is left early is billed for what it said, with bounds', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events } = await process()
    emulator.reply({ text: 'One two three four five six', stallAfterEvents: 4 })
    await meter.forTenant('acme', async () => {
      const stream = await interactionsOf(client).create({ model, input: contents, stream: true })
      for await (const event of stream as AsyncIterable<{ event_type?: string }>)
        if (event.event_type === 'step.delta') break
    })
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({
      tenantId: 'acme',
      endpoint: 'interactions',
      usageSource: 'partial',
      metadata: { stream_end: 'stopped' },
    })
    expect(event!.usageBounds).toBeDefined()
  })

  test('an interaction that is refused is not sent, and says so in the error of this SDK', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events } = await process()
    await meter.setLimit('acme', { usd: 0.000001 })
    const create = () => meter.forTenant('acme', () => interactionsOf(client).create({ model, input: contents }))
    await create()
    await expect(create()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', status: 402 })
    expect(emulator.requests).toHaveLength(1)
    expect(await events()).toHaveLength(1)
  })

  test('an interaction that fails is tried again, each attempt noted', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events } = await process()
    emulator.reply({ status: 503 }, { text: 'Deep.' }, { status: 400, times: 1 })
    await meter.forTenant('acme', () => interactionsOf(client).create({ model, input: contents }))
    await expect(
      meter.forTenant('acme', () => interactionsOf(client).create({ model, input: contents })),
    ).rejects.toMatchObject({ status: 400 })
    const [first, second] = await events()
    expect(first!.attempts!.map(({ status, billable }) => [status, billable])).toEqual([
      [503, 'unknown'],
      [200, 'yes'],
    ])
    expect(second).toMatchObject({ error: 'http_400', usageSource: 'absent' })
  })

  test('one client alone is metered where only it is wrapped', async () => {
    const { client, emulator } = await staged(sdk)
    const stage = await staged(sdk)
    const { meter, events } = await stage.process()
    meter.unpatchAll()
    meter.wrap(stage.client)
    await meter.forTenant('acme', async () => {
      await interactionsOf(stage.client).create({ model, input: contents })
      await interactionsOf(client).create({ model, input: contents })
    })
    expect(emulator.bill().lines).toHaveLength(1)
    expect((await events()).map(meteredByModel)).toEqual(
      stage.emulator.bill().lines.map((line) => billedByModel([line])),
    )
    meter.patch('google', { modules: [Client] })
    await meter.forTenant('acme', () => interactionsOf(stage.client).create({ model, input: contents }))
    expect(await events()).toHaveLength(2)
  })

  test('what is free gives no event', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events, problems } = await process()
    await meter.forTenant('acme', () => client.models.countTokens({ model, contents }))
    expect(await events()).toEqual([])
    expect(emulator.bill().lines).toEqual([])
    expect(problems).toEqual([])
  })
})
