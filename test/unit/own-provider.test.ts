// `defineProvider`: what it takes, what it refuses, and what is made of somebody else's reading.

import { describe, expect, test } from 'vitest'
import { defineProvider, type OwnReading, type ProviderDefinition } from '../../src/index.ts'
import { createRouting } from '../../src/providers/index.ts'
import { definedBy } from '../../src/providers/own.ts'
import type { Asked, Route } from '../../src/providers/provider.ts'

const read = (): OwnReading => ({ usage: { 'output.text': 1 } })
const route = { endpoint: 'verses', path: '/v1/verses', read }
const muse: ProviderDefinition = { name: 'muse', hosts: 'api.muse.example', routes: [route] }

function find(definition: ProviderDefinition) {
  return createRouting({}, definedBy(defineProvider(definition)))
}

describe('hosts', () => {
  test.each([
    ['api.muse.example', 'api.muse.example', true],
    ['api.muse.example', 'api.muse.example:8443', true],
    ['API.Muse.example', 'api.muse.example', true],
    ['api.muse.example', 'xapi.muse.example', false],
    ['api.muse.example', 'api.muse.example.evil.example', false],
    ['api.muse.example', 'apixmuse.example', false],
    ['api.muse.example:8080', 'api.muse.example:8080', true],
    ['api.muse.example:8080', 'api.muse.example', false],
    ['*.muse.example', 'eu.muse.example', true],
    ['*.muse.example', 'a.b.muse.example:1', true],
    ['*.muse.example', 'muse.example', false],
    [/^muse-\d+\.example$/, 'muse-7.example', true],
    [/^muse-\d+\.example$/, 'muse-x.example', false],
    [['one.example', '*.two.example'], 'a.two.example', true],
    [['one.example', /^three/], 'three.example', true],
    [['one.example', /^three/], 'two.example', false],
    ['10.0.0.1', '10.0.0.1:4000', true],
    ['10.0.0.1', '10x0.0.1', false],
  ] as const)('%o and %s: %s', (hosts, host, isOurs) => {
    expect(find({ ...muse, hosts })('any', 'post', host, '/v1/verses')?.provider).toBe(isOurs ? 'muse' : undefined)
  })
})

describe('paths', () => {
  test.each([
    ['/v1/verses', '/v1/verses', true],
    ['v1/verses', '/v1/verses', true],
    ['/verses', '/v1/verses', true],
    ['/verses', '/v1/universes', false],
    ['/v1/verses', '/v1/verses/7', false],
    ['/v1.0/verses', '/v1x0/verses', false],
    [/\/verses\/\d+$/, '/v1/verses/7', true],
  ] as const)('%o and %s: %s', (path, asked, isOurs) => {
    const found = find({ ...muse, routes: [{ ...route, path }] })('any', 'post', 'api.muse.example', asked)
    expect(found?.route.endpoint).toBe(isOurs ? 'verses' : undefined)
  })

  test('a method of its own', () => {
    const routing = find({ ...muse, routes: [{ ...route, method: 'get' }] })
    expect(routing('any', 'get', 'api.muse.example', '/v1/verses')?.provider).toBe('muse')
    expect(routing('any', 'post', 'api.muse.example', '/v1/verses')).toBeNull()
  })
})

describe('a known wire', () => {
  test('is read as its maker is, with quirks', () => {
    const routing = find({
      name: 'house',
      hosts: 'llm.house.example',
      wire: 'openai',
      streamUsage: 'refused',
      charge: 'ticks',
      endpoints: { completions: 'fim.completions' },
    })
    const chat = routing('openai', 'post', 'llm.house.example', '/v1/chat/completions')!
    expect(chat).toMatchObject({ provider: 'house', route: { endpoint: 'chat.completions' } })
    expect(chat.route.prepare).toBeUndefined()
    expect(routing('any', 'post', 'llm.house.example', '/v1/completions')?.route.endpoint).toBe('fim.completions')
    const usage = { prompt_tokens: 2, completion_tokens: 3, total_tokens: 5, cost_in_usd_ticks: 70 }
    expect(chat.route.read({ model: 'm', usage }, asked(chat.route))).toMatchObject({ costUsd: '0.000000007' })
  })

  test('has the routes of its own before those of the wire', () => {
    const routing = find({
      name: 'house',
      hosts: 'llm.house.example',
      wire: 'openai',
      routes: [{ ...route, path: '/embeddings' }],
    })
    expect(routing('openai', 'post', 'llm.house.example', '/embeddings')?.route.endpoint).toBe('verses')
    expect(routing('openai', 'post', 'llm.house.example', '/responses')?.route.endpoint).toBe('responses')
  })

  test('a host that is known comes first where it is defined', () => {
    const routing = find({ name: 'mine', hosts: 'api.openai.com', wire: 'openai' })
    expect(routing('openai', 'post', 'api.openai.com', '/responses')?.provider).toBe('mine')
  })

  test('an SDK that dials a host with routes of its own is read by them', () => {
    const routing = find(muse)
    expect(routing('openai', 'post', 'api.muse.example', '/v1/verses')?.route.endpoint).toBe('verses')
  })
})

function asked(of: Route): Asked {
  return { facts: of.request({}, '/', false), path: '/', body: () => ({}) }
}

function reading(said: unknown) {
  const found = find({ ...muse, routes: [{ ...route, read: () => said as OwnReading }] })
  const own = found('any', 'post', 'api.muse.example', '/v1/verses')!.route
  return own.read({}, asked(own))
}

describe('what somebody else reads', () => {
  test('is taken as it is said', () => {
    const usage = { 'input.text': 12, 'output.text': 90, 'unit.input_pages': 2 }
    const said = {
      model: 'muse-1',
      responseId: 'r1',
      finishReason: 'stop',
      serviceTier: 'flex',
      upstreamProvider: 'A B',
    }
    expect(reading({ ...said, usage, costUsd: '0.0004' })).toEqual({ ...said, usage, costUsd: '0.0004' })
  })

  test.each([
    [0.1 + 0.2, '0.3'],
    [1e-7, '0.0000001'],
    ['0.000000000001', '0.000000000001'],
    [0, '0'],
    [-1, undefined],
    ['much', undefined],
    [Number.NaN, undefined],
    [null, undefined],
  ])('a cost of %j is %j', (costUsd, exact) => {
    expect(reading({ usage: {}, costUsd }).costUsd).toBe(exact)
  })

  test.each([
    [{ 'input.text': -1 }, ['negative:input.text']],
    [{ 'input.text': 1.5 }, ['fractional:input.text']],
    [{ 'input.text': '7' }, ['not-a-count:input.text']],
    [{ 'input.text': 1e12 }, ['absurd:input.text']],
    [{ input_tokens: 7 }, ['unknown:input_tokens']],
    [{ constructor: 7 }, ['unknown:constructor']],
  ])('a usage of %j is flagged', (usage, flags) => {
    expect(reading({ usage }).flags).toEqual(flags)
  })

  test.each([undefined, null, 7, 'text', [], { usage: undefined }, { usage: 7 }])('%j is no usage', (said) => {
    expect(reading(said).usage).toBeUndefined()
  })

  test('of a stream the last word on each thing stands', () => {
    const found = find({
      ...muse,
      routes: [
        {
          ...route,
          read: ({ id, tokens }) => ({
            responseId: id as string,
            ...(tokens !== undefined && { usage: { 'output.text': tokens as number } }),
          }),
        },
      ],
    })
    const own = found('any', 'post', 'api.muse.example', '/v1/verses')!.route
    const reader = own.readStream!(false, asked(own))
    for (const event of [{ id: 'r1' }, { tokens: -1 }, { tokens: 7 }, {}]) expect(reader.take(event)).toBe(event)
    expect(reader.reading()).toMatchObject({ responseId: 'r1', usage: { 'output.text': 7 } })
    expect(reader.reading().flags).toBeUndefined()
  })

  function streamed(...events: readonly object[]) {
    const read = ({ poet, heard, sung, price }: Record<string, unknown>): OwnReading => ({
      model: String(poet),
      usage: { 'input.text': heard as number, 'output.text': Number(sung) },
      costUsd: String(price),
    })
    const own = find({ ...muse, routes: [{ ...route, read }] })('any', 'post', 'api.muse.example', '/v1/verses')!.route
    const reader = own.readStream!(false, asked(own))
    for (const event of events) reader.take(event as Record<string, unknown>)
    return reader.reading()
  }
  const good = { poet: 'muse-1', heard: 12, sung: 5, price: '0.0017' }
  const asGood = { model: 'muse-1', usage: { 'input.text': 12, 'output.text': 5 }, costUsd: '0.0017' }

  test.each([
    ['after', [good, { done: true }]],
    ['before', [{ poet: 'muse-1' }, good]],
    ['before and after, empty', [{}, good, {}, { heard: null, sung: 'x', price: null }]],
  ])('an event of the stream without figures takes nothing away from those that came: %s', (_, events) => {
    expect(streamed(...events)).toEqual({ ...asGood })
  })

  test('a part that a later event leaves out stays as it was told, and the rest is the last that was told', () => {
    expect(streamed({ ...good, sung: 1 }, { sung: 9 })).toEqual({
      ...asGood,
      usage: { 'input.text': 12, 'output.text': 9 },
    })
    expect(streamed(good, { heard: -3, sung: 9 })).toMatchObject({
      usage: { 'input.text': 12, 'output.text': 9 },
      flags: ['negative:input.text'],
    })
  })

  test('a stream that never tells its figures has none, and says so', () => {
    const { usage, flags, isPartial, model, costUsd } = streamed({}, { done: true })
    expect({ usage, flags, isPartial, model, costUsd }).toEqual({
      usage: {},
      flags: ['not-a-count:output.text'],
      isPartial: true,
    })
  })

  test.each([
    ['abc', 'not-a-count:costUsd'],
    ['$1', 'not-a-count:costUsd'],
    [Number.NaN, 'not-a-count:costUsd'],
    [{}, 'not-a-count:costUsd'],
    [-1, 'negative:costUsd'],
  ])('a charge of %j is no amount, and is flagged', (costUsd, flag) => {
    expect(reading({ usage: {}, costUsd })).toMatchObject({ flags: [flag] })
    expect(reading({ usage: {}, costUsd }).costUsd).toBeUndefined()
  })

  test('a charge that is no amount does not replace one that was', () => {
    expect(streamed(good, { ...good, price: 'abc' })).toEqual(asGood)
    expect(streamed({ ...good, price: 'abc' }, good)).toEqual(asGood)
    expect(streamed({ ...good, price: 'abc' })).toMatchObject({ usage: asGood.usage, flags: ['not-a-count:costUsd'] })
  })

  test('counts that are all missing are no usage, which is not the same as nothing used', () => {
    expect(reading({ usage: { 'input.text': undefined, 'output.text': null } }).usage).toBeUndefined()
    expect(reading({ usage: {} }).usage).toEqual({})
    expect(reading({ usage: { 'output.text': Number.NaN } })).toMatchObject({ isPartial: true })
    expect(reading({ usage: { 'unit.input_pages': Number.NaN } })).toMatchObject({ isPartial: true })
  })

  test('the request is what it says, or what most wires have', () => {
    const [plain, mine] = [
      route,
      { ...route, request: () => ({ model: 'muse-2', stream: true, maxOutputTokens: 9 }) },
    ].map((one) => find({ ...muse, routes: [one] })('any', 'post', 'api.muse.example', '/v1/verses')!.route) as [
      Route,
      Route,
    ]
    expect(plain.request({ model: 'muse-1', max_tokens: 5, temperature: 1, secret: 'x' }, '/', true)).toEqual({
      model: 'muse-1',
      stream: true,
      maxOutputTokens: 5,
      metadata: { max_tokens: 5, temperature: 1 },
    })
    expect(plain.request({}, '/', false)).toMatchObject({ model: 'unknown', stream: false })
    expect(mine.request({}, '/', false)).toMatchObject({ model: 'muse-2', stream: true, maxOutputTokens: 9 })
  })
})

describe('a definition that cannot be', () => {
  test.each([
    [undefined, 'Expected `provider` to be an object, got `undefined`.'],
    [{ ...muse, name: '' }, 'Expected `name` to be a short name of letters, digits, `.`, `:`, `_` and `-`, got "".'],
    [{ ...muse, name: 'two words' }, 'Expected `name` to be a short name'],
    [
      { ...muse, hosts: undefined },
      'Expected `hosts` to be a host such as `llm.example.com`, a pattern, or a list of them, got `undefined`.',
    ],
    [{ ...muse, hosts: [] }, 'Expected `hosts` to be'],
    [{ ...muse, hosts: 'https://api.muse.example' }, 'Expected `hosts` to be'],
    [{ ...muse, hosts: ['a.example', 7] }, 'Expected `hosts` to be'],
    [{ ...muse, hosts: 'a.*.example' }, 'Expected `hosts` to be'],
    [{ ...muse, wire: 'cohere' }, "Expected `wire` to be 'openai', 'anthropic' or 'google', got \"cohere\"."],
    [{ ...muse, routes: {} }, 'Expected `routes` to be a list of routes, got an object.'],
    [{ ...muse, routes: [] }, 'A provider needs a `wire` that it speaks or `routes` of its own; it has neither.'],
    [{ ...muse, routes: [7] }, 'Expected `routes[0]` to be an object, got `7`.'],
    [{ ...muse, routes: [{ ...route, read: 7 }] }, 'Expected `routes[0].read` to be a function, got `7`.'],
    [
      { ...muse, routes: [route, { ...route, path: '' }] },
      'Expected `routes[1].path` to be the end of a path, or a pattern, got "".',
    ],
    [
      { ...muse, routes: [{ ...route, method: 'put' }] },
      "Expected `routes[0].method` to be 'get' or 'post', got \"put\".",
    ],
    [
      { ...muse, routes: [{ ...route, url: '/' }] },
      'There is no `routes[0].url`; the fields are endpoint, path, method, read, request.',
    ],
    [{ ...muse, host: 'x' }, 'There is no `host`; the fields are name, hosts, wire, routes, '],
    [{ ...muse, streamUsage: 'never' }, "Expected `streamUsage` to be 'ask', 'unasked' or 'refused', got \"never\"."],
    [{ ...muse, charge: 'cost' }, "Expected `charge` to be 'openrouter', 'ticks' or 'total_cost', got \"cost\"."],
    [
      { ...muse, endpoints: { completions: 7 } },
      'Expected `endpoints` to be an object from endpoint to endpoint, got an object.',
    ],
  ])('%j is refused in one sentence', (definition, sentence) => {
    expect(() => defineProvider(definition as ProviderDefinition)).toThrow(sentence)
    expect(() => defineProvider(definition as ProviderDefinition)).toThrow(
      expect.objectContaining({ code: 'BAD_INPUT' }),
    )
  })
})
