// The net under plain `fetch`: every form of a call, what the caller sees, and who else may stand in the chain.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Emulator } from '../../src/emulator/index.ts'
import { LimitExceededError } from '../../src/errors.ts'
import { defineProvider } from '../../src/providers/own.ts'
import { billed, billOf, compared, netted } from '../support/net.ts'

const native = globalThis.fetch
const MODEL = 'gpt-4o'
const asked = { model: MODEL, messages: [{ role: 'user', content: 'How deep is the sea?' }] }
const streamed = { ...asked, stream: true }
const headers = { 'content-type': 'application/json', authorization: 'Bearer key' }
const urlOf = (emulator: Emulator) => `${emulator.openai.baseURL}/chat/completions`

type Call = (url: string, text: string) => Promise<Response>

const bytes = (text: string) => new TextEncoder().encode(text)
const post = { method: 'POST', headers }
/** What a stream needs, and what the types of `fetch` leave out. */
const half = { duplex: 'half' } as RequestInit

const FORMS: readonly (readonly [name: string, call: Call])[] = [
  ['a string', (url, body) => fetch(url, { ...post, body })],
  ['a URL', (url, body) => fetch(new URL(url), { ...post, body })],
  ['an object that is a URL as text', (url, body) => fetch({ toString: () => url } as URL, { ...post, body })],
  [
    'a lower-case method and Headers',
    (url, body) => fetch(url, { method: 'post', headers: new Headers(headers), body }),
  ],
  ['headers as pairs', (url, body) => fetch(url, { method: 'POST', headers: Object.entries(headers), body })],
  ['bytes', (url, body) => fetch(url, { ...post, body: bytes(body) })],
  ['an ArrayBuffer', (url, body) => fetch(url, { ...post, body: bytes(body).buffer })],
  ['a view into a larger buffer', (url, body) => fetch(url, { ...post, body: bytes(`###${body}`).subarray(3) })],
  ['a Blob', (url, body) => fetch(url, { ...post, body: new Blob([body], { type: 'application/json' }) })],
  ['a Request', (url, body) => fetch(new Request(url, { ...post, body }))],
  ['a Request of bytes', (url, body) => fetch(new Request(url, { ...post, body: bytes(body) }))],
  ['a Request without its body, and an init', (url, body) => fetch(new Request(url, post), { body })],
  [
    'a Request, and an init with another body',
    (url, body) => fetch(new Request(url, { ...post, body: '{}' }), { body }),
  ],
  ['an init with getters on its prototype', (url, body) => fetch(url, Object.create({ ...post, body }) as RequestInit)],
]

describe.each(FORMS)('a call given as %s', (_, call) => {
  test('is metered once, as the provider bills it', async () => {
    const { plain, metered, recorded, emulator } = await compared(async (to) => {
      const response = await call(urlOf(to), JSON.stringify(asked))
      return { body: await response.json(), status: response.status, sent: to.requests.map((it) => it.body) }
    })
    expect(metered).toEqual(plain)
    expect(billed(recorded)).toEqual(billOf(emulator))
    expect(recorded[0]).toMatchObject({
      tenantId: 'acme',
      host: new URL(urlOf(emulator)).host,
      metadata: { http_status: 200 },
    })
  })

  test('as a stream shows no usage that was not asked for, and has it', async () => {
    const { plain, metered, recorded, emulator } = await compared(async (to) => {
      const response = await call(urlOf(to), JSON.stringify(streamed))
      return { text: await response.text(), type: response.headers.get('content-type') }
    })
    expect(metered).toEqual(plain)
    expect(billed(recorded)).toEqual(billOf(emulator))
    expect(recorded[0]).toMatchObject({ stream: true, usageSource: 'reported' })
    expect(emulator.requests[0]?.body).toEqual({ ...streamed, stream_options: { include_usage: true } })
    expect(emulator.requests[0]?.headers['content-type']).toBe('application/json')
  })
})

describe('a body that is not there to be read', () => {
  const slowly = (text: string) =>
    new ReadableStream({
      async pull(controller) {
        await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
        controller.enqueue(bytes(text))
        controller.close()
      },
    })

  const STREAMS: readonly (readonly [name: string, call: Call])[] = [
    ['a stream', (url, body) => fetch(url, { ...post, body: slowly(body), ...half })],
    ['a Request of a stream', (url, body) => fetch(new Request(url, { ...post, body: slowly(body), ...half }))],
  ]

  test.each(STREAMS)('%s is sent as it comes, and the answer tells what it was', async (_, call) => {
    const { plain, metered, recorded, emulator } = await compared(async (to) => {
      const response = await call(urlOf(to), JSON.stringify(asked))
      return { body: await response.json(), sent: to.requests.map((it) => it.body) }
    })
    expect(metered).toEqual(plain)
    expect(billed(recorded)).toEqual(billOf(emulator))
  })

  test('an endless upload is not held back', async () => {
    const net = await netted()
    net.emulator.reply({ text: 'Deep.' })
    let isOver = false
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const answer = fetch(new Request(urlOf(net.emulator), { ...post, body: readable, ...half }))
    for (const part of JSON.stringify(asked).match(/.{1,9}/g) ?? []) await writer.write(bytes(part))
    isOver = true
    await writer.close()
    expect(await (await answer).json()).toMatchObject({ choices: [{ message: { content: 'Deep.' } }] })
    expect(isOver).toBe(true)
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
  })

  test('a signed request is sent as it came', async () => {
    const net = await netted()
    const signed = { ...headers, 'content-digest': 'sha-256=:x:' }
    const response = await fetch(urlOf(net.emulator), {
      method: 'POST',
      headers: signed,
      body: JSON.stringify(streamed),
    })
    await response.text()
    expect(net.emulator.requests[0]?.body).toEqual(streamed)
    expect(await net.events()).toMatchObject([{ usageSource: 'estimated' }])
  })
})

describe('the answer', () => {
  const send = (to: Emulator, body: object = asked) => fetch(urlOf(to), { ...post, body: JSON.stringify(body) })

  test('is a native Response, with its address', async () => {
    const net = await netted()
    const response = await send(net.emulator)
    expect(response).toBeInstanceOf(Response)
    expect(response.url).toBe(urlOf(net.emulator))
    expect([response.redirected, response.type, response.ok, response.statusText]).toEqual([false, 'basic', true, 'OK'])
    expect(Object.keys(response)).toEqual([])
    expect(response.bodyUsed).toBe(false)
    await response.json()
    expect(response.bodyUsed).toBe(true)
    await expect(response.json()).rejects.toThrow(TypeError)
  })

  const READERS: Readonly<Record<string, (response: Response) => Promise<unknown>>> = {
    json: (response) => response.json().catch(() => undefined),
    text: (response) => response.text(),
    arrayBuffer: async (response) => [...new Uint8Array(await response.arrayBuffer())],
    blob: async (response) => (await response.blob()).text(),
    'two clones': async (response) => Promise.all([response.clone().text(), response.text()]),
    tee: async (response) => Promise.all(response.body!.tee().map((branch) => new Response(branch).text())),
    'async iteration': async (response) => {
      const parts: Uint8Array[] = []
      for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) parts.push(part)
      return Buffer.concat(parts).toString()
    },
    'a piped stream': async (response) =>
      new Response(response.body!.pipeThrough(new TransformStream<Uint8Array, Uint8Array>())).text(),
    'a Response of its body': (response) => new Response(response.body, response).text(),
  }

  test.each(Object.entries(READERS))('read by %s is the same, and counted once', async (_, read) => {
    for (const body of [asked, streamed]) {
      const { plain, metered, recorded, emulator } = await compared(async (to) => read(await send(to, body)))
      expect(metered).toEqual(plain)
      expect(billed(recorded)).toEqual(billOf(emulator))
    }
  })

  test('that nobody reads is counted all the same', async () => {
    const net = await netted()
    await send(net.emulator)
    await net.meter.close()
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
  })

  test('of a redirect keeps its address', async () => {
    const net = await netted()
    net.emulator.reply({ status: 307, body: '', headers: { location: urlOf(net.emulator) } })
    const response = await fetch(`${net.emulator.openai.baseURL}/chat/completions?again`, {
      ...post,
      body: JSON.stringify(asked),
    })
    expect([response.redirected, response.url]).toEqual([true, urlOf(net.emulator)])
    await response.json()
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
  })
})

describe('a provider of my own whose `read` throws', () => {
  const fails = (): never => {
    throw new Error('mine')
  }

  test.each([
    ['an answer', 'application/json', '{}', 'tallygate failed while reading an answer of muse (verses): Error'],
    ['a stream', 'text/event-stream', 'data: {}\n\n', 'An event of a stream of muse (verses) could not be read.'],
  ])('%s: the problem says whose and where, and the call goes on', async (_, type, text, said) => {
    const server = createServer((__, response) => response.setHeader('content-type', type).end(text))
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    onTestFinished(() => void server.close())
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const routes = [{ endpoint: 'verses', path: '/v1/verses', read: fails }]
    const net = await netted({ providers: [defineProvider({ name: 'muse', hosts: host, routes })] })
    const body = JSON.stringify({ model: 'muse-1', stream: type !== 'application/json' })
    const answer = await net.meter.forTenant('acme', () => fetch(`http://${host}/v1/verses`, { ...post, body }))
    expect(await answer.text()).toBe(text)
    await net.events()
    expect(net.problems.map(({ message }) => message)).toContain(said)
  })
})

describe('a refusal', () => {
  test('is an answer with status 402 in the words of each provider, and nothing is sent', async () => {
    const net = await netted()
    await net.meter.setLimit('acme', { usd: 0 })
    const { openai, anthropic, google } = net.emulator
    const prompt = { contents: [{ parts: [{ text: 'Hi' }] }] }
    const calls: readonly (readonly [string, object, object])[] = [
      [urlOf(net.emulator), asked, { error: { type: 'limit_exceeded', code: 'LIMIT_EXCEEDED', param: null } }],
      [
        `${openai.baseURL}/embeddings`,
        { model: 'text-embedding-3-small', input: 'Hi' },
        { error: { code: 'LIMIT_EXCEEDED' } },
      ],
      [
        `${anthropic.baseURL}/v1/messages`,
        { ...asked, model: 'claude-sonnet-4-6', max_tokens: 100 },
        { type: 'error', error: { type: 'billing_error' } },
      ],
      [
        `${google.baseURL}/v1beta/models/gemini-2.5-flash:generateContent`,
        prompt,
        { error: { code: 402, status: 'LIMIT_EXCEEDED' } },
      ],
    ]
    for (const [url, body, said] of calls) {
      const response = await net.meter.forTenant('acme', () => fetch(url, { ...post, body: JSON.stringify(body) }))
      expect([response.status, response.statusText, response.url]).toEqual([402, 'Payment Required', url])
      expect(response.headers.get('x-should-retry')).toBe('false')
      const answer: unknown = await response.json()
      expect(answer).toMatchObject(said)
      const refusal = LimitExceededError.from({ responseBody: JSON.stringify(answer) })
      expect(refusal).toBeInstanceOf(LimitExceededError)
      expect(refusal).toMatchObject({ tenantId: 'acme', limitUsd: '0', spentUsd: '0', window: 'month' })
      expect(refusal?.resetsAt).toBeInstanceOf(Date)
    }
    expect(net.emulator.requests).toEqual([])
    expect(await net.events()).toEqual([])
    expect(net.meter.stats().refused).toBe(calls.length)
  })

  test('of a call for nobody says so', async () => {
    const net = await netted({ onMissingTenant: 'throw' })
    const response = await fetch(urlOf(net.emulator), { ...post, body: JSON.stringify(asked) })
    expect([response.status, await response.json()]).toMatchObject([
      402,
      { error: { code: 'MISSING_TENANT', type: 'missing_tenant' } },
    ])
    expect(net.emulator.requests).toEqual([])
  })

  test('is found in whatever an application makes of it, and in nothing else', () => {
    const facts = {
      tenantId: 'acme',
      limitUsd: '1',
      spentUsd: '1',
      heldUsd: '0',
      window: 'day',
      scope: 'tenant',
    } as const
    const refusal = new LimitExceededError({ ...facts, resetsAt: undefined })
    expect(LimitExceededError.from(new Error('Wrapped.', { cause: refusal }))).toBe(refusal)
    expect(LimitExceededError.from({ errors: [new Error('First.'), refusal] })).toBe(refusal)
    const body = { error: { tallygate: { code: 'LIMIT_EXCEEDED', ...facts } } }
    expect(LimitExceededError.from({ body })).toMatchObject(facts)
    const circle: { cause?: unknown } = {}
    circle.cause = circle
    for (const other of [
      undefined,
      null,
      402,
      'LIMIT_EXCEEDED',
      '{"LIMIT_EXCEEDED"',
      new Error('No.'),
      { status: 402 },
      circle,
    ])
      expect(LimitExceededError.from(other)).toBeUndefined()
  })
})

describe('what the host refuses', () => {
  test('is asked once more without the usage, where that is what it refused', async () => {
    const net = await netted()
    net.emulator.reply({ status: 400, errorMessage: 'Unknown field: stream_options' })
    const send = () => fetch(urlOf(net.emulator), { ...post, body: JSON.stringify(streamed) }).then((it) => it.text())
    expect(await send()).toContain('[DONE]')
    expect(net.emulator.requests.map(({ body }) => Object.keys(body as object).includes('stream_options'))).toEqual([
      true,
      false,
    ])
    expect(await net.events()).toMatchObject([
      { usageSource: 'estimated', attempts: [{ status: 400 }, { status: 200 }] },
    ])
    await send()
    expect(net.emulator.requests[2]?.body).toEqual(streamed)
  })

  test('for another reason is the answer', async () => {
    const { plain, metered, recorded } = await compared(
      async (to) => {
        const response = await fetch(urlOf(to), { ...post, body: JSON.stringify(streamed) })
        return [response.status, await response.json(), to.requests.length]
      },
      [{ status: 400, errorMessage: 'No such model.' }],
    )
    expect(metered).toEqual(plain)
    expect(recorded).toMatchObject([
      { error: 'http_400', usageSource: 'absent', attempts: [{ status: 400, billable: 'no' }] },
    ])
  })
})

describe('what is not for a model', () => {
  test('goes by untouched: other hosts, other paths, other methods, other schemes', async () => {
    const net = await netted({ onMissingTenant: 'throw' })
    const other = await compared(async (to) => (await fetch(`${to.openai.baseURL}/models`)).status)
    expect(other.metered).toBe(other.plain)
    expect(await (await fetch('data:text/plain,hello')).text()).toBe('hello')
    const unnamed = net.emulator.openai.baseURL.replace('127.0.0.1', 'localhost')
    const response = await fetch(`${unnamed}/chat/completions`, { ...post, body: JSON.stringify(asked) })
    expect(Object.getPrototypeOf(response)).toBe(Response.prototype)
    expect(await net.events()).toEqual([])
  })

  test.each([
    ['no argument', () => (fetch as unknown as () => Promise<unknown>)()],
    ['nothing', () => fetch(undefined as unknown as string)],
    ['no URL', () => fetch('nowhere')],
    ['a symbol', () => fetch(Symbol('x') as unknown as string)],
    [
      'an object whose text throws',
      () =>
        fetch({
          toString: () => {
            throw new RangeError('mine')
          },
        } as unknown as URL),
    ],
    ['a bad method', () => fetch('http://127.0.0.1:9/v1/chat/completions', { method: 'CONNECT' })],
    ['bad headers', () => fetch('http://127.0.0.1:9/v1/chat/completions', { headers: { '\n': 'x' } })],
    ['a URL with a password', () => fetch('http://me:secret@127.0.0.1:9/v1/chat/completions')],
  ])('fails as it would by itself: %s', async (_, call) => {
    const outcome = async () => {
      try {
        return await call()
      } catch (error) {
        return [(error as Error).name, (error as Error).message]
      }
    }
    const plain = await outcome()
    await netted({ hosts: { '127.0.0.1:9': 'openai' } })
    expect(await outcome()).toEqual(plain)
  })
})

describe('who else stands in the chain', () => {
  const send = (to: Emulator) => fetch(urlOf(to), { ...post, body: JSON.stringify(asked) }).then((it) => it.json())

  test('`fetch` looks like itself', async () => {
    const net = await netted()
    expect(fetch).not.toBe(native)
    expect([fetch.name, fetch.length, fetch.toString(), String(fetch)]).toEqual([
      native.name,
      native.length,
      native.toString(),
      String(native),
    ])
    expect(Reflect.ownKeys(fetch)).toEqual(Reflect.ownKeys(native))
    expect(Object.getOwnPropertyDescriptor(globalThis, 'fetch')).toMatchObject({
      writable: true,
      enumerable: true,
      configurable: true,
    })
    net.meter.unpatch('fetch')
    expect(globalThis.fetch).toBe(native)
  })

  test('what others put on it stays when we go', async () => {
    const net = await netted()
    Object.assign(fetch, { __patched: true })
    onTestFinished(() => void Reflect.deleteProperty(native, '__patched'))
    net.meter.unpatch('fetch')
    expect(fetch).toHaveProperty('__patched', true)
  })

  test("a stranger's wrap survives our leaving, and nothing is seen any more", async () => {
    const net = await netted()
    const seen: unknown[] = []
    const ours = globalThis.fetch
    const stranger: typeof fetch = (input, init) => {
      seen.push(input instanceof Request ? input.url : input.toString())
      return ours(input, init)
    }
    globalThis.fetch = stranger
    onTestFinished(() => void (globalThis.fetch = native))
    await send(net.emulator)
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
    net.meter.unpatch('fetch')
    expect(globalThis.fetch).toBe(stranger)
    await send(net.emulator)
    expect(await net.events()).toHaveLength(1)
    expect(seen).toHaveLength(2)
  })

  test('patched again over a stranger, a call is still one call; patched twice at once, too', async () => {
    const net = await netted()
    const ours = globalThis.fetch
    net.meter.patch('fetch')
    expect(globalThis.fetch).toBe(ours)
    globalThis.fetch = (input, init) => ours(input, init)
    onTestFinished(() => void (globalThis.fetch = native))
    net.meter.patch('fetch')
    await send(net.emulator)
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
  })

  test('a stranger who puts the native `fetch` back is healed by patching again', async () => {
    const net = await netted()
    globalThis.fetch = native
    net.meter.patch('fetch')
    await send(net.emulator)
    expect(billed(await net.events())).toEqual(billOf(net.emulator))
  })

  test('of two meters the first sees the calls, until it closes', async () => {
    const first = await netted()
    const second = await netted({ hosts: first.emulator.hosts })
    await send(first.emulator)
    expect(await first.events()).toHaveLength(1)
    expect(await second.events()).toEqual([])
    expect(second.problems).toMatchObject([{ kind: 'patch' }])
    await first.meter.close()
    await send(first.emulator)
    expect(await second.events()).toHaveLength(1)
  })

  test('a `fetch` that cannot be replaced is reported, and calls go on', async () => {
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'fetch')!
    const net = await netted()
    net.meter.unpatch('fetch')
    const { fetch: kept } = globalThis
    Reflect.deleteProperty(globalThis, 'fetch')
    onTestFinished(() => void Object.defineProperty(globalThis, 'fetch', descriptor))
    expect(net.meter.patch('fetch').status).toBe('failed')
    expect(net.problems).toMatchObject([{ kind: 'patch' }])
    globalThis.fetch = kept
  })

  test('a `fetch` taken before is not ours to see', async () => {
    const net = await netted()
    await (await native(urlOf(net.emulator), { ...post, body: JSON.stringify(asked) })).json()
    expect(await net.events()).toEqual([])
  })
})
