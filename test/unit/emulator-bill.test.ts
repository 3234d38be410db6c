// The emulator's bill: worked examples at published rates, and sums that must hold whatever is asked.

import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { decimal } from '../../src/emulator/bill.ts'
import { type EmulatorOptions, type Reply, startEmulator } from '../../src/emulator/index.ts'
import { countTokens, pieces } from '../../src/emulator/words.ts'

async function started(options: EmulatorOptions = {}) {
  const emulator = await startEmulator({ now: () => new Date('2026-11-18T12:00:00Z'), ...options })
  onTestFinished(() => emulator.close())
  const post = async (url: string, body: object) => {
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) })
    await answer.text()
    return answer.status
  }
  const ask = {
    chat: (model: string, more = {}) =>
      post(`${emulator.openai.baseURL}/chat/completions`, { model, messages: [], ...more }),
    responses: (model: string, more = {}) =>
      post(`${emulator.openai.baseURL}/responses`, { model, input: 'Hi', ...more }),
    embeddings: (model: string, more = {}) =>
      post(`${emulator.openai.baseURL}/embeddings`, { model, input: 'Hi', dimensions: 1, ...more }),
    messages: (model: string, more = {}) =>
      post(`${emulator.anthropic.baseURL}/v1/messages`, { model, messages: [], max_tokens: 1e9, ...more }),
    google: (model: string, more = {}) =>
      post(`${emulator.google.baseURL}/v1beta/models/${model}:generateContent`, { contents: [], ...more }),
  }
  return { emulator, ask }
}

type Surface = keyof Awaited<ReturnType<typeof started>>['ask']

const text = 'Hi'

describe('a request costs what the published rates say', () => {
  test.each<[string, Surface, string, Reply, object, string]>([
    [
      'cache reads and writes within the prompt',
      'chat',
      'gpt-6-sol',
      { inputTokens: 10_000, cachedTokens: 6144, cacheWriteTokens: 2048, outputTokens: 1200, reasoningTokens: 800 },
      {},
      '0.0219648',
    ],
    ['a prompt at the band', 'responses', 'gpt-6-sol', { inputTokens: 272_000, outputTokens: 1000 }, {}, '0.554'],
    ['a prompt above it', 'responses', 'gpt-6-sol', { inputTokens: 272_001, outputTokens: 1000 }, {}, '1.103004'],
    [
      'asked fast, answered priority',
      'responses',
      'gpt-6-astra',
      { inputTokens: 5000, cacheWriteTokens: 4096, outputTokens: 900, reasoningTokens: 512 },
      { service_tier: 'fast' },
      '0.21048',
    ],
    [
      'flex',
      'chat',
      'gpt-5',
      { inputTokens: 12_000, cachedTokens: 8064, outputTokens: 3000, serviceTier: 'flex' },
      {},
      '0.017964',
    ],
    [
      'searches by the piece',
      'responses',
      'gpt-5.6-luna',
      { inputTokens: 24_500, outputTokens: 700, webSearches: 3 },
      {},
      '0.03574',
    ],
    ['audio in', 'chat', 'gpt-audio', { inputTokens: 1200, audioInputTokens: 1000, outputTokens: 100 }, {}, '0.0335'],
    ['embeddings', 'embeddings', 'text-embedding-3-small', { inputTokens: 8191 }, {}, '0.00016382'],
    [
      'two lifetimes of cache beside the input',
      'messages',
      'claude-sonnet-5-5',
      {
        inputTokens: 49_200,
        cachedTokens: 40_000,
        cacheWriteTokens: 5000,
        cacheWrite1hTokens: 3000,
        outputTokens: 900,
      },
      {},
      '0.0399',
    ],
    ['fast mode', 'messages', 'claude-opus-5', { inputTokens: 2000, outputTokens: 1000 }, { speed: 'fast' }, '0.07'],
    [
      'residency, on tokens but not on searches',
      'messages',
      'claude-opus-5-5',
      { inputTokens: 1000, outputTokens: 1000, webSearches: 1 },
      { inference_geo: 'us' },
      '0.0364',
    ],
    ['a short prompt', 'messages', 'claude-haiku-5-5', { inputTokens: 100_000, outputTokens: 1000 }, {}, '0.0105'],
    ['a long one', 'messages', 'claude-haiku-5-5', { inputTokens: 100_001, outputTokens: 1000 }, {}, '0.0525005'],
    [
      'thoughts and tool input beside the rest',
      'google',
      'gemini-3.1-pro-preview',
      { inputTokens: 120_000, cachedTokens: 100_000, toolUseTokens: 500, outputTokens: 3000, reasoningTokens: 2100 },
      {},
      '0.097',
    ],
  ])('%s', async (_, surface, model, reply, more, usd) => {
    const { emulator, ask } = await started()
    emulator.reply({ text, ...reply })
    expect(await ask[surface](model, more)).toBe(200)
    const bill = emulator.bill()
    expect(bill.lines[0]?.usd).toBe(usd)
    expect(bill).toMatchObject({ usd, unpriced: 0 })
  })

  test('on the day it is made', async () => {
    let day = '2026-12-31T23:59:59Z'
    const { emulator, ask } = await started({ now: () => new Date(day) })
    emulator.reply({ inputTokens: 10_000, outputTokens: 1000, times: 2 })
    await ask.google('gemini-3.8-flash')
    day = '2027-01-01T00:00:00Z'
    await ask.google('gemini-3.8-flash')
    expect(emulator.bill().lines.map((line) => line.usd)).toEqual(['0.01125', '0.0225'])
  })

  test.each<[string, Surface, string, Reply, object]>([
    ['an unknown model', 'chat', 'gpt-99', {}, {}],
    ['a name that every object has', 'chat', 'constructor', {}, {}],
    ['an unknown tier', 'chat', 'gpt-4o', { serviceTier: 'scale' }, {}],
    ['a tier with no published band', 'chat', 'gpt-5.5', { inputTokens: 300_000, serviceTier: 'priority' }, {}],
    ['a unit without a price', 'chat', 'gpt-4o', { audioInputTokens: 5 }, {}],
    ['fast mode of a model that has none', 'messages', 'claude-haiku-4-5', {}, { speed: 'fast' }],
  ])('and %s has no price at all, which is counted', async (_, surface, model, reply, more) => {
    const { emulator, ask } = await started()
    emulator.reply({ text, ...reply })
    await ask[surface](model, more)
    const bill = emulator.bill()
    expect(bill.lines[0]).not.toHaveProperty('usd')
    expect(bill).toMatchObject({ usd: '0', unpriced: 1, totals: [{ requests: 1, usd: '0', unpriced: 1 }] })
  })
})

test('a line speaks the terms of its provider', async () => {
  const { emulator, ask } = await started()
  emulator.reply({ text: 'One two', inputTokens: 10, webSearches: 1, times: 4 })
  await ask.responses('gpt-5')
  await ask.messages('claude-sonnet-5')
  await ask.google('gemini-2.5-pro')
  await ask.embeddings('text-embedding-3-large')
  expect(emulator.bill().lines).toMatchObject([
    {
      provider: 'openai',
      endpoint: 'responses',
      requestId: 'req_00000001',
      responseId: 'resp_00000001',
      usage: { input_tokens: 10, output_tokens: 2, tool_usage: { web_search: { num_requests: 1 } } },
    },
    {
      provider: 'anthropic',
      endpoint: 'messages',
      usage: { input_tokens: 10, server_tool_use: { web_search_requests: 1 } },
    },
    { provider: 'google', endpoint: 'generateContent', usage: { promptTokenCount: 10, candidatesTokenCount: 2 } },
    { provider: 'openai', endpoint: 'embeddings', usage: { prompt_tokens: 10, total_tokens: 10 } },
  ])
})

test('totals are those of the lines, by provider and model', async () => {
  const { emulator, ask } = await started()
  const surfaces = ['chat', 'responses'] as const
  const models = ['gpt-5', 'gpt-4o', 'gpt-99']
  const request = fc.record({
    surface: fc.constantFrom(...surfaces),
    model: fc.constantFrom(...models),
    inputTokens: fc.nat(1_000_000),
    outputTokens: fc.nat(5),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 6 }), async (requests) => {
      emulator.reset()
      for (const { surface, model, ...counts } of requests) {
        emulator.reply(counts)
        await ask[surface](model)
      }
      const { lines, totals, usd, unpriced } = emulator.bill()
      expect(lines).toHaveLength(requests.length)
      expect(totals.reduce((sum, total) => sum + total.requests, 0)).toBe(lines.length)
      expect(totals.reduce((sum, total) => sum + total.inputTokens, 0)).toBe(
        requests.reduce((sum, { inputTokens }) => sum + inputTokens, 0),
      )
      expect(unpriced).toBe(requests.filter(({ model }) => model === 'gpt-99').length)
      const exact = lines.reduce((sum, line) => sum + exactPico(line.usd ?? '0'), 0n)
      expect(exactPico(usd)).toBe(exact)
      expect(totals.reduce((sum, total) => sum + exactPico(total.usd), 0n)).toBe(exact)
      for (const line of lines) {
        if (line.usd === undefined) continue
        expect(line.items.reduce((sum, item) => sum + exactPico(item.usd), 0n)).toBe(exactPico(line.usd))
      }
    }),
    { numRuns: 20 },
  )
})

function exactPico(usd: string): bigint {
  const [whole = '0', fraction = ''] = usd.split('.')
  return BigInt(whole) * 10n ** 12n + BigInt(fraction.padEnd(12, '0'))
}

test('any number of pico-dollars is written exactly', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 30n }), (pico) => {
      expect(exactPico(decimal(pico))).toBe(pico)
      expect(decimal(pico)).toMatch(/^(0|[1-9]\d*)(\.\d*[1-9])?$/)
    }),
  )
})

test('a stream cut anywhere is charged between nothing and all of its output', async () => {
  const { emulator, ask } = await started()
  const cut = fc.record({
    text: fc.string({ unit: 'grapheme' }),
    reasoningTokens: fc.nat(50),
    cutAfterEvents: fc.nat(20),
  })
  await fc.assert(
    fc.asyncProperty(cut, fc.constantFrom('chat', 'responses', 'messages'), async (reply, surface) => {
      emulator.reset()
      emulator.reply(reply)
      const model = surface === 'messages' ? 'claude-sonnet-5' : 'gpt-5'
      await ask[surface](model, { stream: true }).catch(() => undefined)
      const [line] = emulator.bill().lines
      const all = pieces(reply.text).length + reply.reasoningTokens
      if (line?.isWhole) expect(line.outputTokens).toBe(all)
      else expect(line?.outputTokens).toBeLessThanOrEqual(all)
    }),
    { numRuns: 40 },
  )
})

describe('the count of tokens', () => {
  test('parts any text without loss', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // A surrogate of its own is a sign like any other.
        expect(pieces(text).join('')).toBe(text)
      }),
    )
  })

  test('is linear in the text, however long its runs', () => {
    expect(countTokens('a'.repeat(600_000))).toBe(100_000)
    expect(countTokens(' '.repeat(600_000))).toBe(1)
  })

  test.each([
    ['How deep is the sea?', 6],
    ['', 0],
    [['one', { two: ['three', 4, null, true] }], 2],
  ])('of %j is %i', (value, tokens) => {
    expect(countTokens(value)).toBe(tokens)
  })
})
