// The SDKs as an application has them: which package, how a client is made, which objects a patch may touch.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as anthropicShapes from './anthropic-shapes.mjs'
import * as googleShapes from './google-shapes.mjs'
import * as openaiShapes from './openai-shapes.mjs'

const hi = [{ role: 'user', content: 'Hi' }]
const say = { model: 'claude-sonnet-5', max_tokens: 16, messages: hi }
const model = 'gemini-2.5-flash'

export const SDKS = {
  openai: {
    package: 'openai',
    ...openaiShapes,
    Client: (sdk) => sdk.OpenAI,
    APIError: (sdk) => sdk.APIError,
    makeClient: (sdk, emulator, options) =>
      new sdk.OpenAI({ apiKey: 'any', baseURL: emulator.openai.baseURL, ...options }),
    openStreams: async (client) => [
      await client.chat.completions.create({ model: 'gpt-4o', messages: hi, stream: true }),
      ...helpersOf(client, (helpers) => helpers.stream({ model: 'gpt-4o', messages: hi })),
      ...(client.responses?.stream ? [client.responses.stream({ model: 'gpt-5', input: 'Hi' })] : []),
    ],
    stream: async (client) => {
      const stream = await client.chat.completions.create({
        model: 'gpt-4o',
        messages: hi,
        stream: true,
      })
      for await (const _ of stream);
      return stream
    },
    wrap: 'makeRequest',
    waist: (client) => ownerOf(client, 'makeRequest'),
  },
  anthropic: {
    package: '@anthropic-ai/sdk',
    ...anthropicShapes,
    Client: (sdk) => sdk.Anthropic,
    APIError: (sdk) => sdk.APIError,
    makeClient: (sdk, emulator, options) =>
      new sdk.Anthropic({ apiKey: 'any', baseURL: emulator.anthropic.baseURL, ...options }),
    openStreams: async (client) => [
      await client.messages.create({ ...say, stream: true }),
      client.messages.stream(say),
      ...(client.beta?.messages ? [client.beta.messages.stream(say)] : []),
    ],
    stream: async (client) => {
      const stream = await client.messages.create({ ...say, stream: true })
      for await (const _ of stream);
      return stream
    },
    wrap: 'makeRequest',
    waist: (client) => ownerOf(client, 'makeRequest'),
  },
  google: {
    package: '@google/genai',
    ...googleShapes,
    Client: (sdk) => sdk.GoogleGenAI,
    APIError: (sdk) => sdk.ApiError,
    makeClient: (sdk, emulator, options) =>
      new sdk.GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: emulator.google.baseURL, ...options } }),
    openStreams: async (client, emulator) => {
      emulator.reply({ toolCalls: [{ name: 'weather' }] }, { text: 'It rains.' })
      const weather = {
        tool: async () => ({ functionDeclarations: [{ name: 'weather' }] }),
        callTool: async () => [{ functionResponse: { name: 'weather', response: { output: 'rain' } } }],
      }
      return [
        await client.models.generateContentStream({ model, contents: 'Hi', config: { tools: [weather] } }),
        await client.chats.create({ model }).sendMessageStream({ message: 'Hi' }),
      ]
    },
    stream: async (client) => {
      const stream = await client.models.generateContentStream({ model, contents: 'Hi' })
      for await (const _ of stream);
      return stream
    },
    wrap: 'requestStream',
    waist: (client) => Object.getPrototypeOf(client.models.apiClient),
  },
}

/** What the helpers of chat give, where this version has them: openai 4 under `beta`, the first of it nowhere. */
function helpersOf(client, use) {
  const helpers = [client, client.beta].map((root) => root?.chat?.completions).find((it) => it?.stream)
  return helpers ? [use(helpers)] : []
}

function ownerOf(client, name) {
  for (let at = Object.getPrototypeOf(client); at; at = Object.getPrototypeOf(at))
    if (Object.hasOwn(at, name)) return at
  throw new Error(`No ${name}`)
}

/** What loads a module of the application in `folder` in one of the two module systems. */
export function loader(folder, format) {
  const require = createRequire(join(folder, 'index.js'))
  return async (name) => {
    const path = require.resolve(name)
    if (format === 'cjs') return require(path)
    const twin = path.replace(/\.c?js$/, (suffix) => (name === 'zod' ? '.js' : suffix && '.mjs'))
    return import(pathToFileURL(twin).href)
  }
}

/** @param {string} folder @param {string} name */
export function versionOf(folder, name) {
  const require = createRequire(join(folder, 'index.js'))
  for (let at = dirname(require.resolve(name)); at !== dirname(at); at = dirname(at)) {
    try {
      const manifest = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
      if (manifest.name === name) return manifest.version
    } catch {
      // No manifest here: one folder up.
    }
  }
  throw new Error(`No package.json of ${name}`)
}

/** Every own property of everything that a patch could have changed. */
export function descriptorsOf(client, stream) {
  const places = new Map()
  const chain = (name, from) => {
    for (
      let at = from, depth = 0;
      at && at !== Object.prototype && at !== Function.prototype;
      at = Object.getPrototypeOf(at), depth++
    )
      places.set(`${name}^${depth}`, Object.getOwnPropertyDescriptors(at))
  }
  chain('client', client)
  chain('class', client.constructor)
  if (client.models?.apiClient) chain('models', client.models)
  if (client.models?.apiClient) chain('apiClient', client.models.apiClient)
  chain('stream', Object.getPrototypeOf(stream))
  chain('stream class', stream.constructor)
  chain('Response', Response.prototype)
  places.set('globalThis', { fetch: Object.getOwnPropertyDescriptor(globalThis, 'fetch') })
  return places
}

/** @returns {string | undefined} the first property that is not what it was */
export function changed(before, after) {
  for (const [place, properties] of before) {
    const now = after.get(place)
    const keys = new Set([...Reflect.ownKeys(properties), ...Reflect.ownKeys(now)])
    for (const key of keys) {
      const [was, is] = [properties[key], now[key]]
      const same = was && is && Reflect.ownKeys(was).every((field) => Object.is(was[field], is[field]))
      if (!same) return `${place}.${String(key)} is not what it was`
    }
  }
  return undefined
}
