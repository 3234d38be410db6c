// `include_usage` is added to the text of a request, and to nothing else of it.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { askForUsage } from '../../src/providers/ask-for-usage.ts'

const ask = (body: object) => {
  const text = askForUsage(JSON.stringify(body))
  return text === undefined ? undefined : (JSON.parse(text) as Record<string, unknown>)
}

const NAMES = ['model', 'messages', 'stream_options', 'data_sources', 'include_usage', 'stream', 'x', '}', '"']
const anything = fc.object({
  key: fc.constantFrom(...NAMES),
  maxDepth: 4,
  values: [fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constantFrom(...NAMES)],
})

describe('a streamed request', () => {
  test('gets it, and keeps all else in its order', () => {
    fc.assert(
      fc.property(anything, anything, (before, after) => {
        const {
          stream_options: _,
          data_sources: __,
          stream: ___,
          ...rest
        } = { ...before, ...after } as Record<string, unknown>
        const body = { ...rest, stream: true, after }
        const asked = ask(body)
        expect(asked).toEqual({ ...JSON.parse(JSON.stringify(body)), stream_options: { include_usage: true } })
        expect(Object.keys(asked!)).toEqual([...Object.keys(JSON.parse(JSON.stringify(body))), 'stream_options'])
      }),
    )
  })

  test.each([
    [{ include_obfuscation: false }, { include_obfuscation: false, include_usage: true }],
    [{ include_usage: false }, { include_usage: true }],
    [{}, { include_usage: true }],
    [
      { continuous_usage_stats: true, include_obfuscation: true },
      { include_obfuscation: true, include_usage: true },
    ],
    [null, { include_usage: true }],
  ])('with stream_options %j sends %j', (given, sent) => {
    const tools = [{ stream_options: given }, '{"stream_options":{}}']
    for (const body of [
      { tools, stream: true, stream_options: given, user: 'u' },
      { stream: true, stream_options: given, tools },
    ])
      expect(ask(body)).toEqual({ ...body, stream_options: sent })
  })

  test('keeps numbers that JavaScript has no room for', () => {
    const text = '{"seed":12345678901234567890,"stream":true,"stream_options":{"include_obfuscation":false}}'
    expect(askForUsage(text)).toBe(
      '{"seed":12345678901234567890,"stream":true,"stream_options":{"include_obfuscation":false,"include_usage":true}}',
    )
  })

  test('is not searched where the object it was made of asks already, unless that is not what its JSON says', () => {
    const options = { include_usage: true }
    const given = { stream: true, stream_options: options }
    expect(askForUsage('{"stream":true}', { body: given })).toBeUndefined()
    const other = { toJSON: () => ({}) }
    for (const body of [
      { ...given, ...other },
      { ...given, stream_options: { ...options, ...other } },
      { ...given, stream_options: Object.create(options) as object },
      Object.create(given) as object,
      { ...given, stream_options: { include_usage: 'true' } },
      undefined,
    ])
      expect(askForUsage('{"stream":true}', { body })).toBe('{"stream":true,"stream_options":{"include_usage":true}}')
  })

  test('may be printed with spaces', () => {
    expect(JSON.parse(askForUsage(JSON.stringify({ stream: true, model: 'x' }, null, 2))!)).toEqual({
      stream: true,
      model: 'x',
      stream_options: { include_usage: true },
    })
  })

  test('that names such fields in its words only is asked all the same', () => {
    const content = 'Explain "data_sources" and {"stream_options":{"include_usage":true}}.'
    const nested = { data_sources: [], stream_options: { include_usage: true } }
    expect(ask({ stream: true, messages: [{ content }], tools: [nested, 'data_sources'] })?.stream_options).toEqual({
      include_usage: true,
    })
  })
})

describe('nothing is added', () => {
  test.each([
    ['where nothing is streamed', { model: 'x' }],
    ['where streaming is off', { stream: false }],
    ['where the caller asked', { stream: true, stream_options: { include_usage: true } }],
    ['beside data_sources, which Azure refuses', { stream: true, data_sources: [{}] }],
  ])('%s', (_, body) => {
    expect(ask(body)).toBeUndefined()
  })

  test.each(['', 'null', '[]', '"stream":true', '{"stream":true', 'stream: true'])(
    'to what is no JSON object: %j',
    (text) => {
      expect(askForUsage(text)).toBeUndefined()
    },
  )
})
