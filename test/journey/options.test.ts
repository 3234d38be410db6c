// Each option has the effect that its name promises.

import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type LLMEvent, Meter, MissingTenantError } from 'tallygate'
import { memorySink, type Sink, sqliteLedger } from 'tallygate/sinks'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

const thousand = { inputTokens: 1000, outputTokens: 1000, times: Number.POSITIVE_INFINITY }
const cohere = { provider: 'cohere', model: 'command-r-plus' }

/** What is written to standard error from here on. */
function standardError(): string[] {
  const lines: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    lines.push(String(text))
    return true
  })
  return lines
}

function failing(error: Error): Sink {
  return { name: 'failing', send: async () => ({ outcome: 'retry', error }) }
}

describe('debug', () => {
  test('prints each event on one line of standard error', async () => {
    const lines = standardError()
    await using app = await metered({ debug: true, onMissingTenant: 'record' })
    app.emulator.reply({ inputTokens: 1000, outputTokens: 1000 }, { status: 400 })
    await app.meter.forTenant('acme', () => app.chat())
    await app.chat('gpt-4o\nmini').catch(() => {})
    await app.meter.flush()
    expect(lines).toHaveLength(2)
    expect(lines[0]).toMatch(
      /^tallygate acme \| openai \| gpt-4o \| chat\.completions \| 1000 in, 1000 out \| \$0\.0125 \| \d+ ms\n$/,
    )
    expect(lines[1]).toMatch(/^tallygate \(no tenant\) \| openai \| gpt-4o mini \| .+ \| http_400 \| \d+ ms\n$/)
  })

  test('off, as it is by default, prints nothing', async () => {
    const lines = standardError()
    await using app = await metered()
    await app.meter.forTenant('acme', () => app.chat())
    app.meter.trackManually({ ...cohere, tokens: 7 } as Parameters<Meter['trackManually']>[0])
    await app.meter.flush()
    expect(lines).toEqual([])
  })
})

describe('onEvent', () => {
  test('gets each event once, when its call has ended', async () => {
    const seen: LLMEvent[] = []
    await using app = await metered({ onEvent: (event) => seen.push(event) })
    await app.meter.forTenant('acme', () => app.chat())
    app.meter.trackManually({ ...cohere, tenantId: 'acme' })
    await app.meter.flush()
    await app.meter.flush()
    expect(seen.map(({ model }) => model)).toEqual(['gpt-4o', 'command-r-plus'])
    expect(seen).toEqual(await app.events())
  })

  test.each([
    [
      'throw',
      () => {
        throw new Error('mine')
      },
    ],
    [
      'fail later',
      async () => {
        throw new Error('mine')
      },
    ],
  ])('may %s: it is told of once, and the event goes on', async (_, onEvent) => {
    await using app = await metered({ onEvent: onEvent as () => void })
    await app.meter.forTenant('acme', () => app.chat())
    await app.meter.forTenant('acme', () => app.chat())
    expect(await app.events()).toHaveLength(2)
    await expect.poll(() => app.meter.stats().problems).toEqual({ callback: 2 })
    expect(app.problems).toMatchObject([{ kind: 'callback', cause: expect.objectContaining({ message: 'mine' }) }])
  })
})

describe('onFlushError', () => {
  test('gets the error of each failed send', async () => {
    const errors: Error[] = []
    const down = new Error('down')
    await using app = await metered({ sinks: [failing(down)], onFlushError: (error) => errors.push(error) })
    app.meter.trackManually(cohere)
    await app.meter.flush()
    expect(errors).toEqual([down])
    await app.meter.flush()
    expect(errors).toEqual([down, down])
    await app.meter.close(0)
  })

  test('that throws harms nothing', async () => {
    await using app = await metered({
      sinks: [failing(new Error('down'))],
      onFlushError: () => {
        throw new Error('mine')
      },
    })
    app.meter.trackManually(cohere)
    await app.meter.flush()
    expect(app.problems.map(({ kind }) => kind)).toContain('callback')
    await app.meter.close(0)
  })
})

describe('onProblem', () => {
  test('gets what was swallowed; without it, that is a warning of the process', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await using app = await metered({ onProblem: undefined })
    app.meter.forTenant('', () => {})
    expect(warn).toHaveBeenCalledExactlyOnceWith('Expected `tenantId` to be a non-empty string, got "".', {
      type: 'TallygateWarning',
      code: 'tenant',
    })
  })

  test('is told of one kind of fault once, however many values have it', async () => {
    await using app = await metered()
    for (let i = 0; i < 100; i++) app.meter.forTenant(`bad\n${i}`, () => {})
    expect(app.problems).toHaveLength(1)
    expect(app.meter.stats().problems).toEqual({ tenant: 100 })
  })
})

describe('the queue', () => {
  test('maxQueueSize drops the oldest, and counts and tells of it', async () => {
    await using app = await metered({
      sinks: [failing(new Error('down'))],
      maxQueueSize: 3,
      maxBatchSize: 3,
      spool: false,
    })
    for (let i = 0; i < 10; i++) app.meter.trackManually({ ...cohere, eventId: `e${i}` })
    await app.meter.flush()
    const { dropped, queued } = app.meter.stats().delivery
    expect(dropped + queued).toBe(10)
    expect(queued).toBeLessThanOrEqual(6)
    expect(app.problems.map(({ message }) => message)).toContain(
      'The queue for failing is full (3 events): the oldest events are being dropped',
    )
    await app.meter.close(0)
  })

  test('maxBatchSize sends as soon as so many wait', async () => {
    await using app = await metered({ maxBatchSize: 2, flushIntervalMs: 60_000 })
    app.meter.trackManually(cohere)
    await expect.poll(() => app.meter.stats().calls).toBe(1)
    expect(app.sink.batches).toEqual([])
    for (let i = 0; i < 4; i++) app.meter.trackManually(cohere)
    await expect.poll(() => app.sink.batches.map(({ events }) => events.length)).toEqual([2, 2])
    await app.meter.flush()
    expect(app.sink.batches.map(({ events }) => events.length)).toEqual([2, 2, 1])
  })

  test('flushIntervalMs sends what has waited so long', async () => {
    await using app = await metered({ flushIntervalMs: 20 })
    app.meter.trackManually(cohere)
    await expect.poll(() => app.sink.events.length).toBe(1)
  })
})

describe('url', () => {
  test('sends there, under the key, compressed', async () => {
    await using backend = await ingest()
    await using app = await metered({ url: backend.url, apiKey: API_KEY })
    await app.meter.forTenant('acme', () => app.chat())
    await app.meter.flush()
    const [sent] = backend.received.filter(({ path }) => path === '/v1/ingest')
    expect(Object.fromEntries(sent!.headers)).toMatchObject({
      authorization: `Bearer ${API_KEY}`,
      'content-encoding': 'gzip',
    })
    expect(await backend.ledger.events()).toMatchObject([{ tenantId: 'acme', model: 'gpt-4o' }])
  })

  test('and gzip: false sends plain', async () => {
    await using backend = await ingest()
    await using app = await metered({ url: backend.url, apiKey: API_KEY, gzip: false })
    app.meter.trackManually(cohere)
    await app.meter.flush()
    const [sent] = backend.received.filter(({ path }) => path === '/v1/ingest')
    expect(sent!.headers.get('content-encoding')).toBeNull()
    expect(JSON.parse(sent!.bytes.toString())).toMatchObject({ events: [{ model: 'command-r-plus' }] })
  })

  test('leaves no ledger behind', async () => {
    await using backend = await ingest()
    using folder = temporaryFolder()
    vi.stubEnv('TALLYGATE_DIR', join(folder.path, 'ledger'))
    await using app = await metered({ url: backend.url, apiKey: API_KEY })
    app.meter.trackManually(cohere)
    await app.meter.flush()
    expect(existsSync(join(folder.path, 'ledger', 'ledger.db'))).toBe(false)
  })
})

describe('sinks', () => {
  test('every one of them gets every event', async () => {
    using folder = temporaryFolder()
    const ledger = sqliteLedger({ path: join(folder.path, 'mine.db') })
    const memory = memorySink()
    await using app = await metered({ sinks: [memory, ledger] })
    await app.meter.forTenant('acme', () => app.chat())
    await app.meter.flush()
    expect(memory.events).toHaveLength(1)
    expect(await ledger.events()).toEqual(memory.events)
  })

  test('a ledger among them keeps limits and what was spent of them', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'mine.db')
    {
      await using app = await metered({ sinks: [memorySink(), sqliteLedger({ path })] })
      app.emulator.reply(thousand)
      await app.meter.setLimit('acme', { usd: 5 })
      await app.meter.forTenant('acme', () => app.chat())
    }
    await using app = await metered({ sinks: [sqliteLedger({ path })] })
    expect(await app.meter.limits('acme')).toMatchObject([{ limitUsd: '5', spentUsd: '0.0125' }])
  })
})

test('limitStore is asked in place of our own', async () => {
  const asked: string[] = []
  const store = {
    setLimit: () => void asked.push('setLimit'),
    removeLimit: () => void asked.push('removeLimit'),
    changes: () => {
      asked.push('changes')
      return { revision: 0, rules: [], removed: [] }
    },
    accounts: () => [],
    lease: () => [],
    close: () => void asked.push('close'),
  }
  {
    await using app = await metered({ limitStore: store })
    await app.meter.setLimit('acme', { usd: 1 })
    await app.meter.forTenant('acme', () => app.chat())
    await app.meter.removeLimit('acme')
  }
  expect(new Set(asked)).toEqual(new Set(['setLimit', 'changes', 'removeLimit', 'close']))
})

test('dir is where the ledger is', async () => {
  using folder = temporaryFolder()
  await using app = await metered({ dir: join(folder.path, 'a/b') })
  app.meter.trackManually(cohere)
  await app.meter.flush()
  expect(readdirSync(join(folder.path, 'a/b'))).toContain('ledger.db')
})

test.each([
  ['fails', () => Promise.reject(new Error('gone'))],
  ['never ends', () => new Promise<void>(() => undefined)],
] as const)(
  'a limit store whose close() %s is told of, and the events are delivered all the same',
  async (_, close) => {
    const { memoryLimitStore } = await import('tallygate/limits')
    const app = await metered({ limitStore: { ...memoryLimitStore(), close } })
    app.meter.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1 })
    await app.meter.close()
    expect(app.sink.events).toHaveLength(1)
    expect(app.problems).toMatchObject([{ kind: 'limit', message: 'The limit store failed to close.' }])
    await app.emulator.close()
  },
)

test('patches selects what patchAll() patches', async () => {
  await using app = await metered({ patches: ['anthropic'] })
  const { anthropic, openai } = app
  await app.meter.forTenant('acme', async () => {
    await openai.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] })
    await anthropic.messages.create({
      model: 'claude-sonnet-4-6',
      max_tokens: 10,
      messages: [{ role: 'user', content: 'Hi' }],
    })
  })
  expect((await app.events()).map(({ provider }) => provider)).toEqual(['anthropic'])
  expect(app.meter.patchAll().sdks.map(({ sdk }) => sdk)).toEqual(['anthropic'])
})

test('hosts says which provider answers on a host', async () => {
  await using app = await metered()
  const host = new URL(app.emulator.openai.baseURL).host
  await using other = await metered({ hosts: { [host]: 'azure' } })
  // The first meter sees the calls while it is there.
  await app.meter.close()
  await other.meter.forTenant('acme', () => app.chat())
  expect(await other.events()).toMatchObject([{ provider: 'azure', host, endpoint: 'chat.completions' }])
})

test('appName and environment stand on every event', async () => {
  await using app = await metered({ appName: 'shop', environment: 'staging', sampleRate: 0 })
  await app.meter.forTenant('acme', () => app.chat())
  app.meter.trackManually(cohere)
  app.emulator.reply({ status: 400 })
  await app.chat().catch(() => {})
  const events = await app.events()
  expect(events).toHaveLength(3)
  for (const event of events) expect(event).toMatchObject({ appName: 'shop', environment: 'staging' })
})

describe('sampleRate', () => {
  test('leaves out events and keeps every total', async () => {
    const seen: LLMEvent[] = []
    await using app = await metered({ sampleRate: 0.3, onEvent: (event) => seen.push(event) })
    app.emulator.reply(thousand)
    await app.meter.setLimit('acme', { usd: 0.24 })
    for (let call = 0; call < 20; call++) await app.meter.forTenant('acme', () => app.chat())
    // Limits know of every call.
    await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({ spentUsd: '0.25' })
    const events = await app.events()
    const { calls, sampledOut, delivery } = app.meter.stats()
    expect(calls).toBe(20)
    expect(seen).toHaveLength(20)
    expect(events.reduce((sum, event) => sum + (event.calls ?? 1), 0)).toBe(20)
    expect(events.reduce((sum, event) => sum + (event.inputTokens ?? 0), 0)).toBe(20_000)
    expect(events.reduce((sum, { costUsd }) => sum + Math.round(Number(costUsd) * 1e4), 0)).toBe(2500)
    expect(events.filter((event) => event.calls === undefined)).toHaveLength(20 - sampledOut)
    expect(delivery.delivered).toBe(events.length)
  })

  test.each([
    [0, 1, 12],
    [1, 12, undefined],
  ])('%d: %d events, standing for %o', async (sampleRate, count, calls) => {
    await using app = await metered({ sampleRate })
    for (let call = 0; call < 12; call++) app.meter.trackManually({ ...cohere, inputTokens: 7, costUsd: '0.000001' })
    const events = await app.events()
    expect(events).toHaveLength(count)
    expect(events[0]!.calls).toBe(calls)
    expect(app.meter.stats().sampledOut).toBe(calls ?? 0)
  })

  test('a roll-up is delivered when the meter is closed, and by age', async () => {
    const app = await metered({ sampleRate: 0, flushIntervalMs: 10 })
    app.meter.trackManually(cohere)
    await expect.poll(() => app.sink.events.length).toBe(1)
    app.meter.trackManually(cohere)
    await app[Symbol.asyncDispose]()
    expect(app.sink.events).toMatchObject([{ calls: 1 }, { calls: 1 }])
  })
})

describe('onMissingTenant', () => {
  test('warn, the default, records the call and tells of it once', async () => {
    await using app = await metered()
    await app.chat()
    await app.chat()
    expect((await app.events()).map((event) => 'tenantId' in event)).toEqual([false, false])
    expect(app.problems).toMatchObject([{ kind: 'tenant', message: expect.stringContaining('meter.forTenant') }])
  })

  test('record says nothing', async () => {
    await using app = await metered({ onMissingTenant: 'record' })
    await app.chat()
    expect(await app.events()).toHaveLength(1)
    expect(app.problems).toEqual([])
  })

  test('throw refuses it before anything is sent, as the SDK’s own error', async () => {
    await using app = await metered({ onMissingTenant: 'throw' })
    const error = await app.chat().catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(MissingTenantError)
    expect(error).toBeInstanceOf(OpenAI.APIError)
    expect(error).toMatchObject({ code: 'MISSING_TENANT', status: 402, name: 'MissingTenantError' })
    const other = await app.anthropic.messages
      .create({ model: 'claude-sonnet-4-6', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] })
      .catch((caught: unknown) => caught)
    expect(other).toBeInstanceOf(Anthropic.APIError)
    expect(app.emulator.requests).toEqual([])
    expect(app.meter.stats()).toMatchObject({ refused: 2, calls: 0, openCalls: 0 })
    await app.meter.forTenant('acme', () => app.chat())
  })
})

describe('raiseOnError', () => {
  test('throws what would be swallowed', async () => {
    await using app = await metered({ raiseOnError: true })
    expect(() => app.meter.forTenant('', () => {})).toThrow('Expected `tenantId` to be a non-empty string')
    expect(() => app.meter.trackManually({ ...cohere, inputTokens: -1 })).toThrow('Expected `inputTokens`')
    await expect(app.chat()).rejects.toThrow('A call was made for no tenant')
    expect(app.problems).toEqual([])
  })
})

describe('the environment', () => {
  test('is read when the meter is made', async () => {
    using folder = temporaryFolder()
    vi.stubEnv('TALLYGATE_DIR', join(folder.path, 'from-env'))
    vi.stubEnv('TALLYGATE_APP_NAME', 'from-env')
    const seen: LLMEvent[] = []
    await using meter = new Meter({ onEvent: (event) => seen.push(event) })
    meter.trackManually(cohere)
    await meter.flush()
    expect(seen).toMatchObject([{ appName: 'from-env' }])
    expect(existsSync(join(folder.path, 'from-env/ledger.db'))).toBe(true)
  })
})

describe('constructing', () => {
  test('starts nothing: no file, no timer, no listener', async () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'tallygate-')), 'never')
    const listeners = () => process.listenerCount('exit') + process.listenerCount('beforeExit')
    const before = listeners()
    const meter = new Meter({ dir })
    meter.patchAll()
    expect(listeners()).toBe(before)
    expect(existsSync(dir)).toBe(false)
    await meter.close()
    expect(existsSync(dir)).toBe(false)
  })
})

describe('closing', () => {
  test('unpatches, sends what there is, and leaves pass-throughs', async () => {
    const app = await metered({ flushIntervalMs: 60_000 })
    const { create } = app.openai.chat.completions
    await app.meter.forTenant('acme', () => app.chat())
    const closed = app.meter.close()
    expect(app.meter.close()).toBe(closed)
    await closed
    expect(app.sink.events).toHaveLength(1)
    // A call made afterwards is the SDK's own business.
    await app.meter.forTenant('acme', () => app.chat())
    expect(app.openai.chat.completions.create).toBe(create)
    expect(app.sink.events).toHaveLength(1)
    expect(app.meter.stats()).toMatchObject({ calls: 1, openCalls: 0 })
    await app.emulator.close()
  })

  test('a limit refuses nobody afterwards', async () => {
    const app = await metered()
    await app.meter.setLimit('acme', { usd: 0 })
    await app.meter.close()
    await app.meter.forTenant('acme', () => app.chat())
    await app.emulator.close()
  })

  test('records a stream that is still being read', async () => {
    const app = await metered()
    app.emulator.reply({ text: 'one two three four', msBetweenEvents: 1, stallAfterEvents: 3 })
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    const stream = await app.meter.forTenant('acme', () =>
      app.openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true }),
    )
    const iterator = stream[Symbol.asyncIterator]()
    await iterator.next()
    await app.meter.close()
    expect(app.sink.events).toMatchObject([{ tenantId: 'acme', usageSource: 'estimated' }])
    stream.controller.abort()
    await app.emulator.close()
  })

  test('what is tracked afterwards is told of and counted as dropped', async () => {
    const app = await metered()
    app.meter.trackManually(cohere)
    await app.meter.close()
    app.meter.trackManually(cohere)
    await app.meter.flush()
    expect(app.meter.stats().delivery).toMatchObject({ delivered: 1, dropped: 1 })
    expect(app.problems.at(-1)).toMatchObject({ message: 'An event was recorded after close() and is not delivered' })
    await app.emulator.close()
  })

  test('await using does it too', async () => {
    const sink = memorySink()
    {
      await using meter = new Meter({ sinks: [sink] })
      meter.patchAll()
      meter.trackManually(cohere)
    }
    expect(sink.events).toHaveLength(1)
  })
})
