// One call of each provider, metered on its way and priced again from its raw answer: the two never differ.

import { expect, test } from 'vitest'
import { type HostName, type Reply, startEmulator } from '../../src/emulator/index.ts'
import { Meter } from '../../src/meter.ts'
import { loadPrices } from '../../src/pricing-api.ts'
import { memorySink } from '../../src/sinks/memory.ts'

const prices = await loadPrices()
const messages = [{ role: 'user', content: 'How deep is the sea?' }]

interface Scene {
  readonly name: string
  readonly host?: HostName
  readonly path: string
  readonly body: object
  readonly reply?: Reply
}

const reply: Reply = { inputTokens: 1000, cachedTokens: 256, reasoningTokens: 40 }
const chat = (host: HostName, model: string): Scene => ({
  name: host,
  host,
  path: '/chat/completions',
  body: { model, messages },
  reply,
})
const contents = [{ role: 'user', parts: [{ text: 'Hello' }] }]

const SCENES: readonly Scene[] = [
  { name: 'openai', path: '/chat/completions', body: { model: 'gpt-6-sol', messages }, reply },
  { name: 'openai', path: '/responses', body: { model: 'gpt-5.6-luna', input: 'Hello' }, reply },
  { name: 'openai', path: '/embeddings', body: { model: 'text-embedding-3-small', input: 'Hello' } },
  { name: 'openai', path: '/images/generations', body: { model: 'gpt-image-2', prompt: 'A cat' } },
  { name: 'anthropic', path: '/v1/messages', body: { model: 'claude-sonnet-5-5', max_tokens: 100, messages }, reply },
  { name: 'google', path: '/v1beta/models/gemini-3.1-pro-preview:generateContent', body: { contents }, reply },
  chat('deepseek', 'deepseek-v4-pro'),
  chat('openrouter', 'anthropic/claude-sonnet-4.5'),
  chat('azure', 'chat'),
  chat('groq', 'openai/gpt-oss-120b'),
  chat('mistral', 'mistral-large-2512'),
  chat('x-ai', 'grok-4.6'),
  chat('google-openai', 'gemini-2.5-flash'),
  chat('aws', 'openai.gpt-oss-120b-1:0'),
  chat('together', 'meta-llama/Llama-3.3-70B-Instruct-Turbo'),
  chat('perplexity', 'sonar-pro'),
]

/** Without it our asking for the usage would be hidden from the caller, and so from what is priced again. */
const ASKING = { stream_options: { include_usage: true } }

const STREAMED = SCENES.filter(({ path }) => !/embeddings|images/.test(path))

async function meteredAndPriced(scene: Scene, isStream: boolean) {
  await using emulator = await startEmulator({ now: () => new Date('2026-11-22T12:00:00Z') })
  if (scene.reply) emulator.reply(scene.reply)
  const { baseURL } = scene.host
    ? await emulator.host(scene.host)
    : emulator[scene.name as 'openai' | 'anthropic' | 'google']
  const sink = memorySink()
  await using meter = new Meter({
    sinks: [sink],
    hosts: emulator.hosts,
    onMissingTenant: 'record',
    onProblem: () => {},
  })
  meter.patch('fetch')
  const path = isStream ? scene.path.replace(':generateContent', ':streamGenerateContent?alt=sse') : scene.path
  const isGoogle = scene.name === 'google'
  const request = {
    ...scene.body,
    ...(isStream && !isGoogle && { stream: true }),
    ...(isStream && scene.path === '/chat/completions' && scene.name !== 'mistral' && ASKING),
  }
  const answer = await fetch(baseURL + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer key', 'x-api-key': 'key' },
    body: JSON.stringify(request),
  })
  const response = isStream ? await answer.text() : ((await answer.json()) as unknown)
  expect(answer.status).toBe(200)
  await meter.flush()
  const [event] = sink.events
  const { provider, endpoint, timestamp: at } = event!
  const model = event!.modelRequested ?? event!.model
  return { event: event!, priced: prices.priceResponse({ provider, endpoint, model, request, response, at }), response }
}

test.each(SCENES)('$name $path', async (scene) => {
  const { event, priced, response } = await meteredAndPriced(scene, false)
  expect(event.costUsd).toBeDefined()
  expect(priced).toMatchObject({
    costUsd: event.costUsd,
    costSource: event.costSource,
    model: event.model,
    usage: event.usage,
    priceVersion: event.priceVersion,
    flags: event.usageFlags ?? [],
  })
  const { provider, timestamp: at } = event
  const model = event.modelRequested ?? event.model
  expect(prices.priceResponse({ provider, model, response, at }), 'told by its looks').toEqual(priced)
})

test.each(STREAMED)('$name $path, streamed', async (scene) => {
  const { event, priced, response } = await meteredAndPriced(scene, true)
  expect(event.costUsd).toBeDefined()
  expect(priced).toMatchObject({ costUsd: event.costUsd, costSource: event.costSource, usage: event.usage })
  const chunks = (response as string).split('\n').filter((line) => line.startsWith('data: {'))
  const { provider, endpoint, timestamp: at, model } = event
  const said = { provider, endpoint, model, at }
  expect(prices.priceResponse({ ...said, response: chunks }).costUsd).toBe(event.costUsd)
  expect(
    prices.priceResponse({ ...said, response: chunks.map((line) => JSON.parse(line.slice(6)) as unknown) }),
  ).toEqual(priced)
})
