// Untrue numbers on every surface of Anthropic and Google, and SDK copies that are not what they claim to be: the caller's
// call goes on, its event is kept, and what is wrong is said.

import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { describe, expect, test } from 'vitest'
import type { Emulator } from '../../src/emulator/index.ts'
import type { LLMEvent } from '../../src/index.ts'
import { OPEN_JOB } from '../../src/usage.ts'
import { all, type Sdk, staged } from '../support/surface-stage.ts'

const anthropic: Sdk<Anthropic> = {
  provider: 'anthropic',
  module: Anthropic,
  client: (emulator) =>
    new Anthropic({ baseURL: emulator.anthropic.baseURL, apiKey: 'key', maxRetries: 0, logLevel: 'off' }),
}
const google: Sdk<GoogleGenAI> = {
  provider: 'google',
  module: GoogleGenAI,
  client: (emulator) =>
    new GoogleGenAI({ apiKey: 'key', vertexai: false, httpOptions: { baseUrl: emulator.google.baseURL } }),
}
const vertex: Sdk<GoogleGenAI> = {
  ...google,
  client: (emulator) =>
    new GoogleGenAI({ apiKey: 'key', vertexai: true, httpOptions: { baseUrl: emulator.google.baseURL } }),
}

const body = { model: 'claude-sonnet-5-5', max_tokens: 99, messages: [{ role: 'user' as const, content: 'How deep?' }] }
const contents = 'How deep is the sea?'
type Interactions = { create(params: object): Promise<unknown>; get(id: string): Promise<unknown> }
const interactionsOf = (client: GoogleGenAI) => client.interactions as unknown as Interactions

async function batch({ messages: { batches } }: Anthropic): Promise<void> {
  const { id } = await batches.create({ requests: [{ custom_id: 'a', params: body }] })
  await batches.retrieve(id)
  await all(await batches.results(id))
}

async function session({ beta: { sessions } }: Anthropic): Promise<void> {
  const { id } = await sessions.create({ agent: 'agent_1', environment_id: 'env_1' })
  await sessions.events.send(id, { events: [{ type: 'user.message', content: [{ type: 'text', text: 'Dive.' }] }] })
  await all(sessions.events.list(id))
}

interface Surface {
  readonly sdk: Sdk<never>
  /** Which requests get the script; default: the first. */
  readonly path?: string
  call(client: never): Promise<unknown>
  /** Nothing tells that there was something to bill. */
  readonly isSilentWithout?: boolean
}

const of = <Client>(
  sdk: Sdk<Client>,
  call: (client: Client) => Promise<unknown>,
  more: Partial<Surface> = {},
): Surface => ({
  sdk: sdk as unknown as Sdk<never>,
  call: call as Surface['call'],
  ...more,
})

const SURFACES: Readonly<Record<string, Surface>> = {
  'a message': of(anthropic, (client) => client.messages.create(body)),
  'a message, streamed': of(anthropic, async (client) => all(await client.messages.create({ ...body, stream: true }))),
  'a batch': of(anthropic, batch),
  'a session': of(anthropic, session, { path: '/events', isSilentWithout: true }),
  'an embedding': of(google, (client) => client.models.embedContent({ model: 'gemini-embedding-001', contents })),
  'an embedding by the character': of(vertex, (client) =>
    client.models.embedContent({ model: 'text-embedding-005', contents }),
  ),
  'a cache': of(google, (client) =>
    client.caches.create({ model: 'gemini-2.5-flash', config: { contents, ttl: '60s' } }),
  ),
  'an interaction': of(google, (client) =>
    interactionsOf(client).create({ model: 'gemini-2.5-flash', input: contents }),
  ),
  'an interaction, streamed': of(google, async (client) =>
    all(
      (await interactionsOf(client).create({
        model: 'gemini-2.5-flash',
        input: contents,
        stream: true,
      })) as AsyncIterable<unknown>,
    ),
  ),
  'an interaction in the background': of(google, async (client) => {
    const { id } = (await interactionsOf(client).create({
      model: 'gemini-2.5-flash',
      input: contents,
      background: true,
    })) as { id: string }
    return interactionsOf(client).get(id)
  }),
}

/** Every number of a usage object, however deep. */
function numbers(usage: unknown, change: (value: number) => unknown): unknown {
  if (typeof usage === 'number') return change(usage)
  if (Array.isArray(usage)) return usage.map((one) => numbers(one, change))
  if (typeof usage !== 'object' || usage === null) return usage
  return Object.fromEntries(Object.entries(usage).map(([name, value]) => [name, numbers(value, change)]))
}

const LIES: Readonly<Record<string, (usage: unknown) => unknown>> = {
  'below zero': (usage) => numbers(usage, (value) => -value - 1),
  'in parts': (usage) => numbers(usage, (value) => value + 0.5),
  'as words': (usage) => numbers(usage, () => 'many'),
  absurd: (usage) => numbers(usage, () => 1e300),
  'a list': () => [1, 2],
  nothing: () => ({}),
}

async function recorded({ sdk, path, call }: Surface, usage: ((usage: unknown) => unknown) | undefined) {
  const { client, emulator, process } = await staged(sdk)
  const { meter, events, problems } = await process()
  const script = usage ? { usage: usage as (usage: object) => unknown } : { omitUsage: true }
  emulator.reply({ ...script, ...(path !== undefined && { match: { path } }) })
  await meter.forTenant('acme', () => call(client))
  await meter.close()
  return { events: await events(), problems, emulator }
}

function expectSound(events: readonly LLMEvent[], emulator: Emulator): void {
  expect(events).toHaveLength(emulator.bill().lines.length)
  for (const event of events) {
    expect(event.tenantId).toBe('acme')
    for (const quantity of Object.values(event.usage ?? {})) {
      expect(Number.isSafeInteger(quantity) || Number.isFinite(quantity)).toBe(true)
      expect(quantity).toBeGreaterThan(0)
    }
  }
}

describe.each(Object.entries(SURFACES))('%s', (_, surface) => {
  test.each(Object.entries(LIES))('with numbers that are no counts: %s', async (lie, usage) => {
    const { events, problems, emulator } = await recorded(surface, usage)
    if (lie === 'a list' && surface.isSilentWithout) return expect(events).toEqual([])
    expectSound(events, emulator)
    const [event] = events
    const isKnown = event!.usageSource === 'reported' && event!.usageFlags === undefined
    // Of embeddings no usage need be told: what is none is estimated.
    expect(isKnown, JSON.stringify(event)).toBe(false)
    // That a job was not over when it was recorded is no fault of anybody's.
    if (event!.usageFlags?.some((flag) => flag !== OPEN_JOB))
      expect(problems.some(({ kind }) => kind === 'usage')).toBe(true)
    return undefined
  })

  test('without its usage', async () => {
    const { events, emulator } = await recorded(surface, undefined)
    if (surface.isSilentWithout) return expect(events).toEqual([])
    expectSound(events, emulator)
    expect(['absent', 'estimated', 'partial']).toContain(events[0]!.usageSource)
    return undefined
  })
})

describe('copies of @google/genai that are not what they claim to be', () => {
  const breaks: Readonly<Record<string, (interactions: Record<string, unknown>) => unknown>> = {
    'no client behind its interactions': () => ({}),
    'a client without `_do`': () => ({
      create: async () => 'made',
      getClient: () => ({ _httpClient: { request() {} } }),
    }),
    'a client that cannot be made': () => ({
      create: async () => 'made',
      getClient() {
        throw new Error('broken')
      },
    }),
  }

  test.each(Object.entries(breaks))('%s', async (_, make) => {
    class Broken extends GoogleGenAI {
      override get interactions() {
        return make({}) as unknown as GoogleGenAI['interactions']
      }
    }
    const { emulator, process } = await staged(google)
    const { meter, events, problems } = await process()
    meter.unpatchAll()
    const report = meter.patch('google', { modules: [Broken] })
    const client = new Broken({ apiKey: 'key', vertexai: false, httpOptions: { baseUrl: emulator.google.baseURL } })
    await meter.forTenant('acme', () => client.models.generateContent({ model: 'gemini-2.5-flash', contents }))
    expect(report.status).toBe('patched')
    expect(await events()).toHaveLength(1)
    expect(problems.filter(({ kind }) => kind === 'patch').map(({ message }) => message)).toEqual([
      expect.stringContaining('interactions'),
    ])
  })

  test('interactions that throw when they are looked at', async () => {
    class Broken extends GoogleGenAI {
      override get interactions(): GoogleGenAI['interactions'] {
        throw new Error('not in this build')
      }
    }
    const { emulator, process } = await staged(google)
    const { meter, events } = await process()
    meter.unpatchAll()
    expect(meter.patch('google', { modules: [Broken] }).status).toBe('patched')
    const client = new Broken({ apiKey: 'key', vertexai: false, httpOptions: { baseUrl: emulator.google.baseURL } })
    await meter.forTenant('acme', () => client.models.generateContent({ model: 'gemini-2.5-flash', contents }))
    expect(await events()).toHaveLength(1)
  })
})
