// The emulator's wires, faults and record, met with bare fetch; the SDKs meet it in test/sdk.

import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Emulator, type EmulatorOptions, type Reply, startEmulator } from '../../src/emulator/index.ts'

async function started(options?: EmulatorOptions): Promise<Emulator> {
  const emulator = await startEmulator(options)
  onTestFinished(() => emulator.close())
  return emulator
}

const messages = [{ role: 'user', content: 'How deep is the sea?' }]

function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(url, { method: 'POST', headers, body: JSON.stringify(body), ...init })
}

const chat = (emulator: Emulator, body: object = {}, init?: RequestInit) =>
  post(`${emulator.openai.baseURL}/chat/completions`, { model: 'gpt-4o', messages, ...body }, init)

const message = (emulator: Emulator, body: object = {}, query = '') =>
  post(`${emulator.anthropic.baseURL}/v1/messages${query}`, {
    model: 'claude-sonnet-5',
    max_tokens: 64,
    messages,
    ...body,
  })

const content = (emulator: Emulator, verb = 'generateContent', body: object = {}) =>
  post(`${emulator.google.baseURL}/v1beta/models/gemini-2.5-flash:${verb}`, {
    contents: [{ role: 'user', parts: [{ text: 'How deep is the sea?' }] }],
    ...body,
  })

// biome-ignore lint/suspicious/noExplicitAny: bodies are looked at field by field
type Data = any

function eventsOf(text: string): { event?: string; data: Data }[] {
  return text
    .split(/\r?\n\r?\n/)
    .filter((block) => block !== '' && !block.startsWith(':'))
    .map((block) => {
      const [, event] = /^event: (.*)$/m.exec(block) ?? []
      const [, data = ''] = /^data: (.*)$/m.exec(block) ?? []
      const parsed = data.startsWith('{') ? JSON.parse(data) : data
      return event === undefined ? { data: parsed } : { event, data: parsed }
    })
}

describe('OpenAI', () => {
  test('answers the same request alike in every emulator', async () => {
    const now = () => new Date('2026-11-22T00:00:00Z')
    const one = await chat(await started({ now }))
    const two = await chat(await started({ now }))
    expect(await one.text()).toBe(await two.text())
    expect(one.headers.get('content-type')).toBe('application/json')
    expect(one.headers.get('x-request-id')).toBe('req_00000001')
  })

  test('counts prompt and answer, and keeps reasoning and cache within them', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two three', cachedTokens: 100, cacheWriteTokens: 7, reasoningTokens: 5 })
    const body: Data = await (await chat(emulator)).json()
    expect(body.choices[0].message.content).toBe('One two three')
    expect(body.usage).toEqual({
      prompt_tokens: 114,
      completion_tokens: 8,
      total_tokens: 122,
      prompt_tokens_details: { cached_tokens: 100, audio_tokens: 0, cache_write_tokens: 7 },
      completion_tokens_details: {
        reasoning_tokens: 5,
        audio_tokens: 0,
        accepted_prediction_tokens: 0,
        rejected_prediction_tokens: 0,
      },
    })
  })

  test.each([
    ['max_completion_tokens', { max_completion_tokens: 2 }],
    ['max_tokens', { max_tokens: 2 }],
  ])('cuts the answer at %s', async (_, cap) => {
    const emulator = await started()
    emulator.reply({ text: 'One two three' }, { outputTokens: 900 })
    const cut: Data = await (await chat(emulator, cap)).json()
    expect(cut.choices[0]).toMatchObject({ message: { content: 'One two' }, finish_reason: 'length' })
    expect(cut.usage.completion_tokens).toBe(2)
    const scripted: Data = await (await chat(emulator, cap)).json()
    expect(scripted.usage.completion_tokens).toBe(2)
    expect(scripted.choices[0].finish_reason).toBe('length')
  })

  test('answers with as many choices as asked for, and charges for all of them', async () => {
    const emulator = await started()
    emulator.reply({ outputTokens: 7 })
    const body: Data = await (await chat(emulator, { n: 3 })).json()
    expect(body.choices.map((choice: Data) => choice.message.content.split(' ').length)).toEqual([3, 2, 2])
    expect(body.usage.completion_tokens).toBe(7)
  })

  test('streams usage in one more chunk, and only when asked to', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two', times: 2 })
    const plain = eventsOf(await (await chat(emulator, { stream: true })).text())
    expect(plain.at(-1)?.data).toBe('[DONE]')
    expect(plain.slice(0, -1).every(({ data }) => !('usage' in data) && data.choices.length === 1)).toBe(true)
    const options = { stream: true, stream_options: { include_usage: true } }
    const asked = eventsOf(await (await chat(emulator, options)).text())
    expect(asked).toHaveLength(plain.length + 1)
    const last = asked.at(-2)?.data
    expect(last).toMatchObject({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 2 } })
    expect(asked.slice(0, -2).every(({ data }) => data.usage === null)).toBe(true)
    expect(plain.slice(0, -1).map(({ data }) => data.choices[0].delta.content)).toEqual(['', 'One', ' two', undefined])
  })

  test('streams several choices interleaved, each ended for itself', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two' })
    const events = eventsOf(await (await chat(emulator, { stream: true, n: 2 })).text()).slice(0, -1)
    expect(events.map(({ data }) => data.choices[0].index)).toEqual([0, 1, 0, 1, 0, 1, 0, 1])
    expect(events.at(-1)?.data.choices[0].finish_reason).toBe('stop')
    expect(emulator.bill().lines[0]?.outputTokens).toBe(4)
  })

  test.each([
    ['stream_options without a stream', { stream_options: { include_usage: true } }, 'stream_options'],
    ['no messages', { messages: undefined }, 'messages'],
    ['no model', { model: undefined }, null],
  ])('refuses %s', async (_, body, param) => {
    const emulator = await started()
    const answer = await chat(emulator, body)
    expect(answer.status).toBe(400)
    const { error }: Data = await answer.json()
    expect(error).toMatchObject({ type: 'invalid_request_error', param })
    expect(emulator.bill().lines).toEqual([])
  })

  test.each([
    [true, 422, 'extra_forbidden'],
    [422, 422, 'extra_forbidden'],
    [400, 400, 'Unrecognized request argument'],
  ] as const)('with rejectStreamOptions %s says %i and names stream_options', async (option, status, words) => {
    const emulator = await started({ rejectStreamOptions: option })
    const refused = await chat(emulator, { stream: true, stream_options: { include_usage: true } })
    expect(refused.status).toBe(status)
    const text = await refused.text()
    expect(text).toContain('stream_options')
    expect(text).toContain(words)
    expect((await chat(emulator, { stream: true })).status).toBe(200)
  })

  test('gives embeddings as numbers or as base64, the same ones', async () => {
    const emulator = await started()
    const ask = async (encoding_format: string): Promise<Data> => {
      const body = { model: 'text-embedding-3-small', input: ['one two', 'three'], dimensions: 8, encoding_format }
      return (await post(`${emulator.openai.baseURL}/embeddings`, body)).json()
    }
    const plain = await ask('float')
    const encoded = await ask('base64')
    const bytes = Buffer.from(encoded.data[0].embedding, 'base64')
    const vector = Array.from({ length: 8 }, (_, index) => bytes.readFloatLE(index * 4))
    expect(vector).toEqual(plain.data[0].embedding)
    expect(plain.data).toHaveLength(2)
    expect(plain.usage).toEqual({ prompt_tokens: 3, total_tokens: 3 })
  })

  test('counts an embedding given as tokens', async () => {
    const emulator = await started()
    const ask = async (input: unknown): Promise<Data> =>
      (await post(`${emulator.openai.baseURL}/embeddings`, { model: 'text-embedding-3-small', input })).json()
    expect((await ask([1, 2, 3])).usage.prompt_tokens).toBe(3)
    const two = await ask([[1, 2, 3], [4]])
    expect(two.usage.prompt_tokens).toBe(4)
    expect(two.data).toHaveLength(2)
  })

  test('keeps a background response for a later GET, where its usage is', async () => {
    const emulator = await started()
    const url = `${emulator.openai.baseURL}/responses`
    const queued: Data = await (await post(url, { model: 'gpt-5', input: 'Hi', background: true })).json()
    expect(queued).toMatchObject({ status: 'queued', usage: null })
    const finished: Data = await (await fetch(`${url}/${queued.id}`)).json()
    expect(finished).toMatchObject({ id: queued.id, status: 'completed', usage: { input_tokens: 1 } })
    expect(emulator.bill().lines).toHaveLength(1)
    expect((await fetch(`${url}/resp_unknown`)).status).toBe(404)
  })

  test('says that a response is incomplete when its cap cuts it', async () => {
    const emulator = await started()
    const url = `${emulator.openai.baseURL}/responses`
    const body = { model: 'gpt-5', input: 'Hi', max_output_tokens: 3, stream: true }
    const last = eventsOf(await (await post(url, body)).text()).at(-1)
    expect(last?.event).toBe('response.incomplete')
    expect(last?.data.response.incomplete_details).toEqual({ reason: 'max_output_tokens' })
    expect(last?.data.response.usage.output_tokens).toBe(3)
  })

  test.each([
    ['POST', 'moderations', { input: 'text' }],
    ['POST', 'responses/input_tokens', { model: 'gpt-5', input: 'text' }],
    ['GET', 'models', undefined],
  ])('charges nothing for %s /%s', async (method, path, body) => {
    const emulator = await started()
    const init = body ? { method, body: JSON.stringify(body) } : { method }
    expect((await fetch(`${emulator.openai.baseURL}/${path}`, init)).status).toBe(200)
    expect(emulator.bill()).toEqual({ lines: [], totals: [], usd: '0', unpriced: 0 })
  })

  test.each([
    [{}, 'default'],
    [{ service_tier: 'auto' }, 'default'],
    [{ service_tier: 'fast' }, 'priority'],
    [{ service_tier: 'flex' }, 'flex'],
  ])('answers %o with tier %s', async (body, tier) => {
    const answer: Data = await (await chat(await started(), body)).json()
    expect(answer.service_tier).toBe(tier)
  })
})

describe('Anthropic', () => {
  test('keeps cache reads and writes beside the input, and thinking within the output', async () => {
    const emulator = await started()
    const counts = { cachedTokens: 40, cacheWriteTokens: 5, cacheWrite1hTokens: 3, reasoningTokens: 6, webSearches: 2 }
    emulator.reply({ text: 'One two', ...counts })
    const body: Data = await (await message(emulator)).json()
    expect(body.usage).toEqual({
      input_tokens: 7,
      cache_creation_input_tokens: 8,
      cache_read_input_tokens: 40,
      cache_creation: { ephemeral_5m_input_tokens: 5, ephemeral_1h_input_tokens: 3 },
      output_tokens: 8,
      output_tokens_details: { thinking_tokens: 6 },
      server_tool_use: { web_search_requests: 2, web_fetch_requests: 0 },
      service_tier: 'standard',
      inference_geo: 'global',
      speed: 'standard',
    })
    expect(body.content.map((block: Data) => block.type)).toEqual(['thinking', 'text'])
  })

  test('streams the documented order of events, input first, output last', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two', cachedTokens: 40, cacheWriteTokens: 5 })
    const answer = await message(emulator, { stream: true })
    expect(answer.headers.get('content-type')).toContain('text/event-stream')
    expect(answer.headers.get('request-id')).toBe('req_00000001')
    const events = eventsOf(await answer.text())
    expect(events.map(({ event }) => event)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    expect(events.every(({ event, data }) => event === data.type)).toBe(true)
    const start = events[0]?.data.message.usage
    expect(start).toMatchObject({ input_tokens: 7, cache_read_input_tokens: 40, output_tokens: 1 })
    expect(events.at(-2)?.data.usage).toMatchObject({ input_tokens: 7, output_tokens: 2, cache_read_input_tokens: 40 })
    expect(events.at(-2)?.data.delta.stop_reason).toBe('end_turn')
  })

  test('what I script as rounds is told and charged alike, with a beta header or without', async () => {
    await using emulator = await startEmulator()
    const rounds = [{ type: 'advisor', model: 'claude-fable-5-1', inputTokens: 900, outputTokens: 120 }] as const
    for (const query of ['', '?beta=true']) {
      emulator.reset()
      emulator.reply({ rounds })
      const { usage }: Data = await (await message(emulator, {}, query)).json()
      expect(usage.iterations).toMatchObject([{ type: 'advisor_message', input_tokens: 900 }, { type: 'message' }])
      expect(emulator.bill().lines).toHaveLength(2)
    }
  })

  test('has the beta fields for a beta request only', async () => {
    const emulator = await started()
    const beta: Data = await (await message(emulator, {}, '?beta=true')).json()
    const plain: Data = await (await message(emulator)).json()
    expect(beta).toHaveProperty('context_management')
    expect(beta.usage).toHaveProperty('iterations')
    expect(plain).not.toHaveProperty('context_management')
    expect(emulator.requests[0]?.query).toEqual({ beta: 'true' })
  })

  test('counts tokens for free, and refuses what is missing', async () => {
    const emulator = await started()
    const url = `${emulator.anthropic.baseURL}/v1/messages/count_tokens`
    expect(await (await post(url, { model: 'claude-sonnet-5', messages })).json()).toEqual({ input_tokens: 7 })
    const refused = await message(emulator, { max_tokens: undefined })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toEqual({
      type: 'error',
      error: { type: 'invalid_request_error', message: 'max_tokens: Field required' },
      request_id: 'req_00000002',
    })
    expect(emulator.bill().lines).toEqual([])
  })
})

describe('Google', () => {
  test('keeps cached input within the prompt, thoughts and tool input beside it', async () => {
    const emulator = await started()
    const counts = { cachedTokens: 40, audioInputTokens: 9, toolUseTokens: 5, reasoningTokens: 6 }
    emulator.reply({ text: 'One two', ...counts })
    const body: Data = await (await content(emulator)).json()
    expect(body.usageMetadata).toEqual({
      promptTokenCount: 56,
      candidatesTokenCount: 2,
      totalTokenCount: 69,
      cachedContentTokenCount: 40,
      cacheTokensDetails: [{ modality: 'TEXT', tokenCount: 40 }],
      promptTokensDetails: [
        { modality: 'TEXT', tokenCount: 47 },
        { modality: 'AUDIO', tokenCount: 9 },
      ],
      candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 2 }],
      toolUsePromptTokenCount: 5,
      toolUsePromptTokensDetails: [{ modality: 'TEXT', tokenCount: 5 }],
      thoughtsTokenCount: 6,
    })
    expect(body).toMatchObject({ modelVersion: 'gemini-2.5-flash', responseId: 'emu-00000001' })
  })

  test('streams a running total on every chunk, with the line ends of HTTP', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two three', reasoningTokens: 4 })
    const text = await (await content(emulator, 'streamGenerateContent?alt=sse')).text()
    expect(text.endsWith('\r\n\r\n')).toBe(true)
    expect(text.replaceAll('\r\n', '')).not.toContain('\n')
    const usages = eventsOf(text).map(({ data }) => data.usageMetadata)
    expect(usages.map((usage) => usage.candidatesTokenCount)).toEqual([1, 2, 3, 3])
    expect(usages.every((usage) => usage.thoughtsTokenCount === 4 && usage.promptTokenCount === 7)).toBe(true)
    expect(eventsOf(text).at(-1)?.data.candidates[0].finishReason).toBe('STOP')
  })

  test('answers one JSON list when no events are asked for', async () => {
    const emulator = await started()
    const chunks: Data = await (await content(emulator, 'streamGenerateContent')).json()
    expect(Array.isArray(chunks)).toBe(true)
    expect(chunks.at(-1).usageMetadata.totalTokenCount).toBe(emulator.bill().lines[0]?.usage['totalTokenCount'])
  })

  test.each(['/v1/models', '/v1alpha/models', '/v1beta1/projects/p/locations/us/publishers/google/models'])(
    'is found under %s',
    async (prefix) => {
      const emulator = await started()
      const body = { contents: [{ parts: [{ text: 'Hi' }] }], generationConfig: { maxOutputTokens: 3 } }
      const url = `${emulator.google.baseURL}${prefix}/gemini-2.5-pro:generateContent`
      const answer: Data = await (await post(url, body)).json()
      expect(answer.usageMetadata.candidatesTokenCount).toBe(3)
      expect(answer.candidates[0].finishReason).toBe('MAX_TOKENS')
      expect(answer.usageMetadata.trafficType).toBe(prefix.includes('projects') ? 'ON_DEMAND' : undefined)
    },
  )

  test('embeds one and many, counts for free, and says what it does not know', async () => {
    const emulator = await started()
    const part = { content: { parts: [{ text: 'one two' }] }, outputDimensionality: 4 }
    const one: Data = await (await content(emulator, 'embedContent', part)).json()
    expect(one.embedding.values).toHaveLength(4)
    const many: Data = await (await content(emulator, 'batchEmbedContents', { requests: [part, part] })).json()
    expect(many.embeddings).toHaveLength(2)
    expect(many.usageMetadata.promptTokenCount).toBe(4)
    expect(emulator.bill().lines).toHaveLength(2)
    expect(await (await content(emulator, 'countTokens')).json()).toMatchObject({ totalTokens: 7 })
    const unknown = await content(emulator, 'paint')
    expect(unknown.status).toBe(404)
    expect(await unknown.json()).toMatchObject({ error: { code: 404, status: 'NOT_FOUND' } })
    expect(emulator.bill().lines).toHaveLength(2)
  })
})

describe('scripts', () => {
  test('are taken in order, each by the first request it matches', async () => {
    const emulator = await started()
    emulator.reply(
      { text: 'for Anthropic', match: { provider: 'anthropic' } },
      { text: 'first' },
      { text: 'second', times: 2, match: { path: '/chat/completions' } },
      { text: 'with a function', match: (request) => request.headers['x-mark'] === 'yes' },
      { text: 'by pattern', match: { path: /completions$/ }, times: Number.POSITIVE_INFINITY },
    )
    const said = async (headers = {}) => {
      const body: Data = await (await chat(emulator, {}, { headers })).json()
      return body.choices[0].message.content
    }
    expect([await said(), await said(), await said()]).toEqual(['first', 'second', 'second'])
    expect([await said({ 'x-mark': 'yes' }), await said(), await said()]).toEqual([
      'with a function',
      'by pattern',
      'by pattern',
    ])
    const other: Data = await (await message(emulator)).json()
    expect(other.content[0].text).toBe('for Anthropic')
  })

  test('are forgotten on reset, with requests and bill', async () => {
    const emulator = await started()
    await chat(emulator)
    emulator.reply({ status: 500 })
    emulator.reset()
    expect([emulator.requests.length, emulator.bill().lines.length]).toEqual([0, 0])
    expect((await chat(emulator)).status).toBe(200)
  })

  test.each<[string, Reply, RegExp]>([
    ['a misspelt field', { txt: 'Hi' } as Reply, /no `txt`/],
    ['a negative count', { inputTokens: -1 }, /`inputTokens`.*`-1`/],
    ['a fractional count', { cutAfterEvents: 1.5 }, /`cutAfterEvents`/],
    ['parts above the whole', { inputTokens: 5, cachedTokens: 6 }, /at least.*6/],
    ['reasoning above the output', { outputTokens: 5, reasoningTokens: 6 }, /at least.*6/],
    ['a status that is none', { status: 42 }, /`status`/],
    ['no times', { times: 0 }, /`times`/],
    ['pieces of nothing', { splitBytes: 0 }, /`splitBytes`/],
    ['a time before now', { delayMs: -1 }, /`delayMs`/],
    ['no object', 'Hi' as unknown as Reply, /an object/],
  ])('with %s are refused at once', async (_, reply, words) => {
    const emulator = await started()
    expect(() => emulator.reply({ text: 'fine' }, reply)).toThrow(words)
    const body: Data = await (await chat(emulator)).json()
    expect(body.choices[0].message.content).not.toBe('fine')
  })

  test('whose own function throws say so, and are not tried again', async () => {
    const emulator = await started()
    const usage = () => {
      throw new Error('slip')
    }
    emulator.reply({ usage })
    const answer = await chat(emulator)
    expect([answer.status, answer.headers.get('x-should-retry')]).toEqual([501, 'false'])
    expect(await answer.text()).toContain('slip')
  })

  test.each<[string, Reply, unknown]>([
    ['another object', { usage: { prompt_tokens: -5, completion_tokens: 1.5 } }, { prompt_tokens: -5 }],
    ['null', { usage: null }, null],
    ['text', { usage: 'many' }, 'many'],
    ['a change', { usage: (usage: object) => ({ ...usage, total_tokens: 1e300 }) }, { total_tokens: 1e300 }],
  ])('can report %s as usage, and the bill stays true', async (_, reply, seen) => {
    const emulator = await started()
    emulator.reply({ text: 'One two', ...reply })
    const { usage }: Data = await (await chat(emulator)).json()
    if (typeof seen === 'object' && seen !== null) expect(usage).toMatchObject(seen)
    else expect(usage).toBe(seen)
    expect(emulator.bill().lines[0]).toMatchObject({ inputTokens: 7, outputTokens: 2 })
  })

  test('can leave usage out, whole or streamed, at all three', async () => {
    const emulator = await started()
    emulator.reply({ omitUsage: true, times: Number.POSITIVE_INFINITY })
    expect(await (await chat(emulator)).json()).not.toHaveProperty('usage')
    const options = { stream: true, stream_options: { include_usage: true } }
    const chunks = eventsOf(await (await chat(emulator, options)).text())
    expect(chunks.every(({ data }) => data === '[DONE]' || data.usage === null)).toBe(true)
    expect(await (await message(emulator)).json()).not.toHaveProperty('usage')
    const events = eventsOf(await (await message(emulator, { stream: true })).text())
    expect(events[0]?.data.message).not.toHaveProperty('usage')
    expect(await (await content(emulator)).json()).not.toHaveProperty('usageMetadata')
  })
})

describe('faults', () => {
  const errors: [string, (emulator: Emulator) => Promise<Response>, object][] = [
    ['openai', chat, { error: { message: 'Emulated 429.', type: 'requests', code: 'rate_limit_exceeded' } }],
    ['anthropic', message, { type: 'error', error: { type: 'rate_limit_error' }, request_id: 'req_00000001' }],
    ['google', content, { error: { code: 429, message: 'Emulated 429.', status: 'RESOURCE_EXHAUSTED' } }],
  ]
  test.each(errors)(
    'a status is an error as %s writes it, with the headers asked for, and free',
    async (_, ask, body) => {
      const emulator = await started()
      emulator.reply({ status: 429, headers: { 'Retry-After': '7' } })
      const answer = await ask(emulator)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '7'])
      expect(await answer.json()).toMatchObject(body)
      expect(emulator.bill().lines).toEqual([])
      expect(emulator.requests[0]).toMatchObject({ status: 429 })
    },
  )

  test('message and code of an error can be given', async () => {
    const emulator = await started()
    emulator.reply({ status: 429, errorCode: 'insufficient_quota', errorMessage: 'No money left.' })
    const { error }: Data = await (await chat(emulator)).json()
    expect(error).toEqual({
      message: 'No money left.',
      type: 'insufficient_quota',
      param: null,
      code: 'insufficient_quota',
    })
  })

  test('a raw body stands for the answer of whatever is between', async () => {
    const emulator = await started()
    emulator.reply({ status: 502, body: '<h1>Bad gateway</h1>' }, { body: '', contentType: 'text/plain' })
    const page = await chat(emulator)
    expect([page.status, page.headers.get('content-type'), await page.text()]).toEqual([
      502,
      'text/html; charset=utf-8',
      '<h1>Bad gateway</h1>',
    ])
    const empty = await chat(emulator)
    expect([empty.status, await empty.text()]).toEqual([200, ''])
    expect(emulator.bill().lines).toEqual([])
  })

  test('a cut stream sends just so many events, breaks, and is charged up to there', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two three four', reasoningTokens: 10, cutAfterEvents: 3 })
    const answer = await chat(emulator, { stream: true })
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    await expect(
      (async () => {
        for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) text += part.value
      })(),
    ).rejects.toThrow()
    expect(eventsOf(text)).toHaveLength(3)
    const [line] = emulator.bill().lines
    expect(line).toMatchObject({ isWhole: false, inputTokens: 7, outputTokens: 12 })
    expect(line?.usage).toMatchObject({ completion_tokens: 12, completion_tokens_details: { reasoning_tokens: 10 } })
    await emulator.until(() => emulator.requests[0]?.ended === true)
    expect(emulator.requests[0]).toMatchObject({ aborted: false, eventsSent: 3 })
  })

  test('a stream cut before its first event is charged for its input', async () => {
    const emulator = await started()
    emulator.reply({ reasoningTokens: 10, cutAfterEvents: 0 })
    const answer = await message(emulator, { stream: true })
    await expect(answer.text()).rejects.toThrow()
    expect(emulator.bill().lines[0]).toMatchObject({ inputTokens: 7, outputTokens: 0 })
  })

  test('a client that leaves a stalled stream is noted, and charged for what it was sent', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two three four', stallAfterEvents: 3 })
    const controller = new AbortController()
    const answer = await chat(emulator, { stream: true }, { signal: controller.signal })
    await emulator.until(() => emulator.requests[0]?.eventsSent === 3)
    controller.abort()
    await expect(answer.text()).rejects.toThrow()
    await emulator.until(() => emulator.requests[0]?.ended === true)
    expect(emulator.requests[0]).toMatchObject({ aborted: true, eventsSent: 3 })
    expect(emulator.bill().lines[0]).toMatchObject({ isWhole: false, outputTokens: 2 })
  })

  test('a client that leaves before any answer is charged nothing', async () => {
    const emulator = await started()
    for (const reply of [{ hang: true }, { delayMs: 1_000_000 }]) {
      emulator.reset()
      emulator.reply(reply)
      const controller = new AbortController()
      const asked = chat(emulator, {}, { signal: controller.signal })
      await emulator.until(() => emulator.requests.length === 1)
      controller.abort()
      await expect(asked).rejects.toThrow()
      await emulator.until(() => emulator.requests[0]?.ended === true)
      expect(emulator.requests[0]).toMatchObject({ aborted: true, status: undefined })
      expect(emulator.bill().lines).toEqual([])
    }
  })

  test('a JSON answer whose body stalls or is cut has been generated, and is charged', async () => {
    const emulator = await started()
    emulator.reply({ cutBody: true }, { stallBody: true })
    await expect((await chat(emulator)).text()).rejects.toThrow()
    const controller = new AbortController()
    const stalled = await chat(emulator, {}, { signal: controller.signal })
    controller.abort()
    await expect(stalled.text()).rejects.toThrow()
    expect(emulator.bill().lines.map((line) => line.isWhole)).toEqual([true, true])
  })

  test('a connection can be closed without a word', async () => {
    const emulator = await started()
    emulator.reply({ hangUp: true })
    await expect(chat(emulator)).rejects.toThrow()
    expect(emulator.bill().lines).toEqual([])
    expect((await chat(emulator)).status).toBe(200)
  })

  test.each<[string, (emulator: Emulator) => Promise<Response>, (events: { event?: string; data: Data }[]) => void]>([
    [
      'openai',
      (emulator) => chat(emulator, { stream: true }),
      (events) => expect(events.at(-1)?.data.error).toMatchObject({ type: 'server_error' }),
    ],
    [
      'anthropic',
      (emulator) => message(emulator, { stream: true }),
      (events) =>
        expect(events.at(-1)).toMatchObject({ event: 'error', data: { error: { type: 'overloaded_error' } } }),
    ],
    [
      'google',
      (emulator) => content(emulator, 'streamGenerateContent?alt=sse'),
      (events) => expect(events.at(-1)?.data.error).toMatchObject({ code: 503, status: 'UNAVAILABLE' }),
    ],
  ])('an error inside the stream comes as %s sends it', async (_, ask, check) => {
    const emulator = await started()
    emulator.reply({ errorAfterEvents: 2 })
    const answer = await ask(emulator)
    expect(answer.status).toBe(200)
    const events = eventsOf(await answer.text())
    expect(events).toHaveLength(3)
    check(events)
    expect(emulator.bill().lines[0]?.isWhole).toBe(false)
  })

  test('a fault that the stream never reaches leaves it whole', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One', errorAfterEvents: 99, cutAfterEvents: 99 })
    await (await chat(emulator, { stream: true })).text()
    expect(emulator.bill().lines[0]?.isWhole).toBe(true)
  })

  test('bytes are parted where asked, within characters too, and add up to the same answer', async () => {
    const emulator = await started()
    const text = 'Žluťoučký 🐎 海の深さ'
    emulator.reply({ text, splitBytes: 1 })
    const answer = await chat(emulator, { stream: true })
    const parts: Uint8Array[] = []
    for await (const part of answer.body ?? []) parts.push(part)
    const events = eventsOf(Buffer.concat(parts).toString())
    const said = events.map(({ data }) => data.choices?.[0]?.delta.content ?? '').join('')
    expect(said).toBe(text)
    expect(parts.length).toBeGreaterThan(events.length)
  })

  test('an answer is padded to its length and can still be parsed', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One', padToBytes: 300_000, times: 2 })
    const whole = await (await chat(emulator)).text()
    expect(Buffer.byteLength(whole)).toBe(300_000)
    expect(JSON.parse(whole).choices[0].message.content).toBe('One')
    const streamed = await (await chat(emulator, { stream: true })).text()
    expect(Buffer.byteLength(streamed)).toBeGreaterThanOrEqual(300_000)
    expect(eventsOf(streamed).at(-1)?.data).toBe('[DONE]')
  })

  test('JSON can end in its middle, and a stream can hold a broken line', async () => {
    const emulator = await started()
    emulator.reply({ truncateJson: true }, { malformedLine: 'data: {"oops' })
    const text = await (await chat(emulator)).text()
    expect(() => JSON.parse(text)).toThrow(SyntaxError)
    expect(await (await chat(emulator, { stream: true })).text()).toContain('\n\ndata: {"oops\n\n')
  })

  test('a stream that is paced sends event after event', async () => {
    const emulator = await started()
    emulator.reply({ text: 'One two', msBetweenEvents: 0, delayMs: 0 })
    const events = eventsOf(await (await chat(emulator, { stream: true })).text())
    expect(events).toHaveLength(5)
  })
})

describe('the record', () => {
  test('holds what was received', async () => {
    const emulator = await started()
    await chat(emulator, {}, { headers: { 'X-Mark': 'yes' } })
    expect(emulator.requests).toEqual([
      expect.objectContaining({
        provider: 'openai',
        method: 'POST',
        path: '/v1/chat/completions',
        headers: expect.objectContaining({ 'x-mark': 'yes' }),
        body: { model: 'gpt-4o', messages },
        requestId: 'req_00000001',
        at: expect.any(Date),
      }),
    ])
  })

  test('keeps a body that is no JSON as text, and answers it as a provider would', async () => {
    const emulator = await started()
    const answer = await fetch(`${emulator.openai.baseURL}/chat/completions`, { method: 'POST', body: '{"model"' })
    expect(answer.status).toBe(400)
    expect(emulator.requests[0]?.body).toBe('{"model"')
  })

  test('names the provider of each host', async () => {
    const emulator = await started()
    expect(Object.values(emulator.hosts)).toEqual(['openai', 'anthropic', 'google'])
    for (const [host, provider] of Object.entries(emulator.hosts) as [string, 'openai' | 'anthropic' | 'google'][]) {
      expect(emulator[provider].baseURL).toContain(host)
    }
  })
})

describe('closing', () => {
  test('ends hanging requests, idle connections and waits', async () => {
    const emulator = await startEmulator()
    const idle = connect(Number(new URL(emulator.openai.baseURL).port), '127.0.0.1')
    const idleClosed = new Promise((resolve) => idle.once('close', resolve))
    emulator.reply({ hang: true }, { stallAfterEvents: 1 })
    const hanging = chat(emulator).then(
      () => 'answered',
      () => 'ended',
    )
    await emulator.until(() => emulator.requests.length === 1)
    const stalled = await chat(emulator, { stream: true })
    const never = emulator.until(() => false)
    const refused = expect(never).rejects.toThrow('closed')
    await emulator.close()
    expect(await hanging).toBe('ended')
    await expect(stalled.text()).rejects.toThrow()
    await idleClosed
    await refused
    expect(emulator.requests.map((request) => request.aborted)).toEqual([false, false])
    await expect(emulator.until(() => false)).rejects.toThrow('closed')
    await emulator.close()
  })

  test('frees a port that was asked for, and refuses one that is taken', async () => {
    const first = await startEmulator()
    const port = Number(new URL(first.openai.baseURL).port)
    await expect(startEmulator({ ports: { google: port } })).rejects.toThrow('EADDRINUSE')
    await first.close()
    const second = await started({ ports: { openai: port } })
    expect(second.openai.baseURL).toBe(`http://127.0.0.1:${port}/v1`)
  })
})
