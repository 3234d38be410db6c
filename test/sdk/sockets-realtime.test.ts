// Realtime through the real SDK, against the emulator over TLS: one event a response, for whoever asked for it.

import { setDefaultCACertificates } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'
import { LimitExceededError } from '../../src/errors.ts'
import { Meter } from '../../src/meter.ts'
import { memorySink } from '../../src/sinks/memory.ts'
import { heard, openaiFile, type Talking, talking } from '../support/sockets.ts'

type RealtimeModule = typeof import('openai/realtime/ws')

const COPIES = [
  ['6.49 esm', '', 'mjs'],
  ['6.49 cjs', '', 'js'],
  ['7.57 esm', 'apps/next', 'mjs'],
  ['7.57 cjs', 'apps/next', 'js'],
] as const

const MODEL = 'gpt-realtime'
/** A second of sound. */
const SECOND = Buffer.alloc(48_000).toString('base64')

type Copy = readonly [name: string, app: (typeof COPIES)[number][1], format: (typeof COPIES)[number][2]]

async function opened(copy: Copy, set: Talking, by = 'patch', tenant?: string) {
  const [, app, format] = copy
  const { OpenAI } = await openaiFile<typeof import('openai')>(app, format, 'index')
  const { OpenAIRealtimeWS } = await openaiFile<RealtimeModule>(app, format, 'realtime/ws')
  if (by === 'patch') set.meter.patch('openai', { modules: [OpenAIRealtimeWS] })
  const client = new OpenAI({ baseURL: `https://${set.front.host}/v1`, apiKey: 'key' })
  const make = () => new OpenAIRealtimeWS({ model: MODEL, options: { ca: set.front.ca } }, client)
  const rt = tenant === undefined ? make() : set.meter.forTenant(tenant, make)
  if (by === 'wrap') set.meter.wrap(rt)
  const ears = heard(rt)
  return { rt, ears, closed: new Promise((resolve) => rt.socket.once('close', resolve)) }
}

describe.each(COPIES)('openai %s', (...copy) => {
  test('a response is one event, with every bucket of the bill', async () => {
    await using set = await talking()
    const { rt, ears, closed } = await opened(copy, set, 'patch', 'acme')
    await ears.type('session.created')
    set.emulator.reply({
      inputTokens: 300,
      audioInputTokens: 80,
      cachedTokens: 100,
      cachedAudioTokens: 40,
      imageInputTokens: 25,
      outputTokens: 12,
      audioOutputTokens: 30,
    })
    rt.send({ type: 'response.create' })
    await ears.type('response.done')
    rt.close()
    await closed

    const [line] = set.emulator.bill().lines
    const [event, ...more] = await set.events()
    expect(more).toEqual([])
    expect(event).toMatchObject({
      provider: 'openai',
      host: set.front.host,
      endpoint: 'realtime',
      model: MODEL,
      tenantId: 'acme',
      stream: true,
      responseId: line?.responseId,
      usageSource: 'reported',
      inputTokens: line?.inputTokens,
      outputTokens: line?.outputTokens,
      usage: {
        'input.text': 120,
        'input.text.cache_read': 100,
        'input.audio': 80,
        'input.audio.cache_read': 40,
        'input.image': 25,
        'output.text': 12,
        'output.audio': 30,
      },
      attempts: [{ billable: 'yes' }],
      metadata: { finish_reason: 'completed' },
    })
    expect(event?.durationMs).toBeGreaterThanOrEqual(event?.timeToFirstTokenMs ?? Number.POSITIVE_INFINITY)
    expect(set.meter.stats().openCalls).toBe(0)
    expect(set.problems.filter(({ kind }) => kind !== 'price')).toEqual([])
  })

  test('what is sent on one connection for two tenants is billed to each, and what nobody sends to who opened it', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set, 'patch', 'opener')
    await ears.type('session.created')
    set.meter.forTenant('ann', () => rt.send({ type: 'response.create' }))
    await ears.type('response.done')
    set.meter.forTenant('bob', () => rt.send({ type: 'response.create' }))
    await ears.type('response.done', 2)
    const { rt: other, ears: others } = await opened(copy, set, 'patch', 'opener')
    await others.type('session.created')
    other.send({ type: 'response.create' })
    await others.type('response.done')
    expect((await set.events()).map(({ tenantId }) => tenantId)).toEqual(['ann', 'bob', 'opener'])
  })

  test('a response by voice activity, and its transcription at another model, are each an event', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set, 'patch', 'acme')
    await ears.type('session.created')
    const input = { transcription: { model: 'gpt-4o-transcribe' }, turn_detection: { type: 'server_vad' as const } }
    rt.send({ type: 'session.update', session: { type: 'realtime', audio: { input } } })
    await ears.type('session.updated')
    set.emulator.reply({ text: 'Hello there.', audioInputTokens: 10, outputTokens: 4 }, { outputTokens: 7 })
    rt.send({ type: 'input_audio_buffer.append', audio: SECOND })
    await ears.type('response.done')
    const [transcription, response] = await set.events()
    expect(transcription).toMatchObject({
      endpoint: 'realtime.transcriptions',
      model: 'gpt-4o-transcribe',
      tenantId: 'acme',
      usageSource: 'reported',
      usage: { 'input.audio': 10, 'output.text': 4 },
    })
    expect(response).toMatchObject({ endpoint: 'realtime', tenantId: 'acme', usage: { 'output.text': 7 } })
    expect(set.emulator.bill().lines).toHaveLength(2)
  })

  test('whoever is over the limit gets no connection, and an error event that is the refusal', async () => {
    await using set = await talking()
    await set.meter.setLimit('broke', { usd: 0 })
    const { ears, closed } = await opened(copy, set, 'patch', 'broke')
    await Promise.all([ears.error(), closed])
    expect(ears.errors).toHaveLength(1)
    const [error] = ears.errors
    expect(error).toBeInstanceOf(LimitExceededError)
    expect(error).toMatchObject({ code: 'LIMIT_EXCEEDED', status: 402, tenantId: 'broke' })
    expect(set.emulator.requests).toEqual([])
    expect(await set.events()).toEqual([])
    expect(set.meter.stats().openCalls).toBe(0)
  })

  test('a response beyond the limit is refused where it is asked for, and the connection goes on', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set, 'patch', 'acme')
    await ears.type('session.created')
    await set.meter.setLimit('broke', { usd: 0 })
    set.meter.forTenant('broke', () => rt.send({ type: 'response.create' }))
    await ears.error()
    expect(ears.errors).toHaveLength(1)
    expect(ears.errors[0]).toBeInstanceOf(LimitExceededError)
    expect(ears.errors[0]?.name).toBe('LimitExceededError')
    rt.send({ type: 'response.create' })
    await ears.type('response.done')
    expect((await set.events()).map(({ tenantId }) => tenantId)).toEqual(['acme'])
    expect(set.emulator.requests.filter(({ method }) => method === 'SOCKET')).toHaveLength(1)
  })

  test('sound is not let through once no response to it might be made', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set, 'patch', 'acme')
    await ears.type('session.created')
    await set.meter.setLimit('acme', { usd: 0 })
    for (let i = 0; i < 20; i++) rt.send({ type: 'input_audio_buffer.append', audio: SECOND })
    expect(ears.errors).toHaveLength(1)
    expect(ears.errors[0]).toBeInstanceOf(LimitExceededError)
    await set.meter.removeLimit('acme')
    rt.send({ type: 'response.create' })
    await ears.type('response.done')
    expect(set.emulator.bill().lines).toHaveLength(1)
  })

  test('a connection that breaks in the middle of a response is billed for what has come of it', async () => {
    await using set = await talking()
    const { rt, ears, closed } = await opened(copy, set, 'patch', 'acme')
    await ears.type('session.created')
    set.emulator.reply(
      { text: 'A long answer to a short question.', cutAfterEvents: 5 },
      { audioOutputTokens: 9, cutAfterEvents: 40 },
    )
    rt.send({ type: 'response.create' })
    await closed
    const [event] = await set.events()
    expect(event).toMatchObject({ tenantId: 'acme', usageSource: 'estimated', error: 'interrupted' })
    const [low, high] = event?.usageBounds?.outputTokens ?? [0, 0]
    const [line] = set.emulator.bill().lines
    expect(low).toBeLessThanOrEqual(line?.outputTokens ?? -1)
    expect(high).toBeGreaterThanOrEqual(line?.outputTokens ?? Number.POSITIVE_INFINITY)
    expect(set.meter.stats().openCalls).toBe(0)
  })

  test('sound that has come of a response that breaks is counted by its length', async () => {
    await using set = await talking()
    const { rt, ears, closed } = await opened(copy, set)
    await ears.type('session.created')
    set.emulator.reply({ text: 'One two.', outputTokens: 3, audioOutputTokens: 50, cutAfterEvents: 14 })
    rt.send({ type: 'response.create' })
    await closed
    const sound = ears.messages.filter(({ type }) => type === 'response.output_audio.delta').length
    const [event] = await set.events()
    expect(sound).toBeGreaterThan(5)
    expect(event).toMatchObject({ usageSource: 'partial', usage: { 'output.audio': sound } })
  })

  test('a refusal of the provider is a call without usage, and leaves nothing open', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set)
    await ears.type('session.created')
    set.emulator.reply({ status: 400, errorCode: 'invalid_value' }, {})
    rt.send({ type: 'response.create' })
    await ears.error()
    rt.send({ type: 'response.create' })
    await ears.type('response.done')
    const [refused, answered] = await set.events()
    expect(refused).toMatchObject({ usageSource: 'absent', error: 'invalid_value', attempts: [{ billable: 'no' }] })
    expect(answered).toMatchObject({ usageSource: 'reported' })
    expect(set.meter.stats().openCalls).toBe(0)
  })

  test('a frame that is no message disturbs nothing', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set)
    await ears.type('session.created')
    set.emulator.reply({ malformedLine: '{"type":' })
    rt.send({ type: 'response.create' })
    await ears.type('response.done')
    expect(ears.errors).toHaveLength(1)
    expect(await set.events()).toMatchObject([{ usageSource: 'reported' }])
  })

  test('what is unpatched while a response is made is recorded as far as it came, and the application hears the rest', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set, 'patch', 'acme')
    await ears.type('session.created')
    set.emulator.reply({ text: 'A long answer to a short question.', msBetweenEvents: 5 })
    rt.send({ type: 'response.create' })
    await ears.type('response.output_text.delta')
    set.meter.unpatch('openai')
    await ears.type('response.done')
    rt.send({ type: 'response.create' })
    await ears.type('response.done', 2)
    expect(await set.events()).toMatchObject([
      { tenantId: 'acme', usageSource: 'estimated', metadata: { stream_end: 'stopped' } },
    ])
    expect(ears.errors).toEqual([])
  })

  test('one connection can be metered by itself', async () => {
    await using set = await talking()
    const { rt, ears } = await opened(copy, set, 'wrap')
    const { rt: other, ears: others } = await opened(copy, set, 'none')
    set.meter.wrap(rt)
    await Promise.all([ears.type('session.created'), others.type('session.created')])
    rt.send({ type: 'response.create' })
    other.send({ type: 'response.create' })
    await Promise.all([ears.type('response.done'), others.type('response.done')])
    expect(await set.events()).toHaveLength(1)
    set.meter.patch('openai', { modules: [rt.constructor] })
    rt.send({ type: 'response.create' })
    await ears.type('response.done', 2)
    expect(await set.events()).toHaveLength(2)
  })

  test('what an application sees of its connection is what it sees without a meter', async () => {
    const seen: unknown[] = []
    for (const by of ['none', 'patch']) {
      await using set = await talking()
      const { rt, ears, closed } = await opened(copy, set, by)
      const names: string[] = []
      for (const name of ['event', 'response.created', 'response.done', 'error'] as const)
        rt.on(name, (() => names.push(name)) as never)
      await ears.type('session.created')
      rt.send({ type: 'response.create' })
      await ears.type('response.done')
      rt.send({
        type: 'response.create',
        response: {
          toJSON: () => {
            throw new Error('no JSON')
          },
        } as never,
      })
      rt.close()
      await closed
      rt.send({ type: 'response.create' })
      seen.push({
        keys: Object.keys(rt),
        names,
        errors: ears.errors.map(({ name, message, cause }) => [name, message, (cause as Error)?.message]),
        send: [rt.send.name, rt.send.length],
        types: ears.messages.map(({ type }) => type),
      })
    }
    expect(seen[1]).toEqual(seen[0])
  })
})

describe('the platform’s own WebSocket', () => {
  test.each(COPIES)('openai %s', async (_name, app, format) => {
    await using set = await talking()
    setDefaultCACertificates([set.front.ca])
    const { OpenAI } = await openaiFile<typeof import('openai')>(app, format, 'index')
    const module = await openaiFile<typeof import('openai/realtime/websocket')>(app, format, 'realtime/websocket')
    set.meter.patch('openai', { modules: [module] })
    const client = new OpenAI({ baseURL: `https://${set.front.host}/v1`, apiKey: 'key' })
    const rt = set.meter.forTenant('acme', () => new module.OpenAIRealtimeWebSocket({ model: MODEL }, client))
    const ears = heard(rt)
    await ears.type('session.created')
    set.emulator.reply({}, { cutAfterEvents: 3 })
    rt.send({ type: 'response.create' })
    await ears.type('response.done')
    rt.send({ type: 'response.create' })
    await new Promise((resolve) => rt.socket.addEventListener('close', resolve))
    expect(await set.events()).toMatchObject([
      { endpoint: 'realtime', tenantId: 'acme', usageSource: 'reported' },
      { endpoint: 'realtime', tenantId: 'acme', usageSource: 'estimated' },
    ])

    await set.meter.setLimit('broke', { usd: 0 })
    const refused = heard(
      set.meter.forTenant('broke', () => new module.OpenAIRealtimeWebSocket({ model: MODEL }, client)),
    )
    await refused.error()
    expect(refused.errors).toHaveLength(1)
    expect(refused.errors[0]).toBeInstanceOf(LimitExceededError)
  })
})

test('the emulator by itself, without TLS: its `realtime` options lead OpenAIRealtimeWS there', async () => {
  await using emulator = await startEmulator()
  const { OpenAIRealtimeWS } = await openaiFile<RealtimeModule>('', 'mjs', 'realtime/ws')
  const { OpenAI } = await openaiFile<typeof import('openai')>('', 'mjs', 'index')
  const sink = memorySink()
  await using meter = new Meter({ sinks: [sink], hosts: emulator.hosts })
  meter.patch('openai', { modules: [OpenAIRealtimeWS] })
  const client = new OpenAI({ baseURL: emulator.openai.baseURL, apiKey: 'key' })
  const options = emulator.openai.realtime
  const rt = meter.forTenant('acme', () => new OpenAIRealtimeWS({ model: MODEL, options }, client))
  const ears = heard(rt)
  await ears.type('session.created')
  emulator.reply({ outputTokens: 7 })
  rt.send({ type: 'response.create' })
  await ears.type('response.done')
  const closed = new Promise((resolve) => rt.socket.once('close', resolve))
  rt.close()
  await closed
  await meter.flush()
  expect(sink.events).toMatchObject([{ provider: 'openai', endpoint: 'realtime', tenantId: 'acme', outputTokens: 7 }])
  expect(emulator.bill().lines).toHaveLength(1)
})
