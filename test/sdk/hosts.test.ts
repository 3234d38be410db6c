// Each host that speaks OpenAI's wire in its own way, called with the real SDK: what the caller sees, what the host is
// sent, and what is recorded, held against the host's own bill.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import Groq from 'groq-sdk'
import OpenAI, { AzureOpenAI } from 'openai'
import { describe, expect, test } from 'vitest'
import { type Emulator, type HostName, type Reply, startEmulator } from '../../src/emulator/index.ts'
import { type LLMEvent, Meter, type MeterOptions } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/index.ts'
import { firstDifference, snapshot } from '../shapes/snapshot.mjs'

const require = createRequire(new URL('../apps/next/package.json', import.meta.url))
const next = (await import(
  pathToFileURL(require.resolve('openai').replace(/index\.js$/, 'index.mjs')).href
)) as typeof import('openai')

const COPIES = [
  ['6.49', { OpenAI, AzureOpenAI }],
  ['7.57', { OpenAI: next.OpenAI, AzureOpenAI: next.AzureOpenAI }],
] as const

/** A model of each, and what its answer is made of. */
const HOSTS: Readonly<Record<HostName, { readonly model: string; readonly reply?: Reply }>> = {
  deepseek: { model: 'deepseek-v4-pro', reply: { inputTokens: 1000, cachedTokens: 896, reasoningTokens: 40 } },
  openrouter: {
    model: 'anthropic/claude-sonnet-4.5',
    reply: { cachedTokens: 100, cacheWriteTokens: 20, reasoningTokens: 12 },
  },
  azure: { model: 'chat' },
  groq: { model: 'openai/gpt-oss-120b', reply: { cachedTokens: 64 } },
  mistral: { model: 'mistral-large-latest' },
  'x-ai': { model: 'grok-4.6', reply: { reasoningTokens: 107, cachedTokens: 6 } },
  'google-openai': { model: 'gemini-2.5-flash' },
  aws: { model: 'openai.gpt-oss-120b-1:0' },
  together: { model: 'meta-llama/Llama-3.3-70B-Instruct-Turbo' },
  fireworks: { model: 'accounts/fireworks/models/deepseek-v4-pro', reply: { cachedTokens: 100 } },
  cerebras: { model: 'llama-3.3-70b' },
  perplexity: { model: 'sonar-pro' },
  ollama: { model: 'llama3.2' },
  vllm: { model: 'qwen' },
}

/** Where the host says what it charges, the event has exactly that; elsewhere what the book says, where it knows a price. */
const SAYS_COST = new Set<string>(['openrouter', 'x-ai', 'perplexity'])
const PRICED = new Set<string>(['azure', 'groq', 'mistral', 'google-openai', 'aws', 'together', 'cerebras'])

const messages = [{ role: 'user' as const, content: 'How deep is the sea?' }]

interface Run {
  readonly seen: readonly string[]
  readonly sent: readonly unknown[]
  readonly events: readonly LLMEvent[]
  readonly bill: ReturnType<Emulator['bill']>
  readonly problems: readonly string[]
}

interface Scene {
  readonly host: HostName
  readonly call: (
    address: { readonly baseURL: string; readonly origin: string },
    see: (value: unknown) => void,
  ) => Promise<void>
  readonly reply?: Reply | undefined
  readonly options?: MeterOptions
  /** `undefined`: nothing is metered. */
  readonly patch?: (meter: Meter) => void
}

async function run({ host, call, reply = {}, options, patch }: Scene): Promise<Run> {
  await using emulator = await startEmulator({ now: () => new Date('2026-11-20T12:00:00Z') })
  const address = await emulator.host(host)
  emulator.reply({ ...reply, times: 10 })
  const sink = memorySink()
  const problems: string[] = []
  const meter = new Meter({
    sinks: [sink],
    hosts: emulator.hosts,
    onMissingTenant: 'record',
    onProblem: ({ kind, message }) => problems.push(`${kind}: ${message}`),
    ...options,
  })
  patch?.(meter)
  const seen: string[] = []
  try {
    await call(address, (value) => seen.push(...snapshot(value)))
    await meter.flush()
  } finally {
    await meter.close()
  }
  const sent = emulator.requests.map(({ body }) => body)
  return { seen, sent, events: sink.events, bill: emulator.bill(), problems }
}

/** What the unpatched caller sees, the patched one sees; what is recorded is what the host bills. */
async function compare(scene: Scene): Promise<Run & { readonly event: LLMEvent }> {
  const { patch: _, ...unpatched } = scene
  const plain = await run(unpatched)
  const metered = await run(scene)
  expect(plain.events).toEqual([])
  expect(firstDifference([...plain.seen], [...metered.seen])).toBeUndefined()
  expect(metered.events).toHaveLength(1)
  const [event] = metered.events as [LLMEvent]
  const [line] = metered.bill.lines
  expect(event).toMatchObject({
    usageSource: 'reported',
    inputTokens: line!.inputTokens,
    outputTokens: line!.outputTokens,
    model: line!.model,
  })
  expect(event.cachedTokens ?? 0).toBe(line!.quantities?.cacheRead ?? 0)
  expect(event.cacheCreationTokens ?? 0).toBe(line!.quantities?.cacheWrite ?? 0)
  expect(event.reasoningTokens ?? 0).toBe(line!.quantities?.reasoning ?? 0)
  expect(event.usageFlags).toBeUndefined()
  return { ...metered, event }
}

const NAMES = Object.keys(HOSTS) as HostName[]

describe.each(COPIES)('openai %s', (_, sdk) => {
  const patch = (meter: Meter) => void meter.patch('openai', { modules: [sdk.OpenAI] })
  const make = (baseURL: string) => new sdk.OpenAI({ baseURL, apiKey: 'key', maxRetries: 0 }) as OpenAI

  describe.each(NAMES)('%s', (host) => {
    const { model, reply } = HOSTS[host]
    const provider = host === 'google-openai' ? 'google' : host

    function expectMoney({ event, bill }: { event: LLMEvent; bill: Run['bill'] }): void {
      expect(event.provider).toBe(host === 'vllm' ? event.host : provider)
      if (host === 'perplexity') expect(event).toMatchObject({ costSource: 'reported' })
      else if (SAYS_COST.has(host)) expect(event).toMatchObject({ costSource: 'reported', costUsd: bill.usd })
      else if (PRICED.has(host)) expect(event.costUsd).toBe(bill.usd)
    }

    test('whole', async () => {
      const done = await compare({
        host,
        reply,
        patch,
        call: async ({ baseURL }, see) => see(await make(baseURL).chat.completions.create({ model, messages })),
      })
      expectMoney(done)
      expect(done.event).toMatchObject({ endpoint: 'chat.completions', stream: false })
    })

    test.each([
      ['nothing', {}],
      ['no usage', { stream_options: { include_usage: false } }],
      ['usage', { stream_options: { include_usage: true } }],
    ])('streamed, the caller asks for %s', async (asked, more) => {
      // What this host refuses is no call.
      if (host === 'mistral' && asked !== 'nothing') return
      const done = await compare({
        host,
        reply,
        patch,
        async call({ baseURL }, see) {
          const stream = await make(baseURL).chat.completions.create({ model, messages, stream: true, ...more })
          for await (const chunk of stream) see(chunk)
        },
      })
      expectMoney(done)
      expect(done.event).toMatchObject({ endpoint: 'chat.completions', stream: true })
      expect(done.sent).toHaveLength(1)
      const isUseless = ['openrouter', 'groq', 'mistral', 'perplexity'].includes(host)
      if (isUseless && asked === 'nothing') expect(done.sent[0]).not.toHaveProperty('stream_options')
    })
  })

  test('DeepSeek: what its cache missed stands on the event', async () => {
    const { event } = await compare({
      host: 'deepseek',
      reply: HOSTS.deepseek.reply,
      patch,
      call: async ({ baseURL }, see) =>
        see(await make(baseURL).chat.completions.create({ model: 'deepseek-v4-pro', messages })),
    })
    expect(event).toMatchObject({ cachedTokens: 896, cacheMissTokens: 104 })
  })

  const gap = {
    model: 'deepseek-v4-pro',
    prompt: 'def fib(a): SECRET',
    suffix: ' return fib(a-1) TACIT',
    max_tokens: 64,
  }
  const fim = async ({ baseURL }: { baseURL: string }, see: (value: unknown) => void) =>
    see(await make(`${baseURL}/beta`).completions.create(gap))

  test('DeepSeek: FIM, whose text is not kept', async () => {
    const { event } = await compare({ host: 'deepseek', patch, call: fim })
    expect(event).toMatchObject({ endpoint: 'fim.completions', provider: 'deepseek' })
    expect(JSON.stringify(event)).not.toMatch(/SECRET|TACIT|fib/)
  })

  test('DeepSeek: FIM, whose text is kept where `captureFim` says so', async () => {
    const { event } = await compare({ host: 'deepseek', patch, call: fim, options: { captureFim: true } })
    expect(event).toMatchObject({ fimPrefix: gap.prompt, fimSuffix: gap.suffix })
  })

  test('DeepSeek: of a long text what is next to the gap is kept', async () => {
    const long = { ...gap, prompt: `${'🐋'.repeat(1000)}end`, suffix: `x${'🐋'.repeat(1000)}` }
    const { event } = await compare({
      host: 'deepseek',
      patch,
      options: { captureFim: true },
      call: async ({ baseURL }, see) => {
        for await (const chunk of await make(`${baseURL}/beta`).completions.create({ ...long, stream: true }))
          see(chunk)
      },
    })
    expect(event.fimPrefix).toBe(`${'🐋'.repeat(510)}end`)
    expect(event.fimSuffix).toBe(`x${'🐋'.repeat(511)}`)
  })

  test('OpenRouter: who served the call', async () => {
    const { event } = await compare({
      host: 'openrouter',
      patch,
      call: async ({ baseURL }, see) =>
        see(await make(baseURL).chat.completions.create({ model: 'openai/gpt-4o', messages })),
    })
    expect(event).toMatchObject({ upstreamProvider: 'Amazon Bedrock', costSource: 'reported' })
  })

  test("OpenRouter: on a key of the caller's own, what the upstream bills counts too", async () => {
    const usage = { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15, cost: 0.00002, is_byok: true }
    const { events } = await run({
      host: 'openrouter',
      reply: { usage: { ...usage, cost_details: { upstream_inference_cost: 0.0001 } } },
      patch,
      async call({ baseURL }) {
        await make(baseURL).chat.completions.create({ model: 'openai/gpt-4o', messages })
      },
    })
    expect(events[0]).toMatchObject({ costUsd: '0.00012', costSource: 'reported' })
  })

  test('a stream that breaks off has no charge, and is estimated', async () => {
    const { events } = await run({
      host: 'perplexity',
      reply: { cutAfterEvents: 3 },
      patch,
      async call({ baseURL }) {
        const stream = await make(baseURL).chat.completions.create({ model: 'sonar-pro', messages, stream: true })
        await expect(
          (async () => {
            for await (const _ of stream);
          })(),
        ).rejects.toThrow()
      },
    })
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ usageSource: 'partial', error: 'interrupted' })
    expect(events[0]!.costSource).not.toBe('reported')
  })

  describe('Azure', () => {
    const azure = (endpoint: string, more = {}) =>
      new sdk.AzureOpenAI({ endpoint, apiKey: 'key', apiVersion: '2024-10-21', maxRetries: 0, ...more }) as OpenAI
    const body = { model: 'my-deployment', messages }

    test.each([{}, { deployment: 'my-deployment' }])(
      'its own class, %j: the deployment and the model',
      async (more) => {
        const { event } = await compare({
          host: 'azure',
          patch,
          call: async ({ origin }, see) => see(await azure(origin, more).chat.completions.create(body)),
        })
        expect(event).toMatchObject({ modelRequested: 'my-deployment', model: 'gpt-4o', provider: 'azure' })
      },
    )

    test("its own class, streamed: the first chunk has no choices, and is the caller's", async () => {
      const { event, seen } = await compare({
        host: 'azure',
        patch,
        async call({ origin }, see) {
          for await (const chunk of await azure(origin).chat.completions.create({ ...body, stream: true })) see(chunk)
        },
      })
      expect(event).toMatchObject({ modelRequested: 'my-deployment', model: 'gpt-4o' })
      expect(seen.join()).toContain('prompt_filter_results')
    })

    test('with data of its own it is not asked for usage, which is estimated', async () => {
      const scene: Scene = {
        host: 'azure',
        async call({ origin }, see) {
          const sources = { ...body, stream: true as const, data_sources: [{ type: 'azure_search' }] }
          for await (const chunk of await azure(origin).chat.completions.create(sources)) see(chunk)
        },
      }
      const plain = await run(scene)
      const { events, seen, sent } = await run({ ...scene, patch })
      expect(seen).toEqual(plain.seen)
      expect(sent).toEqual(plain.sent)
      expect(events).toMatchObject([{ usageSource: 'estimated', model: 'gpt-4o' }])
    })
  })

  test('vLLM: a caller who asks for running totals gets them, and they are not added up', async () => {
    const options = { include_usage: true, continuous_usage_stats: true }
    const { seen } = await compare({
      host: 'vllm',
      patch,
      async call({ baseURL }, see) {
        const body = { model: 'qwen', messages, stream: true as const, stream_options: options }
        for await (const chunk of await make(baseURL).chat.completions.create(body)) see(chunk)
      },
    })
    expect(seen.filter((line) => line.startsWith('.usage.total_tokens')).length).toBeGreaterThan(3)
  })
})

describe('groq-sdk', () => {
  const patch = (meter: Meter) => void meter.patch('groq', { modules: [Groq] })
  const make = (origin: string) => new Groq({ baseURL: origin, apiKey: 'key', maxRetries: 0 })
  const body = { model: 'openai/gpt-oss-120b', messages }

  test('whole', async () => {
    const { event, bill } = await compare({
      host: 'groq',
      reply: { cachedTokens: 64 },
      patch,
      call: async ({ origin }, see) => see(await make(origin).chat.completions.create(body)),
    })
    expect(event).toMatchObject({ provider: 'groq', endpoint: 'chat.completions', costUsd: bill.usd })
  })

  test('streamed', async () => {
    const { event, bill, sent } = await compare({
      host: 'groq',
      patch,
      async call({ origin }, see) {
        for await (const chunk of await make(origin).chat.completions.create({ ...body, stream: true })) see(chunk)
      },
    })
    expect(event).toMatchObject({ provider: 'groq', stream: true, costUsd: bill.usd })
    expect(sent[0]).not.toHaveProperty('stream_options')
  })

  test('a tenant whose money is spent is refused with its own error', async () => {
    let thrown: unknown
    await run({
      host: 'groq',
      patch(meter) {
        patch(meter)
        meter.setTenant('acme')
        void meter.setLimit('acme', { usd: 0 })
      },
      async call({ origin }) {
        thrown = await make(origin)
          .chat.completions.create(body)
          .catch((error: unknown) => error)
      },
    })
    expect(thrown).toBeInstanceOf(Groq.APIError)
    expect(thrown).toMatchObject({ status: 402, code: 'LIMIT_EXCEEDED' })
  })
})
