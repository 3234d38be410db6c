// What people have in their logs, in the forms in which they have it: each is read as it was meant, or refused.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { check, namesIn } from '../../src/cli/price-check.ts'
import { MeterError } from '../../src/errors.ts'
import { loadPriceBook } from '../../src/pricing/price-book.ts'
import { loadPrices, type ResponseToPrice } from '../../src/pricing-api.ts'
import { temporaryFolder } from '../support/ingest.ts'

const prices = await loadPrices()
const at = '2026-11-18T12:00:00Z'
const usage = { prompt_tokens: 1000, completion_tokens: 100, total_tokens: 1100 }
const chat = { provider: 'openai', model: 'gpt-4o', at, response: { usage } }
const USD = '0.0035'

function ask(input: object) {
  return prices.priceResponse(input as ResponseToPrice)
}

function refusal(input: object): string {
  try {
    ask(input)
  } catch (error) {
    expect(error).toBeInstanceOf(MeterError)
    return (error as MeterError).message
  }
  return 'nothing'
}

describe('what the provider says that it charged counts, though I kept only the last chunk of the stream', () => {
  const chunk = { object: 'chat.completion.chunk', choices: [] }
  test.each([
    ['openrouter', 'anthropic/claude-opus-4.8', { cost: 0.95 }, '0.95'],
    ['x-ai', 'grok-4.5', { cost_in_usd_ticks: 158_500 }, '0.00001585'],
  ])('%s', (provider, model, charge, costUsd) => {
    const told = { ...chunk, model, usage: { prompt_tokens: 194, completion_tokens: 2, total_tokens: 196, ...charge } }
    for (const response of [[told], told, `data: ${JSON.stringify(told)}\n\ndata: [DONE]\n\n`])
      expect(ask({ provider, at, response })).toMatchObject({ costUsd, costSource: 'reported' })
  })

  test('and a running total is no charge', () => {
    const running = {
      object: 'chat.completion.chunk',
      model: 'grok-4.5',
      choices: [{ delta: { content: 'Hi' } }],
      usage: { ...usage, cost_in_usd_ticks: 5 },
    }
    expect(ask({ provider: 'x-ai', at, response: [running, running] }).costSource).not.toBe('reported')
  })
})

describe('a count that is no number never makes a call cheaper', () => {
  test('digits in quotes are a number', () => {
    const quoted = { prompt_tokens: '1000', completion_tokens: '100' }
    expect(ask({ ...chat, response: { usage: quoted } })).toMatchObject({
      costUsd: USD,
      flags: ['not-a-count:prompt_tokens', 'not-a-count:completion_tokens'],
    })
    const read = { input_tokens: 1000, output_tokens: 100, cache_read_input_tokens: '5000' }
    const anthropic = { provider: 'anthropic', model: 'claude-sonnet-4-5', at }
    expect(ask({ ...anthropic, response: { usage: read } }).costUsd).toBe('0.006')
  })

  test.each([-5, 'many', 2e9, {}, true])('%j is not', (cache_read_input_tokens) => {
    const response = { usage: { input_tokens: 1000, output_tokens: 100, cache_read_input_tokens } }
    expect(ask({ provider: 'anthropic', model: 'claude-sonnet-4-5', at, response }).costUsd).toBeUndefined()
  })

  test('what could only save money is left out, and the call has its cost', () => {
    const response = { usage: { ...usage, prompt_tokens_details: { cached_tokens: -1 } } }
    expect(ask({ ...chat, response })).toMatchObject({ costUsd: USD, flags: ['negative:cached_tokens'] })
  })
})

describe('no call is free because its answer says nothing', () => {
  const imagen = { provider: 'google', endpoint: 'generateImages', model: 'imagen-4.0-generate-001', at }
  test('images whose bytes I did not keep are counted', () => {
    const predictions = [{ mimeType: 'image/png' }, { mimeType: 'image/png' }, { raiFilteredReason: 'blocked' }]
    expect(ask({ ...imagen, response: { predictions } })).toMatchObject({
      costUsd: '0.08',
      usage: { 'unit.output_images': 2 },
    })
  })

  test.each([[[]], [[{}]], [[{}, {}]]])('predictions %j', (predictions) => {
    const priced = ask({ ...imagen, response: { predictions } })
    expect([priced.costUsd, priced.flags]).toEqual([undefined, ['missing:usage']])
  })

  test.each([{ billed_units: {} }, { billed_units: { input_tokens: null } }, { billed_units: {}, tokens: {} }])(
    'Cohere: %j',
    (meta) => {
      const priced = ask({ provider: 'cohere', model: 'command-a-03-2025', at, response: { meta } })
      expect([priced.costUsd, priced.flags]).toEqual([undefined, ['missing:usage']])
    },
  )
})

test('a time without a zone is UTC, wherever I run this', () => {
  const zone = process.env['TZ']
  try {
    for (const TZ of ['Pacific/Auckland', 'America/Los_Angeles']) {
      process.env['TZ'] = TZ
      const peak = { provider: 'deepseek', model: 'deepseek-v4-pro', response: { usage } }
      for (const time of ['2026-11-18T02:00:00', '2026-11-18 02:00', '2026-11-18T02:00:00.5'])
        expect(ask({ ...peak, at: time }).lines[0]!.row).toBe(
          ask({ ...peak, at: '2026-11-18T02:00:00Z' }).lines[0]!.row,
        )
    }
  } finally {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  }
  expect(refusal({ ...chat, at: 'Nov 18, 2026 02:00' })).toContain('`at` to be')
})

describe('several answers are one too many', () => {
  const whole = { id: 'a', object: 'chat.completion', model: 'gpt-4o', choices: [], usage }
  const line = { id: 'b', custom_id: 'x', response: { status_code: 200, body: whole } }
  const google = { responseId: 'g1', candidates: [{ finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 5 } }
  test.each<[string, object]>([
    ['bodies', { response: [whole, { ...whole, id: 'b' }] }],
    ['usages', { response: [usage, usage] }],
    ['fragments', { response: [{ usage }, { usage }] }],
    ['lines of a batch', { response: [line, { ...line, custom_id: 'y' }] }],
    ['lines of a batch, as text', { response: `${JSON.stringify(line)}\n${JSON.stringify(line)}\n` }],
    ["Google's", { provider: 'google', response: [google, { ...google, responseId: 'g2' }] }],
  ])('%s', (_, input) => {
    expect(refusal({ ...chat, ...input })).toBe(
      'Expected `response` to be one answer, got 2: price them one at a time.',
    )
  })

  test('one in a list is one', () => {
    for (const response of [[whole], [usage], [{ usage }]]) expect(ask({ ...chat, response }).costUsd).toBe(USD)
    expect(ask({ ...chat, response: [line] }).costUsd).toBe('0.00175')
    expect(ask({ ...chat, response: `${JSON.stringify(line)}\n` }).costUsd).toBe('0.00175')
  })
})

describe('a usage that was kept alone is read', () => {
  const google = { provider: 'google', model: 'gemini-2.5-flash', at }
  const camel = { promptTokenCount: 1000, candidatesTokenCount: 150, totalTokenCount: 1150 }
  const snake = { prompt_token_count: 1000, candidates_token_count: 150, total_token_count: 1150 }
  test.each<[string, object]>([
    ['as Python has it', snake],
    ['in a list', [camel]],
    ['as Python has it, in a list', [snake]],
    ['with its model', [{ modelVersion: 'gemini-2.5-flash', usageMetadata: camel }]],
    ['as JSON', JSON.stringify(snake) as unknown as object],
  ])('%s', (_, response) => {
    expect(ask({ ...google, response })).toMatchObject({ costUsd: '0.000675', flags: [] })
  })

  test("as the last event of Bedrock's stream", () => {
    const metadata = { usage: { inputTokens: 1000, outputTokens: 100, totalTokens: 1100 }, metrics: { latencyMs: 5 } }
    const aws = { provider: 'bedrock', model: 'global.anthropic.claude-sonnet-4-5-20250929-v1:0', at }
    for (const response of [{ metadata }, [{ metadata }]]) expect(ask({ ...aws, response }).costUsd).toBe('0.0045')
  })
})

describe('a name that is none is refused, and the one that was meant is named', () => {
  test.each([
    ['base_url', 'host'],
    ['baseURL', 'host'],
    ['response_service_tier', 'response'],
    ['tool_usage', 'response'],
    ['tenant_id', 'tenantId'],
    ['tenantID', 'tenantId'],
    ['timestamp', 'at'],
    ['Model', 'model'],
    ['providers', 'provider'],
  ])('%s', (name, meant) => {
    expect(refusal({ ...chat, [name]: 'x' })).toBe(
      `\`priceResponse\` takes no ${JSON.stringify(name)}: did you mean \`${meant}\`?`,
    )
  })

  test('one that is like none', () => {
    expect(refusal({ ...chat, flavour: 'x' })).toMatch(/takes no "flavour": what it takes is provider, endpoint, /)
    expect(ask({ ...chat, flavour: undefined }).costUsd).toBe(USD)
  })

  test('`host` takes a base URL', () => {
    const { provider: _, ...rest } = chat
    expect(ask({ ...rest, host: 'https://api.openai.com:443/v1/' }).provider).toBe('openai')
  })
})

test('a model that searches the web says that the fee of its searches is missing', () => {
  for (const model of ['gpt-4o-search-preview', 'gpt-4o-mini-search-preview-2025-03-11']) {
    const chunk = { object: 'chat.completion.chunk', model, choices: [], usage }
    for (const response of [{ model, usage }, [chunk, chunk]])
      expect(ask({ provider: 'openai', at, response }).flags).toEqual(['missing:web_search'])
  }
})

test('a tier that I asked for and that the answer does not confirm is flagged', () => {
  const request = { model: 'gpt-4o', service_tier: 'priority' }
  expect(ask({ ...chat, request }).flags).toEqual(['tier:unconfirmed'])
  expect(ask({ ...chat, request, response: { usage, service_tier: 'default' } }).flags).toEqual([])
  expect(ask({ ...chat, request: { service_tier: 'auto' } }).flags).toEqual([])
})

describe('the path of a call is its endpoint', () => {
  test.each([
    ['openai', '/openai/v1/chat/completions', 'chat.completions'],
    ['azure', '/openai/deployments/d/chat/completions?api-version=2026-01-01', 'chat.completions'],
    ['openrouter', '/api/v1/chat/completions', 'chat.completions'],
    ['google', '/v1beta/openai/chat/completions', 'chat.completions'],
    ['google', '/v1beta/models/m:generateContent', 'generateContent'],
    ['google', 'v1beta/models/m:streamGenerateContent?alt=sse', 'generateContent'],
    ['google', '/v1beta/models/m:batchGenerateContent', 'generateContent', true],
    ['aws', '/model/m/converse', 'converse'],
    ['aws', '/model/m/converse-stream', 'converse'],
    ['anthropic', '/v1/messages?beta=true', 'messages'],
    ['anthropic', 'https://api.anthropic.com/v1/messages/batches/x/results', 'messages', true],
    ['anthropic', 'messages.batches.results', 'messages', true],
    ['anthropic', 'beta.messages.batches.results', 'messages', true],
  ])('%s %s', (provider, endpoint, known, isBatch = false) => {
    const priced = ask({ provider, endpoint, model: 'm', at, response: {} })
    expect([priced.endpoint, priced.serviceTier]).toEqual([known, isBatch ? 'batch' : undefined])
  })

  test('and names its model, where it does', () => {
    const response = { usage: { inputTokens: 1000, outputTokens: 100, totalTokens: 1100 } }
    const endpoint = '/model/global.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse'
    expect(ask({ provider: 'aws', endpoint, at, response }).costUsd).toBe('0.0045')
  })

  test('one that leads nowhere is refused', () => {
    expect(refusal({ ...chat, endpoint: '/v1/poems' })).toMatch(/no endpoint `\/v1\/poems` of openai/)
  })
})

test.each([
  ['OpenAI', 'openai', 'gpt-4o'],
  ['openai', 'openai', 'openai/gpt-4o'],
  ['Anthropic', 'anthropic', 'anthropic/claude-sonnet-4-5'],
  ['azure_openai', 'azure', 'azure/gpt-4o'],
  ['bedrock', 'aws', 'bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0'],
  ['Gemini', 'google', 'gemini/gemini-2.5-flash'],
  ['xAI', 'x-ai', 'xai/grok-4.5'],
  ['groq', 'groq', 'openai/gpt-oss-120b'],
])('%s is %s, and %s one of its models', (given, provider, model) => {
  const { rows } = prices
  expect(rows(given, model)).toEqual(rows(provider, model))
  expect(prices.why({ 'input.text': 1 }, { provider, model, at: Date.parse(at) })).toBeUndefined()
  expect(rows(provider, model)?.found).toMatch(/listed|snapshot|maker/)
})

test('a call from before the model is not priced', () => {
  for (const [provider, model, before, day] of [
    ['openai', 'gpt-6-sol', '2026-09-20', '2026-09-23'],
    ['anthropic', 'claude-opus-5', '2026-07-22', '2026-07-25'],
  ]) {
    const query = { provider: provider!, model: model! }
    expect(prices.why({ 'input.text': 1 }, { ...query, at: Date.parse(before!) })?.reason).toBe('before-first-price')
    expect(prices.why({ 'input.text': 1 }, { ...query, at: Date.parse(day!) })).toBeUndefined()
  }
})

test('a price that depends on a tier that its model does not have is found by a check', async () => {
  const folder = temporaryFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const path = join(folder.path, 'prices.json')
  const own = (tier: string) => ({ provider: 'openai', model: 'gpt-4o', tier, multiply: '0.5' })
  writeFileSync(path, JSON.stringify([own('turbo'), own('batch'), { ...own('turbo'), model: 'gpt-4o*' }]))
  expect(check(await loadPriceBook(), namesIn(path), Date.parse(at)).map(({ verdict }) => verdict)).toEqual([
    'unknown',
    'known',
    'unknown',
  ])
})
