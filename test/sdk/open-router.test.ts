// `meter.openRouter()`: a ready client of the application's own openai, metered by itself.

import { mkdtempSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import OpenAI from 'openai'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { startEmulator } from '../../src/emulator/index.ts'
import { type LLMEvent, Meter } from '../../src/index.ts'

const require = createRequire(new URL('../apps/next/package.json', import.meta.url))
const next = (await import(
  pathToFileURL(require.resolve('openai').replace(/index\.js$/, 'index.mjs')).href
)) as typeof import('openai')

const [, main] = process.argv
afterEach(() => {
  process.argv[1] = main!
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

function meterWith(hosts: Readonly<Record<string, string>> = {}) {
  const events: LLMEvent[] = []
  const sinks = [{ name: 'none', send: async () => ({ outcome: 'delivered' as const }) }]
  const meter = new Meter({ sinks, hosts, onMissingTenant: 'record', onEvent: (event) => void events.push(event) })
  onTestFinished(() => meter.close())
  return { meter, events }
}

const ask = { model: 'anthropic/claude-sonnet-4.5', messages: [{ role: 'user' as const, content: 'Hi' }] }

test("is a client of the application's openai, for OpenRouter", () => {
  const client = meterWith().meter.openRouter({ apiKey: 'key', timeout: 1234, defaultHeaders: { 'x-title': 'Shop' } })
  expect(client).toBeInstanceOf(OpenAI)
  expect(client).toMatchObject({ baseURL: 'https://openrouter.ai/api/v1', apiKey: 'key', timeout: 1234 })
})

test.each([
  ['what is installed', {}],
  ['the class that is handed over', { OpenAI: next.OpenAI as unknown as typeof OpenAI }],
])('is metered without `patchAll`, and no other client is: %s', async (_, more) => {
  await using emulator = await startEmulator()
  const { baseURL } = await emulator.host('openrouter')
  const { meter, events } = meterWith(emulator.hosts)
  const client = meter.openRouter({ apiKey: 'key', baseURL, ...more })
  if ('OpenAI' in more) expect(client).toBeInstanceOf(next.OpenAI)
  await meter.forTenant('acme', () => client.chat.completions.create(ask))
  for await (const _chunk of await client
    .withOptions({ timeout: 5000 })
    .chat.completions.create({ ...ask, stream: true }));
  await new OpenAI({ apiKey: 'key', baseURL }).chat.completions.create(ask)
  await meter.flush()
  expect(events).toHaveLength(2)
  const [first] = emulator.bill().lines
  expect(events[0]).toMatchObject({
    tenantId: 'acme',
    provider: 'openrouter',
    upstreamProvider: 'Amazon Bedrock',
    costSource: 'reported',
    costUsd: first!.usd,
  })
})

test('takes its key from the environment', () => {
  vi.stubEnv('OPENROUTER_API_KEY', 'from-the-environment')
  expect(meterWith().meter.openRouter().apiKey).toBe('from-the-environment')
})

describe('is refused in one sentence', () => {
  test('without a key', () => {
    vi.stubEnv('OPENROUTER_API_KEY', '')
    expect(() => meterWith().meter.openRouter()).toThrow('OpenRouter needs an `apiKey`')
    expect(() => meterWith().meter.openRouter({ apiKey: '' })).toThrow('OPENROUTER_API_KEY')
  })

  test.each([null, 'key', 7])('for options that are none: %j', (options) => {
    expect(() => meterWith().meter.openRouter(options as never)).toThrow('Expected `options` to be an object')
  })

  test('without openai, with the line that installs it', () => {
    vi.spyOn(process, 'cwd').mockReturnValue(mkdtempSync(join(tmpdir(), 'tallygate-empty-')))
    process.argv[1] = join(tmpdir(), 'no-such-script.js')
    const call = () => meterWith().meter.openRouter({ apiKey: 'secret-key' })
    expect(call).toThrow('npm install openai')
    expect(call).toThrow(expect.objectContaining({ code: 'BAD_INPUT' }))
    expect(call).not.toThrow('secret-key')
  })
})
