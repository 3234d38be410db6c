// The net under LangChain, whose packages bring copies of the SDKs of their own, with and without patches above it.

import { ChatAnthropic } from '@langchain/anthropic'
import type { BaseChatModel, BaseChatModelCallOptions } from '@langchain/core/language_models/chat_models'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Emulator } from '../../src/emulator/index.ts'
import { LimitExceededError } from '../../src/errors.ts'
import { all, billed, billOf, compared, type Netted, netted } from '../support/net.ts'

const question = 'How deep is the sea?'

type Model = BaseChatModel<BaseChatModelCallOptions>

const MODELS: readonly (readonly [name: string, model: (to: Emulator) => Model])[] = [
  [
    '@langchain/openai',
    ({ openai }: Emulator) =>
      new ChatOpenAI({ model: 'gpt-4o', apiKey: 'key', maxRetries: 1, configuration: { baseURL: openai.baseURL } }),
  ],
  [
    '@langchain/openai responses',
    ({ openai }: Emulator) =>
      new ChatOpenAI({
        model: 'gpt-5',
        apiKey: 'key',
        useResponsesApi: true,
        configuration: { baseURL: openai.baseURL },
      }),
  ],
  [
    '@langchain/anthropic',
    ({ anthropic }: Emulator) =>
      new ChatAnthropic({ model: 'claude-sonnet-4-6', apiKey: 'key', anthropicApiUrl: anthropic.baseURL }),
  ],
]

describe.each(MODELS)('%s', (_, model) => {
  test('invoke and stream are one event each, as the provider bills them', async () => {
    const { plain, metered, recorded, emulator } = await compared(async (to) => {
      const { content } = await model(to).invoke(question)
      const chunks = await all(await model(to).stream(question))
      return { content, chunks: chunks.map((chunk) => chunk.content) }
    })
    expect(metered).toEqual(plain)
    expect(billed(recorded)).toEqual(billOf(emulator))
    expect(recorded.map(({ tenantId, usageSource }) => [tenantId, usageSource])).toEqual([
      ['acme', 'reported'],
      ['acme', 'reported'],
    ])
  })

  test('a batch, and a tool, are an event a call', async () => {
    const { recorded, emulator } = await compared(
      async (to) => {
        await model(to).batch([question, 'And the sky?'])
        const tool = { name: 'depth', description: 'How deep.', schema: z.object({ place: z.string() }) }
        return (await model(to).bindTools!([tool]).invoke(question)).tool_calls?.length
      },
      [{ text: 'One.' }, { text: 'Two.' }, { toolCalls: [{ name: 'depth', args: { place: 'Oslo' } }] }],
    )
    expect(recorded).toHaveLength(3)
    const byRequest = (lines: readonly object[]) => lines.map((line) => JSON.stringify(line)).sort()
    expect(byRequest(billed(recorded))).toEqual(byRequest(billOf(emulator)))
  })

  test('a refusal is an error that says so, and is not tried again', async () => {
    const net = await netted()
    await net.meter.setLimit('acme', { usd: 0 })
    const calls: readonly (() => Promise<unknown>)[] = [
      () => model(net.emulator).invoke(question),
      async () => all(await model(net.emulator).stream(question)),
    ]
    for (const call of calls) {
      const refused: unknown = await net.meter.forTenant('acme', call).catch((error: unknown) => error)
      expect(LimitExceededError.from(refused)).toMatchObject({ tenantId: 'acme', limitUsd: '0' })
    }
    expect(net.meter.stats().refused).toBe(2)
    expect(net.emulator.requests).toEqual([])
  })
})

test('embeddings are metered', async () => {
  const { recorded, emulator } = await compared((to) =>
    new OpenAIEmbeddings({ apiKey: 'key', configuration: { baseURL: to.openai.baseURL } }).embedDocuments([
      'sea',
      'sky',
    ]),
  )
  expect(billed(recorded)).toEqual(billOf(emulator))
})

describe('with patches above it', () => {
  async function nested(net: Netted): Promise<void> {
    const { createRequire } = await import('node:module')
    const { pathToFileURL } = await import('node:url')
    const require = createRequire(import.meta.url)
    for (const [sdk, dependant, name] of [
      ['openai', '@langchain/openai', 'openai'],
      ['anthropic', '@langchain/anthropic', '@anthropic-ai/sdk'],
    ] as const) {
      const file = createRequire(require.resolve(dependant))
        .resolve(name)
        .replace(/[^/]+$/, 'index.mjs')
      const module = (await import(pathToFileURL(file).href)) as { default: unknown }
      expect(net.meter.patch(sdk, { modules: [module.default] }).status).toBe('patched')
    }
  }

  test.each(MODELS)('a call of %s is still one event', async (_, model) => {
    const net = await netted()
    await nested(net)
    net.emulator.reply({ text: 'Deep.' }, { text: 'Very deep.' })
    await net.meter.forTenant('acme', async () => {
      await model(net.emulator).invoke(question)
      await all(await model(net.emulator).stream(question))
    })
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
    expect(net.problems).toEqual([])
  })

  test.each(MODELS)(
    'when the patch of %s goes, its calls are left alone until the net is asked for again',
    async (_, model) => {
      const net = await netted()
      await nested(net)
      net.meter.unpatch('openai')
      net.meter.unpatch('anthropic')
      await model(net.emulator).invoke(question)
      expect(await net.events()).toEqual([])
      net.meter.patch('fetch')
      await model(net.emulator).invoke(question)
      expect(billed(await net.events())).toEqual(billOf(net.emulator).slice(1))
    },
  )
})
