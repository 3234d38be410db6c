// What Anthropic goes on with after its answer, through the real SDK against the emulator: batches, managed agents, dreams.

import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import Anthropic from '@anthropic-ai/sdk'
import { describe, expect, test } from 'vitest'
import type { LLMEvent } from '../../src/index.ts'
import { billedByModel, meteredByModel } from '../support/bill.ts'
import { all, type Sdk, staged } from '../support/surface-stage.ts'

const require = createRequire(new URL('../apps/current/package.json', import.meta.url))
const file = require.resolve('@anthropic-ai/sdk').replace(/[^/]+$/, 'index.mjs')
const current = (await import(pathToFileURL(file).href)) as typeof import('@anthropic-ai/sdk')

function sdkOf(Client: typeof Anthropic): Sdk<Anthropic> {
  return {
    provider: 'anthropic',
    module: Client,
    client: (emulator) => new Client({ baseURL: emulator.anthropic.baseURL, apiKey: 'key', maxRetries: 0 }),
  }
}

const COPIES: readonly (readonly [string, Sdk<Anthropic>])[] = [
  ['0.137', sdkOf(current.default)],
  ['1.12', sdkOf(Anthropic)],
]

const ask = (content: string, model = 'claude-sonnet-5-5') => ({
  model,
  max_tokens: 100,
  messages: [{ role: 'user' as const, content }],
})
const requests = [
  { custom_id: 'a', params: ask('How deep is the sea?') },
  { custom_id: 'b', params: ask('How wide?', 'claude-haiku-4-5') },
  { custom_id: 'c', params: { ...ask('How?'), model: undefined as unknown as string } },
]
type Batches = Anthropic['messages']['batches']

async function resultsOf(batches: Batches, id: string): Promise<unknown[]> {
  for (;;) {
    const { processing_status } = await batches.retrieve(id)
    if (processing_status === 'ended') return all(await batches.results(id))
  }
}

const byId = (events: readonly LLMEvent[]) => new Map(events.map((event) => [event.responseId, meteredByModel(event)]))

describe.each(COPIES)('@anthropic-ai/sdk %s', (_, sdk) => {
  describe.each(['messages', 'beta.messages'])('%s.batches', (surface) => {
    const batchesOf = (client: Anthropic) =>
      (surface === 'messages' ? client.messages.batches : client.beta.messages.batches) as Batches

    test('each result counts once, at the price of a batch, for the tenant who created it', async () => {
      const { client, emulator, process } = await staged(sdk)
      const { meter, events, problems } = await process()
      const batches = batchesOf(client)
      const { id } = await meter.forTenant('acme', () => batches.create({ requests }))
      expect(await events()).toEqual([])
      const lines = await meter.forTenant('other', () => resultsOf(batches, id))
      expect(lines).toHaveLength(3)
      await meter.forTenant('other', () => resultsOf(batches, id))
      const recorded = await events()
      const billed = emulator.bill().lines
      expect(recorded).toHaveLength(2)
      expect(byId(recorded)).toEqual(new Map(billed.map((line) => [line.responseId, billedByModel([line])])))
      for (const event of recorded)
        expect(event).toMatchObject({
          tenantId: 'acme',
          endpoint: 'messages',
          serviceTier: 'batch',
          usageSource: 'reported',
        })
      // Of these models no price of a batch is known yet.
      expect(problems.filter(({ kind }) => kind !== 'price')).toEqual([])
    })

    test('counts for the tenant who created it in another process, and once for a caller who stops early', async () => {
      const { client, process } = await staged(sdk)
      const batches = batchesOf(client)
      const first = await process()
      const { id } = await first.meter.forTenant('acme', () => batches.create({ requests }))
      const second = await process()
      await batches.retrieve(id)
      await second.meter.forTenant('other', async () => {
        for await (const _ of await batches.results(id)) break
        await resultsOf(batches, id)
      })
      const recorded = await second.events()
      expect(recorded.map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme'])
      expect(new Set(recorded.map(({ eventId }) => eventId)).size).toBe(2)
      expect(await first.events()).toEqual([])
      const third = await process()
      await resultsOf(batches, id)
      expect(await third.events()).toEqual([])
    })
  })

  test('a batch is refused where the limit is reached', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter } = await process()
    await meter.setLimit('acme', { usd: 0.000001 })
    await meter.forTenant('acme', () => client.messages.create(ask('How deep?')))
    const refused = meter.forTenant('acme', () => client.messages.batches.create({ requests }))
    await expect(refused).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    expect(emulator.requests).toHaveLength(1)
  })

  test.each(['stream', 'list'])('a session counts by its requests to the model, told by %s, once', async (how) => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events, problems } = await process()
    const { sessions } = client.beta
    const session = await meter.forTenant('acme', () => sessions.create({ agent: 'agent_1', environment_id: 'env_1' }))
    emulator.reply({ inputTokens: 700, cachedTokens: 200, outputTokens: 40 }, { inputTokens: 80, cacheWriteTokens: 30 })
    const text = (words: string) => ({
      events: [{ type: 'user.message' as const, content: [{ type: 'text' as const, text: words }] }],
    })
    const read = () =>
      meter.forTenant('other', async () =>
        how === 'stream' ? all(await sessions.events.stream(session.id)) : all(sessions.events.list(session.id)),
      )
    await sessions.events.send(session.id, text('Dive.'))
    await read()
    await sessions.events.send(session.id, text('Deeper.'))
    await read()
    await read()
    const recorded = await events()
    const billed = emulator.bill().lines
    expect(recorded.map(meteredByModel)).toEqual(billed.map((line) => billedByModel([line])))
    for (const event of recorded)
      expect(event).toMatchObject({
        tenantId: 'acme',
        endpoint: 'sessions',
        model: 'claude-opus-5-5',
        usageSource: 'reported',
      })
    expect(problems).toEqual([])
  })

  test('a session counts while its stream is still read, and its time once it is archived', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events } = await process()
    const { sessions } = client.beta
    const session = await meter.forTenant('acme', () => sessions.create({ agent: 'agent_1', environment_id: 'env_1' }))
    await sessions.events.send(session.id, {
      events: [{ type: 'user.message', content: [{ type: 'text', text: 'Dive.' }] }],
    })
    let during = 0
    for await (const event of await sessions.events.stream(session.id))
      if (event.type === 'session.usage') during = (await events()).length
    expect(during).toBe(1)
    await sessions.archive(session.id)
    await sessions.retrieve(session.id)
    const recorded = await events()
    const billed = emulator.bill().lines
    expect(recorded.map(meteredByModel)).toEqual(billed.map((line) => billedByModel([line])))
    expect(recorded.map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme'])
  })

  test('a session of another process keeps its tenant and its model', async () => {
    const { client, emulator, process } = await staged(sdk)
    const first = await process()
    const { sessions } = client.beta
    const session = await first.meter.forTenant('acme', () =>
      sessions.create({ agent: 'agent_1', environment_id: 'env_1' }),
    )
    await sessions.events.send(session.id, {
      events: [{ type: 'user.message', content: [{ type: 'text', text: 'Dive.' }] }],
    })
    const second = await process()
    await second.meter.forTenant('other', async () => all(sessions.events.list(session.id)))
    const [event, ...more] = await second.events()
    expect(more).toEqual([])
    expect(event).toMatchObject({ tenantId: 'acme', model: 'claude-opus-5-5' })
    expect(meteredByModel(event!)).toEqual(billedByModel(emulator.bill().lines))
  })

  test('a dream counts when it is over', async () => {
    const { client, emulator, process } = await staged(sdk)
    const { meter, events } = await process()
    const { dreams } = client.beta
    const { id } = await meter.forTenant('acme', () =>
      dreams.create({ model: 'claude-opus-5-5', inputs: [{ type: 'memory_store', memory_store_id: 'memstore_1' }] }),
    )
    await dreams.retrieve(id)
    expect(await events()).toEqual([])
    for (let asked = 0; asked < 2; asked++) await meter.forTenant('other', () => dreams.retrieve(id))
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'dreams', usageSource: 'reported' })
    expect(meteredByModel(event!)).toEqual(billedByModel(emulator.bill().lines))
  })
})
