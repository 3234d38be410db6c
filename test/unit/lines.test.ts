// Answers of one object a line: told line by line however they are cut, and left alone when they are something else.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lineReader, readLines, readText } from '../../src/patch/lines.ts'
import { tap } from '../../src/patch/tap.ts'
import { notedExchange } from '../support/exchange.ts'

const OBJECTS = [{ id: 1 }, { text: '海は深い\n🐋' }, { nested: { a: [1, 2] } }]
const TEXT = OBJECTS.map((object) => JSON.stringify(object)).join('\n')
const TOLD = OBJECTS.map((object) => `chunk ${JSON.stringify(object)}`)

const noted = (form: 'lines' | 'bytes' = 'lines') => Object.assign(notedExchange(), { form })

describe('a file of lines', () => {
  test.each<[string, string, readonly string[]]>([
    ['with a line end at its end', `${TEXT}\n`, TOLD],
    ['without one', TEXT, TOLD],
    ['with the line ends of Windows', TEXT.replaceAll('}\n', '}\r\n'), TOLD],
    ['with empty lines', `\n\n${TEXT.replaceAll('}\n', '}\n\n  \n')}\n\n`, TOLD],
    ['that is empty', '', []],
    ['of text', 'Once upon a time\n{"id":1}', []],
    ['that ends in something else', `${TEXT}\nand so on\n{"id":9}`, TOLD],
    ['that is torn', '{"id":1}\n{"id":', ['chunk {"id":1}']],
    ['of lists', '[1]\n[2]', []],
    ['of numbers', '1\n2', []],
  ])('%s', (_, text, told) => {
    const exchange = noted()
    readText(exchange, text)
    expect(exchange.notes).toEqual(told)
  })

  test('in pieces that part lines wherever they like', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(TEXT.length), { maxLength: 12 }), (cuts) => {
        const exchange = noted()
        const reader = lineReader(exchange)
        const places = [0, ...cuts.sort((a, b) => a - b), TEXT.length]
        for (let i = 1; i < places.length; i++) reader.push(TEXT.slice(places[i - 1], places[i]))
        reader.end()
        expect(exchange.notes).toEqual(TOLD)
      }),
    )
  })

  test('of bytes that are no text is not looked at beyond its start', () => {
    const exchange = noted()
    const bytes = new Uint8Array(10_000_000).fill(0x89)
    let looked = 0
    const subarray = bytes.subarray.bind(bytes)
    bytes.subarray = (from, to) => {
      looked += (to ?? bytes.length) - (from ?? 0)
      return subarray(from, to)
    }
    readLines(exchange, bytes)
    expect(exchange.notes).toEqual(['complete'])
    expect(looked).toBeLessThan(1_000_000)
  })

  test('as bytes, with characters that pieces of 64 KiB part', () => {
    const long = { text: '🐋'.repeat(40_000) }
    const exchange = noted()
    readLines(exchange, new TextEncoder().encode(`${JSON.stringify(long)}\n{"id":2}`))
    expect(exchange.notes).toEqual([`chunk ${JSON.stringify(long)}`, 'chunk {"id":2}', 'complete'])
  })
})

describe('a body that is read raw', () => {
  const bodyOf = (pieces: readonly Uint8Array[], fails = false) =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        const [next, ...rest] = pieces
        pieces = rest
        if (next) controller.enqueue(next)
        else if (fails) controller.error(new Error('cut'))
        else controller.close()
      },
    })
  const cut = (text: string, size: number) => {
    const bytes = new TextEncoder().encode(text)
    return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.slice(i * size, (i + 1) * size))
  }

  test.each([1, 3, 7, 1000])('of lines, cut into pieces of %i bytes, comes through as it is', async (size) => {
    const exchange = noted()
    const through = tap(() => bodyOf(cut(TEXT, size)), exchange, false)
    expect(await new Response(through).text()).toBe(TEXT)
    expect(exchange.notes).toEqual([...TOLD, 'complete'])
  })

  test('of lines, left after the first, has told of what was read', async () => {
    const exchange = noted()
    const reader = tap(() => bodyOf(cut(`{"id":1}\n{"id":2}\n`, 9)), exchange, false).getReader()
    await reader.read()
    await reader.cancel()
    expect(exchange.notes.slice(0, 2)).toEqual(['chunk {"id":1}', 'stopped'])
  })

  test('of lines that breaks off', async () => {
    const exchange = noted()
    const through = tap(() => bodyOf(cut(`{"id":1}\n{"id":2`, 4), true), exchange, false)
    await expect(new Response(through).text()).rejects.toThrow()
    expect(exchange.notes).toEqual(['chunk {"id":1}', 'failed Error'])
  })

  test('of sound comes through byte by byte, and only its end is told', async () => {
    const exchange = noted('bytes')
    const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i % 256)
    const through = tap(() => bodyOf([bytes.slice(0, 1000), bytes.slice(1000)]), exchange, false)
    expect(new Uint8Array(await new Response(through).arrayBuffer())).toEqual(bytes)
    expect(exchange.notes).toEqual(['complete'])
  })
})
