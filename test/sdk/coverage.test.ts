// Calls that go past the meter are found from below, said once, and never said of calls that it has.

import { request as httpRequest } from 'node:http'
import { createRequire } from 'node:module'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { ResponsesWS } from 'openai/resources/responses/ws'
import { Agent, fetch as undiciFetch } from 'undici'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startEmulator } from '../../src/emulator/index.ts'
import { defineProvider, Meter, type MeterOptions } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/index.ts'
import { PATIENT } from '../support/patience.ts'

const QUESTION = 'How deep is the sea?'
const messages = [{ role: 'user' as const, content: QUESTION }]
const body = { model: 'gpt-4o', messages }

/** The other build of the SDK: a class that nobody patches here, as a bundled copy would be. */
const { OpenAI: Unpatched } = createRequire(import.meta.url)('openai') as typeof import('openai')

async function setUp(options: MeterOptions = {}) {
  const emulator = await startEmulator()
  const problems: string[] = []
  const meter = new Meter({
    sinks: [memorySink()],
    hosts: emulator.hosts,
    onMissingTenant: 'record',
    onProblem: ({ message }) => void problems.push(message),
    ...options,
  })
  onTestFinished(async () => {
    await meter.close()
    await emulator.close()
  })
  const { baseURL } = emulator.openai
  const client = new OpenAI({ baseURL, apiKey: 'any', maxRetries: 2 })
  const past = new Unpatched({ baseURL, apiKey: 'any', maxRetries: 0 })
  const hostOf = (provider: string) => Object.entries(emulator.hosts).find(([, name]) => name === provider)![0]
  const counts = (provider = 'openai') => meter.stats().coverage[hostOf(provider)]
  return { emulator, problems, meter, client, past, counts, host: hostOf('openai'), baseURL }
}

describe('nothing is said of calls that the meter has', () => {
  test('whole and streamed, of each SDK', async () => {
    const { emulator, meter, client, problems, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    meter.patch('anthropic', { modules: [Anthropic] })
    meter.patch('google', { modules: [GoogleGenAI] })
    const claude = new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'any' })
    const gemini = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: emulator.google.baseURL } })
    await client.chat.completions.create(body)
    for await (const _ of await client.chat.completions.create({ ...body, stream: true }));
    await claude.messages.create({ model: 'claude-sonnet-4-6', max_tokens: 100, messages })
    await gemini.models.generateContent({ model: 'gemini-2.5-flash', contents: QUESTION })
    expect(counts('openai')).toEqual({ provider: 'openai', seen: 2, metered: 2 })
    expect(counts('anthropic')).toEqual({ provider: 'anthropic', seen: 1, metered: 1 })
    expect(counts('google')).toEqual({ provider: 'google', seen: 1, metered: 1 })
    expect(problems).toEqual([])
  })

  test('retries are requests of the same call', async () => {
    const { emulator, meter, client, problems, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    emulator.reply({ status: 500, times: 2, headers: { 'retry-after-ms': '1' } })
    await client.chat.completions.create(body)
    expect(counts()).toEqual({ provider: 'openai', seen: 3, metered: 3 })
    expect(problems).toEqual([])
  })

  test('a pool that makes requests wait sends them in the context of another', async () => {
    const { meter, baseURL, problems, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    const dispatcher = new Agent({ connections: 1, pipelining: 1 })
    onTestFinished(() => dispatcher.close())
    const fetch = ((url: string, init: object) =>
      undiciFetch(url, { ...init, dispatcher })) as unknown as typeof globalThis.fetch
    const client = new OpenAI({ baseURL, apiKey: 'any', fetch })
    await Promise.all(Array.from({ length: 5 }, () => client.chat.completions.create(body)))
    expect(counts()).toEqual({ provider: 'openai', seen: 5, metered: 5 })
    expect(problems).toEqual([])
  })

  test('a redirect is followed within the call', async () => {
    const { meter, host, problems, counts, emulator } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    emulator.reply({ status: 307, body: '', headers: { location: `http://${host}/v1/chat/completions` } })
    const client = new OpenAI({ baseURL: `http://${host}/v1`, apiKey: 'any' })
    await client.chat.completions.create(body)
    expect(counts()).toEqual({ provider: 'openai', seen: 2, metered: 2 })
    expect(problems).toEqual([])
  })

  test('a call is made again by middleware of the application', async () => {
    const { emulator, meter, problems, counts } = await setUp()
    meter.patch('anthropic', { modules: [Anthropic] })
    const twice = async (request: Request, next: (request: Request) => Promise<Response>) => {
      await next(request)
      return next(request)
    }
    const claude = new Anthropic({
      baseURL: emulator.anthropic.baseURL,
      apiKey: 'any',
      middleware: [twice as never],
    })
    await claude.messages.create({ model: 'claude-sonnet-4-6', max_tokens: 100, messages })
    expect(counts('anthropic')).toEqual({ provider: 'anthropic', seen: 2, metered: 2 })
    expect(problems).toEqual([expect.stringContaining('more than one request for a call')])
  })

  test('the fetch net has it', async () => {
    const { meter, baseURL, problems, counts } = await setUp()
    meter.patch('fetch')
    await new Unpatched({ baseURL, apiKey: 'any' }).chat.completions.create(body)
    expect(counts()).toEqual({ provider: 'openai', seen: 1, metered: 1 })
    expect(problems).toEqual([])
  })

  test('another meter of the process has it', async () => {
    const first = await setUp()
    first.meter.patch('openai', { modules: [OpenAI] })
    const { emulator } = first
    const problems: string[] = []
    const second = new Meter({
      sinks: [memorySink()],
      hosts: emulator.hosts,
      onProblem: ({ message }) => void problems.push(message),
    })
    onTestFinished(() => second.close())
    second.patch('anthropic', { modules: [Anthropic] })
    second.patch('openai', { modules: [OpenAI] })
    await first.client.chat.completions.create(body)
    expect(second.stats().coverage[first.host]).toEqual({ provider: 'openai', seen: 1, metered: 1 })
    expect(problems.filter((message) => message.includes('past the meter'))).toEqual([])
  })
})

describe('nothing is said of what is not billed', () => {
  test('lists, token counts and hosts that nobody knows', async () => {
    const { emulator, meter, past, problems, counts, baseURL } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    meter.patch('anthropic', { modules: [Anthropic] })
    await fetch(`${baseURL}/models`)
    await past.get('/models').catch(() => undefined)
    await fetch(`${emulator.anthropic.baseURL}/v1/messages/count_tokens`, { method: 'POST', body: '{}' })
    await fetch(baseURL.replace('127.0.0.1', 'localhost').concat('/chat/completions'), {
      method: 'POST',
      body: '{}',
    }).catch(() => undefined)
    expect(counts()).toBeUndefined()
    expect(counts('anthropic')).toBeUndefined()
    expect(problems).toEqual([])
  })

  test('and nothing is looked at before something is patched, or after the meter is closed', async () => {
    const { meter, past, problems } = await setUp()
    await past.chat.completions.create(body)
    meter.patch('openai', { modules: [OpenAI] })
    await meter.close()
    await past.chat.completions.create(body)
    expect(meter.stats().coverage).toEqual({})
    expect(problems).toEqual([])
  })

  test('what was taken out by name may go past', async () => {
    const { meter, past, problems, counts } = await setUp()
    meter.patch('anthropic', { modules: [Anthropic] })
    meter.patch('openai', { modules: [OpenAI] })
    meter.unpatch('openai')
    await past.chat.completions.create(body)
    expect(counts()).toBeUndefined()
    expect(meter.doctor().advice).toEqual([])
    expect(problems).toEqual([])
  })

  test('a host that I left out on purpose is no reason for advice: `patches` without it', async () => {
    const { meter, past, client, counts, problems } = await setUp({ patches: ['anthropic'] })
    meter.patchAll()
    await past.chat.completions.create(body)
    expect(counts()).toBeUndefined()
    expect(meter.doctor().advice).toEqual([])
    // What is metered all the same stands in the counts.
    await meter.wrap(client).chat.completions.create(body)
    expect(counts()).toEqual({ provider: 'openai', seen: 1, metered: 1 })
    expect(problems).toEqual([])
  })

  test('a provider that was taken out by name may go past, and what its SDK calls as well', async () => {
    const { host, past, problems } = await setUp()
    const told: string[] = []
    const meter = new Meter({
      sinks: [memorySink()],
      hosts: { [host]: 'deepseek' },
      onProblem: ({ message }) => void told.push(message),
    })
    onTestFinished(() => meter.close())
    meter.patch('openai', { modules: [OpenAI] })
    meter.unpatch('deepseek')
    await past.chat.completions.create(body)
    meter.patch('deepseek', { modules: [OpenAI] })
    meter.unpatch('openai')
    expect(meter.stats().coverage[host]).toBeUndefined()
    expect([...told, ...problems]).toEqual([])
    await past.chat.completions.create(body)
    expect(told).toEqual([expect.stringContaining('went past the meter')])
  })
})

describe('a call that goes past the meter is counted, and said once', () => {
  const SAID = expect.stringMatching(/^A call of `chat\.completions` to 127\.0\.0\.1:\d+ went past the meter/)

  test('by a copy of the SDK that no patch reaches', async () => {
    const { meter, client, past, problems, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    await client.chat.completions.create(body)
    await past.chat.completions.create(body)
    await past.chat.completions.create(body)
    expect(counts()).toEqual({ provider: 'openai', seen: 3, metered: 1 })
    expect(problems).toEqual([SAID])
    expect(meter.doctor().advice).toContainEqual(expect.stringContaining('2 of 3 requests to 127.0.0.1'))
  })

  test('beside metered calls that are under way', async () => {
    const { meter, client, past, problems, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    const stream = await client.chat.completions.create({ ...body, stream: true })
    await past.chat.completions.create(body)
    for await (const _ of stream);
    expect(counts()).toEqual({ provider: 'openai', seen: 2, metered: 1 })
    expect(problems).toEqual([SAID])
  })

  test('after a metered call whose request was never sent from here', async () => {
    const { meter, past, problems, baseURL, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    const answer = () =>
      Promise.resolve(
        Response.json({ id: 'x', choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }),
      )
    await new OpenAI({ baseURL, apiKey: 'any', fetch: answer }).chat.completions.create(body)
    await past.chat.completions.create(body)
    expect(counts()).toEqual({ provider: 'openai', seen: 1, metered: 0 })
    expect(problems).toEqual([SAID])
  })

  test('with node:http', async () => {
    const { meter, problems, counts, host } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    await new Promise<void>((resolve, reject) => {
      const sent = httpRequest(`http://${host}/v1/chat/completions?x=1`, { method: 'POST' }, (response) => {
        response.resume().on('end', resolve)
      })
      sent.on('error', reject).end(JSON.stringify(body))
    })
    expect(counts()).toEqual({ provider: 'openai', seen: 1, metered: 0 })
    expect(problems).toEqual([SAID])
  })

  test('also under `raiseOnError`, which has nobody to throw at here', async () => {
    const warnings: string[] = []
    const note = (warning: Error) => void warnings.push(warning.message)
    process.on('warning', note)
    onTestFinished(() => void process.off('warning', note))
    const { meter, past, counts } = await setUp({ raiseOnError: true })
    meter.patch('openai', { modules: [OpenAI] })
    await past.chat.completions.create(body)
    expect(counts()?.seen).toBe(1)
    await new Promise((resolve) => setImmediate(resolve))
    expect(warnings).toContainEqual(SAID)
  })

  test('a client that is wrapped makes nothing of the others', async () => {
    const { meter, client, past, problems } = await setUp()
    meter.wrap(client)
    await past.chat.completions.create(body)
    expect(meter.stats().coverage).toEqual({})
    expect(problems).toEqual([])
  })
})

describe('a request to a known host whose path nobody knows is counted, and said once for each kind of path', () => {
  const post = (url: string) => fetch(url, { method: 'POST', body: '{}' }).then((answer) => answer.text())
  const told = (path: string) =>
    expect.stringMatching(new RegExp(`^Requests to 127\\.0\\.0\\.1:\\d+${path} are not known`))

  test('with a plain fetch, with or without the net', async () => {
    const { meter, problems, counts, baseURL } = await setUp()
    meter.patch('fetch')
    await post(`${baseURL}/dreams/dream_123/run?x=1`)
    await post(`${baseURL}/dreams/dream_456/run`)
    await post(`${baseURL}/containers`)
    expect(counts()).toEqual({ provider: 'openai', seen: 0, metered: 0, unknown: 3 })
    expect(problems).toEqual([told('/v1/dreams/\\*/run'), told('/v1/containers')])
  })

  test('by a patched SDK, whose request nobody reads', async () => {
    const { meter, client, problems, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    await client.post('/fine_tuning/alpha/graders/run', { body: {} }).catch(() => undefined)
    expect(counts()?.unknown).toBe(1)
    expect(problems).toEqual([told('/v1/fine_tuning/alpha/graders/run')])
  })

  test('not of what is free: files, moderations, token counts, cancellations, and what is only asked for', async () => {
    const { meter, problems, counts, baseURL } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    for (const path of ['files', 'moderations', 'responses/input_tokens', 'threads/t_1', 'uploads/u_1/cancel'])
      await post(`${baseURL}/${path}`)
    await (await fetch(`${baseURL}/containers`)).text()
    expect(counts()?.unknown).toBeUndefined()
    expect(problems).toEqual([])
  })

  test('and never more kinds than anybody would read', async () => {
    const { meter, problems, counts, baseURL } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    for (let i = 0; i < 15; i++) await post(`${baseURL}/own/${'abcdefghijklmno'[i]}`)
    expect(counts()?.unknown).toBe(15)
    expect(problems).toHaveLength(10)
  })

  test('of a provider of my own, all that I did not define is my own business', async () => {
    const { host, meter } = await setUp()
    const problems: string[] = []
    const mine = new Meter({
      sinks: [memorySink()],
      providers: [defineProvider({ name: 'house', hosts: host, wire: 'openai' })],
      onProblem: ({ message }) => void problems.push(message),
    })
    onTestFinished(() => mine.close())
    await meter.close()
    mine.patch('fetch')
    await post(`http://${host}/v1/containers`)
    expect(problems).toEqual([])
  })
})

describe('a WebSocket to a host that bills', () => {
  const dial = (host: string, path: string) => {
    const socket = new WebSocket(`ws://${host}${path}`)
    socket.on('error', () => undefined)
    onTestFinished(() => socket.terminate())
  }

  test('that was opened by hand is told of once', async () => {
    const { meter, host, problems, counts } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    dial(host, '/v1/realtime?model=gpt-realtime')
    dial(host, '/v1/realtime?model=gpt-realtime')
    await vi.waitFor(() => expect(counts()).toEqual({ provider: 'openai', seen: 2, metered: 0 }), PATIENT)
    expect(problems).toEqual([expect.stringContaining(`A WebSocket to ${host} (\`realtime\`) is not listened on`)])
  })

  test('by the platform is told of too', { skip: globalThis.WebSocket === undefined }, async () => {
    const { meter, host, problems } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    const socket = new globalThis.WebSocket(`ws://${host}/v1/realtime?model=gpt-realtime`)
    onTestFinished(() => socket.close())
    await vi.waitFor(() => expect(problems).toHaveLength(1), PATIENT)
  })

  test('that the SDK has opened is not, nor one to any other host', async () => {
    const { emulator, meter, host, problems, counts } = await setUp()
    meter.patch('openai', { modules: [ResponsesWS] })
    const client = new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'any' })
    const ws = new ResponsesWS(client)
    onTestFinished(() => ws.close())
    dial(host.replace('127.0.0.1', 'localhost'), '/v1/realtime')
    await vi.waitFor(() => expect(counts()).toEqual({ provider: 'openai', seen: 1, metered: 1 }), PATIENT)
    expect(problems).toEqual([])
  })
})
