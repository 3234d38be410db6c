// The provider is the host that is called, whatever SDK calls it: msw answers for the real names.

import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import OpenAI from 'openai'
import { type LLMEvent, Meter, type MeterOptions, type Problem } from 'tallygate'
import { memorySink } from 'tallygate/sinks'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'

const server = setupServer()
// A request that no test answers for would leave this machine.
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

const messages = [{ role: 'user' as const, content: 'Hi' }]
const usage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 }
const choice = { index: 0, message: { role: 'assistant', content: 'Deep.' }, finish_reason: 'stop' }

/** Answers every POST to a host, and keeps what was asked. */
function answering(host: string, answer: (body: Record<string, unknown>, url: URL) => Response) {
  const asked: { readonly path: string; readonly body: Record<string, unknown> }[] = []
  server.use(
    http.post(`https://${host}/*`, async ({ request }) => {
      const url = new URL(request.url)
      const body = (await request.clone().json()) as Record<string, unknown>
      asked.push({ path: url.pathname, body })
      return answer(body, url)
    }),
  )
  return asked
}

/** As OpenAI answers, whole or streamed, the usage of a stream only where it is asked for. */
function chatAnswer(body: Record<string, unknown>): Response {
  const { model } = body
  if (!body['stream']) return HttpResponse.json({ id: 'chatcmpl-1', model, choices: [choice], usage })
  const isAsked = (body['stream_options'] as { include_usage?: boolean } | undefined)?.include_usage === true
  const head = { id: 'chatcmpl-1', object: 'chat.completion.chunk', model, ...(isAsked && { usage: null }) }
  const chunks = [
    { ...head, choices: [{ index: 0, delta: { role: 'assistant', content: 'Deep.' }, finish_reason: null }] },
    { ...head, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    ...(isAsked ? [{ ...head, choices: [], usage }] : []),
  ]
  const text = `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`
  return new HttpResponse(text, { headers: { 'content-type': 'text/event-stream' } })
}

interface Watched {
  readonly event: LLMEvent
  readonly problems: readonly Problem[]
  readonly unpriced: Readonly<Record<string, number>>
}

/** The one event of what is called meanwhile. Clients are made inside: msw misses a `fetch` that was taken before it listens. */
async function watch(call: () => Promise<unknown>, options: MeterOptions = {}): Promise<Watched> {
  const sink = memorySink()
  const problems: Problem[] = []
  await using meter = new Meter({ sinks: [sink], onProblem: (problem) => problems.push(problem), ...options })
  meter.patchAll()
  await meter.forTenant('acme', call)
  await meter.flush()
  expect(sink.events).toHaveLength(1)
  return { event: sink.events[0]!, problems, unpriced: meter.stats().unpriced }
}

const chat = (baseURL: string | undefined, model = 'gpt-4o') =>
  new OpenAI({ apiKey: 'key', ...(baseURL && { baseURL }) }).chat.completions.create({ model, messages })

async function streamedChat(baseURL: string | undefined, model = 'gpt-4o'): Promise<unknown[]> {
  const client = new OpenAI({ apiKey: 'key', ...(baseURL && { baseURL }) })
  const chunks: unknown[] = []
  for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) chunks.push(chunk)
  return chunks
}

describe('OpenAI', () => {
  test.each([
    ['api.openai.com', undefined],
    ['eu.api.openai.com', 'https://eu.api.openai.com/v1'],
  ])('%s', async (host, baseURL) => {
    const asked = answering(host, chatAnswer)
    const { event, problems } = await watch(() => chat(baseURL))
    expect(asked.map(({ path }) => path)).toEqual(['/v1/chat/completions'])
    expect(event).toMatchObject({ provider: 'openai', host, model: 'gpt-4o', inputTokens: 1000, costUsd: '0.0035' })
    expect(problems).toEqual([])
  })

  test('a stream is asked for its usage, and nobody sees it', async () => {
    const asked = answering('api.openai.com', chatAnswer)
    let chunks: unknown[] = []
    const { event } = await watch(async () => (chunks = await streamedChat(undefined)))
    expect(asked[0]?.body['stream_options']).toEqual({ include_usage: true })
    expect(chunks).toHaveLength(2)
    expect(JSON.stringify(chunks)).not.toContain('usage')
    expect(event).toMatchObject({ usageSource: 'reported', inputTokens: 1000, outputTokens: 100 })
  })
})

test('Anthropic', async () => {
  const answer = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-6',
    content: [{ type: 'text', text: 'Deep.' }],
    stop_reason: 'end_turn',
    usage: { input_tokens: 1000, output_tokens: 100 },
  }
  answering('api.anthropic.com', () => HttpResponse.json(answer))
  const { event } = await watch(() =>
    new Anthropic({ apiKey: 'key' }).messages.create({ model: 'claude-sonnet-4-6', max_tokens: 100, messages }),
  )
  expect(event).toMatchObject({ provider: 'anthropic', host: 'api.anthropic.com', costUsd: '0.0045' })
})

describe('Google', () => {
  const answer = {
    candidates: [{ content: { role: 'model', parts: [{ text: 'Deep.' }] }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 1000, candidatesTokenCount: 100, totalTokenCount: 1100 },
    modelVersion: 'gemini-2.5-flash',
  }
  const ask = { model: 'gemini-2.5-flash', contents: 'Hi' }

  test('the Gemini API', async () => {
    answering('generativelanguage.googleapis.com', () => HttpResponse.json(answer))
    const { event } = await watch(() => new GoogleGenAI({ apiKey: 'key', vertexai: false }).models.generateContent(ask))
    expect(event).toMatchObject({ provider: 'google', host: 'generativelanguage.googleapis.com', costUsd: '0.00055' })
  })

  test('Vertex AI in a region, whose log-in is not metered', async () => {
    server.use(
      http.post('https://oauth2.googleapis.com/token', () =>
        HttpResponse.json({ access_token: 'token', expires_in: 3600, token_type: 'Bearer' }),
      ),
    )
    const host = 'us-central1-aiplatform.googleapis.com'
    const asked = answering(host, () =>
      HttpResponse.json({ ...answer, usageMetadata: { ...answer.usageMetadata, trafficType: 'ON_DEMAND' } }),
    )
    const credentials = { type: 'authorized_user', client_id: 'id', client_secret: 'secret', refresh_token: 'refresh' }
    const { event } = await watch(() =>
      new GoogleGenAI({
        vertexai: true,
        project: 'p',
        location: 'us-central1',
        googleAuthOptions: { credentials },
      }).models.generateContent(ask),
    )
    expect(asked[0]?.path).toMatch(/publishers\/google\/models\/gemini-2\.5-flash:generateContent$/)
    expect(event).toMatchObject({ provider: 'google', host, serviceTier: 'ON_DEMAND', costUsd: '0.00055' })
  })

  test('its endpoint for the SDK of OpenAI', async () => {
    answering('generativelanguage.googleapis.com', chatAnswer)
    const base = 'https://generativelanguage.googleapis.com/v1beta/openai/'
    const { event } = await watch(() => chat(base, 'gemini-2.5-flash'))
    expect(event).toMatchObject({ provider: 'google', endpoint: 'chat.completions', costUsd: '0.00055' })
  })
})

describe('a host that is not known', () => {
  test('is recorded under its name, counted, and unpriced', async () => {
    answering('llm.example.com', chatAnswer)
    const { event, problems, unpriced } = await watch(() => chat('https://llm.example.com/v1', 'gpt-4o'))
    expect(event).toMatchObject({
      provider: 'llm.example.com',
      host: 'llm.example.com',
      model: 'gpt-4o',
      usageSource: 'reported',
      inputTokens: 1000,
      outputTokens: 100,
      costSource: 'unpriced',
    })
    expect(event).not.toHaveProperty('costUsd')
    expect(unpriced).toEqual({ 'llm.example.com gpt-4o': 1 })
    expect(problems.map(({ kind }) => kind)).toEqual(['price'])
  })

  test('is what `hosts` says it is', async () => {
    answering('llm.example.com', chatAnswer)
    const hosts = { 'llm.example.com': 'openai' }
    const { event, problems } = await watch(() => chat('https://llm.example.com/v1'), { hosts })
    expect(event).toMatchObject({ provider: 'openai', host: 'llm.example.com', costUsd: '0.0035' })
    expect(problems).toEqual([])
  })

  test('is what `hosts` says it is on another port too', async () => {
    answering('llm.example.com:8443', chatAnswer)
    const hosts = { 'llm.example.com': 'openai' }
    const { event } = await watch(() => chat('https://llm.example.com:8443/v1'), { hosts })
    expect(event).toMatchObject({ provider: 'openai', host: 'llm.example.com:8443', costUsd: '0.0035' })
  })

  test('is asked for the usage of a stream, and once without where it refuses', async () => {
    const asked = answering('llm.example.com', (body) =>
      'stream_options' in body
        ? HttpResponse.json({ error: { message: 'Unknown field: stream_options' } }, { status: 400 })
        : chatAnswer(body),
    )
    const { event } = await watch(async () => {
      await streamedChat('https://llm.example.com/v1')
    })
    expect(asked.map(({ body }) => 'stream_options' in body)).toEqual([true, false])
    expect(event).toMatchObject({ usageSource: 'estimated', stream: true, provider: 'llm.example.com' })
    expect(event.attempts?.map(({ status }) => status)).toEqual([400, 200])
  })
})

test.each([
  ['api.mistral.ai', 'https://api.mistral.ai/v1'],
  ['openrouter.ai', 'https://openrouter.ai/api/v1'],
])('%s is never asked for the usage of a stream: it refuses, or gives it anyway', async (host, baseURL) => {
  const asked = answering(host, chatAnswer)
  await watch(() => streamedChat(baseURL, 'm'))
  expect(asked.map(({ body }) => 'stream_options' in body)).toEqual([false])
})

test('Azure is not asked beside `data_sources`, which it answers with 400', async () => {
  const host = 'contoso.openai.azure.com'
  const asked = answering(host, chatAnswer)
  const client = new OpenAI({ apiKey: 'key', baseURL: `https://${host}/openai/deployments/chat` })
  await watch(async () => {
    const body = { model: 'gpt-4o', messages, stream: true as const, data_sources: [{ type: 'azure_search' }] }
    for await (const _ of await client.chat.completions.create(body));
  })
  expect(asked).toMatchObject([{ path: '/openai/deployments/chat/chat/completions', body: { stream: true } }])
  expect(asked[0]?.body).not.toHaveProperty('stream_options')
})

describe('hosts that speak the wire of OpenAI', () => {
  test.each([
    ['api.deepseek.com', 'https://api.deepseek.com', 'deepseek'],
    ['openrouter.ai', 'https://openrouter.ai/api/v1', 'openrouter'],
    ['contoso.openai.azure.com', 'https://contoso.openai.azure.com/openai/deployments/chat', 'azure'],
    ['contoso.services.ai.azure.com', 'https://contoso.services.ai.azure.com/openai/v1', 'azure'],
    ['api.groq.com', 'https://api.groq.com/openai/v1', 'groq'],
    ['api.mistral.ai', 'https://api.mistral.ai/v1', 'mistral'],
    ['api.x.ai', 'https://api.x.ai/v1', 'x-ai'],
    ['bedrock-runtime.us-west-2.amazonaws.com', 'https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1', 'aws'],
    ['bedrock-mantle.us-east-1.api.aws', 'https://bedrock-mantle.us-east-1.api.aws/v1', 'aws'],
    ['api.together.xyz', 'https://api.together.xyz/v1', 'together'],
    ['api.fireworks.ai', 'https://api.fireworks.ai/inference/v1', 'fireworks'],
    ['api.cerebras.ai', 'https://api.cerebras.ai/v1', 'cerebras'],
    ['api.perplexity.ai', 'https://api.perplexity.ai', 'perplexity'],
    ['api.moonshot.ai', 'https://api.moonshot.ai/v1', 'moonshotai'],
    ['api.z.ai', 'https://api.z.ai/api/paas/v4', 'zai'],
    ['api.minimax.io', 'https://api.minimax.io/v1', 'minimax'],
  ])('%s', async (host, baseURL, provider) => {
    answering(host, chatAnswer)
    const { event } = await watch(() => chat(baseURL, 'm'))
    expect(event).toMatchObject({ provider, host, endpoint: 'chat.completions', inputTokens: 1000, outputTokens: 100 })
  })

  test.each([
    ['api.deepseek.com', 'https://api.deepseek.com/anthropic', 'deepseek'],
    ['api.moonshot.ai', 'https://api.moonshot.ai/anthropic', 'moonshotai'],
    ['openrouter.ai', 'https://openrouter.ai/api', 'openrouter'],
    ['contoso.services.ai.azure.com', 'https://contoso.services.ai.azure.com/anthropic', 'azure'],
  ])('and that of Anthropic: %s', async (host, baseURL, provider) => {
    const usage = { input_tokens: 1000, output_tokens: 100, ...(provider === 'openrouter' && { cost: 0.0045 }) }
    answering(host, () =>
      HttpResponse.json({
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [],
        stop_reason: 'end_turn',
        usage,
      }),
    )
    const { event } = await watch(() =>
      new Anthropic({ apiKey: 'key', baseURL }).messages.create({ model: 'm', max_tokens: 9, messages }),
    )
    expect(event).toMatchObject({ provider, host, endpoint: 'messages', inputTokens: 1000, outputTokens: 100 })
    if (provider === 'openrouter') expect(event).toMatchObject({ costUsd: '0.0045', costSource: 'reported' })
  })

  test('what OpenRouter charges is the cost, and its ready client calls it', async () => {
    answering('openrouter.ai', () =>
      HttpResponse.json({
        id: 'g1',
        model: 'openai/gpt-4o',
        provider: 'Azure',
        choices: [choice],
        usage: { ...usage, cost: 0.0035 },
      }),
    )
    const sink = memorySink()
    await using meter = new Meter({ sinks: [sink] })
    const router = meter.openRouter({ apiKey: 'key' })
    await meter.forTenant('acme', () => router.chat.completions.create({ model: 'openai/gpt-4o', messages }))
    await meter.flush()
    expect(sink.events).toMatchObject([
      {
        provider: 'openrouter',
        upstreamProvider: 'Azure',
        costUsd: '0.0035',
        costSource: 'reported',
        tenantId: 'acme',
      },
    ])
  })
})

test('a host by its name passes unmetered, and the rest of openai does not', async () => {
  answering('api.deepseek.com', chatAnswer)
  answering('api.openai.com', chatAnswer)
  const sink = memorySink()
  await using meter = new Meter({ sinks: [sink] })
  meter.patchAll()
  meter.unpatch('deepseek')
  await meter.forTenant('acme', async () => {
    await chat('https://api.deepseek.com', 'deepseek-v4-pro')
    await chat(undefined)
  })
  await meter.flush()
  expect(sink.events.map(({ provider }) => provider)).toEqual(['openai'])
})
