// The official SDKs against the emulator: whatever they read of a real provider, they must read here.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'

/** Another copy of an SDK, typed as the root's: the tests use only what the majors share. */
async function from<T>(app: string, name: string, main: string): Promise<T> {
  const require = createRequire(new URL(`../apps/${app}/package.json`, import.meta.url))
  const file = require.resolve(name).replace(/[^/]+$/, main)
  return (await import(pathToFileURL(file).href)) as T
}

const nextOpenAI = await from<typeof import('openai')>('next', 'openai', 'index.mjs')
const currentAnthropic = await from<typeof import('@anthropic-ai/sdk')>('current', '@anthropic-ai/sdk', 'index.mjs')
const nextGoogle = await from<typeof import('@google/genai')>('next', '@google/genai', 'index.mjs')

async function started() {
  const emulator = await startEmulator()
  onTestFinished(() => emulator.close())
  return emulator
}

const messages = [{ role: 'user' as const, content: 'How deep is the sea?' }]
const schema = {
  type: 'object' as const,
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false as const,
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

describe.each([
  // An `error` event of a response is an item of the stream for openai 6, and thrown by 7.
  ['6.49', OpenAI, 'yielded'],
  ['7.57', nextOpenAI.default, 'thrown'],
])('openai %s', (_, Client, responseError) => {
  async function setUp(options: object = {}) {
    const emulator = await started()
    const client = new Client({ baseURL: emulator.openai.baseURL, apiKey: 'any', maxRetries: 0, ...options })
    return { emulator, client }
  }

  test('chat.completions.create, with its request id', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'Deep.', cachedTokens: 3 })
    const { data, request_id } = await client.chat.completions.create({ model: 'gpt-4o', messages }).withResponse()
    expect(data.choices[0]?.message.content).toBe('Deep.')
    expect(data.usage?.prompt_tokens_details?.cached_tokens).toBe(3)
    expect(request_id).toBe(emulator.bill().lines[0]?.requestId)
    expect(data.id).toBe(emulator.bill().lines[0]?.responseId)
  })

  test('a chat stream, cut into bytes', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: '海は深い 🐋.', splitBytes: 3 })
    const stream = await client.chat.completions.create({
      model: 'gpt-4o',
      messages,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = await all(stream)
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('海は深い 🐋.')
    expect(chunks.at(-1)?.usage?.completion_tokens).toBe(emulator.bill().lines[0]?.outputTokens)
  })

  test('the chat stream helper, with tool calls', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'Wait.', toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }, { name: 'time' }] })
    const completion = await client.chat.completions.stream({ model: 'gpt-4o', messages }).finalChatCompletion()
    const [first, second] = completion.choices[0]?.message.tool_calls ?? []
    expect(completion.choices[0]).toMatchObject({ message: { content: 'Wait.' }, finish_reason: 'tool_calls' })
    expect(first).toMatchObject({ function: { name: 'weather', arguments: '{"city":"Oslo"}' } })
    expect(second).toMatchObject({ function: { name: 'time', arguments: '{}' } })
  })

  test('chat.completions.parse', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: '{"city":"Oslo"}' })
    const completion = await client.chat.completions.parse({
      model: 'gpt-4o',
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } },
    })
    expect(JSON.parse(completion.choices[0]?.message.content ?? '')).toEqual({ city: 'Oslo' })
  })

  test.each([false, true])('chat.completions.runTools, stream: %s', async (stream) => {
    const { emulator, client } = await setUp()
    const asked: unknown[] = []
    const tools = [
      {
        type: 'function' as const,
        function: {
          name: 'weather',
          description: 'Tells the weather',
          parameters: schema,
          parse: JSON.parse,
          function: (args: object) => {
            asked.push(args)
            return 'rain'
          },
        },
      },
    ]
    emulator.reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
    const body = { model: 'gpt-4o', messages, tools }
    const runner = stream
      ? client.chat.completions.runTools({ ...body, stream: true })
      : client.chat.completions.runTools(body)
    expect(await runner.finalContent()).toBe('It rains.')
    expect(asked).toEqual([{ city: 'Oslo' }])
    expect(emulator.bill().totals).toMatchObject([{ requests: 2 }])
    expect(JSON.stringify(emulator.requests[1]?.body)).toContain('"role":"tool"')
  })

  test('responses.create, parse and stream', async () => {
    const { emulator, client } = await setUp()
    const counts = { cachedTokens: 4, reasoningTokens: 9 }
    emulator.reply({ text: '{"city":"Oslo"}', ...counts, times: 3 })
    const text = { format: { type: 'json_schema' as const, name: 'place', schema, strict: true } }
    const body = { model: 'gpt-5', input: 'Where?', text }
    const created = await client.responses.create(body)
    expect(created.output_text).toBe('{"city":"Oslo"}')
    expect(created.usage?.output_tokens_details.reasoning_tokens).toBe(9)
    const parsed = await client.responses.parse(body)
    expect(parsed.output.map((item) => item.type)).toEqual(['reasoning', 'message'])
    const stream = client.responses.stream(body)
    const events = await all(stream)
    const final = await stream.finalResponse()
    expect(final.output_text).toBe('{"city":"Oslo"}')
    expect(final.usage).toEqual(created.usage)
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index))
    expect(events.filter((event) => event.type === 'response.output_text.delta').length).toBeGreaterThan(1)
  })

  test('responses with function calls and searches, whole and streamed', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }], webSearches: 1, times: 2 })
    const body = { model: 'gpt-5', input: 'Where?' }
    const created = await client.responses.create(body)
    const streamed = await client.responses.stream(body).finalResponse()
    for (const response of [created, streamed]) {
      expect(response.output.map((item) => item.type)).toEqual(['web_search_call', 'function_call'])
      expect(response.output[1]).toMatchObject({ name: 'weather', arguments: '{"city":"Oslo"}' })
    }
  })

  test('completions, whole and streamed', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'Deep.', times: 2 })
    const body = { model: 'gpt-3.5-turbo-instruct', prompt: 'The sea is' }
    const whole = await client.completions.create(body)
    expect(whole).toMatchObject({ choices: [{ text: 'Deep.', finish_reason: 'stop' }], usage: { prompt_tokens: 3 } })
    const chunks = await all(
      await client.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }),
    )
    expect(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')).toBe('Deep.')
    expect(chunks.at(-1)?.usage).toEqual(whole.usage)
  })

  test('embeddings, as numbers whatever is asked for', async () => {
    const { emulator, client } = await setUp()
    const body = { model: 'text-embedding-3-small', input: ['one', 'two'] }
    const decoded = await client.embeddings.create(body)
    const plain = await client.embeddings.create({ ...body, encoding_format: 'float' })
    expect(decoded.data[0]?.embedding).toHaveLength(1536)
    expect(decoded.data.map(({ embedding }) => embedding)).toEqual(plain.data.map(({ embedding }) => embedding))
    expect(emulator.requests[0]?.body).toMatchObject({ encoding_format: 'base64' })
    expect(decoded.usage.prompt_tokens).toBe(2)
  })

  test('the free endpoints', async () => {
    const { emulator, client } = await setUp()
    expect((await client.moderations.create({ input: 'x' })).results[0]?.flagged).toBe(false)
    expect((await all(await client.models.list())).map(({ id }) => id)).toContain('gpt-4o')
    expect((await client.responses.inputTokens.count({ model: 'gpt-5', input: 'one two' })).input_tokens).toBe(2)
    expect(emulator.bill().lines).toEqual([])
  })

  test('errors are of the kind that their status says', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ status: 429 }, { status: 401 }, { hangUp: true })
    const create = () => client.chat.completions.create({ model: 'gpt-4o', messages })
    await expect(create()).rejects.toBeInstanceOf(Client.RateLimitError)
    await expect(create()).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' })
    await expect(create()).rejects.toBeInstanceOf(Client.APIConnectionError)
  })

  test('failures are retried, each attempt received for itself, and only the answer charged', async () => {
    const { emulator, client } = await setUp({ maxRetries: 2 })
    const headers = { 'retry-after-ms': '1' }
    emulator.reply({ status: 500, headers }, { status: 429, headers })
    await client.chat.completions.create({ model: 'gpt-4o', messages })
    expect(emulator.requests.map((request) => request.status)).toEqual([500, 429, 200])
    expect(emulator.requests.map((request) => request.headers['x-stainless-retry-count'])).toEqual(['0', '1', '2'])
    expect(emulator.bill().lines).toHaveLength(1)
  })

  test('a caller that breaks out of a stream is seen to leave', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'One two three', stallAfterEvents: 3 })
    for await (const chunk of await client.chat.completions.create({ model: 'gpt-4o', messages, stream: true })) {
      if (chunk.choices[0]?.delta.content) break
    }
    await emulator.until(() => emulator.requests[0]?.ended === true)
    expect(emulator.requests[0]).toMatchObject({ aborted: true, eventsSent: 3 })
  })

  test('an error inside a stream reaches the caller', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ errorAfterEvents: 1, times: 2 })
    const chat = await client.chat.completions.create({ model: 'gpt-4o', messages, stream: true })
    await expect(all(chat)).rejects.toBeInstanceOf(Client.APIError)
    const response = await client.responses.create({ model: 'gpt-5', input: 'Hi', stream: true })
    const outcome = await all(response).then(
      (events) => (events.at(-1)?.type === 'error' ? 'yielded' : 'lost'),
      (error) => (error instanceof Client.APIError ? 'thrown' : error),
    )
    expect(outcome).toBe(responseError)
  })
})

describe.each([
  ['1.12', Anthropic],
  ['0.137', currentAnthropic.default],
])('@anthropic-ai/sdk %s', (_, Client) => {
  async function setUp(options: object = {}) {
    const emulator = await started()
    const client = new Client({ baseURL: emulator.anthropic.baseURL, apiKey: 'any', maxRetries: 0, ...options })
    return { emulator, client }
  }
  const body = { model: 'claude-sonnet-5', max_tokens: 64, messages }

  test('messages.create, with its request id', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'Deep.', cachedTokens: 3, cacheWrite1hTokens: 2 })
    const { data, request_id } = await client.messages.create(body).withResponse()
    expect(data.content[0]).toMatchObject({ type: 'text', text: 'Deep.' })
    expect(data.usage).toMatchObject({ cache_read_input_tokens: 3, cache_creation_input_tokens: 2 })
    expect(request_id).toBe(emulator.bill().lines[0]?.requestId)
  })

  test('a stream and the stream helper, cut into bytes', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: '海は深い 🐋.', reasoningTokens: 5, splitBytes: 3, times: 2 })
    const events = await all(await client.messages.create({ ...body, stream: true }))
    expect(events[0]).toMatchObject({ type: 'message_start', message: { usage: { output_tokens: 1 } } })
    const stream = client.messages.stream(body)
    expect(await stream.finalText()).toBe('海は深い 🐋.')
    expect((await stream.finalMessage()).usage.output_tokens).toBe(emulator.bill().lines[1]?.outputTokens)
  })

  test('a tool call, streamed', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'Wait.', toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] })
    const message = await client.messages.stream(body).finalMessage()
    expect(message.stop_reason).toBe('tool_use')
    expect(message.content[1]).toMatchObject({ type: 'tool_use', name: 'weather', input: { city: 'Oslo' } })
  })

  test.each([false, true])('beta.messages.toolRunner, stream: %s', async (stream) => {
    const { emulator, client } = await setUp()
    const asked: unknown[] = []
    const tool = {
      type: 'custom' as const,
      name: 'weather',
      description: 'Tells the weather',
      input_schema: schema,
      parse: (input: unknown) => input,
      run: (input: unknown) => {
        asked.push(input)
        return 'rain'
      },
    }
    emulator.reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
    const runner = stream
      ? client.beta.messages.toolRunner({ ...body, tools: [tool], stream: true })
      : client.beta.messages.toolRunner({ ...body, tools: [tool] })
    const final = await runner.runUntilDone()
    expect(final.content[0]).toMatchObject({ type: 'text', text: 'It rains.' })
    expect(asked).toEqual([{ city: 'Oslo' }])
    expect(JSON.stringify(emulator.requests[1]?.body)).toContain('tool_result')
    expect(emulator.bill().totals).toMatchObject([{ requests: 2 }])
  })

  test('countTokens is free', async () => {
    const { emulator, client } = await setUp()
    const { max_tokens: _, ...counted } = body
    expect((await client.messages.countTokens(counted)).input_tokens).toBe(7)
    expect(emulator.bill().lines).toEqual([])
  })

  test('errors, before the answer and inside the stream', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ status: 529 }, { status: 400 }, { errorAfterEvents: 2 })
    await expect(client.messages.create(body)).rejects.toBeInstanceOf(Client.InternalServerError)
    await expect(client.messages.create(body)).rejects.toMatchObject({ status: 400, requestID: 'req_00000002' })
    const stream = await client.messages.create({ ...body, stream: true })
    await expect(all(stream)).rejects.toThrow('overloaded_error')
  })
})

describe.each([
  ['2.32', GoogleGenAI, '/v1beta/'],
  ['3.1', nextGoogle.GoogleGenAI, '/v1/'],
])('@google/genai %s', (_, Client, prefix) => {
  async function setUp() {
    const emulator = await started()
    const client = new Client({ apiKey: 'any', vertexai: false, httpOptions: { baseUrl: emulator.google.baseURL } })
    return { emulator, client }
  }
  const model = 'gemini-2.5-flash'
  const contents = 'How deep is the sea?'

  test('models.generateContent', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'Deep.', cachedTokens: 3, reasoningTokens: 5 })
    const answer = await client.models.generateContent({ model, contents })
    expect(answer.text).toBe('Deep.')
    expect(answer.usageMetadata).toMatchObject({ cachedContentTokenCount: 3, thoughtsTokenCount: 5 })
    expect(answer.responseId).toBe(emulator.bill().lines[0]?.responseId)
    expect(emulator.requests[0]?.path.startsWith(prefix)).toBe(true)
  })

  test('models.generateContentStream, cut into bytes', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: '海は深い 🐋.', splitBytes: 3 })
    const chunks = await all(await client.models.generateContentStream({ model, contents }))
    expect(chunks.map((chunk) => chunk.text ?? '').join('')).toBe('海は深い 🐋.')
    expect(chunks.at(-1)?.usageMetadata?.candidatesTokenCount).toBe(emulator.bill().lines[0]?.outputTokens)
  })

  test('chats, whole and streamed, with their history', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ text: 'Deep.' }, { text: 'Very deep.' })
    const chat = client.chats.create({ model })
    expect((await chat.sendMessage({ message: contents })).text).toBe('Deep.')
    const chunks = await all(await chat.sendMessageStream({ message: 'How?' }))
    expect(chunks.map((chunk) => chunk.text ?? '').join('')).toBe('Very deep.')
    expect(chat.getHistory(true).length).toBeGreaterThanOrEqual(4)
    expect(emulator.requests[1]?.body).toMatchObject({ contents: [{}, {}, {}] })
  })

  test.each([false, true])('automatic function calling, stream: %s', async (stream) => {
    const { emulator, client } = await setUp()
    const tool = {
      tool: async () => ({ functionDeclarations: [{ name: 'weather', parametersJsonSchema: schema }] }),
      callTool: async () => [{ functionResponse: { name: 'weather', response: { output: 'rain' } } }],
    }
    emulator.reply({ toolCalls: [{ name: 'weather', args: { city: 'Oslo' } }] }, { text: 'It rains.' })
    const params = { model, contents, config: { tools: [tool] } }
    const answers = stream
      ? await all(await client.models.generateContentStream(params))
      : [await client.models.generateContent(params)]
    const parts = answers.flatMap((answer) => answer.candidates?.[0]?.content?.parts ?? [])
    expect(parts.map((part) => part.text ?? '').join('')).toBe('It rains.')
    expect(emulator.requests).toHaveLength(2)
    expect(JSON.stringify(emulator.requests[1]?.body)).toContain('functionResponse')
    expect(emulator.bill().totals).toMatchObject([{ requests: 2 }])
  })

  test('models.embedContent and countTokens', async () => {
    const { emulator, client } = await setUp()
    const embedded = await client.models.embedContent({ model: 'gemini-embedding-001', contents: ['one', 'two'] })
    expect(embedded.embeddings).toHaveLength(2)
    expect(embedded.embeddings?.[0]?.values).toHaveLength(3072)
    expect(emulator.bill().lines).toMatchObject([{ endpoint: 'batchEmbedContents', inputTokens: 2 }])
    expect((await client.models.countTokens({ model, contents: 'one two' })).totalTokens).toBe(3)
    expect(emulator.bill().lines).toHaveLength(1)
  })

  test('errors, before the answer and inside the stream', async () => {
    const { emulator, client } = await setUp()
    emulator.reply({ status: 429 }, { errorAfterEvents: 1 })
    await expect(client.models.generateContent({ model, contents })).rejects.toMatchObject({ status: 429 })
    const stream = await client.models.generateContentStream({ model, contents })
    await expect(all(stream)).rejects.toMatchObject({ status: 503 })
  })
})

test('a process that never closes its emulator ends all the same', async () => {
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
  const url = new URL('../../src/emulator/index.ts', import.meta.url).href
  const script = `
    import { startEmulator } from ${JSON.stringify(url)}
    const emulator = await startEmulator()
    const answer = await fetch(emulator.openai.baseURL + '/models')
    await answer.text()
    console.log(answer.status)`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  expect(stdout.trim()).toBe('200')
})
