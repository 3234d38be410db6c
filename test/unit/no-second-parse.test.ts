// What an SDK has parsed is never parsed a second time: JSON.parse is counted, of a plain call and of a metered one.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { Meter } from '../../src/index.ts'
import type { SdkName } from '../../src/patch/exchange.ts'
import { memorySink } from '../../src/sinks/memory.ts'

const require = createRequire(new URL('../apps/next/package.json', import.meta.url))
const openai7 = (await import(pathToFileURL(require.resolve('openai').replace(/[^/]+$/, 'index.mjs')).href)) as {
  readonly default: typeof OpenAI
}

let emulator: Emulator
beforeAll(async () => {
  emulator = await startEmulator()
  emulator.reply({ text: 'The sea is deep, and the deepest place of it is the Challenger Deep.', times: Infinity })
})
afterAll(() => emulator.close())

/** Every text that `fn` has parsed, in this thread; numbers that differ from one answer to the next are made the same. */
async function parsedIn(fn: () => Promise<unknown>): Promise<string[]> {
  const { parse } = JSON
  const texts: string[] = []
  JSON.parse = (text, reviver) => {
    texts.push(String(text).replace(/\d+/g, '0'))
    return parse(text, reviver)
  }
  try {
    await fn()
  } finally {
    JSON.parse = parse
  }
  return texts
}

async function readAll(stream: Promise<AsyncIterable<unknown>>): Promise<void> {
  for await (const _ of await stream);
}

const messages = [{ role: 'user' as const, content: 'How deep is the sea?' }]
const chat = { model: 'gpt-4o', messages }
const streamed = { ...chat, stream: true as const, stream_options: { include_usage: true } }
const message = { model: 'claude-sonnet-5', max_tokens: 100, messages }
const content = { model: 'gemini-2.5-flash', contents: 'How deep is the sea?' }

type Shape = readonly [name: string, sdk: SdkName, module: unknown, call: () => Promise<unknown>]

function openaiShapes(version: string, Client: typeof OpenAI): Shape[] {
  const client = () => new Client({ apiKey: 'any', baseURL: emulator.openai.baseURL })
  const shape = (name: string, call: () => Promise<unknown>): Shape => [
    `openai ${version}, ${name}`,
    'openai',
    Client,
    call,
  ]
  return [
    shape('chat', () => client().chat.completions.create(chat)),
    shape('chat, with its response', () => client().chat.completions.create(chat).withResponse()),
    shape('chat, read by the caller', async () => (await client().chat.completions.create(chat).asResponse()).json()),
    shape('a chat stream', () => readAll(client().chat.completions.create(streamed))),
    shape('the chat stream helper', () => client().chat.completions.stream(streamed).finalChatCompletion()),
    shape('a response', () => client().responses.create({ model: 'gpt-4o', input: 'How deep is the sea?' })),
    shape('a stream of a response', () =>
      readAll(client().responses.create({ model: 'gpt-4o', input: 'How deep is the sea?', stream: true })),
    ),
    shape('embeddings', () => client().embeddings.create({ model: 'text-embedding-3-small', input: 'The sea' })),
  ]
}

const anthropic = () => new Anthropic({ apiKey: 'any', baseURL: emulator.anthropic.baseURL })
const genai = () => new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: emulator.google.baseURL } })

const SHAPES: Shape[] = [
  ...openaiShapes('6', OpenAI),
  ...openaiShapes('7', openai7.default),
  ['anthropic, a message', 'anthropic', Anthropic, () => anthropic().messages.create(message)],
  [
    'anthropic, a stream',
    'anthropic',
    Anthropic,
    () => readAll(anthropic().messages.create({ ...message, stream: true })),
  ],
  ['anthropic, its stream helper', 'anthropic', Anthropic, () => anthropic().messages.stream(message).finalMessage()],
  ['genai, content', 'google', GoogleGenAI, () => genai().models.generateContent(content)],
  ['genai, a stream', 'google', GoogleGenAI, () => readAll(genai().models.generateContentStream(content))],
]

test.each(SHAPES)('%s is parsed as often as without us', async (_, sdk, module, call) => {
  await call()
  const plain = await parsedIn(call)
  const sink = memorySink()
  await using meter = new Meter({ sinks: [sink], hosts: emulator.hosts, onMissingTenant: 'record' })
  meter.patch(sdk, { modules: [module] })
  // The first call of a meter reads the price book.
  await call()
  await meter.flush()

  const metered = await parsedIn(call)
  await meter.flush()
  expect(sink.events.map(({ usageSource }) => usageSource)).toEqual(['reported', 'reported'])

  const extra = [...metered]
  for (const text of plain) {
    expect(extra).toContain(text)
    extra.splice(extra.indexOf(text), 1)
  }
  // What is cut out of an answer that the SDK reads as text: its usage, and the names of model and tier.
  expect(extra.filter((text) => text.includes('deep'))).toEqual([])
  expect(extra.join('').length).toBeLessThan(500)
})

test('a chunk of a stream whose caller did not ask for usage is parsed once, and one chunk more comes', async () => {
  const call = () => {
    const client = new OpenAI({ apiKey: 'any', baseURL: emulator.openai.baseURL })
    return readAll(client.chat.completions.create({ ...chat, stream: true }))
  }
  const chunks = (texts: readonly string[]) => texts.filter((text) => text.includes('"chat.completion.chunk"')).length
  await call()
  const plain = await parsedIn(call)
  await using meter = new Meter({ sinks: [memorySink()], hosts: emulator.hosts, onMissingTenant: 'record' })
  meter.patch('openai', { modules: [OpenAI] })
  await call()
  await meter.flush()
  const metered = await parsedIn(call)
  expect(chunks(plain)).toBeGreaterThan(3)
  expect(chunks(metered)).toBe(chunks(plain) + 1)
  // Nothing else but the request, which the emulator reads.
  expect(metered.length).toBe(plain.length + 1)
})
