// What is metered by name: SDKs, providers that are called through another's SDK, and the copies that LangChain brings.

import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { ChatAnthropic } from '@langchain/anthropic'
import { ChatOpenAI } from '@langchain/openai'
import Groq from 'groq-sdk'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { type Emulator, type HostName, startEmulator } from '../../src/emulator/index.ts'
import { Meter, type MeterOptions, type Problem } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/index.ts'

const messages = [{ role: 'user' as const, content: 'Hi' }]

interface Stage extends AsyncDisposable {
  readonly emulator: Emulator
  readonly meter: Meter
  readonly problems: readonly Problem[]
  /** The providers of the events since the last look, in their order. */
  seen(): Promise<readonly string[]>
}

async function stage(options: MeterOptions = {}, hosts: readonly HostName[] = ['deepseek', 'groq']): Promise<Stage> {
  const emulator = await startEmulator()
  for (const host of hosts) await emulator.host(host)
  const sink = memorySink()
  const problems: Problem[] = []
  const meter = new Meter({
    sinks: [sink],
    onMissingTenant: 'record',
    onProblem: (problem) => void problems.push(problem),
    ...options,
    hosts: { ...emulator.hosts, ...options.hosts },
  })
  let looked = 0
  return {
    emulator,
    meter,
    problems,
    async seen() {
      await meter.flush()
      const events = sink.events.slice(looked)
      looked = sink.events.length
      return events.map(({ provider }) => provider)
    },
    async [Symbol.asyncDispose]() {
      await meter.close()
      await emulator.close()
    },
  }
}

async function callers(emulator: Emulator) {
  const [deepseek, groq] = [await emulator.host('deepseek'), await emulator.host('groq')]
  const through = async (baseURL: string) => {
    await new OpenAI({ baseURL, apiKey: 'key' }).chat.completions.create({ model: 'm', messages })
  }
  return {
    openai: () => through(emulator.openai.baseURL),
    deepseek: () => through(deepseek.baseURL),
    /** The host of Groq, through openai. */
    groqHost: () => through(groq.baseURL),
    async groq() {
      await new Groq({ baseURL: groq.origin, apiKey: 'key' }).chat.completions.create({ model: 'm', messages })
    },
    async anthropic() {
      const client = new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'key' })
      await client.messages.create({ model: 'claude-sonnet-5', max_tokens: 8, messages })
    },
  }
}

describe('a provider by its name', () => {
  test('`unpatch` leaves its calls alone and the rest of openai metered, `patch` puts them back', async () => {
    await using it = await stage()
    const call = await callers(it.emulator)
    it.meter.patch('openai')
    await call.deepseek()
    await call.openai()
    expect(await it.seen()).toEqual(['deepseek', 'openai'])
    it.meter.unpatch('deepseek')
    await call.deepseek()
    await call.openai()
    expect(await it.seen()).toEqual(['openai'])
    expect(it.meter.patch('deepseek')).toMatchObject({ sdk: 'openai', provider: 'deepseek', status: 'patched' })
    await call.deepseek()
    await call.openai()
    expect(await it.seen()).toEqual(['deepseek', 'openai'])
  })

  test('`patch` of a provider patches the SDK that calls it, for it alone', async () => {
    await using it = await stage()
    const call = await callers(it.emulator)
    expect(it.meter.patch('deepseek').status).toBe('patched')
    await call.deepseek()
    await call.openai()
    await call.groqHost()
    expect(await it.seen()).toEqual(['deepseek'])
    it.meter.unpatch('deepseek')
    await call.deepseek()
    expect(await it.seen()).toEqual([])
    it.meter.patch('openai')
    await call.openai()
    expect(await it.seen()).toEqual(['openai'])
  })

  test('`patch` of its SDK widens it to every host', async () => {
    await using it = await stage()
    const call = await callers(it.emulator)
    it.meter.patch('deepseek')
    it.meter.patch('openai')
    await call.deepseek()
    await call.openai()
    expect(await it.seen()).toEqual(['deepseek', 'openai'])
  })

  test('the option `patches` takes providers', async () => {
    await using it = await stage({ patches: ['deepseek', 'anthropic'] })
    const call = await callers(it.emulator)
    const report = it.meter.patchAll()
    expect(report.sdks.map(({ sdk, provider }) => [sdk, provider])).toEqual([
      ['openai', 'deepseek'],
      ['anthropic', undefined],
    ])
    for (const make of Object.values(call)) await make()
    expect(await it.seen()).toEqual(['deepseek', 'anthropic'])
  })

  test('its Anthropic-compatible endpoint is its own too', async () => {
    await using it = await stage()
    const host = new URL(it.emulator.anthropic.baseURL).host
    await using mine = await stage({ hosts: { [host]: 'deepseek' } })
    mine.meter.patch('anthropic')
    const client = new Anthropic({ baseURL: it.emulator.anthropic.baseURL, apiKey: 'key' })
    const call = () => client.messages.create({ model: 'deepseek-v4-pro', max_tokens: 8, messages })
    await call()
    expect(await mine.seen()).toEqual(['deepseek'])
    mine.meter.unpatch('deepseek')
    await call()
    expect(await mine.seen()).toEqual([])
  })

  test('`unpatchAll` forgets what was left out', async () => {
    await using it = await stage()
    const call = await callers(it.emulator)
    it.meter.patch('openai')
    it.meter.unpatch('deepseek')
    it.meter.unpatchAll()
    await call.deepseek()
    expect(await it.seen()).toEqual([])
    it.meter.patchAll()
    await call.deepseek()
    expect(await it.seen()).toEqual(['deepseek'])
  })

  test('a stream under way when it is unpatched is still recorded', async () => {
    await using it = await stage()
    it.meter.patch('openai')
    const { baseURL } = await it.emulator.host('deepseek')
    const client = new OpenAI({ baseURL, apiKey: 'key' })
    const stream = await client.chat.completions.create({ model: 'm', messages, stream: true })
    it.meter.unpatch('deepseek')
    for await (const _ of stream);
    expect(await it.seen()).toEqual(['deepseek'])
  })
})

describe('groq', () => {
  test('is groq-sdk, and the host that openai may call', async () => {
    await using it = await stage()
    const call = await callers(it.emulator)
    it.meter.patchAll()
    await call.groq()
    await call.groqHost()
    expect(await it.seen()).toEqual(['groq', 'groq'])
    it.meter.unpatch('groq')
    await call.groq()
    await call.groqHost()
    await call.openai()
    expect(await it.seen()).toEqual(['openai'])
    it.meter.patch('groq')
    await call.groq()
    await call.groqHost()
    expect(await it.seen()).toEqual(['groq', 'groq'])
  })
})

describe('google', () => {
  test('is @google/genai, and the host that openai and others may call: `unpatch` stops both, `patch` both again', async () => {
    await using it = await stage({}, ['google-openai'])
    const compatible = await it.emulator.host('google-openai')
    const client = new OpenAI({ baseURL: compatible.baseURL, apiKey: 'key' })
    const genai = new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: it.emulator.google.baseURL } })
    const call = async () => {
      await client.chat.completions.create({ model: 'gemini-2.5-flash', messages })
      await genai.models.generateContent({ model: 'gemini-2.5-flash', contents: 'Hi' })
      await new OpenAI({ ...it.emulator.openai, apiKey: 'key' }).chat.completions.create({ model: 'gpt-4o', messages })
    }
    it.meter.patchAll()
    await call()
    expect(await it.seen()).toEqual(['google', 'google', 'openai'])
    it.meter.unpatch('google')
    await call()
    expect(await it.seen()).toEqual(['openai'])
    it.meter.wrap(genai)
    it.meter.wrap(client)
    await call()
    expect(await it.seen()).toEqual(['google', 'google', 'openai'])
    it.meter.patch('google')
    await call()
    expect(await it.seen()).toEqual(['google', 'google', 'openai'])
  })
})

describe('a name that is none', () => {
  test.each(['patch', 'unpatch'] as const)('is refused by `%s` in one sentence, with those that are', async (verb) => {
    await using it = await stage()
    expect(() => it.meter[verb]('depseek')).toThrow(
      /^Expected `name` to be one of 'openai', 'anthropic', 'google', 'groq', 'fetch', 'langchain', .*'deepseek', .* got "depseek"\.$/,
    )
    expect(() => it.meter[verb](undefined as never)).toThrow('Expected `name` to be one of')
    expect(() => it.meter[verb]('constructor')).toThrow('Expected `name` to be one of')
  })
})

describe('LangChain, with copies of its own', () => {
  const quiet = { maxRetries: 0, apiKey: 'key' }
  const viaOpenAI = ({ openai }: Emulator) =>
    new ChatOpenAI({ ...quiet, model: 'gpt-4o', configuration: { baseURL: openai.baseURL } }).invoke('Hi')
  const viaAnthropic = ({ anthropic }: Emulator) =>
    new ChatAnthropic({ ...quiet, model: 'claude-sonnet-5', anthropicApiUrl: anthropic.baseURL }).invoke('Hi')

  test('`patchAll` finds them', async () => {
    await using it = await stage()
    const paths = it.meter.patchAll().sdks.flatMap(({ copies }) => copies.map(({ path }) => path))
    expect(paths.filter((path) => /@langchain\/openai\/node_modules\/openai\//.test(path ?? ''))).toHaveLength(2)
    await viaOpenAI(it.emulator)
    await viaAnthropic(it.emulator)
    expect(await it.seen()).toEqual(['openai', 'anthropic'])
  })

  test('by its name, they alone are patched', async () => {
    await using it = await stage()
    const call = await callers(it.emulator)
    const report = it.meter.patch('langchain')
    expect(report).toMatchObject({ sdk: 'langchain', status: 'patched' })
    expect(report.copies.every(({ path }) => path?.includes('@langchain'))).toBe(true)
    await viaOpenAI(it.emulator)
    await viaAnthropic(it.emulator)
    await call.openai()
    await call.anthropic()
    expect(await it.seen()).toEqual(['openai', 'anthropic'])
  })

  test('by its name, they alone are left', async () => {
    await using it = await stage()
    const call = await callers(it.emulator)
    it.meter.patchAll()
    it.meter.unpatch('langchain')
    await viaOpenAI(it.emulator)
    await viaAnthropic(it.emulator)
    expect(await it.seen()).toEqual([])
    await call.openai()
    await call.anthropic()
    expect(await it.seen()).toEqual(['openai', 'anthropic'])
  })
})
