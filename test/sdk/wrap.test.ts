// `meter.wrap(client)`: that one client, and nothing else; and clients, copies and prototypes that are not as they should be.

import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import Groq from 'groq-sdk'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { Meter, type Problem } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/index.ts'

interface Stage extends AsyncDisposable {
  readonly emulator: Emulator
  readonly meter: Meter
  readonly problems: readonly Problem[]
  /** How many events there are since the last look. */
  count(): Promise<number>
}

async function stage(): Promise<Stage> {
  const emulator = await startEmulator()
  await emulator.host('groq')
  const sink = memorySink()
  const problems: Problem[] = []
  const meter = new Meter({
    sinks: [sink],
    hosts: emulator.hosts,
    onMissingTenant: 'record',
    onProblem: (problem) => void problems.push(problem),
  })
  let looked = 0
  return {
    emulator,
    meter,
    problems,
    async count() {
      await meter.flush()
      const { length } = sink.events
      const fresh = length - looked
      looked = length
      return fresh
    },
    async [Symbol.asyncDispose]() {
      await meter.close()
      await emulator.close()
    },
  }
}

const messages = [{ role: 'user' as const, content: 'Hi' }]
const openai = ({ openai: { baseURL } }: Emulator, more = {}) =>
  new OpenAI({ baseURL, apiKey: 'key', maxRetries: 0, ...more })
const ask = (client: OpenAI) => client.chat.completions.create({ model: 'gpt-4o', messages })

const SDKS: readonly (readonly [
  string,
  (emulator: Emulator) => Promise<{ client: object; call(): Promise<unknown> }>,
])[] = [
  [
    'openai',
    async (emulator) => {
      const client = openai(emulator)
      return { client, call: () => ask(client) }
    },
  ],
  [
    'anthropic',
    async ({ anthropic: { baseURL } }) => {
      const client = new Anthropic({ baseURL, apiKey: 'key' })
      return { client, call: () => client.messages.create({ model: 'claude-sonnet-5', max_tokens: 8, messages }) }
    },
  ],
  [
    'google',
    async ({ google: { baseURL } }) => {
      const client = new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: baseURL } })
      return { client, call: () => client.models.generateContent({ model: 'gemini-2.5-flash', contents: 'Hi' }) }
    },
  ],
  [
    'groq',
    async (emulator) => {
      const client = new Groq({ baseURL: (await emulator.host('groq')).origin, apiKey: 'key' })
      return { client, call: () => client.chat.completions.create({ model: 'openai/gpt-oss-120b', messages }) }
    },
  ],
]

describe.each(SDKS)('a client of %s', (name, make) => {
  test('is metered, and no other is', async () => {
    await using it = await stage()
    const [mine, other] = [await make(it.emulator), await make(it.emulator)]
    expect(it.meter.wrap(mine.client)).toBe(mine.client)
    await mine.call()
    expect(await it.count()).toBe(1)
    await other.call()
    expect(await it.count()).toBe(0)
  })

  test('twice is once, and so is wrapped and patched', async () => {
    await using it = await stage()
    const mine = await make(it.emulator)
    it.meter.wrap(it.meter.wrap(mine.client))
    await mine.call()
    expect(await it.count()).toBe(1)
    it.meter.patch(name)
    await mine.call()
    expect(await it.count()).toBe(1)
    expect(it.problems).toEqual([])
  })

  test('is left alone after `unpatchAll`', async () => {
    await using it = await stage()
    const mine = await make(it.emulator)
    it.meter.wrap(mine.client)
    it.meter.unpatchAll()
    await mine.call()
    expect(await it.count()).toBe(0)
  })

  test('is metered whatever `patches` says', async () => {
    await using it = await stage()
    const mine = await make(it.emulator)
    it.meter.patch('cerebras')
    it.meter.wrap(mine.client)
    await mine.call()
    expect(await it.count()).toBe(1)
  })
})

describe('copies of a client', () => {
  test('by `withOptions` stay metered, copies of copies too', async () => {
    await using it = await stage()
    const client = it.meter.wrap(openai(it.emulator))
    await ask(client.withOptions({ timeout: 5000 }))
    await ask(client.withOptions({ timeout: 5000 }).withOptions({ maxRetries: 1 }))
    expect(await it.count()).toBe(2)
  })
})

describe('a client behind a Proxy', () => {
  test('is metered, called by the Proxy or by itself', async () => {
    await using it = await stage()
    const client = openai(it.emulator)
    const proxy = new Proxy(client, {})
    expect(it.meter.wrap(proxy)).toBe(proxy)
    await ask(proxy)
    await ask(client)
    expect(await it.count()).toBe(2)
  })

  test('is metered once where both are wrapped', async () => {
    await using it = await stage()
    const client = openai(it.emulator)
    const proxy = it.meter.wrap(new Proxy(client, {}))
    it.meter.wrap(client)
    await ask(proxy)
    await ask(client)
    expect(await it.count()).toBe(2)
  })

  test('that lets nothing be changed goes on unmetered, and that is said', async () => {
    await using it = await stage()
    const proxy = new Proxy(openai(it.emulator), { defineProperty: () => false })
    expect(it.meter.wrap(proxy)).toBe(proxy)
    await ask(proxy)
    expect(await it.count()).toBe(0)
    expect(it.problems.map(({ message }) => message)).toEqual([
      'A client of openai could not be wrapped, its calls are not metered: patching failed: TypeError',
    ])
  })

  test('that throws at every look is refused as no client', async () => {
    await using it = await stage()
    const proxy = new Proxy(openai(it.emulator), {
      get() {
        throw new Error('secret')
      },
    })
    expect(() => it.meter.wrap(proxy)).toThrow('Expected `client` to be a client of openai')
  })

  test('is metered through the patched class', async () => {
    await using it = await stage()
    it.meter.patch('openai', { modules: [OpenAI] })
    const proxy = new Proxy(openai(it.emulator), {
      get: (target, name, receiver) => Reflect.get(target, name, receiver) as unknown,
    })
    await ask(proxy)
    expect(await it.count()).toBe(1)
  })
})

describe('what is frozen', () => {
  test('a client is metered through its class, and cannot be wrapped, which is said', async () => {
    await using it = await stage()
    const client = openai(it.emulator)
    Object.freeze(client)
    expect(it.meter.wrap(client)).toBe(client)
    await ask(client)
    expect(await it.count()).toBe(0)
    expect(it.problems.map(({ message }) => message)).toEqual([
      'A client of openai could not be wrapped, its calls are not metered: it is frozen.',
    ])
    it.meter.patch('openai', { modules: [OpenAI] })
    await ask(client)
    expect(await it.count()).toBe(1)
  })

  test('a prototype leaves the calls alone, and the report says why', async () => {
    await using it = await stage()
    class Mine extends OpenAI {}
    const frozen = Object.create(Mine.prototype, {
      makeRequest: { value: OpenAI.prototype['makeRequest' as never] },
    }) as object
    const Frozen = (() => {}) as unknown as { prototype: object }
    Frozen.prototype = Object.freeze(frozen)
    const report = it.meter.patch('openai', { modules: [Frozen] })
    expect(report).toMatchObject({ status: 'failed', copies: [{ isPatched: false, reason: 'it is frozen.' }] })
    expect(it.problems.map(({ message }) => message)).toEqual([
      'A copy of openai could not be patched, only its calls through `fetch` are metered: it is frozen.',
    ])
    await ask(openai(it.emulator))
    expect(await it.count()).toBe(1)
  })

  test('a prototype of which one seam cannot be replaced is left as it was', async () => {
    await using it = await stage()
    class Half {
      makeRequest() {}
      shouldRetry() {}
    }
    Object.defineProperty(Half.prototype, 'shouldRetry', { configurable: false, writable: false })
    const before = Half.prototype.makeRequest
    expect(it.meter.patch('openai', { modules: [Half] }).status).toBe('failed')
    expect(Half.prototype.makeRequest).toBe(before)
  })
})

describe('a client with a fetch of its own', () => {
  test('is metered', async () => {
    await using it = await stage()
    let calls = 0
    const client = openai(it.emulator, {
      fetch: (url: string, init: RequestInit) => {
        calls++
        return fetch(url, init)
      },
    })
    it.meter.wrap(client)
    await ask(client)
    expect([await it.count(), calls]).toEqual([1, 1])
  })

  test('that answers with less than a Response is served as without us', async () => {
    await using it = await stage()
    const answer = {
      id: 'c1',
      object: 'chat.completion',
      model: 'gpt-4o',
      choices: [],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    }
    const bare = {
      ok: true,
      status: 200,
      headers: new Headers({ 'content-type': 'application/json' }),
      json: async () => answer,
      text: async () => JSON.stringify(answer),
    }
    const client = () => openai(it.emulator, { fetch: async () => bare })
    const plain = await ask(client())
    const metered = await ask(it.meter.wrap(client()))
    expect(metered).toEqual(plain)
    expect(await it.count()).toBe(1)
  })

  test('that answers with something else altogether fails as without us', async () => {
    await using it = await stage()
    for (const odd of [undefined, null, {}, 'text', { status: 200 }, { status: 200, headers: {} }]) {
      const client = () => openai(it.emulator, { fetch: async () => odd, logLevel: 'off' })
      const plain = await ask(client()).catch((error: unknown) => error)
      const metered = await ask(it.meter.wrap(client())).catch((error: unknown) => error)
      expect(String(metered)).toBe(String(plain))
    }
  })
})

describe('a copy that is not what it claims to be', () => {
  test.each([
    [
      'whose waist throws',
      {
        makeRequest() {
          throw new Error('mine')
        },
      },
    ],
    ['whose waist gives no promise', { makeRequest: () => 7 }],
    ['whose waist gives nothing', { makeRequest: async () => undefined }],
    ['whose answer has no response', { makeRequest: async () => ({}) }],
  ])('%s behaves as without us', async (_, methods) => {
    await using it = await stage()
    const make = () => {
      class Odd {
        baseURL = it.emulator.openai.baseURL
        call(this: { makeRequest(options: object, retries: null): unknown }) {
          return this.makeRequest(
            { method: 'post', path: '/chat/completions', body: { model: 'gpt-4o', messages } },
            null,
          )
        }
      }
      Object.assign(Odd.prototype, methods)
      return Odd as unknown as new () => { call(): Promise<unknown> }
    }
    const outcome = async (Odd: new () => { call(): Promise<unknown> }) => {
      try {
        return await new Odd().call()
      } catch (error) {
        return String(error)
      }
    }
    const [Plain, Patched] = [make(), make()]
    it.meter.patch('openai', { modules: [Patched] })
    expect(await outcome(Patched)).toEqual(await outcome(Plain))
    expect(it.meter.stats().openCalls).toBe(0)
  })
})
