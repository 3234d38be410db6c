// A Response under observation: to its reader it is the Response that it was, and its exchange hears once of what was read.

import { describe, expect, test } from 'vitest'
import { HIDDEN } from '../../src/patch/exchange.ts'
import { handOver, leaveFailureToSdk, observeResponse } from '../../src/patch/response.ts'
import { type NotedExchange, notedExchange } from '../support/exchange.ts'

const JSON_TEXT = '{"a":"海は深い 🐋"}'
const EVENTS = 'data: {"n":1}\n\ndata: {"n":2}\n\ndata: [DONE]\n\n'
const SHOWN = 'data: {"n":1}\n\ndata: [DONE]\n\n'
const hides = (data: unknown) => ((data as { n: number }).n === 2 ? HIDDEN : data)

const answer = () => new Response(JSON_TEXT, { headers: { 'content-type': 'application/json', 'x-id': '7' } })
const stream = () => new Response(EVENTS, { headers: { 'content-type': 'text/event-stream' } })

function observed(exchange: NotedExchange = notedExchange(), response = answer(), isStream = false): Response {
  observeResponse(response, exchange, isStream)
  return response
}

const READERS: readonly [string, (response: Response) => Promise<string>][] = [
  ['json', async (response) => JSON.stringify(await response.json())],
  ['text', (response) => response.text()],
  ['arrayBuffer', async (response) => new TextDecoder().decode(await response.arrayBuffer())],
  ['blob', async (response) => (await response.blob()).text()],
  ['bytes', async (response) => new TextDecoder().decode(await response.bytes())],
  ['body', (response) => new Response(response.body).text()],
  ['clone', (response) => response.clone().text()],
  ['clone of a clone', (response) => response.clone().clone().text()],
]

/** What a caller may do, and what came of it: a value, or the error's class and message. */
async function outcome(act: () => unknown): Promise<unknown> {
  try {
    return await act()
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
}

describe('an answer', () => {
  test.each(READERS)('read by %s is told once', async (_, read) => {
    const exchange = notedExchange()
    expect(await read(observed(exchange))).toBe(JSON_TEXT)
    await new Promise((resolve) => setImmediate(resolve))
    expect(exchange.notes).toEqual([expect.stringMatching(/^answer(Text)? \{"a":"海は深い 🐋"\}$/)])
  })

  test.each(READERS)('read by %s and then by every other fails as any Response does', async (_, read) => {
    for (const [, again] of READERS) {
      const [ours, other] = [observed(), answer()]
      expect(await outcome(() => read(ours))).toEqual(await outcome(() => read(other)))
      expect(await outcome(() => again(ours))).toEqual(await outcome(() => again(other)))
      expect([ours.bodyUsed, ours.body?.locked]).toEqual([other.bodyUsed, other.body?.locked])
    }
  })

  test('that is observed twice tells the first only', async () => {
    const [first, second] = [notedExchange(), notedExchange()]
    const response = observed(first)
    observeResponse(response, second, false)
    await response.text()
    expect([first.notes.length, second.notes.length]).toEqual([1, 0])
  })

  test('that nobody reads is read for us, and can still be read', async () => {
    const exchange = notedExchange()
    const response = observed(exchange)
    await exchange.reads[0]!()
    expect(exchange.notes).toEqual([`answerText ${JSON_TEXT}`])
    expect(response.bodyUsed).toBe(false)
    expect(await response.json()).toEqual(JSON.parse(JSON_TEXT))
    expect(exchange.notes.filter((note) => !note.startsWith('ignored'))).toHaveLength(1)
  })

  test('whose body was looked at and not read is read for us too', async () => {
    const exchange = notedExchange()
    const response = observed(exchange)
    expect(response.body?.locked).toBe(false)
    await exchange.reads[0]!()
    expect(exchange.notes).toEqual([`answerText ${JSON_TEXT}`])
    expect(await response.text()).toBe(JSON_TEXT)
  })

  test('that somebody read past our methods ends unread', async () => {
    const exchange = notedExchange()
    const response = observed(exchange)
    await Response.prototype.text.call(response)
    await exchange.reads[0]!()
    expect(exchange.notes).toEqual(['unread'])
  })

  test('that is being read is left to its reader', async () => {
    const exchange = notedExchange()
    const response = observed(exchange)
    const text = response.text()
    await exchange.reads[0]!()
    await text
    expect(exchange.notes).toEqual([`answerText ${JSON_TEXT}`])
  })

  test('that cannot be read ends failed, with the reader’s error', async () => {
    const exchange = notedExchange()
    const broken = new Response(new ReadableStream({ start: (controller) => controller.error(new RangeError('gone')) }))
    await expect(observed(exchange, broken).json()).rejects.toThrow(RangeError)
    expect(exchange.notes).toEqual(['failed RangeError'])
  })

  test('that cannot be read is not over where the SDK may ask again', async () => {
    const exchange = notedExchange()
    const broken = new Response(new ReadableStream({ start: (controller) => controller.error(new RangeError('gone')) }))
    observed(exchange, broken)
    const parsed = leaveFailureToSdk(
      broken,
      (async () => {
        await broken.text().catch(() => undefined)
        expect(exchange.notes).toEqual([])
        throw new TypeError('given up')
      })(),
    )
    await expect(parsed).rejects.toThrow('given up')
    expect(exchange.notes).toEqual(['failed TypeError'])
  })
})

test('a clone of an answer whose body was looked at first holds the whole of it, and so does the answer', async () => {
  const exchange = notedExchange()
  const response = observed(exchange, Response.json({ n: 1 }), false)
  // As @anthropic-ai/sdk does before it hands a middleware what it asks for.
  expect(response.body?.locked).toBe(false)
  const copy = response.clone()
  expect([await copy.text(), await response.text()]).toEqual(['{"n":1}', '{"n":1}'])
  expect(exchange.notes).toHaveLength(1)
})

describe('a stream', () => {
  test.each(READERS.filter(([name]) => name !== 'json'))(
    'read by %s shows what the caller asked for',
    async (_, read) => {
      const exchange = notedExchange(hides)
      expect(await read(observed(exchange, stream(), true))).toBe(SHOWN)
      expect(exchange.notes).toEqual(['chunk {"n":1}', 'chunk {"n":2} hidden', 'complete'])
    },
  )

  test('and two clones of it, read at once, show the same, and tell it once', async () => {
    const exchange = notedExchange(hides)
    const response = observed(exchange, stream(), true)
    const copies = [response.clone(), response.clone()]
    expect(await Promise.all([response, ...copies].map((it) => it.text()))).toEqual([SHOWN, SHOWN, SHOWN])
    expect(exchange.notes).toEqual(['chunk {"n":1}', 'chunk {"n":2} hidden', 'complete'])
  })

  test('hides what it hides after its exchange has ended', async () => {
    const exchange = notedExchange(hides)
    const response = observed(exchange, stream(), true)
    exchange.end('unread')
    expect(await response.text()).toBe(SHOWN)
  })

  test('handed over is the SDK’s, and nobody else gets it', async () => {
    const exchange = notedExchange(hides)
    const response = observed(exchange, stream(), true)
    const handed = handOver(response)!
    expect(handed.claim()).toBe(true)
    expect(handed.claim()).toBe(false)
    const body = handed.duringFirstStep(() => response.body!)
    expect(await new Response(body).text()).toBe(EVENTS)
    expect(response.bodyUsed).toBe(true)
    expect(exchange.notes).toEqual([])
  })

  test('that the caller has begun to read is not handed over', async () => {
    const response = observed(notedExchange(), stream(), true)
    response.body?.getReader()
    expect(handOver(response)).toBeUndefined()
    expect(handOver(new Response(''))).toBeUndefined()
  })

  test('whose body was only looked at is handed over: SDKs log it', () => {
    const response = observed(notedExchange(), stream(), true)
    expect(response.body).not.toBeNull()
    expect(handOver(response)?.claim()).toBe(true)
  })
})

describe('to whoever looks, it is the Response that it was', () => {
  test.each([
    ['an answer', answer, false],
    ['a stream', stream, true],
  ])('%s', (_, make, isStream) => {
    const [ours, other] = [observed(notedExchange(), make(), isStream), make()]
    expect(Reflect.ownKeys(ours)).toEqual(Reflect.ownKeys(other))
    expect(ours instanceof Response).toBe(true)
    expect(ours.constructor).toBe(Response)
    expect(ours.status).toBe(200)
    expect(Object.is(ours.body, ours.body)).toBe(true)
    for (const name of ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'clone'] as const)
      expect([ours[name].name, ours[name].length]).toEqual([other[name].name, other[name].length])
  })

  test('its clone too', () => {
    const copy = observed(notedExchange(), stream(), true).clone()
    const other = stream().clone()
    expect(Reflect.ownKeys(copy)).toEqual(Reflect.ownKeys(other))
    for (const name of ['status', 'statusText', 'url', 'type', 'redirected', 'ok'] as const)
      expect(copy[name]).toBe(other[name])
    expect([...copy.headers]).toEqual([...other.headers])
  })
})

describe('a Response that is not quite one', () => {
  test('without a body stays without', async () => {
    const response = observed(notedExchange(), new Response(null), true)
    expect(response.body).toBeNull()
    expect(await response.text()).toBe('')
  })

  test('with methods of its own keeps them', async () => {
    const response = Object.defineProperty(answer(), 'json', {
      value: async () => ({ mine: true }),
      configurable: true,
    })
    const exchange = notedExchange()
    expect(await observed(exchange, response).json()).toEqual({ mine: true })
    expect(exchange.notes).toEqual(['answer {"mine":true}'])
  })

  test('made by hand, as tests make them, is told too', async () => {
    const exchange = notedExchange()
    const response = { ok: true, status: 200, headers: new Headers(), json: async () => ({ mine: true }) }
    expect(await observed(exchange, response as unknown as Response).json()).toEqual({ mine: true })
    expect(exchange.notes).toEqual(['answer {"mine":true}'])
  })

  test('that is frozen is the caller’s as it is', async () => {
    const exchange = notedExchange()
    const response = Object.freeze({
      json: async () => ({ mine: true }),
      clone: () => undefined,
    }) as unknown as Response
    expect(await observed(exchange, response).json()).toEqual({ mine: true })
    expect(exchange.notes).toEqual(['unread'])
  })

  test('of a class of its own keeps what its methods need', async () => {
    class Signed extends Response {
      get signature() {
        return 'signed'
      }
      override async text() {
        return `${await super.text()} ${this.signature}`
      }
    }
    expect(await observed(notedExchange(), new Signed('x')).text()).toBe('x signed')
    expect(await observed(notedExchange(), new Signed('data: x\n\n'), true).text()).toBe('data: x\n\n signed')
  })
})
