// Who made a call pays for it: in a function, in a request, in whatever these start.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import express, { type ErrorRequestHandler } from 'express'
import { LimitExceededError } from 'tallygate'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'

const root = join(import.meta.dirname, '../..')

async function serving(server: Server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    get: async (tenant?: string) => {
      const headers: Record<string, string> = tenant === undefined ? {} : { 'x-tenant': tenant }
      const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { headers })
      return { status: response.status, text: await response.text() }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('forTenant', () => {
  test('bills every call that is made in it, with its labels', async () => {
    await using app = await metered()
    const labels = {
      userId: 'u1',
      sessionId: 's1',
      feature: 'search',
      team: 'ml',
      project: 'p1',
      costCenter: 'cc-7',
      operationId: 'run-1',
      tags: { plan: 'pro', seats: 3, trial: false },
    }
    const answer = await app.meter.forTenant('acme', labels, async () => {
      await app.chat()
      await Promise.resolve()
      return app.anthropic.messages.create({
        model: 'claude-sonnet-4-6',
        max_tokens: 10,
        messages: [{ role: 'user', content: 'Hi' }],
      })
    })
    expect(answer.role).toBe('assistant')
    const events = await app.events()
    expect(events).toHaveLength(2)
    for (const event of events) expect(event).toMatchObject({ tenantId: 'acme', ...labels })
  })

  test('the labels are columns and dimensions of the ledger', async () => {
    using folder = temporaryFolder()
    {
      await using app = await metered({ dir: folder.path })
      await app.meter.forTenant('acme', { feature: 'search', costCenter: 'cc-7' }, () => app.chat())
    }
    const { sqliteLedger } = await import('tallygate/sinks')
    const ledger = sqliteLedger({ path: join(folder.path, 'ledger.db') })
    const [row] = await ledger.totals({ by: ['tenant', 'feature', 'cost_center', 'user'] })
    expect(row).toMatchObject({ key: ['acme', 'search', 'cc-7', null], calls: 1 })
    await ledger.close()
  })

  test('nests, and what the inner one does not say is kept from the outer one', async () => {
    await using app = await metered()
    await app.meter.forTenant('acme', { feature: 'search', tags: { a: 1, b: 1 } }, async () => {
      await app.meter.forTenant('globex', { team: 'ml', tags: { b: 2 } }, () => app.chat())
      await app.chat()
    })
    expect(await app.events()).toMatchObject([
      { tenantId: 'globex', feature: 'search', team: 'ml', tags: { a: 1, b: 2 } },
      { tenantId: 'acme', feature: 'search', tags: { a: 1, b: 1 } },
    ])
  })

  test('is of the moment when a call is made, not of the one when it is awaited or read', async () => {
    await using app = await metered()
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    const promise = app.meter.forTenant('acme', () => app.chat())
    const stream = await app.meter.forTenant('acme', () =>
      app.openai.chat.completions.create({ model: 'gpt-4o', messages, stream: true }),
    )
    await app.meter.forTenant('globex', async () => {
      await promise
      for await (const _ of stream);
    })
    expect((await app.events()).map(({ tenantId }) => tenantId)).toEqual(['acme', 'acme'])
  })

  test('an id that cannot be one is told of, and the calls are made and recorded for nobody', async () => {
    await using app = await metered({ onMissingTenant: 'record' })
    await app.meter.forTenant('x'.repeat(10_000), () => app.chat())
    await app.meter.forTenant('acme', () => app.meter.forTenant('', () => app.chat()))
    expect((await app.events()).map((event) => 'tenantId' in event)).toEqual([false, false])
    expect(app.problems.map(({ message }) => message)).toEqual([
      'Expected `tenantId` to be at most 256 characters, got a string of 10000 characters.',
      'Expected `tenantId` to be a non-empty string, got "".',
    ])
  })
})

describe('attribute and attributed', () => {
  test('label what runs in them, and leave the tenant as it is', async () => {
    await using app = await metered({ onMissingTenant: 'record' })
    const rank = app.meter.attributed({ feature: 'rank' }, async (model: string) => app.chat(model))
    await app.meter.forTenant('acme', { team: 'ml' }, async () => {
      await app.meter.attribute({ feature: 'search', userId: 'u1' }, () => rank('gpt-4o-mini'))
      await app.chat()
    })
    await rank('gpt-4o')
    const [inner, outer, nobody] = await app.events()
    expect(inner).toMatchObject({ tenantId: 'acme', feature: 'rank', userId: 'u1', team: 'ml', model: 'gpt-4o-mini' })
    expect(outer).toMatchObject({ tenantId: 'acme', team: 'ml' })
    expect(outer).not.toHaveProperty('feature')
    expect(nobody).toMatchObject({ feature: 'rank' })
    expect(nobody).not.toHaveProperty('tenantId')
  })
})

describe('setTenant', () => {
  test('holds for the rest of a request, and for no other', async () => {
    await using app = await metered({ onMissingTenant: 'record' })
    const authenticate = async (header: string | string[] | undefined) => {
      await new Promise((resolve) => setImmediate(resolve))
      if (typeof header === 'string') app.meter.setTenant(header)
    }
    await using server = await serving(
      createServer(async (request, response) => {
        await authenticate(request.headers['x-tenant'])
        await app.chat()
        response.end()
      }),
    )
    for (const tenant of ['acme', undefined, 'globex', undefined]) await server.get(tenant)
    expect((await app.events()).map(({ tenantId }) => tenantId)).toEqual(['acme', undefined, 'globex', undefined])
  })

  test('in express, a refusal is an answer of 402', async () => {
    await using app = await metered()
    const shop = express()
    shop.use((request, _response, next) => {
      app.meter.setTenant(request.get('x-tenant') ?? '')
      next()
    })
    shop.get('/', async (_request, response) => {
      const { choices } = await app.chat()
      response.send(choices[0]!.message.content)
    })
    const onError: ErrorRequestHandler = (error, _request, response, next) => {
      if (!(error instanceof LimitExceededError)) return next(error)
      response.status(error.status).json({ tenant: error.tenantId, limit: error.limitUsd, resetsAt: error.resetsAt })
    }
    shop.use(onError)
    await using server = await serving(createServer(shop))
    await app.meter.setLimit('acme', { usd: 0, per: 'total' })
    expect(await server.get('acme')).toEqual({ status: 402, text: '{"tenant":"acme","limit":"0"}' })
    expect(await server.get('globex')).toMatchObject({ status: 200 })
  })

  test('outside of a request holds for the task and what it starts', async () => {
    await using app = await metered({ onMissingTenant: 'record' })
    const job = async (tenant: string) => {
      await Promise.resolve()
      app.meter.setTenant(tenant)
      await app.chat()
    }
    await Promise.all([job('acme'), job('globex')])
    await app.chat()
    expect((await app.events()).map(({ tenantId }) => tenantId ?? '').sort()).toEqual(['', 'acme', 'globex'])
  })
})

test('a hundred tenants at once, over everything that carries or loses a context', async () => {
  // Node's own test runner marks its children, and would print for a parent.
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
  const script = join(root, 'test/tenants/interleaved.test.mjs')
  const child = spawn(process.execPath, ['--test', '--test-reporter=spec', script], { cwd: root, env })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const [status] = await once(child, 'close')
  expect(status, output).toBe(0)
})
