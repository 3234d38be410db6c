// The net when things break: every fault of the emulator, seen by plain `fetch` as without us, and billed as far as it is known.

import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Emulator, Reply } from '../../src/emulator/index.ts'
import { billed, billOf, compared, netted } from '../support/net.ts'

const asked = { model: 'gpt-4o', messages: [{ role: 'user', content: 'How deep is the sea?' }] }
const streamed = { ...asked, stream: true }
const post = { method: 'POST', headers: { 'content-type': 'application/json' } }

const send = (to: Emulator, body: object, init: RequestInit = {}) =>
  fetch(`${to.openai.baseURL}/chat/completions`, { ...post, body: JSON.stringify(body), ...init })

/** All that a caller can see of a call, errors included. */
async function seen(to: Emulator, body: object): Promise<object> {
  try {
    const response = await send(to, body)
    const { status, statusText } = response
    const type = response.headers.get('content-type')
    try {
      return { status, statusText, type, text: await response.text() }
    } catch (error) {
      return { status, type, broken: described(error) }
    }
  } catch (error) {
    return { error: described(error) }
  }
}

function described(error: unknown): readonly unknown[] {
  const { name, message, cause } = error as Error
  return [name, message, (cause as { code?: unknown } | undefined)?.code]
}

const FAULTS: readonly (readonly [name: string, reply: Reply])[] = [
  ['status 401', { status: 401 }],
  ['status 429', { status: 429, headers: { 'retry-after': '1' } }],
  ['status 500', { status: 500 }],
  ['an HTML page with status 502', { status: 502, body: '<html>Bad gateway</html>' }],
  ['an HTML page with status 200', { body: '<html>Hello</html>' }],
  ['JSON that is none', { body: '{"oops', contentType: 'application/json' }],
  ['a JSON list', { body: '[1,2]', contentType: 'application/json' }],
  ['an empty body', { body: '', contentType: 'application/json' }],
  ['no content type that fits', { text: 'Deep.', contentType: 'text/plain' }],
  ['a delay', { delayMs: 30 }],
  ['a connection that is closed', { hangUp: true }],
  ['a body that is cut', { text: 'one two three four', cutBody: true }],
  ['half of a body', { text: 'one two three four', truncateJson: true }],
  ['bytes one by one', { text: '海は深い 🐋.', splitBytes: 1 }],
  ['no usage', { omitUsage: true }],
  ['usage that cannot be', { usage: { prompt_tokens: -1, completion_tokens: 'many', total_tokens: 3 } }],
  ['a line that is no JSON', { malformedLine: 'data: {"oops' }],
  ['an error in the middle', { errorAfterEvents: 2 }],
]

describe.each([
  ['whole', asked],
  ['streamed', streamed],
])('an answer that is %s', (_, body) => {
  test.each(FAULTS)('with %s is seen as it is, and is one event', async (_, reply) => {
    const { plain, metered, recorded } = await compared((to) => seen(to, body), [reply])
    expect(metered).toEqual(plain)
    expect(recorded).toHaveLength(1)
    expect(recorded[0]).toMatchObject({ tenantId: 'acme', provider: 'openai' })
  })
})

describe('a caller who gives up', () => {
  const outcomes = async (to: Emulator, body: object, when: 'before' | 'waiting' | 'reading', reason?: unknown) => {
    const controller = new AbortController()
    const abort = () => controller.abort(...(reason === undefined ? [] : [reason]))
    if (when === 'before') abort()
    try {
      const answer = send(to, body, { signal: controller.signal })
      if (when === 'waiting') {
        await to.until(() => to.requests.length > 0)
        abort()
      }
      const response = await answer
      const reader = response.body!.getReader()
      await reader.read()
      abort()
      for (;;) if ((await reader.read()).done) return 'read'
    } catch (error) {
      return error === reason ? 'mine' : described(error)
    }
  }

  test.each(['before', 'waiting', 'reading'] as const)('%s the answer sees what he would without us', async (when) => {
    for (const reason of [undefined, new RangeError('mine')]) {
      const reply: Reply = when === 'waiting' ? { hang: true } : { text: 'one two three four', msBetweenEvents: 20 }
      const { plain, metered, recorded } = await compared((to) => outcomes(to, streamed, when, reason), [reply])
      expect(metered).toEqual(plain)
      // What the body breaks with is the reason, which does not say whose it is.
      const error = when === 'reading' && reason ? 'interrupted' : 'aborted'
      expect(recorded).toMatchObject([{ error }])
    }
  })

  test('by a time-out of his own', async () => {
    const call = async (to: Emulator) => {
      try {
        return (await send(to, asked, { signal: AbortSignal.timeout(20) })).status
      } catch (error) {
        return described(error)
      }
    }
    const { plain, metered, recorded } = await compared(call, [{ hang: true }])
    expect(metered).toEqual(plain)
    expect(recorded).toMatchObject([{ error: 'timeout', usageSource: 'absent' }])
  })

  test('by cancelling the body cancels what the provider sends', async () => {
    const net = await netted({}, [{ text: 'one two three four five six', msBetweenEvents: 5 }])
    const response = await send(net.emulator, streamed)
    const reader = response.body!.getReader()
    await reader.read()
    await reader.cancel()
    await net.emulator.until(() => net.emulator.requests[0]!.ended)
    expect(net.emulator.requests[0]!.aborted).toBe(true)
    expect(await net.events()).toMatchObject([{ usageSource: 'estimated', metadata: { stream_end: 'stopped' } }])
  })
})

describe('a very long answer', () => {
  test('of 100 MB passes as it comes, whole or streamed', async () => {
    for (const body of [asked, streamed]) {
      const net = await netted({}, [{ text: 'Deep.', padToBytes: 100_000_000 }])
      const response = await send(net.emulator, body)
      let length = 0
      for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) length += part.byteLength
      expect(length).toBeGreaterThanOrEqual(99_999_000)
      expect(await net.events()).toHaveLength(1)
      net.meter.unpatch('fetch')
    }
  })
})

describe('the end of the meter', () => {
  test('leaves `fetch` as it was, and a call under way goes on', async () => {
    const before = globalThis.fetch
    const net = await netted({}, [{ text: 'one two three', msBetweenEvents: 5 }])
    const response = await send(net.emulator, streamed)
    await net.meter.close()
    expect(globalThis.fetch).toBe(before)
    expect(await response.text()).toContain('[DONE]')
    expect(await net.events()).toHaveLength(1)
    expect((await send(net.emulator, asked)).status).toBe(200)
    expect(await net.events()).toHaveLength(1)
  })

  test('leaves a wrapper that a stranger holds letting everything pass', async () => {
    const net = await netted()
    const held = globalThis.fetch
    await net.meter.close()
    const url = `${net.emulator.openai.baseURL}/chat/completions`
    expect((await held(url, { ...post, body: JSON.stringify(asked) })).status).toBe(200)
    expect(await net.events()).toEqual([])
  })
})

describe('what stands behind the net', () => {
  const stub = Promise.resolve(new Response('{}'))
  const native = globalThis.fetch
  beforeAll(() => void (globalThis.fetch = () => stub))
  afterAll(() => void (globalThis.fetch = native))

  test("gets a call to another host with the very arguments, and its promise is the caller's", async () => {
    const args: unknown[] = []
    const below = globalThis.fetch
    globalThis.fetch = (...given) => {
      args.push(...given)
      return stub
    }
    onTestFinished(() => void (globalThis.fetch = below))
    await netted()
    const url = new URL('https://api.example.com/v1/chat/completions')
    const init = { method: 'POST', body: 'x' }
    expect(fetch(url, init)).toBe(stub)
    expect(args[0]).toBe(url)
    expect(args[1]).toBe(init)
  })

  test('may answer with a Response that is frozen', async () => {
    const below = globalThis.fetch
    globalThis.fetch = async () =>
      Object.freeze(Response.json({ usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }))
    onTestFinished(() => void (globalThis.fetch = below))
    const net = await netted()
    expect(
      await (
        await fetch('https://api.openai.com/v1/chat/completions', { ...post, body: JSON.stringify(asked) })
      ).json(),
    ).toHaveProperty('usage')
    expect(await net.events()).toHaveLength(1)
  })
})

test('a hundred calls at once are a hundred events', async () => {
  const net = await netted()
  await Promise.all(Array.from({ length: 100 }, async () => (await send(net.emulator, asked)).json()))
  const byRequest = (lines: readonly object[]) => lines.map((line) => JSON.stringify(line)).sort()
  expect(byRequest(billed(await net.events()))).toEqual(byRequest(billOf(net.emulator)))
})

test('Gemini without server-sent events answers with one list of chunks', async () => {
  const chunk = (text: string, usageMetadata?: object) => ({
    candidates: [{ content: { parts: [{ text }], role: 'model' }, ...(usageMetadata && { finishReason: 'STOP' }) }],
    ...(usageMetadata && { usageMetadata }),
    modelVersion: 'gemini-2.5-flash',
    responseId: 'r1',
  })
  const list = [chunk('De'), chunk('ep.', { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 })]
  for (const read of ['json', 'text', 'blob'] as const) {
    const net = await netted({}, [{ body: JSON.stringify(list), contentType: 'application/json; charset=UTF-8' }])
    const url = `${net.emulator.google.baseURL}/v1beta/models/gemini-2.5-flash:streamGenerateContent`
    const response = await fetch(url, { ...post, body: '{"contents":[{"parts":[{"text":"Hi"}]}]}' })
    await response[read]()
    expect(await net.events()).toMatchObject([
      { provider: 'google', stream: true, usageSource: 'reported', usage: { 'input.text': 5, 'output.text': 2 } },
    ])
    net.meter.unpatch('fetch')
  }
})
