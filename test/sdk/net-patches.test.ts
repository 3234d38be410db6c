// The net beside the patches of the SDKs: what `patchAll` puts up, what `unpatch` leaves alone, and that a call counts once.

import { createOpenAI } from '@ai-sdk/openai'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { generateText } from 'ai'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import type { Emulator } from '../../src/emulator/index.ts'
import { nativeHost } from '../support/native-hosts.ts'
import { all, billed, billOf, type Netted, netted } from '../support/net.ts'

const messages = [{ role: 'user' as const, content: 'How deep is the sea?' }]
const retries = { maxRetries: 2, apiKey: 'key' }
const openai = ({ openai: { baseURL } }: Emulator) => new OpenAI({ baseURL, ...retries })
const anthropic = ({ anthropic: { baseURL } }: Emulator) => new Anthropic({ baseURL, ...retries })
const google = ({ google: { baseURL } }: Emulator) =>
  new GoogleGenAI({ apiKey: 'key', vertexai: false, httpOptions: { baseUrl: baseURL, retryOptions: { attempts: 3 } } })

const chat = { model: 'gpt-4o', messages }
const message = { model: 'claude-sonnet-4-6', max_tokens: 100, messages }
const content = { model: 'gemini-2.5-flash', contents: 'How deep is the sea?' }

const CALLS: readonly (readonly [name: string, call: (to: Emulator) => Promise<unknown>])[] = [
  ['openai', (to) => openai(to).chat.completions.create(chat)],
  ['openai, streamed', async (to) => all(await openai(to).chat.completions.create({ ...chat, stream: true }))],
  ['openai, raw', async (to) => (await openai(to).chat.completions.create(chat).asResponse()).text()],
  ['anthropic', (to) => anthropic(to).messages.create(message)],
  ['anthropic, streamed', (to) => anthropic(to).messages.stream(message).finalMessage()],
  ['google', (to) => google(to).models.generateContent(content)],
  ['google, streamed', async (to) => all(await google(to).models.generateContentStream(content))],
]

async function patchedAll(): Promise<Netted> {
  const net = await netted()
  const { sdks } = net.meter.patchAll()
  expect(sdks.at(-1)).toEqual({ sdk: 'fetch', status: 'patched', copies: [] })
  return net
}

describe.each(CALLS)('%s', (name, call) => {
  test('counts once with both layers, with the net alone, and with the SDK alone', async () => {
    const both = await patchedAll()
    await both.meter.forTenant('acme', () => call(both.emulator))
    expect(billed(await both.events())).toEqual(billOf(both.emulator))
    both.meter.unpatchAll()
    const net = await netted()
    await net.meter.forTenant('acme', () => call(net.emulator))
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
    expect(net.problems).toEqual([])
  })

  test('tried again by the SDK is one event with both layers, and one a try with the net alone', async () => {
    const failed = { status: 503, headers: { 'retry-after-ms': '1', 'retry-after': '0' } }
    const both = await patchedAll()
    both.emulator.reply(failed)
    await call(both.emulator)
    expect(await both.events()).toMatchObject([{ usageSource: 'reported' }])
    both.meter.unpatchAll()
    const net = await netted({}, [failed])
    await call(net.emulator)
    expect((await net.events()).map(({ error }) => error)).toEqual(['http_503', undefined])
  })

  test('is left alone where its SDK was unpatched, and metered again when anything is patched anew', async () => {
    const net = await patchedAll()
    const sdk = name.split(',')[0] as 'openai'
    net.meter.unpatch(sdk)
    await call(net.emulator)
    expect(await net.events()).toEqual([])
    const { chat: model } = createOpenAI({ baseURL: net.emulator.openai.baseURL, apiKey: 'key' })
    await generateText({ model: model('gpt-4o'), prompt: 'Hi' })
    expect(await net.events()).toHaveLength(1)
    net.meter.patch(sdk)
    await call(net.emulator)
    expect(await net.events()).toHaveLength(2)
    net.meter.unpatch(sdk)
    net.meter.patch('fetch')
    await call(net.emulator)
    expect(billed(await net.events())).toEqual(billOf(net.emulator).slice(1))
  })
})

test("a client's own `fetch` that ends in the global one is a part of its call", async () => {
  const net = await patchedAll()
  const client = new OpenAI({
    baseURL: net.emulator.openai.baseURL,
    apiKey: 'key',
    fetch: async (input, init) => {
      await fetch(`${net.emulator.openai.baseURL}/models`)
      return fetch(input, init)
    },
  })
  await client.chat.completions.create(chat)
  expect(billed(await net.events())).toEqual(billOf(net.emulator))
})

test('when all is undone, `fetch` and the SDKs are as they were', async () => {
  const before = [globalThis.fetch, OpenAI.prototype, Anthropic.prototype].map((it) => it)
  const seams = () => [OpenAI, Anthropic].map((it) => Object.getOwnPropertyDescriptors(it.prototype))
  const untouched = seams()
  const net = await patchedAll()
  net.meter.unpatch('openai')
  net.meter.unpatch('google')
  net.meter.unpatchAll()
  expect(globalThis.fetch).toBe(before[0])
  expect(seams()).toEqual(untouched)
})

test('`unpatch("fetch")` leaves the SDKs metered, and everything else alone', async () => {
  const net = await patchedAll()
  net.meter.unpatch('fetch')
  await openai(net.emulator).chat.completions.create(chat)
  await fetch(`${net.emulator.openai.baseURL}/chat/completions`, { method: 'POST', body: JSON.stringify(chat) })
  expect(billed(await net.events())).toEqual(billOf(net.emulator).slice(0, 1))
})

test('a provider that was unpatched is left alone by the net too', async () => {
  const host = await nativeHost({ '/v2/rerank': { json: { id: '1', results: [], meta: {} } } })
  const net = await netted({ hosts: { [host.host]: 'cohere' } })
  const rerank = () => fetch(`${host.url}/v2/rerank`, { method: 'POST', body: '{"model":"rerank-v3.5"}' })
  net.meter.unpatch('cohere')
  await (await rerank()).json()
  expect(await net.events()).toEqual([])
  net.meter.patch('cohere')
  await (await rerank()).json()
  expect(await net.events()).toMatchObject([{ provider: 'cohere', endpoint: 'rerank' }])
})

test('an interaction of @google/genai counts once with both layers', async () => {
  const net = await patchedAll()
  const ask = { model: 'gemini-2.5-flash', input: 'How deep is the sea?' }
  await net.meter.forTenant('acme', () => google(net.emulator).interactions.create(ask))
  await net.meter.forTenant('acme', async () =>
    all(await google(net.emulator).interactions.create({ ...ask, stream: true })),
  )
  expect(billed(await net.events())).toEqual(billOf(net.emulator))
  expect(net.problems).toEqual([])
})
