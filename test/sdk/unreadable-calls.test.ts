// Clients, requests and addresses that throw when they are looked at once more than their SDK does: the call goes on.

import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { Meter, type Problem } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/memory.ts'

async function stage() {
  const emulator = await startEmulator()
  const sink = memorySink()
  const problems: Problem[] = []
  const meter = new Meter({ sinks: [sink], hosts: emulator.hosts, onProblem: (problem) => problems.push(problem) })
  onTestFinished(async () => {
    await meter.close()
    await emulator.close()
  })
  return { emulator, sink, problems, meter }
}

/** Throws when it is read for the first time: by us, who come before the SDK. */
function throwsOnce<T extends object>(object: T, name: keyof T, value: unknown): T {
  let isFirst = true
  return Object.defineProperty(object, name, {
    configurable: true,
    get() {
      if (!isFirst) return value
      isFirst = false
      throw new Error('Do not look at me.')
    },
  })
}

const chat = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'Hi' }], max_tokens: 9 }
const question = { model: 'claude-sonnet-5-5', max_tokens: 9, messages: [{ role: 'user' as const, content: 'Hi' }] }

const openai = (emulator: Emulator) => new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'key', maxRetries: 0 })

test('a request of openai that cannot be read is made, is not metered, and is spoken of', async () => {
  const { emulator, sink, problems, meter } = await stage()
  meter.patch('openai', { modules: [OpenAI] })
  const client = openai(emulator)
  await client.chat.completions.create(chat)
  throwsOnce(client, 'baseURL', client.baseURL)
  expect((await client.chat.completions.create(chat)).object).toBe('chat.completion')
  expect((await client.chat.completions.create(chat)).object).toBe('chat.completion')
  await meter.flush()
  expect(sink.events).toHaveLength(2)
  expect(problems.map(({ message }) => message)).toContainEqual(expect.stringContaining('A request of openai'))
})

test('a request of @google/genai that cannot be read is made, is not metered, and is spoken of', async () => {
  const { emulator, sink, problems, meter } = await stage()
  meter.patch('google', { modules: [GoogleGenAI] })
  const client = new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: emulator.google.baseURL } })
  const { apiClient } = client as unknown as { apiClient: { getBaseUrl(): string } }
  const { getBaseUrl } = apiClient
  let isFirst = true
  apiClient.getBaseUrl = function (this: typeof apiClient) {
    if (!isFirst) return getBaseUrl.call(this)
    isFirst = false
    throw new Error('Do not look at me.')
  }
  const ask = () => client.models.generateContent({ model: 'gemini-3-pro', contents: 'Hi' })
  expect((await ask()).candidates).toHaveLength(1)
  expect((await ask()).candidates).toHaveLength(1)
  await meter.flush()
  expect(sink.events).toHaveLength(1)
  expect(problems.map(({ message }) => message)).toContainEqual(expect.stringContaining('A request of @google/genai'))
})

test('a client with middleware whose `fetch` cannot be replaced makes its call, and it is metered', async () => {
  const { emulator, sink, problems, meter } = await stage()
  meter.patch('anthropic', { modules: [Anthropic] })
  const client = new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'key' })
  const { fetch } = client as unknown as { fetch: typeof globalThis.fetch }
  Object.defineProperty(client, 'fetch', {
    get: () => fetch,
    set() {
      throw new Error('Mine.')
    },
  })
  const middleware = [(request: Request, next: (request: Request) => Promise<Response>) => next(request)]
  expect((await client.messages.create(question, { middleware } as object)).type).toBe('message')
  await meter.flush()
  expect(sink.events).toHaveLength(1)
  expect(problems.map(({ message }) => message)).toContainEqual(expect.stringContaining('middleware'))
})

test('a call of `fetch` that cannot be read is made, is not metered, and is spoken of', async () => {
  const { emulator, sink, problems, meter } = await stage()
  meter.patch('fetch')
  const url = `${emulator.openai.baseURL}/chat/completions`
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(chat) }
  const answer = await (await fetch(url, init)).json()
  const unread = await (await fetch(url, throwsOnce({ ...init }, 'body', init.body))).json()
  expect(Object.keys(unread as object)).toEqual(Object.keys(answer as object))
  await meter.flush()
  expect(sink.events).toHaveLength(1)
  expect(problems.map(({ message }) => message)).toContainEqual(expect.stringContaining('A call of `fetch`'))
})

test('a Request whose body is being read elsewhere fails as it would without us', async () => {
  const { emulator, sink, meter } = await stage()
  const made = () => {
    const request = new Request(`${emulator.openai.baseURL}/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(chat),
    })
    request.body!.getReader()
    return request
  }
  const failed = async () => fetch(made()).then(String, (error: Error) => `${error.name}: ${error.message}`)
  const plain = await failed()
  meter.patch('fetch')
  expect(await failed()).toBe(plain)
  await meter.flush()
  expect(sink.events).toMatchObject([{ usageSource: 'absent', error: expect.any(String) }])
})
