// Server-sent events out of bytes, however these are cut on their way.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dataOf, type RawEvent, sseSplitter } from '../../src/patch/sse.ts'

const LINE_ENDS = ['\n', '\r\n', '\r'] as const

/** One line of a stream: anything but a line end, surrogate halves included only in pairs. */
const line = fc.oneof(
  fc.string({ unit: 'binary' }).map((text) => text.replace(/[\r\n]/g, ' ')),
  fc.string({ unit: 'grapheme' }).map((text) => `data: ${text.replace(/[\r\n]/g, ' ')}`),
  fc.json().map((json) => `data: ${json}`),
  fc.constantFrom('data: [DONE]', ': keep-alive', 'event: ping', 'data:', 'data: {"a":"海は深い 🐋"}', '\uFEFFdata: x'),
)
const event = fc
  .record({
    lines: fc.array(
      line.filter((text) => text !== ''),
      { minLength: 1, maxLength: 4 },
    ),
    end: fc.constantFrom(...LINE_ENDS),
  })
  .map(({ lines, end }) => `${lines.join(end)}${end}${end}`)
const body = fc
  .record({ events: fc.array(event, { maxLength: 8 }), rest: line })
  .map(({ events, rest }) => events.join('') + rest)

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function split(parts: Iterable<Uint8Array>): { events: RawEvent[]; rest: string } {
  const splitter = sseSplitter()
  const events: RawEvent[] = []
  for (const part of parts) events.push(...splitter.push(part))
  return { events, rest: splitter.rest() }
}

/** The bytes in pieces, cut at those places. */
function* cut(bytes: Uint8Array, places: readonly number[]): Generator<Uint8Array> {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b)
  let from = 0
  for (const to of [...sorted, bytes.length]) {
    yield bytes.subarray(from, to)
    from = to
  }
}

function* singly(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) yield bytes.subarray(at, at + 1)
}

describe('whatever the cuts', () => {
  test('nothing of the text is lost, doubled or moved', () => {
    fc.assert(
      fc.property(body, fc.array(fc.nat(500)), (text, places) => {
        const bytes = bytesOf(text)
        const { events, rest } = split(cut(bytes, places))
        expect(events.map(({ raw }) => raw).join('') + rest).toBe(
          new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes),
        )
      }),
    )
  })

  test('the events are the same', () => {
    fc.assert(
      fc.property(body, fc.array(fc.nat(500)), (text, places) => {
        const bytes = bytesOf(text)
        // A `\r` at the very end is the one thing that has to be waited for: it comes out as rest.
        expect(split(cut(bytes, places))).toEqual(split([bytes]))
        expect(split(singly(bytes))).toEqual(split([bytes]))
      }),
    )
  })

  test('every event ends with its blank line', () => {
    fc.assert(
      fc.property(body, (text) => {
        for (const { raw } of split(singly(bytesOf(text))).events) expect(raw).toMatch(/(?:\r\n|\n|\r){2}$/)
      }),
    )
  })
})

test.each([
  ['\n\n', 'line feeds'],
  ['\r\n\r\n', 'both'],
  ['\r\r', 'carriage returns'],
  ['\n\r\n', 'a mix'],
  ['\r\n\n', 'another mix'],
  ['\n\r', 'the odd one'],
])('an event ends with %j', (end) => {
  const text = `data: 1${end}data: 2${end}data: 3\n\n`
  expect(split(singly(bytesOf(text))).events.map(({ data }) => data)).toEqual(['1', '2', '3'])
})

test('a line end of two characters is one line end', () => {
  expect(split(singly(bytesOf('data: 1\r\ndata: 2\r\n\r\n'))).events).toEqual([
    { raw: 'data: 1\r\ndata: 2\r\n\r\n', data: '1\n2' },
  ])
})

describe('the data of an event', () => {
  test.each([
    ['data: a\n\n', 'a'],
    ['data:a\n\n', 'a'],
    ['data:  a\n\n', ' a'],
    ['data: a\ndata: b\n\n', 'a\nb'],
    ['data:\ndata:\n\n', '\n'],
    ['event: x\ndata: a\nid: 7\n\n', 'a'],
    ['\uFEFFdata: a\n\n', 'a'],
    [': a comment\n\n', undefined],
    ['database: a\n\n', undefined],
    ['\n\n', undefined],
  ])('of %j is %j', (raw, data) => {
    expect(dataOf(raw)).toBe(data)
  })
})

test('bytes that are no UTF-8 do not stop it', () => {
  const { events, rest } = split([Uint8Array.of(100, 97, 116, 97, 58, 255, 254, 10, 10, 195)])
  expect(events).toEqual([{ raw: 'data:\uFFFD\uFFFD\n\n', data: '\uFFFD\uFFFD' }])
  expect(rest).toBe('\uFFFD')
})
