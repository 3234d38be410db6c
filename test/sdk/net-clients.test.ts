// The net under clients that bring a `fetch` of their own habits: @mistralai/mistralai, @openrouter/sdk, cohere-ai.

import { readFileSync } from 'node:fs'
import { Mistral } from '@mistralai/mistralai'
import { OpenRouter } from '@openrouter/sdk'
import { CohereClient, CohereClientV2 } from 'cohere-ai'
import { describe, expect, test } from 'vitest'
import { LimitExceededError } from '../../src/errors.ts'
import type { LLMEvent } from '../../src/event.ts'
import { sseSplitter } from '../../src/patch/sse.ts'
import { type NativeHost, nativeHost, type Recorded } from '../support/native-hosts.ts'
import { all, netted } from '../support/net.ts'

interface Fixture {
  readonly answer?: object
  readonly expected: { readonly usage: object }
}

function fixtureOf(file: string): Recorded & { readonly usage: object } {
  const text = readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8')
  if (file.endsWith('.json')) {
    const { answer, expected } = JSON.parse(text) as Fixture
    return { json: answer, usage: expected.usage }
  }
  const [head, ...events] = sseSplitter().push(new TextEncoder().encode(text))
  const { expected } = JSON.parse(head!.raw.replace(/^: ?/gm, '')) as Fixture
  return {
    events: events.flatMap(({ data }) => (data && data !== '[DONE]' ? [JSON.parse(data) as unknown] : [])),
    usage: expected.usage,
  }
}

type Answers = Readonly<Record<string, ReturnType<typeof fixtureOf>>>

/** What `run` gives without and with the net; its events, beside what the recorded answers say was used. */
async function through<T>(provider: string, answers: Answers, run: (host: NativeHost) => Promise<T>) {
  const plain = await run(await nativeHost(answers))
  const host = await nativeHost(answers)
  const net = await netted({ hosts: { [host.host]: provider } })
  const metered = await net.meter.forTenant('acme', () => run(host))
  const events = await net.events()
  expect(metered).toEqual(plain)
  expect(events.every(({ tenantId, provider: name }) => tenantId === 'acme' && name === provider)).toBe(true)
  expect(net.problems.filter(({ kind }) => kind !== 'price')).toEqual([])
  return { events, host, net }
}

const usages = (events: readonly LLMEvent[]) => events.map(({ endpoint, usage }) => [endpoint, usage])
const messages = [{ role: 'user' as const, content: 'How deep is the sea?' }]

describe('@mistralai/mistralai', () => {
  const client = ({ url }: NativeHost) =>
    new Mistral({ apiKey: 'key', serverURL: url, retryConfig: { strategy: 'none' } })
  const chat = fixtureOf('mistral/chat.json')
  const chatStream = fixtureOf('mistral/chat-stream.sse')
  const conversationStream = fixtureOf('mistral/conversation-stream.sse')

  test('chat, whole, parsed and streamed', async () => {
    const answers = { '/v1/chat/completions': chat, '/v1/chat/completions#stream': chatStream }
    const { events, host } = await through('mistral', answers, async (to) => {
      const mistral = client(to)
      const whole = await mistral.chat.complete({ model: 'mistral-large-latest', messages })
      const streamed = await all(await mistral.chat.stream({ model: 'mistral-large-latest', messages }))
      return { whole, streamed }
    })
    expect(usages(events)).toEqual([
      ['chat.completions', chat.usage],
      ['chat.completions', chatStream.usage],
    ])
    expect(events[0]).toMatchObject({ model: 'mistral-large-2512', modelRequested: 'mistral-large-latest' })
    expect(host.requests[1]?.body).not.toContain('stream_options')
  })

  test('FIM, agents, conversations, embeddings, OCR and transcriptions', async () => {
    const files = {
      '/v1/fim/completions': 'fim.json',
      '/v1/fim/completions#stream': 'fim-stream.sse',
      '/v1/agents/completions': 'agents.json',
      '/v1/embeddings': 'embeddings.json',
      '/v1/ocr': 'ocr.json',
      '/v1/audio/transcriptions': 'transcription.json',
      '/v1/audio/transcriptions#stream': 'transcription-stream.sse',
      '/v1/audio/speech': 'speech.json',
    }
    const answers = Object.fromEntries(
      Object.entries(files).map(([path, file]) => [path, fixtureOf(`mistral/${file}`)]),
    )
    const sound = () => ({ fileName: 'a.wav', content: new Uint8Array([82, 73, 70, 70]) })
    const { events } = await through('mistral', answers, async (to) => {
      const mistral = client(to)
      return [
        await mistral.fim.complete({ model: 'codestral-latest', prompt: 'def', suffix: 'return' }),
        await all(await mistral.fim.stream({ model: 'codestral-latest', prompt: 'def' })),
        await mistral.agents.complete({ agentId: 'ag_1', messages }),
        await mistral.embeddings.create({ model: 'mistral-embed', inputs: ['sea'] }),
        await mistral.ocr.process({
          model: 'mistral-ocr-latest',
          document: { type: 'document_url', documentUrl: 'https://a/b' },
        }),
        await mistral.audio.transcriptions.complete({ model: 'voxtral-mini-latest', file: sound() }),
        await all(await mistral.audio.transcriptions.stream({ model: 'voxtral-mini-latest', file: sound() })),
        await mistral.audio.speech.complete({ model: 'voxtral-mini-tts-2603', input: 'Grüße 🐋' }),
      ]
    })
    expect(usages(events)).toEqual([
      ['fim.completions', answers['/v1/fim/completions']!.usage],
      ['fim.completions', answers['/v1/fim/completions#stream']!.usage],
      ['agents.completions', answers['/v1/agents/completions']!.usage],
      ['embeddings', answers['/v1/embeddings']!.usage],
      ['ocr', answers['/v1/ocr']!.usage],
      ['audio.transcriptions', answers['/v1/audio/transcriptions']!.usage],
      ['audio.transcriptions', answers['/v1/audio/transcriptions#stream']!.usage],
      ['audio.speech', answers['/v1/audio/speech']!.usage],
    ])
  })

  test('a streamed conversation', async () => {
    const { events } = await through('mistral', { '/v1/conversations#stream': conversationStream }, async (to) =>
      all(await client(to).beta.conversations.startStream({ model: 'mistral-medium-latest', inputs: 'Who won?' })),
    )
    expect(usages(events)).toEqual([['conversations', conversationStream.usage]])
  })

  test('a refusal', async () => {
    const host = await nativeHost({})
    const net = await netted({ hosts: { [host.host]: 'mistral' } })
    await net.meter.setLimit('acme', { usd: 0 })
    const refused: unknown = await net.meter
      .forTenant('acme', () => client(host).chat.complete({ model: 'mistral-large-latest', messages }))
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ statusCode: 402 })
    expect(LimitExceededError.from(refused)).toMatchObject({ tenantId: 'acme' })
    expect(host.requests).toEqual([])
  })
})

describe('@openrouter/sdk', () => {
  const client = ({ url }: NativeHost) =>
    new OpenRouter({ apiKey: 'key', serverURL: `${url}/api/v1`, retryConfig: { strategy: 'none' } })
  const usage = { prompt_tokens: 21, completion_tokens: 9, total_tokens: 30, cost: 0.000123, is_byok: false }
  const head = { id: 'gen-1', created: 1, model: 'anthropic/claude-sonnet-4.5', system_fingerprint: '' }
  const delta = { index: 0, finish_reason: null, delta: { role: 'assistant', content: 'Deep.' } }
  const message = { role: 'assistant', content: 'Deep.' }
  const used = { 'input.text': 21, 'output.text': 9 }
  const answers: Answers = {
    '/chat/completions': {
      json: { ...head, object: 'chat.completion', choices: [{ index: 0, finish_reason: 'stop', message }], usage },
      usage: used,
    },
    '/chat/completions#stream': {
      events: [
        { ...head, object: 'chat.completion.chunk', choices: [delta] },
        { ...head, object: 'chat.completion.chunk', choices: [{ ...delta, finish_reason: 'stop' }], usage },
      ],
      usage: used,
    },
  }

  test('chat, whole and streamed, with the cost that it reports', async () => {
    const { events, host } = await through('openrouter', answers, async (to) => {
      const router = client(to)
      const chatRequest = { model: head.model, messages }
      const whole = await router.chat.send({ chatRequest })
      const streamed = await router.chat.send({ chatRequest: { ...chatRequest, stream: true as const } })
      return { whole, streamed: await all(streamed as AsyncIterable<unknown>) }
    })
    expect(usages(events)).toEqual([
      ['chat.completions', used],
      ['chat.completions', used],
    ])
    expect(events.map(({ costUsd, costSource }) => [costUsd, costSource])).toEqual([
      ['0.000123', 'reported'],
      ['0.000123', 'reported'],
    ])
    expect(host.requests[1]?.body).not.toContain('include_usage')
  })

  test('a refusal', async () => {
    const host = await nativeHost({})
    const net = await netted({ hosts: { [host.host]: 'openrouter' } })
    await net.meter.setLimit('acme', { usd: 0 })
    const refused: unknown = await net.meter
      .forTenant('acme', () => client(host).chat.send({ chatRequest: { model: head.model, messages } }))
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({ name: 'PaymentRequiredResponseError', statusCode: 402 })
    expect(LimitExceededError.from(refused)).toMatchObject({ tenantId: 'acme' })
  })
})

describe('cohere-ai', () => {
  const v2 = ({ url }: NativeHost) => new CohereClientV2({ token: 'key', environment: url, maxRetries: 0 })
  const v1 = ({ url }: NativeHost) => new CohereClient({ token: 'key', environment: url, maxRetries: 0 })

  test('v2: chat, whole and streamed, embed, rerank', async () => {
    const answers = {
      '/v2/chat': fixtureOf('cohere/chat.json'),
      '/v2/chat#stream': fixtureOf('cohere/chat-stream.sse'),
      '/v2/embed': fixtureOf('cohere/embed.json'),
      '/v2/rerank': fixtureOf('cohere/rerank.json'),
    }
    const { events } = await through('cohere', answers, async (to) => {
      const cohere = v2(to)
      return [
        await cohere.chat({ model: 'command-a-03-2025', messages }),
        await all(await cohere.chatStream({ model: 'command-a-03-2025', messages })),
        await cohere.embed({
          model: 'embed-v4.0',
          texts: ['hello'],
          inputType: 'search_query',
          embeddingTypes: ['float'],
        }),
        await cohere.rerank({ model: 'rerank-v3.5', query: 'sea', documents: ['a', 'b', 'c', 'd'] }),
      ]
    })
    expect(usages(events)).toEqual([
      ['chat', answers['/v2/chat'].usage],
      ['chat', answers['/v2/chat#stream'].usage],
      ['embed', answers['/v2/embed'].usage],
      ['rerank', answers['/v2/rerank'].usage],
    ])
    expect(events[0]).toMatchObject({ model: 'command-a-03-2025' })
  })

  test('v1: chat, whole and streamed as a line an object', async () => {
    const { events: lines = [], ...streamed } = fixtureOf('cohere/chat-stream-v1.sse')
    const answers = { '/v1/chat': fixtureOf('cohere/chat-v1.json'), '/v1/chat#stream': { ...streamed, lines } }
    const { events } = await through('cohere', answers, async (to) => {
      const cohere = v1(to)
      return [
        await cohere.chat({ model: 'command-r', message: 'How deep?' }),
        await all(await cohere.chatStream({ model: 'command-r', message: 'How deep?' })),
      ]
    })
    expect(usages(events)).toEqual([
      ['chat', answers['/v1/chat'].usage],
      ['chat', answers['/v1/chat#stream'].usage],
    ])
    expect(events[1]?.usageSource).toBe('reported')
  })

  test('a refusal', async () => {
    const host = await nativeHost({})
    const net = await netted({ hosts: { [host.host]: 'cohere' } })
    await net.meter.setLimit('acme', { usd: 0 })
    for (const call of [
      () => v2(host).chat({ model: 'command-a-03-2025', messages }),
      () => v1(host).chatStream({ model: 'command-r', message: 'Hi' }),
    ]) {
      const refused: unknown = await net.meter.forTenant('acme', async () => call()).catch((error: unknown) => error)
      expect(refused).toMatchObject({ statusCode: 402 })
      expect(LimitExceededError.from(refused)).toMatchObject({ tenantId: 'acme' })
    }
    expect(host.requests).toEqual([])
  })
})
