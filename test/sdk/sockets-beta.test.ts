// Realtime as earlier versions and the beta classes have it: other names of the messages, the same events.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { LimitExceededError } from '../../src/errors.ts'
import { heard, talking } from '../support/sockets.ts'

type RealtimeModule = typeof import('openai/realtime/ws')

/** The older ones are there where `tools/sdks` is installed. */
const COPIES = [
  ['beta of 6.49', '..', 'openai', 'beta/realtime/ws'],
  ['beta of 7.57', 'apps/next', 'openai', 'beta/realtime/ws'],
  ['4.104', '../tools/sdks', 'openai-4.104', 'beta/realtime/ws'],
  ['5.0', '../tools/sdks', 'openai-5.0', 'beta/realtime/ws'],
  ['5.23', '../tools/sdks', 'openai-5.23', 'realtime/ws'],
  ['6.0', '../tools/sdks', 'openai-6.0', 'realtime/ws'],
  ['7.0', '../tools/sdks', 'openai-7.0', 'realtime/ws'],
] as const

function folderOf(app: string, name: string): string | undefined {
  const manifest = new URL(`../${app}/package.json`, import.meta.url)
  if (!existsSync(manifest)) return undefined
  try {
    return createRequire(manifest)
      .resolve(name)
      .replace(/[^/]+$/, '')
  } catch {
    return undefined
  }
}

describe.each(COPIES)('Realtime of openai %s', (_name, app, name, file) => {
  const folder = folderOf(app, name)

  test.skipIf(folder === undefined)('a response, a refusal and a break', async () => {
    await using set = await talking()
    const load = async (path: string) => (await import(pathToFileURL(`${folder}${path}.mjs`).href)) as unknown
    const { OpenAI } = (await load('index')) as typeof import('openai')
    const module = (await load(file)) as RealtimeModule
    set.meter.patch('openai', { modules: [module] })
    const client = new OpenAI({ baseURL: `https://${set.front.host}/v1`, apiKey: 'key' })
    const options = { ca: set.front.ca }
    const open = () => new module.OpenAIRealtimeWS({ model: 'gpt-realtime', options }, client)
    const rt = set.meter.forTenant('acme', open)
    const ears = heard(rt)
    await ears.type('session.created')
    set.emulator.reply(
      { audioInputTokens: 7, outputTokens: 3, audioOutputTokens: 9 },
      { text: 'One two.', cutAfterEvents: 4 },
    )
    rt.send({ type: 'response.create' })
    await ears.type('response.done')
    await set.meter.setLimit('broke', { usd: 0 })
    set.meter.forTenant('broke', () => rt.send({ type: 'response.create' }))
    await ears.error()
    expect(ears.errors[0]).toBeInstanceOf(LimitExceededError)
    const closed = new Promise((resolve) => rt.socket.once('close', resolve))
    rt.send({ type: 'response.create' })
    await closed
    const [line] = set.emulator.bill().lines
    expect(await set.events()).toMatchObject([
      {
        endpoint: 'realtime',
        tenantId: 'acme',
        model: 'gpt-realtime',
        usageSource: 'reported',
        inputTokens: line?.inputTokens,
        usage: { 'input.audio': 7, 'output.text': 3, 'output.audio': 9 },
      },
      { tenantId: 'acme', usageSource: 'estimated', error: 'interrupted' },
    ])

    const refused = heard(set.meter.forTenant('broke', open))
    await refused.error()
    expect(refused.errors).toMatchObject([{ code: 'LIMIT_EXCEEDED' }])
    expect(set.meter.stats().openCalls).toBe(0)
  })
})
