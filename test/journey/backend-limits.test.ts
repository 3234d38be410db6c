// With `url`, limits are the backend's: asked for and cached, with what this process holds and has not delivered on top.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memorySink } from 'tallygate/sinks'
import { expect, test } from 'vitest'
import { API_KEY, ingest } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'

const thousand = { inputTokens: 1000, outputTokens: 1000, times: Number.POSITIVE_INFINITY }

/** A backend that takes events and never counts them: its answer about a limit is always the same. */
async function stubborn(limits: object[]) {
  const lines: string[] = []
  const table = { limits, isDown: false, status: 200 }
  const server = createServer((request, response) => {
    lines.push(`${request.method} ${request.url}`)
    if (table.isDown) return void response.destroy()
    request.resume()
    response.writeHead(table.status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(request.url === '/v1/ingest' ? {} : { tenant_id: 'acme', limits: table.limits }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(table, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/ingest`,
    asked: () => lines.filter((line) => line.includes('/limits/')),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  })
}

const month = (limit: string, spent: string) => ({ window: 'month', limit_usd: limit, spent_usd: spent })

test('a backend that never updates its spend still stops the tenant', async () => {
  await using backend = await stubborn([month('10', '9.98')])
  await using app = await metered({ url: backend.url, maxBatchSize: 1, limitCheckCacheTtlMs: 60_000 })
  app.emulator.reply(thousand)
  await app.meter.forTenant('acme', () => app.chat())
  await app.meter.flush()
  await app.meter.forTenant('acme', () => app.chat())
  await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({
    limitUsd: '10',
    spentUsd: '10.005',
  })
  expect(app.emulator.requests).toHaveLength(2)
  expect(backend.asked()).toEqual(['GET /v1/limits/acme'])
})

test('a limit is set, met and raised on the product’s own server, and asked for once while it is fresh', async () => {
  await using backend = await ingest()
  await using app = await metered({ url: backend.url, apiKey: API_KEY, limitCheckCacheTtlMs: 60_000 })
  const { meter } = app
  const asked = () => backend.received.filter(({ path }) => path === '/v1/limits/acme').map(({ method }) => method)
  app.emulator.reply(thousand)
  await meter.setLimit('acme', { usd: 0.025, mode: 'hard' })
  expect(await backend.ledger.limits()).toEqual([
    { tenantId: 'acme', window: 'month', limit: 25_000_000_000n, mode: 'hard' },
  ])
  await meter.forTenant('acme', () => app.chat())
  await meter.flush()
  await expect(meter.forTenant('acme', () => app.chat())).resolves.toBeDefined()
  await expect(meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({ spentUsd: '0.025' })
  expect(asked()).toEqual(['PUT', 'GET'])
  // The cached answer is dropped: the raised limit holds from the next call on.
  const raised = meter.setLimit('acme', { usd: 0.05 })
  await meter.forTenant('acme', () => app.chat())
  await raised
  expect(asked()).toEqual(['PUT', 'GET', 'PUT', 'GET'])
  await meter.flush()
  expect(await meter.limits('acme')).toMatchObject([{ limitUsd: '0.05', spentUsd: '0.0375' }])
  await meter.removeLimit('acme')
  expect(asked().at(-1)).toBe('DELETE')
  expect(await backend.ledger.limits()).toEqual([])
  expect(await meter.limits('acme')).toEqual([])
})

test('two processes see each other’s spend when the answer is asked for again', async () => {
  await using backend = await ingest()
  await using app = await metered({ url: backend.url, apiKey: API_KEY, limitCheckCacheTtlMs: 0 })
  app.emulator.reply(thousand)
  await app.meter.setLimit('acme', { usd: 1 })
  await app.meter.forTenant('acme', () => app.chat())
  // Another process spends the rest.
  await backend.ledger.send(
    {
      id: 'batch',
      events: [
        {
          eventId: 'theirs',
          timestamp: new Date().toISOString(),
          tenantId: 'acme',
          provider: 'openai',
          model: 'gpt-4o',
          endpoint: 'responses',
          usageSource: 'reported',
          costUsd: '1',
        },
      ],
    },
    new AbortController().signal,
  )
  await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({ spentUsd: '1.0125' })
})

test('a hundred calls at once do not pass what the backend has left', async () => {
  await using backend = await stubborn([{ ...month('10', '9.9'), mode: 'hard' }])
  await using app = await metered({ url: backend.url })
  app.emulator.reply({ ...thousand, inputTokens: 10, outputTokens: 900, delayMs: 20 })
  const calls = Array.from({ length: 100 }, () => app.meter.forTenant('acme', () => app.chat()))
  const results = await Promise.allSettled(calls)
  const refused = results.filter(({ status }) => status === 'rejected').length
  expect(refused).toBeGreaterThan(80)
  expect(Number(app.emulator.bill().usd)).toBeLessThanOrEqual(0.1)
  expect(backend.asked()).toHaveLength(1)
})

test('what never arrives still counts here', async () => {
  await using backend = await stubborn([month('10', '9.98')])
  await using app = await metered({ url: backend.url, maxQueueSize: 1, limitCheckCacheTtlMs: 60_000 })
  app.emulator.reply(thousand)
  await app.meter.forTenant('acme', () => app.chat())
  backend.isDown = true
  await app.meter.forTenant('acme', () => app.chat())
  await app.meter.flush()
  expect(app.meter.stats().delivery).toMatchObject({ delivered: 0 })
  await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({ spentUsd: '10.005' })
  backend.isDown = false
})

test('a dead backend lets calls go on, and is told of once', async () => {
  await using backend = await stubborn([month('10', '0')])
  backend.isDown = true
  await using app = await metered({ url: backend.url, limitCheckCacheTtlMs: 0, flushIntervalMs: 60_000 })
  for (let call = 0; call < 3; call++) await app.meter.forTenant('acme', () => app.chat())
  const told = app.problems.filter(({ kind }) => kind === 'limit')
  expect(told).toMatchObject([
    { message: 'The limits endpoint did not answer; calls go on with what it said last.', cause: expect.any(Error) },
  ])
  await app.meter.setLimit('acme', { usd: 1 })
  expect(app.problems.at(-1)).toMatchObject({ message: 'A limit of tenant "acme" could not be stored.' })
  expect(app.emulator.requests).toHaveLength(3)
  backend.isDown = false
})

test.each([
  [500, 'status 500'],
  [401, 'status 401: the API key was refused'],
  [403, 'status 403: the API key was refused'],
])('a backend that answers %i is not said to be silent', async (status, said) => {
  await using backend = await stubborn([month('10', '0')])
  backend.status = status
  await using app = await metered({ url: backend.url, flushIntervalMs: 60_000, sinks: [memorySink()] })
  await app.meter.forTenant('acme', () => app.chat())
  await app.meter.setLimit('acme', { usd: 1 })
  expect(app.problems.map(({ message }) => message)).toEqual([
    `The limits endpoint answered GET with ${said}; calls go on with what it said last.`,
    `A limit of tenant "acme" could not be stored: The limits endpoint answered PUT with ${said}.`,
  ])
})

test('limits are asked for where `limitsUrl` says', async () => {
  await using events = await stubborn([month('10', '10')])
  await using limits = await stubborn([month('10', '0')])
  await using app = await metered({ url: events.url, limitsUrl: limits.url.replace('/v1/ingest', '/') })
  await app.meter.forTenant('acme', () => app.chat())
  expect([events.asked(), limits.asked()]).toEqual([[], ['GET /v1/limits/acme']])
})

test('a limit per window is what the backend says, also one that was set elsewhere', async () => {
  await using backend = await stubborn([{ window: 'day', limit_usd: 1, spent_usd: 2.5 }])
  await using app = await metered({ url: backend.url })
  await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({
    window: 'day',
    limitUsd: '1',
    spentUsd: '2.5',
  })
})
