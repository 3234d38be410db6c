// Every surface of OpenAI through its real SDK against the emulator: one event a call, with the emulator's own numbers,
// the tenant's name, and an answer that is the same as without a meter.

import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type OpenAI from 'openai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Emulator, type Reply, startEmulator } from '../../src/emulator/index.ts'
import { type LLMEvent, Meter, type MeterOptions, type Problem } from '../../src/index.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import { billedByModel, meteredByModel } from '../support/bill.ts'
import { copies, type OpenAICopy } from '../support/openai-copies.ts'

const dir = mkdtempSync(join(tmpdir(), 'openai-surfaces-'))
const soundFile = join(dir, 'sound.mp3')
writeFileSync(soundFile, 'ID3 not really sound')

interface Stage {
  readonly client: OpenAI
  readonly emulator: Emulator
  readonly toFile: OpenAICopy['toFile']
}

/** What a caller sees of an answer, the same for the same answer. */
async function seen(answer: unknown): Promise<unknown> {
  if (answer instanceof Response) return answer.text()
  if (typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer) {
    const items: unknown[] = []
    for await (const item of answer as AsyncIterable<unknown>) items.push(item)
    return items
  }
  return answer
}

/** Ids and times differ from call to call. */
function same(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null).replace(/\d{8,}/g, '0'))
}

export interface Run {
  readonly events: readonly LLMEvent[]
  readonly problems: readonly Problem[]
  readonly emulator: Emulator
}

/** The call without a meter, and again with one, for the tenant `acme`. */
async function compare(
  copy: OpenAICopy,
  script: readonly Reply[],
  call: (stage: Stage) => Promise<unknown>,
  options: MeterOptions = {},
): Promise<Run> {
  const emulator = await startEmulator({ now: () => new Date('2026-11-18T12:00:00Z') })
  onTestFinished(() => emulator.close())
  const client = new copy.Client({ baseURL: emulator.openai.baseURL, apiKey: 'key', maxRetries: 0 })
  const stage = { client, emulator, toFile: copy.toFile }
  emulator.reply(...script)
  const plain = same(await seen(await call(stage)))
  emulator.reset()
  const problems: Problem[] = []
  const sink = memorySink()
  const meter = new Meter({
    sinks: [sink],
    dir: mkdtempSync(join(dir, 'meter-')),
    hosts: emulator.hosts,
    onProblem: (problem) => problems.push(problem),
    ...options,
  })
  onTestFinished(() => meter.close())
  meter.patch('openai', { modules: [copy.Client] })
  emulator.reply(...script)
  const metered = same(await meter.forTenant('acme', async () => seen(await call(stage))))
  expect(metered).toEqual(plain)
  await meter.close()
  return { events: sink.events, problems, emulator }
}

const sound = (stage: Stage) => stage.toFile(Buffer.from('ID3 not really sound'), 'sound.mp3')
const picture = (stage: Stage) => stage.toFile(Buffer.from('PNG'), 'picture.png', { type: 'image/png' })

interface Surface {
  readonly endpoint: string
  readonly script?: readonly Reply[]
  readonly call: (stage: Stage) => Promise<unknown>
  readonly event?: Partial<LLMEvent>
  /** The copies that have it. */
  readonly only?: string
}

const question = 'How deep is the sea?'

const SURFACES: Readonly<Record<string, Surface>> = {
  'a chat by its raw path': {
    endpoint: 'chat.completions',
    call: ({ client }) =>
      client.post('/chat/completions', { body: { model: 'gpt-4o', messages: [{ role: 'user', content: question }] } }),
  },
  responses: {
    endpoint: 'responses',
    script: [{ cachedTokens: 5, reasoningTokens: 7 }],
    call: ({ client }) => client.responses.create({ model: 'gpt-6-sol', input: question }),
  },
  'responses with tools of the provider': {
    endpoint: 'responses',
    script: [{ webSearches: 2, fileSearches: 3, codeSessions: 1 }],
    call: ({ client }) => client.responses.create({ model: 'gpt-6-sol', input: question }),
  },
  'responses that draw': {
    endpoint: 'responses',
    script: [{ images: 2, imageInputTokens: 400, cachedImageTokens: 100 }],
    call: ({ client }) =>
      client.responses.create({
        model: 'gpt-6-sol',
        input: question,
        tools: [{ type: 'image_generation', model: 'gpt-image-2' }],
      }),
    event: {
      imageCount: 2,
      inputTextTokens: 6,
      inputImageTokens: 400,
      cachedInputImageTokens: 100,
      outputImageTokens: 2112,
    },
  },
  'responses that draw, streamed': {
    endpoint: 'responses',
    script: [{ images: 1, webSearches: 1 }],
    call: ({ client }) => client.responses.create({ model: 'gpt-6-sol', input: question, stream: true }),
    event: { imageCount: 1 },
  },
  'responses.compact': {
    endpoint: 'responses.compact',
    call: ({ client }) => client.responses.compact({ model: 'gpt-6-sol', input: question }),
  },
  decisions: {
    endpoint: 'decisions',
    only: '7.57',
    call: ({ client }) => client.post('/decisions', { body: { model: 'gpt-6-sol', input: question, questions: [] } }),
  },
  'audio.transcriptions by the token': {
    endpoint: 'audio.transcriptions',
    script: [{ text: 'Deep.', seconds: 30 }],
    call: async (stage) =>
      stage.client.audio.transcriptions.create({ file: await sound(stage), model: 'gpt-4o-transcribe', prompt: 'Sea' }),
    event: { audioInputTokens: 300 },
  },
  'audio.transcriptions by the token, streamed': {
    endpoint: 'audio.transcriptions',
    script: [{ text: 'Deep.', seconds: 30 }],
    call: async (stage) =>
      stage.client.audio.transcriptions.create({ file: await sound(stage), model: 'gpt-4o-transcribe', stream: true }),
    event: { audioInputTokens: 300, stream: true },
  },
  'audio.transcriptions by the second': {
    endpoint: 'audio.transcriptions',
    call: async (stage) => stage.client.audio.transcriptions.create({ file: await sound(stage), model: 'whisper-1' }),
    event: { durationSeconds: 9 },
  },
  'audio.transcriptions of a file that is read as it is sent': {
    endpoint: 'audio.transcriptions',
    call: ({ client }) =>
      client.audio.transcriptions.create({ file: createReadStream(soundFile), model: 'gpt-4o-transcribe' }),
  },
  'audio.transcriptions with all its details': {
    endpoint: 'audio.transcriptions',
    call: async (stage) =>
      stage.client.audio.transcriptions.create({
        file: await sound(stage),
        model: 'whisper-1',
        response_format: 'verbose_json',
      }),
    event: { durationSeconds: 9 },
  },
  'audio.translations with their length': {
    endpoint: 'audio.translations',
    call: async (stage) =>
      stage.client.audio.translations.create({
        file: await sound(stage),
        model: 'whisper-1',
        response_format: 'verbose_json',
      }),
    event: { durationSeconds: 8.47 },
  },
  'audio.speech by the character': {
    endpoint: 'audio.speech',
    call: ({ client }) =>
      client.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'Tief ist das Meer 🐋.' }),
    event: { characterCount: 20 },
  },
  'audio.speech by the token': {
    endpoint: 'audio.speech',
    call: ({ client }) =>
      client.audio.speech.create({ model: 'gpt-4o-mini-tts', voice: 'alloy', input: question, stream_format: 'sse' }),
  },
  'images.generate': {
    endpoint: 'images.generate',
    call: ({ client }) => client.images.generate({ model: 'gpt-image-2', prompt: question, n: 2, size: '1024x1024' }),
    event: { imageCount: 2, inputTextTokens: 6, outputImageTokens: 2112 },
  },
  'images.generate, streamed': {
    endpoint: 'images.generate',
    call: ({ client }) =>
      client.images.generate({ model: 'gpt-image-2', prompt: question, stream: true, partial_images: 1 }),
    event: { imageCount: 1 },
  },
  'images.generate by the image': {
    endpoint: 'images.generate',
    call: ({ client }) => client.images.generate({ model: 'dall-e-3', prompt: question, size: '1792x1024' }),
    event: { imageCount: 1, metadata: { size: '1792x1024', http_status: 200 } },
  },
  'images.generate as vectors': {
    endpoint: 'images.generate',
    call: ({ client }) =>
      client.post('/images/generations', { body: { model: 'gpt-image-2.6-flare', prompt: question, svg: {} } }),
  },
  'images.edit': {
    endpoint: 'images.edit',
    script: [{ cachedImageTokens: 23 }],
    call: async (stage) =>
      stage.client.images.edit({ model: 'gpt-image-2', image: await picture(stage), prompt: question }),
    event: { imageCount: 1, inputImageTokens: 323, cachedInputImageTokens: 23 },
  },
  'images.edit of a file that is read as it is sent': {
    endpoint: 'images.edit',
    // The older copy keeps the model of such a form to itself.
    only: '7.57',
    call: ({ client }) =>
      client.images.edit({ model: 'gpt-image-2', image: createReadStream(soundFile), prompt: question }),
  },
  'images.edit, streamed': {
    endpoint: 'images.edit',
    call: async (stage) =>
      stage.client.images.edit({ model: 'gpt-image-2', image: await picture(stage), prompt: question, stream: true }),
  },
  'images.createVariation': {
    endpoint: 'images.createVariation',
    call: async (stage) => stage.client.images.createVariation({ image: await picture(stage), n: 2 }),
    event: { imageCount: 2 },
  },
}

describe.each(copies)('openai %s', (version, copy) => {
  const rows = Object.entries(SURFACES).filter(([, { only }]) => only === undefined || only === version)

  test.each(rows)('%s', async (_, { endpoint, script = [], call, event }) => {
    const { events, problems, emulator } = await compare(copy, script, call)
    expect(events).toHaveLength(1)
    const [metered] = events as [LLMEvent]
    expect(metered).toMatchObject({ tenantId: 'acme', provider: 'openai', endpoint, usageSource: 'reported', ...event })
    expect(meteredByModel(metered)).toEqual(billedByModel(emulator.bill().lines))
    expect(metered).not.toHaveProperty('usageFlags')
    expect(problems.filter(({ kind }) => kind !== 'price')).toEqual([])
  })

  test.each(['text', 'srt', 'vtt', 'json'] as const)(
    'audio.translations as %s hide how long the sound is: an event that says so, and one warning',
    async (response_format) => {
      const { events, problems } = await compare(copy, [], async (stage) => {
        const ask = async () =>
          stage.client.audio.translations.create({ file: await sound(stage), model: 'whisper-1', response_format })
        await ask()
        return ask()
      })
      expect(events).toHaveLength(2)
      for (const event of events) {
        expect(event).toMatchObject({
          endpoint: 'audio.translations',
          durationUnavailable: true,
          usageSource: 'absent',
        })
        expect(event).not.toHaveProperty('usage')
        expect(event).not.toHaveProperty('costUsd')
      }
      expect(problems).toHaveLength(1)
      expect(problems[0]).toMatchObject({ kind: 'usage', message: expect.stringContaining('verbose_json') })
    },
  )

  test.each<[string, (stage: Stage) => Promise<unknown>]>([
    ['moderations', ({ client }) => client.moderations.create({ input: question })],
    ['models', ({ client }) => client.models.list()],
    ['responses.inputTokens', ({ client }) => client.responses.inputTokens.count({ model: 'gpt-4o', input: question })],
    ['files.create', async (stage) => stage.client.files.create({ file: await sound(stage), purpose: 'user_data' })],
    [
      'a response that was made in the foreground, asked for again',
      async ({ client, emulator }) => {
        const { id } = await client.responses.create(
          { model: 'gpt-6-sol', input: question },
          { headers: { made: 'before' } },
        )
        return [await client.responses.retrieve(id), emulator.requests.length]
      },
    ],
  ])('%s', async (name, call) => {
    const { events } = await compare(copy, [], call)
    expect(events).toHaveLength(name.startsWith('a response') ? 1 : 0)
  })

  test.each<[string, unknown, readonly string[]]>([
    ['missing', undefined, ['missing:usage']],
    ['negative', { input_tokens: -5, output_tokens: 7, total_tokens: 2 }, ['negative:input_tokens']],
    ['fractional', { input_tokens: 5.5, output_tokens: 7, total_tokens: 13 }, ['fractional:input_tokens']],
    ['no numbers', { input_tokens: '5', output_tokens: null }, ['not-a-count:input_tokens', 'missing:output_tokens']],
  ])('usage that is %s is flagged, and its event kept', async (_, usage, flags) => {
    const calls: Record<string, (stage: Stage) => Promise<unknown>> = {
      'images.generate': ({ client }) => client.images.generate({ model: 'gpt-image-2', prompt: question }),
      'audio.transcriptions': async (stage) =>
        stage.client.audio.transcriptions.create({ file: await sound(stage), model: 'gpt-4o-transcribe' }),
      'responses.compact': ({ client }) => client.responses.compact({ model: 'gpt-6-sol', input: question }),
    }
    for (const [endpoint, call] of Object.entries(calls)) {
      const { events } = await compare(copy, [usage === undefined ? { omitUsage: true } : { usage }], call)
      expect(events).toHaveLength(1)
      expect(events[0]!.endpoint).toBe(endpoint)
      if (usage === undefined && endpoint === 'audio.transcriptions') expect(events[0]!.durationUnavailable).toBe(true)
      else expect(events[0]!.usageFlags).toEqual(expect.arrayContaining([...flags]))
      expect(JSON.stringify(events[0])).not.toMatch(/NaN|null/)
      for (const quantity of Object.values(events[0]!.usage ?? {})) expect(quantity).toBeGreaterThan(0)
    }
  })
})

describe('every surface of openai 7.57 under every fault', () => {
  const [, copy] = copies.at(-1)!
  const faults: Readonly<Record<string, Reply>> = {
    'an error of the provider': { status: 500 },
    'a refusal': { status: 429 },
    'a connection that is closed': { hangUp: true },
    'a body that breaks off': { cutBody: true },
    'a body that is cut': { truncateJson: true },
    'a page in place of an answer': { body: '<html>Busy</html>' },
    nothing: { body: '' },
  }

  test.each(Object.entries(faults))('%s', async (_, fault) => {
    for (const [name, { call, endpoint }] of Object.entries(SURFACES)) {
      const outcome = async (stage: Stage) => {
        try {
          return await seen(await call(stage))
        } catch (error) {
          const { status, name: kind } = error as { status?: number; name: string }
          return { status, kind }
        }
      }
      const { events } = await compare(copy, [{ ...fault, times: 1 }], outcome)
      expect(events, name).toHaveLength(1)
      expect(events[0], name).toMatchObject({ endpoint, tenantId: 'acme' })
      expect(JSON.stringify(events[0]), name).not.toMatch(/NaN|null/)
      for (const quantity of Object.values(events[0]!.usage ?? {})) expect(quantity).toBeGreaterThan(0)
    }
  })
})
