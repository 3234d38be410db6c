// The body that a caller reads raw: the same bytes, less what it did not ask for.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HIDDEN } from '../../src/patch/exchange.ts'
import { tap } from '../../src/patch/tap.ts'
import { notedExchange } from '../support/exchange.ts'

const encode = (text: string) => new TextEncoder().encode(text)

function bodyOf(parts: Iterable<Uint8Array>, error?: Error): ReadableStream<Uint8Array> {
  const waiting = parts[Symbol.iterator]()
  return new ReadableStream({
    pull(controller) {
      const { done, value } = waiting.next()
      if (!done) controller.enqueue(value)
      else if (error) controller.error(error)
      else controller.close()
    },
  })
}

async function bytesOf(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body).arrayBuffer())
}

async function textOf(body: ReadableStream<Uint8Array>): Promise<string> {
  return new TextDecoder().decode(await bytesOf(body))
}

const isUsage = (data: unknown) => (data as { usage?: object }).usage !== undefined
/** As a chat stream with usage that its caller did not ask for. */
const hidesUsage = (data: unknown) => {
  if ((data as { usage?: unknown }).usage === null) return { n: (data as { n?: unknown }).n }
  return isUsage(data) ? HIDDEN : data
}

describe('events', () => {
  test('are the very bytes where nothing is hidden, UTF-8 or not, in the same pieces', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 30 })), async (parts) => {
        const body = tap(() => bodyOf(parts), notedExchange(), true)
        const got: number[][] = []
        for await (const piece of body) got.push([...piece])
        expect(got).toEqual(parts.map((part) => [...part]))
      }),
    )
  })

  test('are the very text where something may be hidden and nothing is, in any cut', async () => {
    const event = fc.oneof(
      fc.jsonValue().map((value) => `data: ${JSON.stringify({ value })}\n\n`),
      fc.constantFrom(': ping\r\n\r\n', 'event: x\ndata: {"a":"海 🐋"}\n\n', 'data: [DONE]\n\n', 'data: {"oops\n\n'),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(event), fc.string(), fc.nat(20), async (events, rest, size) => {
        const text = events.join('') + rest
        const bytes = encode(text)
        const parts = Array.from({ length: Math.ceil(bytes.length / (size + 1)) }, (_, i) =>
          bytes.slice(i * (size + 1), (i + 1) * (size + 1)),
        )
        const body = tap(
          () => bodyOf(parts),
          notedExchange((data) => data),
          true,
        )
        expect(await textOf(body)).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes))
      }),
    )
  })

  test('that are hidden are gone, and others are rewritten in their place', async () => {
    const exchange = notedExchange(hidesUsage)
    const text = 'data: {"n":1,"usage":null}\n\nevent: m\r\ndata: {"n":2}\r\n\r\ndata: {"usage":{}}\n\ndata: [DONE]\n\n'
    expect(await textOf(tap(() => bodyOf([encode(text)]), exchange, true))).toBe(
      'data: {"n":1}\n\nevent: m\r\ndata: {"n":2}\r\n\r\ndata: [DONE]\n\n',
    )
    expect(exchange.notes).toEqual([
      'chunk {"n":1,"usage":null}',
      'chunk {"n":2}',
      'chunk {"usage":{}} hidden',
      'complete',
    ])
  })

  test('of several data lines are rewritten as one', async () => {
    const text = 'data: {"n":1,\ndata: "usage":null}\nid: 7\n\n'
    const body = tap(() => bodyOf([encode(text)]), notedExchange(hidesUsage), true)
    expect(await textOf(body)).toBe('data: {"n":1}\nid: 7\n\n')
  })

  test('with a `$` in them come through a rewriting unharmed', async () => {
    const body = tap(() => bodyOf([encode('data: {"n":"$& $1","usage":null}\n\n')]), notedExchange(hidesUsage), true)
    expect(await textOf(body)).toBe('data: {"n":"$& $1"}\n\n')
  })

  test('count without their last blank line too', async () => {
    const exchange = notedExchange(hidesUsage)
    expect(await textOf(tap(() => bodyOf([encode('data: {"usage":{}}')]), exchange, true))).toBe('')
    expect(exchange.notes).toEqual(['chunk {"usage":{}} hidden', 'complete'])
  })

  test('that are no JSON are reported and given on', async () => {
    const exchange = notedExchange(hidesUsage)
    expect(await textOf(tap(() => bodyOf([encode('data: {"oops\n\n')]), exchange, true))).toBe('data: {"oops\n\n')
    expect(exchange.notes).toEqual(['malformed', 'complete'])
  })
})

describe('a body that breaks', () => {
  test.each([
    ['hiding', notedExchange((data) => data)],
    ['not hiding', notedExchange()],
  ])('gives what came before, then its error (%s)', async (_, exchange) => {
    const broken = new Error('the connection broke')
    const reader = tap(
      () => bodyOf([encode('data: {"n":1}\n\ndata: {"n'), encode(':2')], broken),
      exchange,
      true,
    ).getReader()
    let text = ''
    const error = await (async () => {
      for (;;) {
        const { value } = await reader.read()
        text += new TextDecoder().decode(value)
      }
    })().catch((reason: unknown) => reason)
    expect(error).toBe(broken)
    expect(text).toContain('data: {"n":1}\n\n')
    expect(exchange.notes).toEqual(['chunk {"n":1}', 'failed Error'])
  })

  test('by an abort is aborted', async () => {
    const exchange = notedExchange()
    const body = tap(() => bodyOf([], new DOMException('This operation was aborted', 'AbortError')), exchange, true)
    await expect(bytesOf(body)).rejects.toThrow('aborted')
    expect(exchange.notes).toEqual(['aborted AbortError'])
  })
})

describe('a caller that leaves', () => {
  test('is passed on with its reason, read or not', async () => {
    for (const readsFirst of [true, false]) {
      const reasons: unknown[] = []
      const inner = new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(encode('data: {"n":1}\n\n')),
        cancel: (reason) => void reasons.push(reason),
      })
      const exchange = notedExchange()
      const reader = tap(() => inner, exchange, true).getReader()
      if (readsFirst) await reader.read()
      await reader.cancel('enough')
      expect(reasons).toEqual(['enough'])
      expect(exchange.notes.filter((note) => !note.startsWith('chunk'))).toEqual(['stopped'])
    }
  })
})

describe('reading', () => {
  test('does not begin before the caller reads', async () => {
    let asked = 0
    const inner = new ReadableStream<Uint8Array>({ pull: () => void asked++ }, { highWaterMark: 0 })
    const body = tap(() => inner, notedExchange(), true)
    body.getReader()
    await new Promise((resolve) => setImmediate(resolve))
    expect([asked, inner.locked]).toEqual([0, false])
  })

  test("into the caller's own buffer ends when the body does", async () => {
    for (const parts of [['data: {"n":1}\n\n'], []]) {
      const reader = tap(() => bodyOf(parts.map(encode)), notedExchange(), true).getReader({ mode: 'byob' })
      let text = ''
      for (;;) {
        const { done, value } = await reader.read(new Uint8Array(4))
        if (done) break
        text += new TextDecoder().decode(value)
      }
      expect(text).toBe(parts.join(''))
    }
  })

  test('leaves the memory of whoever made the body alone', async () => {
    const shared = encode('data: {"n":1}\n\n')
    await bytesOf(tap(() => bodyOf([shared]), notedExchange(), true))
    await bytesOf(tap(() => bodyOf([shared]), notedExchange(), false))
    expect(new TextDecoder().decode(shared)).toBe('data: {"n":1}\n\n')
  })
})

describe('an answer that is no stream', () => {
  test('is told once, whole, in any cut', async () => {
    const text = '{"a":"海は深い 🐋"}'
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), async (size) => {
        const bytes = encode(text)
        const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.slice(i * size, (i + 1) * size),
        )
        const exchange = notedExchange()
        expect(await textOf(tap(() => bodyOf(parts), exchange, false))).toBe(text)
        expect(exchange.notes).toEqual([`answerText ${text}`])
      }),
    )
  })

  test('above 64 MB is given on and not kept', async () => {
    const part = new Uint8Array(1024 * 1024).fill(120)
    const exchange = notedExchange()
    let bytes = 0
    for await (const piece of tap(() => bodyOf(Array.from({ length: 65 }, () => part)), exchange, false))
      bytes += piece.length
    expect(bytes).toBe(65 * 1024 * 1024)
    expect(exchange.notes).toEqual(['unread'])
  })
})
