// More requests than one for a call: an answer is billed whoever asked for it, so each is an event of its own.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'
import { Meter, type MeterOptions } from '../../src/index.ts'
import { parseUsd } from '../../src/money.ts'
import { memorySink } from '../../src/sinks/index.ts'
import { all, billed, billOf } from '../support/net.ts'

type Next = (request: Request) => Promise<Response>
type Middleware = (request: Request, next: Next) => Promise<Response>

const messages = [{ role: 'user' as const, content: 'How deep is the sea?' }]
const message = { model: 'claude-sonnet-4-6', max_tokens: 100, messages }
const chat = { model: 'gpt-4o', messages }

async function setUp(options: MeterOptions = {}) {
  const emulator = await startEmulator()
  const sink = memorySink()
  const problems: string[] = []
  const meter = new Meter({
    sinks: [sink],
    hosts: emulator.hosts,
    onProblem: ({ message }) => void problems.push(message),
    ...options,
  })
  onTestFinished(async () => {
    await meter.close()
    await emulator.close()
  })
  const claude = (...middleware: Middleware[]) =>
    new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'any', middleware: middleware as never[] })
  const gpt = (fetch: typeof globalThis.fetch) =>
    new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'any', maxRetries: 2, fetch })
  return {
    emulator,
    meter,
    problems,
    claude,
    gpt,
    acme: <T>(fn: () => Promise<T>) => meter.forTenant('acme', fn),
    async events() {
      await meter.flush()
      return sink.events
    },
  }
}

/** In the order of the bill, whichever ended first. */
const sorted = (lines: readonly object[]) => lines.map((line) => JSON.stringify(line)).sort()

/** Middlewares that ask twice, by what becomes of the first answer. */
const TWICE: readonly (readonly [name: string, middleware: Middleware])[] = [
  [
    'reads the first answer',
    async (request, next) => {
      await (await next(request)).text()
      return next(request)
    },
  ],
  [
    'leaves the first answer unread',
    async (request, next) => {
      await next(request)
      return next(request)
    },
  ],
  [
    'keeps the first answer and drops the second',
    async (request, next) => {
      const first = await next(request)
      await next(request)
      return first
    },
  ],
  [
    'gives a copy of the second',
    async (request, next) => {
      await (await next(request)).json()
      const second = await next(request)
      return new Response(await second.text(), second)
    },
  ],
  ['asks twice at once', async (request, next) => (await Promise.all([next(request), next(request)]))[1]!],
]

describe.each(TWICE)('middleware that %s', (_name, middleware) => {
  test('is billed by the provider twice, and so is the tenant', async () => {
    const { emulator, meter, claude, acme, events, problems } = await setUp()
    meter.patch('anthropic', { modules: [Anthropic] })
    meter.patch('fetch')
    const answer = await acme(() => claude(middleware).messages.create(message))
    expect(answer.content).toHaveLength(1)
    await meter.close()
    expect(emulator.bill().lines).toHaveLength(2)
    expect(sorted(billed(await events()))).toEqual(sorted(billOf(emulator)))
    expect((await events()).map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme'])
    expect(problems).toEqual([expect.stringContaining('more than one request for a call')])
  })

  test('counts twice where that client alone is wrapped', async () => {
    const { emulator, meter, claude, acme, events } = await setUp()
    const client = meter.wrap(claude(middleware))
    await acme(() => client.messages.create(message))
    await meter.close()
    expect(sorted(billed(await events()))).toEqual(sorted(billOf(emulator)))
  })
})

test('a stream that middleware asks for twice is two events', async () => {
  const { emulator, meter, claude, acme, events } = await setUp()
  meter.patch('anthropic', { modules: [Anthropic] })
  meter.patch('fetch')
  const client = claude(async (request, next) => {
    await (await next(request)).text()
    return next(request)
  })
  await acme(async () => all(await client.messages.create({ ...message, stream: true })))
  expect(sorted(billed(await events()))).toEqual(sorted(billOf(emulator)))
  expect(emulator.bill().lines).toHaveLength(2)
})

test('middleware that asks once is one event, and nothing is said of it', async () => {
  const { emulator, meter, claude, acme, events, problems } = await setUp()
  meter.patch('anthropic', { modules: [Anthropic] })
  meter.patch('fetch')
  const client = claude(async (request, next) => {
    const answer = await next(request)
    return new Response(JSON.stringify(await answer.json()), answer)
  })
  await acme(() => client.messages.create(message))
  expect(billed(await events())).toEqual(billOf(emulator))
  expect(emulator.bill().lines).toHaveLength(1)
  expect(problems).toEqual([])
})

test('middleware that tries again what has failed makes attempts of one call', async () => {
  const { emulator, meter, claude, acme, events, problems } = await setUp()
  meter.patch('anthropic', { modules: [Anthropic] })
  meter.patch('fetch')
  emulator.reply({ status: 529 })
  const client = claude(async (request, next) => {
    const first = await next(request)
    return first.ok ? first : next(request)
  })
  await acme(() => client.messages.create(message))
  expect(await events()).toMatchObject([{ usageSource: 'reported', attempts: [{ status: 529 }, { status: 200 }] }])
  expect(problems).toEqual([])
})

describe('a fetch of the client that sends twice', () => {
  const both = async (...args: Parameters<typeof fetch>) => (await Promise.all([fetch(...args), fetch(...args)]))[1]!

  test('is two events, streamed and whole', async () => {
    const { emulator, meter, gpt, acme, events, problems } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    meter.patch('fetch')
    await acme(() => gpt(both).chat.completions.create(chat))
    const chunks = await acme(async () => all(await gpt(both).chat.completions.create({ ...chat, stream: true })))
    expect(chunks.every(({ choices, usage }) => choices.length > 0 && !usage)).toBe(true)
    await meter.close()
    expect(emulator.bill().lines).toHaveLength(4)
    expect((await events()).filter(({ usageSource }) => usageSource === 'reported')).toHaveLength(3)
    // A stream that nobody reads.
    expect((await events()).filter(({ usageSource }) => usageSource === 'estimated')).toHaveLength(1)
    expect(problems).toEqual([expect.stringContaining('more than one request for a call')])
  })

  test('and cancels the slower one leaves nothing open', async () => {
    const { emulator, meter, gpt, acme, events } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    meter.patch('fetch')
    emulator.reply({ hang: true })
    const hedged = async (input: Parameters<typeof fetch>[0], init: RequestInit = {}) => {
      const loser = new AbortController()
      const first = fetch(input, { ...init, signal: loser.signal })
      first.catch(() => undefined)
      const second = await fetch(input, init)
      loser.abort()
      return second
    }
    await acme(() => gpt(hedged as typeof fetch).chat.completions.create(chat))
    const seen = await events()
    expect(seen.filter(({ usageSource }) => usageSource === 'reported')).toHaveLength(1)
    expect(seen).toHaveLength(2)
    expect(meter.stats().openCalls).toBe(0)
  })

  test('spends the limit twice', async () => {
    const { emulator, meter, gpt, acme } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    meter.patch('fetch')
    await meter.setLimit('acme', { usd: 1 })
    await acme(() => gpt(both).chat.completions.create(chat))
    await meter.close()
    const { lines } = emulator.bill()
    expect(lines).toHaveLength(2)
    const usd = lines.reduce((sum, line) => sum + parseUsd(line.usd!)!, 0n)
    expect(parseUsd((await meter.getLimit('acme'))!.spentUsd!)).toBe(usd)
  })

  test('is an answer for each, also where the second is for another model', async () => {
    const { emulator, meter, gpt, acme, events } = await setUp()
    meter.patch('openai', { modules: [OpenAI] })
    meter.patch('fetch')
    const other = async (input: Parameters<typeof fetch>[0], init: RequestInit = {}) => {
      await (await fetch(input, init)).text()
      return fetch(input, { ...init, body: (init.body as string).replace('gpt-4o', 'gpt-4o-mini') })
    }
    await acme(() => gpt(other as typeof fetch).chat.completions.create(chat))
    expect(sorted(billed(await events()))).toEqual(sorted(billOf(emulator)))
    expect((await events()).map(({ model }) => model)).toEqual(['gpt-4o', 'gpt-4o-mini'])
  })
})

test('tries of the SDK stay attempts of one event', async () => {
  const { emulator, meter, gpt, acme, events, problems } = await setUp()
  meter.patch('openai', { modules: [OpenAI] })
  meter.patch('fetch')
  emulator.reply({ status: 429, times: 2, headers: { 'retry-after-ms': '1' } })
  await acme(() => gpt(fetch).chat.completions.create(chat))
  expect(await events()).toMatchObject([
    { usageSource: 'reported', attempts: [{ status: 429 }, { status: 429 }, { status: 200 }] },
  ])
  expect(problems).toEqual([])
})

test('another model that middleware calls by itself is an event of its own', async () => {
  const { emulator, meter, acme, events, problems } = await setUp()
  meter.patch('openai', { modules: [OpenAI] })
  meter.patch('fetch')
  const { baseURL } = emulator.openai
  const embedding = { model: 'text-embedding-3-small', input: 'sea' }
  const headers = { 'content-type': 'application/json', authorization: 'Bearer any' }
  const client = new OpenAI({
    baseURL,
    apiKey: 'any',
    async fetch(input, init) {
      await (await fetch(`${baseURL}/embeddings`, { method: 'POST', headers, body: JSON.stringify(embedding) })).json()
      return fetch(input as string, init)
    },
  })
  await acme(() => client.chat.completions.create(chat))
  expect((await events()).map(({ endpoint }) => endpoint).sort()).toEqual(['chat.completions', 'embeddings'])
  expect(problems).toEqual([])
})
