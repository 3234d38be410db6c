// Google's Live API through the real SDK, against the emulator: one event a turn.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { LimitExceededError } from '../../src/errors.ts'
import { type Talking, talking } from '../support/sockets.ts'

type GenAi = typeof import('@google/genai')

const COPIES = [
  ['2.32 esm', '..', 'mjs'],
  ['2.32 cjs', '..', 'cjs'],
  ['3.1 esm', 'apps/next', 'mjs'],
  ['3.1 cjs', 'apps/next', 'cjs'],
] as const

type Copy = readonly [name: string, app: (typeof COPIES)[number][1], format: (typeof COPIES)[number][2]]

async function load([, app, format]: Copy): Promise<GenAi> {
  const require = createRequire(new URL(`../${app}/package.json`, import.meta.url))
  const path = require.resolve('@google/genai').replace(/[^/]+$/, `index.${format}`)
  return (format === 'mjs' ? await import(pathToFileURL(path).href) : require(path)) as GenAi
}

async function connected(copy: Copy, set: Talking, tenant: string, by: 'patch' | 'wrap' = 'patch', hasOnError = true) {
  const module = await load(copy)
  const { GoogleGenAI } = module
  const client = new GoogleGenAI({ apiKey: 'key', httpOptions: { baseUrl: set.emulator.google.baseURL } })
  if (by === 'patch') set.meter.patch('google', { modules: [module] })
  else set.meter.wrap(client)
  const messages: Record<string, unknown>[] = []
  const errors: { error: Error }[] = []
  const waiting = new Set<() => void>()
  const until = (condition: () => boolean) =>
    new Promise<void>((resolve) => {
      const check = () => {
        if (!condition()) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  let close = () => {}
  const closed = new Promise<void>((resolve) => {
    close = resolve
  })
  const callbacks = {
    onmessage(message: unknown) {
      expect(this).toBe(callbacks)
      messages.push(message as Record<string, unknown>)
      for (const check of waiting) check()
    },
    ...(hasOnError && {
      onerror(event: unknown) {
        errors.push(event as { error: Error })
        for (const check of waiting) check()
      },
    }),
    onclose: () => close(),
  }
  const params = { model: 'gemini-2.5-flash', config: { temperature: 0.5 }, callbacks }
  const session = await set.meter.forTenant(tenant, () => client.live.connect(params))
  const turns = (count = 1) =>
    until(
      () =>
        messages.filter(({ serverContent }) => (serverContent as { turnComplete?: boolean })?.turnComplete).length >=
        count,
    )
  return { client, session, messages, errors, until, turns, closed, params }
}

const SECOND = { audio: { data: Buffer.alloc(32_000).toString('base64'), mimeType: 'audio/pcm;rate=16000' } }

describe.each(COPIES)('@google/genai %s', (...copy) => {
  test('a turn is one event, equal to the bill', async () => {
    await using set = await talking()
    const { session, turns, closed } = await connected(copy, set, 'acme')
    set.emulator.reply(
      {
        inputTokens: 100,
        audioInputTokens: 60,
        cachedTokens: 20,
        outputTokens: 9,
        reasoningTokens: 4,
        audioOutputTokens: 30,
      },
      { inputTokens: 150, outputTokens: 6 },
    )
    session.sendClientContent({ turns: 'How deep is the sea?' })
    await turns()
    set.meter.forTenant('bob', () => session.sendClientContent({ turns: 'And the sky?' }))
    await turns(2)
    session.close()
    await closed
    const { lines } = set.emulator.bill()
    expect(await set.events()).toMatchObject([
      {
        provider: 'google',
        endpoint: 'live',
        model: 'gemini-2.5-flash',
        tenantId: 'acme',
        usageSource: 'reported',
        inputTokens: lines[0]?.inputTokens,
        outputTokens: lines[0]?.outputTokens,
        usage: {
          'input.text': 20,
          'input.text.cache_read': 20,
          'input.audio': 60,
          'output.text': 5,
          'output.reasoning': 4,
          'output.audio': 30,
        },
        metadata: { temperature: 0.5, finish_reason: 'turn_complete' },
      },
      { tenantId: 'bob', inputTokens: 150, outputTokens: 6 },
    ])
    expect(lines).toHaveLength(2)
    expect(set.problems.filter(({ kind }) => kind !== 'price')).toEqual([])
  })

  test('a turn by tools is an event before their results and one after', async () => {
    await using set = await talking()
    const { session, until, messages, turns } = await connected(copy, set, 'acme')
    set.emulator.reply({ toolCalls: [{ name: 'depth', id: 'c1' }], outputTokens: 5 }, { outputTokens: 7 })
    session.sendClientContent({ turns: 'How deep is the sea?' })
    await until(() => messages.some(({ toolCall }) => toolCall !== undefined))
    session.sendToolResponse({ functionResponses: [{ id: 'c1', name: 'depth', response: { metres: 11_000 } }] })
    await turns()
    expect(await set.events()).toMatchObject([
      { outputTokens: 5, metadata: { finish_reason: 'tool_call' } },
      { outputTokens: 7, metadata: { finish_reason: 'turn_complete' } },
    ])
    expect(set.meter.stats().openCalls).toBe(0)
  })

  test('sound that is answered by itself is an event for whoever sent it', async () => {
    await using set = await talking()
    const { session, turns } = await connected(copy, set, 'acme', 'wrap')
    set.meter.forTenant('speaker', () => session.sendRealtimeInput(SECOND))
    await turns()
    expect(await set.events()).toMatchObject([{ tenantId: 'speaker', usageSource: 'reported' }])
  })

  test('whoever is over the limit gets no connection', async () => {
    await using set = await talking()
    await set.meter.setLimit('broke', { usd: 0 })
    const refusal = await connected(copy, set, 'broke').catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(LimitExceededError)
    expect(refusal).toBeInstanceOf((await load(copy)).ApiError)
    expect(set.emulator.requests).toEqual([])
  })

  test('on an open connection a refusal comes to `onerror`, or is thrown where there is none', async () => {
    await using set = await talking()
    const { session, errors, until, turns } = await connected(copy, set, 'acme')
    await set.meter.setLimit('broke', { usd: 0 })
    set.meter.forTenant('broke', () => session.sendClientContent({ turns: 'Hi' }))
    set.meter.forTenant('broke', () => session.sendRealtimeInput(SECOND))
    await until(() => errors.length === 2)
    expect(errors.map(({ error }) => error instanceof LimitExceededError)).toEqual([true, true])
    session.sendClientContent({ turns: 'Hi' })
    await turns()
    expect(set.emulator.bill().lines).toHaveLength(1)

    const mute = await connected(copy, set, 'acme', 'patch', false)
    expect(() => set.meter.forTenant('broke', () => mute.session.sendClientContent({ turns: 'Hi' }))).toThrow(
      LimitExceededError,
    )
    expect(await set.events()).toHaveLength(1)
    expect(set.meter.stats().openCalls).toBe(0)
  })

  test('a connection that breaks in the middle of a turn is billed for what has come of it', async () => {
    await using set = await talking()
    const { session, closed } = await connected(copy, set, 'acme')
    set.emulator.reply({ text: 'A long answer to a short question.', cutAfterEvents: 4 })
    session.sendClientContent({ turns: 'Hi' })
    await closed
    expect(await set.events()).toMatchObject([{ tenantId: 'acme', usageSource: 'estimated', error: 'interrupted' }])
  })

  test('what is sent wrongly fails as it does without a meter, and is no call', async () => {
    await using set = await talking()
    const { session, turns } = await connected(copy, set, 'acme')
    expect(() => session.sendToolResponse({ functionResponses: [] })).toThrow('functionResponses is required')
    expect(() => session.sendClientContent({ turns: [Symbol('no') as never] })).toThrow()
    session.sendClientContent({ turns: 'Hi' })
    await turns()
    expect(await set.events()).toHaveLength(1)
    expect(set.meter.stats().openCalls).toBe(0)
  })

  test('a turn without usage is estimated, once the next begins', async () => {
    await using set = await talking()
    const { session, turns } = await connected(copy, set, 'acme')
    set.emulator.reply({ omitUsage: true }, {})
    session.sendClientContent({ turns: 'Hi' })
    await turns()
    expect(await set.events()).toEqual([])
    session.sendClientContent({ turns: 'Hi' })
    await turns(2)
    expect((await set.events()).map(({ usageSource }) => usageSource).sort()).toEqual(['estimated', 'reported'])
  })
})
