// What Google goes on with after its answer, through the real SDK against the emulator: videos, batches, interactions in
// the background.

import { mkdtempSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { GoogleGenAI } from '@google/genai'
import { describe, expect, test } from 'vitest'
import { billedByModel, meteredByModel } from '../support/bill.ts'
import { all, type Sdk, staged } from '../support/surface-stage.ts'

const require = createRequire(new URL('../apps/next/package.json', import.meta.url))
const file = require.resolve('@google/genai').replace(/[^/]+$/, 'index.mjs')
const next = (await import(pathToFileURL(file).href)) as typeof import('@google/genai')

function sdkOf(Client: typeof GoogleGenAI, vertexai = false): Sdk<GoogleGenAI> {
  return {
    provider: 'google',
    module: Client,
    client: (emulator) => new Client({ apiKey: 'key', vertexai, httpOptions: { baseUrl: emulator.google.baseURL } }),
  }
}

const COPIES: readonly (readonly [string, typeof GoogleGenAI])[] = [
  ['2.32', GoogleGenAI],
  ['3.1', next.GoogleGenAI],
]

const model = 'gemini-2.5-flash'
const ask = (text: string) => ({ contents: [{ role: 'user', parts: [{ text }] }] })
const quietly = async <T>(fn: () => Promise<T>): Promise<T> => {
  const { warn } = console
  console.warn = () => undefined
  try {
    return await fn()
  } finally {
    console.warn = warn
  }
}

interface Interactions {
  create(params: object): Promise<unknown>
  get(id: string, params?: object): Promise<unknown>
  cancel(id: string): Promise<unknown>
}
const interactionsOf = (client: GoogleGenAI) => client.interactions as unknown as Interactions

interface Job {
  readonly endpoint: string
  readonly tier?: string
  readonly vertex?: boolean
  /** Gives what `ask` asks with. */
  start(client: GoogleGenAI): Promise<unknown>
  ask(client: GoogleGenAI, job: never): Promise<unknown>
}

const JOBS: Readonly<Record<string, Job>> = {
  videos: {
    endpoint: 'generateVideos',
    vertex: true,
    start: (client) =>
      client.models.generateVideos({
        model: 'veo-3.1-generate-preview',
        prompt: 'The sea',
        config: { numberOfVideos: 2, durationSeconds: 6 },
      }),
    ask: (client, operation) => client.operations.getVideosOperation({ operation }),
  },
  'a batch with its results in it': {
    endpoint: 'generateContent',
    tier: 'batch',
    start: (client) => client.batches.create({ model, src: [ask('How deep is the sea?'), ask('How wide?')] }),
    ask: (client, { name }: { name: string }) => client.batches.get({ name }),
  },
  'a batch of embeddings': {
    endpoint: 'embedContent',
    tier: 'batch',
    start: (client) =>
      quietly(() =>
        client.batches.createEmbeddings({
          model: 'gemini-embedding-001',
          src: { inlinedRequests: { contents: ['How deep?', 'How wide is the sea?'] } },
        }),
      ),
    ask: (client, { name }: { name: string }) => client.batches.get({ name }),
  },
  'an interaction in the background': {
    endpoint: 'interactions',
    start: (client) => interactionsOf(client).create({ model, input: 'How deep?', background: true }),
    ask: (client, { id }: { id: string }) => interactionsOf(client).get(id),
  },
  'an interaction in the background, followed as a stream': {
    endpoint: 'interactions',
    start: (client) => interactionsOf(client).create({ model, input: 'How deep?', background: true }),
    ask: async (client, { id }: { id: string }) =>
      all((await interactionsOf(client).get(id, { stream: true })) as AsyncIterable<unknown>),
  },
  'an interaction in the background, cancelled': {
    endpoint: 'interactions',
    start: (client) => interactionsOf(client).create({ model, input: 'How deep?', background: true }),
    ask: (client, { id }: { id: string }) => interactionsOf(client).cancel(id),
  },
}

describe.each(COPIES)('@google/genai %s', (version, Client) => {
  describe.each(Object.entries(JOBS))('%s', (_, { endpoint, tier, vertex, start, ask }) => {
    const sdk = sdkOf(Client, vertex)

    test.each([false, true])(
      'counts once, for the tenant who started it; in another process: %s',
      async (isAnother) => {
        const { client, emulator, process } = await staged(sdk)
        const first = await process()
        const job = await first.meter.forTenant('acme', () => start(client))
        expect(await first.events()).toEqual([])
        const { meter, events, problems } = isAnother ? await process() : first
        await meter.forTenant('other', async () => {
          for (let asked = 0; asked < 3; asked++) await ask(client, job as never)
        })
        const recorded = await events()
        expect(recorded.map(meteredByModel)).toEqual(emulator.bill().lines.map((line) => billedByModel([line])))
        expect(recorded.length).toBeGreaterThan(0)
        for (const event of recorded) {
          expect(event).toMatchObject({
            tenantId: 'acme',
            endpoint,
            usageSource: 'reported',
            ...(tier && { serviceTier: tier }),
          })
          expect(event).not.toHaveProperty('usageFlags')
        }
        expect(problems.filter(({ kind }) => kind !== 'price')).toEqual([])
      },
    )
  })

  test('a video of no stated length is taken to be as long as they usually are, and says so', async () => {
    const { client, emulator, process } = await staged(sdkOf(Client, true))
    const { meter, events } = await process()
    await meter.forTenant('acme', async () => {
      const operation = await client.models.generateVideos({ model: 'veo-3.1-generate-preview', prompt: 'The sea' })
      for (let asked = 0; asked < 2; asked++) await client.operations.get({ operation })
    })
    const [event] = await events()
    expect(event).toMatchObject({ usageSource: 'estimated', durationSeconds: 8 })
    expect(meteredByModel(event!)).toEqual(billedByModel(emulator.bill().lines))
  })

  test('a video that fails is billed nothing', async () => {
    const { client, emulator, process } = await staged(sdkOf(Client, true))
    const { meter, events } = await process()
    emulator.reply({ errorCode: 'failed' })
    await meter.forTenant('acme', async () => {
      const operation = await client.models.generateVideos({ model: 'veo-3.1-generate-preview', prompt: 'The sea' })
      for (let asked = 0; asked < 2; asked++) await client.operations.getVideosOperation({ operation })
    })
    expect(await events()).toMatchObject([{ tenantId: 'acme', usage: {}, error: '13' }])
    expect(emulator.bill().lines).toEqual([])
  })

  test.runIf(version === '2.32')('a video of the Gemini API', async () => {
    const { client, emulator, process } = await staged(sdkOf(Client))
    const { meter, events } = await process()
    await meter.forTenant('acme', async () => {
      const operation = await client.models.generateVideos({
        model: 'veo-3.1-generate-preview',
        prompt: 'The sea',
        config: { durationSeconds: 4 },
      })
      for (let asked = 0; asked < 2; asked++) await client.operations.getVideosOperation({ operation })
    })
    expect((await events()).map(meteredByModel)).toEqual([billedByModel(emulator.bill().lines)])
  })

  test('a batch whose results are a file counts as it is downloaded, as often as that may be', async () => {
    const { client, emulator, process } = await staged(sdkOf(Client))
    const first = await process()
    const { name = '' } = await first.meter.forTenant('acme', () => client.batches.create({ model, src: 'files/in' }))
    await client.batches.get({ name })
    const { dest } = await client.batches.get({ name })
    const { meter, events } = await process()
    const downloadPath = join(mkdtempSync(join(tmpdir(), 'download-')), 'results.jsonl')
    for (let read = 0; read < 2; read++)
      await meter.forTenant('other', () => client.files.download({ file: dest!.fileName!, downloadPath }))
    const lines = readFileSync(downloadPath, 'utf8').trim().split('\n')
    expect(lines).toHaveLength(2)
    const recorded = await events()
    const billed = emulator.bill().lines
    expect(recorded.map(meteredByModel)).toEqual(billed.map((line) => billedByModel([line])))
    for (const event of recorded)
      expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'generateContent', serviceTier: 'batch' })
  })

  test('a batch of Vertex AI, whose results nobody sees here, says so', async () => {
    const { client, process } = await staged(sdkOf(Client, true))
    const { meter, events, problems } = await process()
    const { name = '' } = await meter.forTenant('acme', () =>
      client.batches.create({ model, src: 'gs://bucket/in.jsonl' }),
    )
    for (let asked = 0; asked < 3; asked++) await client.batches.get({ name })
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({
      tenantId: 'acme',
      endpoint: 'batches',
      model,
      serviceTier: 'batch',
      usageSource: 'absent',
    })
    expect(event!.usageFlags).toContain('unseen:results')
    expect(event).not.toHaveProperty('costUsd')
    expect(problems.map(({ message }) => message)).toContainEqual(expect.stringContaining('does not see'))
  })

  test('an interaction that was answered at once is not counted again when it is asked for', async () => {
    const { client, emulator, process } = await staged(sdkOf(Client))
    const { meter, events } = await process()
    const { id } = (await meter.forTenant('acme', () =>
      interactionsOf(client).create({ model, input: 'How deep?' }),
    )) as { id: string }
    await meter.forTenant('other', () => interactionsOf(client).get(id))
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'interactions' })
    expect(meteredByModel(event!)).toEqual(billedByModel(emulator.bill().lines))
  })

  test('an interaction in the background that nobody asks for is estimated at the end', async () => {
    const { client, process } = await staged(sdkOf(Client))
    const { meter, events } = await process()
    await meter.forTenant('acme', () => interactionsOf(client).create({ model, input: 'How deep?', background: true }))
    await meter.close()
    const [event, ...more] = await events()
    expect(more).toEqual([])
    expect(event).toMatchObject({ tenantId: 'acme', endpoint: 'interactions', usageSource: 'estimated' })
    expect(event!.usageBounds).toBeDefined()
  })
})
