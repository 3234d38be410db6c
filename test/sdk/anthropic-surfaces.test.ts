// Every surface of Anthropic through its real SDK against the emulator: one event an exchange, with the emulator's own
// numbers, the tenant's name, and an answer that is the same as without a meter.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import { describe, expect, test } from 'vitest'
import type { Reply } from '../../src/emulator/index.ts'
import { billedByModel, meteredByModel } from '../support/bill.ts'
import { all, compared, type Sdk, staged } from '../support/surface-stage.ts'

const require = createRequire(new URL('../apps/current/package.json', import.meta.url))
const file = require.resolve('@anthropic-ai/sdk').replace(/[^/]+$/, 'index.mjs')
const current = (await import(pathToFileURL(file).href)) as typeof import('@anthropic-ai/sdk')

function sdkOf(Client: typeof Anthropic): Sdk<Anthropic> {
  return {
    provider: 'anthropic',
    module: Client,
    client: (emulator) =>
      new Client({ baseURL: emulator.anthropic.baseURL, apiKey: 'key', maxRetries: 0, logLevel: 'off' }),
  }
}

const COPIES: readonly (readonly [string, Sdk<Anthropic>])[] = [
  ['0.137', sdkOf(current.default)],
  ['1.12', sdkOf(Anthropic)],
]

const messages = [{ role: 'user' as const, content: 'How deep is the sea?' }]
const body = { model: 'claude-sonnet-5-5', max_tokens: 300, messages }
const beta = { ...body, betas: ['advisor-tool-2026-03-01'] }
const schema = { type: 'object' as const, properties: { city: { type: 'string' } }, required: ['city'] }
const weather = {
  type: 'custom' as const,
  name: 'weather',
  description: 'Tells the weather',
  input_schema: schema,
  parse: (input: unknown) => input,
  run: () => 'rain',
}
const TOOLS: readonly Reply[] = [{ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' }]
const RICH: Reply = {
  text: 'Deep.',
  inputTokens: 900,
  cachedTokens: 300,
  cacheWriteTokens: 100,
  cacheWrite1hTokens: 50,
  outputTokens: 80,
  reasoningTokens: 60,
  webSearches: 2,
}
const ROUNDS: Reply = {
  text: 'Deep.',
  rounds: [
    { type: 'compaction', inputTokens: 5000, outputTokens: 300, cachedTokens: 40 },
    { type: 'advisor', model: 'claude-fable-5-1', inputTokens: 900, outputTokens: 120 },
    { type: 'advisor', model: 'claude-fable-5-1', inputTokens: 1000, outputTokens: 130, cachedTokens: 900 },
  ],
}
const declined = (outputTokens: number): Reply => ({
  text: 'Deep.',
  rounds: [{ type: 'declined', inputTokens: 40, outputTokens }],
})
const fallbacks = [{ model: 'claude-haiku-5-5' }]

interface Row {
  readonly script: readonly Reply[]
  readonly call: (client: Anthropic) => Promise<unknown>
  readonly only?: string
  readonly expected?: object
}

/** 0.x types know no `fallbacks`, and both take any body. */
const untyped = <T>(value: object): T => value as T

const ROWS: Readonly<Record<string, Row>> = {
  'messages.create': { script: [RICH], call: (client) => client.messages.create(body) },
  'messages.create, streamed': {
    script: [{ ...RICH, splitBytes: 7 }],
    call: async (client) => all(await client.messages.create({ ...body, stream: true })),
  },
  'messages.stream': { script: [RICH], call: (client) => client.messages.stream(body).finalMessage() },
  'messages.parse': {
    script: [{ text: '{"city":"Oslo"}' }],
    call: (client) =>
      client.messages.parse(
        untyped<Parameters<Anthropic['messages']['parse']>[0]>({
          ...body,
          output_config: { format: { type: 'json_schema', schema } },
        }),
      ),
  },
  'beta.messages.create': { script: [RICH], call: (client) => client.beta.messages.create(beta) },
  'beta.messages.create, fast and in the United States': {
    script: [{ text: 'Deep.' }],
    call: (client) =>
      client.beta.messages.create(
        untyped<typeof body>({ ...beta, model: 'claude-opus-5', speed: 'fast', inference_geo: 'us' }),
      ),
    expected: { serviceTier: 'fast', metadata: { inference_geo: 'us', speed: 'fast' } },
  },
  'beta.messages.create, with compaction and an advisor': {
    script: [ROUNDS],
    call: (client) => client.beta.messages.create(beta),
  },
  'beta.messages.create, with compaction and an advisor, streamed': {
    script: [ROUNDS],
    call: async (client) => all(await client.beta.messages.create({ ...beta, stream: true })),
  },
  'beta.messages.create, with a fallback after some output': {
    script: [declined(25)],
    call: (client) => client.beta.messages.create(untyped<typeof body>({ ...beta, fallbacks })),
    expected: { model: 'claude-haiku-5-5', modelRequested: 'claude-sonnet-5-5' },
  },
  'beta.messages.create, with a fallback before any output, streamed': {
    script: [declined(1)],
    call: async (client) =>
      all(
        await client.beta.messages.create(
          untyped<typeof body & { stream: true }>({ ...beta, fallbacks, stream: true }),
        ),
      ),
    expected: { model: 'claude-haiku-5-5', modelRequested: 'claude-sonnet-5-5' },
  },
  'beta.messages.toolRunner': {
    script: TOOLS,
    call: (client) => client.beta.messages.toolRunner({ ...body, tools: [weather] }).runUntilDone(),
  },
  'beta.messages.toolRunner, streamed': {
    script: TOOLS,
    call: (client) => client.beta.messages.toolRunner({ ...body, tools: [weather], stream: true }).runUntilDone(),
  },
}

describe.each(COPIES)('@anthropic-ai/sdk %s', (version, sdk) => {
  test.each(Object.entries(ROWS))('%s', async (_, { script, call, expected }) => {
    const { emulator, events, problems } = await compared(sdk, script, call)
    const { lines } = emulator.bill()
    const requestIds = [...new Set(lines.map(({ requestId }) => requestId))]
    expect(events.map(({ requestId }) => requestId)).toEqual(requestIds)
    for (const event of events) {
      const own = lines.filter(({ requestId }) => requestId === event.requestId)
      expect(event).toMatchObject({
        tenantId: 'acme',
        provider: 'anthropic',
        endpoint: 'messages',
        usageSource: 'reported',
        ...expected,
      })
      expect(meteredByModel(event)).toEqual(billedByModel(own))
      expect(event).not.toHaveProperty('usageFlags')
    }
    expect(problems.filter(({ kind }) => kind !== 'price')).toEqual([])
  })

  test('what an advisor costs is priced as the advisor', async () => {
    const { emulator, events } = await compared(sdk, [ROUNDS], (client) => client.beta.messages.create(beta))
    expect(emulator.bill().unpriced).toBe(0)
    expect(events.map(({ costUsd }) => costUsd)).toEqual([emulator.bill().usd])
  })

  test.runIf(version === '1.12').each([false, true])('beta.messages.thread, streamed: %s', async (isStreamed) => {
    const { emulator, events } = await compared(sdk, [{ text: 'Deep.' }, { text: 'Wide.' }], async (client) => {
      const thread = client.beta.messages.thread({ model: body.model, max_tokens: 300 })
      const say = async (content: string) => {
        const message = { role: 'user' as const, content }
        return isStreamed ? thread.stream(message).finalText() : (await thread.send(message)).content
      }
      return [await say('How deep?'), await say('How wide?')]
    })
    const { lines } = emulator.bill()
    expect(events).toHaveLength(2)
    expect(events.map(meteredByModel)).toEqual(lines.map((line) => billedByModel([line])))
    expect(events.map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme'])
  })

  test.runIf(version === '0.137').each([false, true])(
    'completions, which tell nothing: streamed: %s',
    async (stream) => {
      const { emulator, events, problems } = await compared(sdk, [{ text: 'The sea is deep.' }], async (client) => {
        const { completions } = client as unknown as { completions: { create(params: object): Promise<unknown> } }
        const made = await completions.create({
          model: 'claude-2.1',
          max_tokens_to_sample: 100,
          prompt: '\n\nHuman: How deep is the sea?\n\nAssistant:',
          stream,
        })
        return stream ? all(made as AsyncIterable<unknown>) : made
      })
      const [line] = emulator.bill().lines
      expect(events).toHaveLength(1)
      const [event] = events
      expect(event).toMatchObject({
        tenantId: 'acme',
        endpoint: 'complete',
        model: 'claude-2.1',
        usageSource: 'estimated',
      })
      const { inputTokens, outputTokens } = event!.usageBounds!
      expect(line!.inputTokens).toBeGreaterThanOrEqual(inputTokens[0])
      expect(line!.inputTokens).toBeLessThanOrEqual(inputTokens[1])
      expect(line!.outputTokens).toBeGreaterThanOrEqual(outputTokens[0])
      expect(line!.outputTokens).toBeLessThanOrEqual(outputTokens[1])
      expect(problems.filter(({ kind }) => kind === 'usage')).toEqual([])
    },
  )

  test('what is free gives no event', async () => {
    const { emulator, client, process } = await staged(sdk)
    const { meter, events, problems } = await process()
    await meter.forTenant('acme', () => client.messages.countTokens({ model: body.model, messages }))
    await meter.forTenant('acme', () => client.beta.messages.countTokens({ model: body.model, messages }))
    expect(await events()).toEqual([])
    expect(emulator.bill().lines).toEqual([])
    expect(problems).toEqual([])
  })
})
