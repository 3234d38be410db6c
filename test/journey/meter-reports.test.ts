// An application's meter says how it is, and the ledger answers: whom limits refused, and whether everything arrives.

import { spawn } from 'node:child_process'
import { LimitExceededError } from 'tallygate'
import { openLedger } from 'tallygate/ledger'
import { expect, test } from 'vitest'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'

const REPO = new URL('../../', import.meta.url).pathname

test.each(['a ledger of its own', 'a server'])(
  'whom a limit has refused is in the ledger when the meter is closed, through %s',
  async (place) => {
    using folder = temporaryFolder()
    await using server = await ingest()
    const isServed = place === 'a server'
    const to = isServed ? { url: server.url, apiKey: API_KEY } : {}
    const app = await metered({ dir: folder.path, appName: 'shop', environment: 'test', ...to })
    try {
      await app.meter.forTenant('free', () => app.chat())
      await app.meter.setLimit('acme', { usd: 0, per: 'day' })
      for (let i = 0; i < 3; i++)
        await expect(app.meter.forTenant('acme', () => app.chat())).rejects.toBeInstanceOf(LimitExceededError)
    } finally {
      await app[Symbol.asyncDispose]()
    }
    await using ledger = openLedger({ dir: isServed ? server.folder : folder.path })
    const refusals = await ledger.refusals({ where: { tenant: 'acme' }, every: 'day' })
    expect(refusals).toMatchObject([{ scope: 'tenant=acme', window: 'day', code: 'LIMIT_EXCEEDED', calls: 3 }])
    expect(await ledger.meters()).toMatchObject([
      {
        appName: 'shop',
        environment: 'test',
        isEnded: true,
        pid: process.pid,
        calls: 1,
        refused: 3,
        waiting: 0,
        lost: 0,
        deadLetters: 0,
      },
    ])
    expect(app.problems).toEqual([])
  },
)

test('a backend of the user sees batches alone', async () => {
  await using server = await ingest()
  const plain = (request: { method: string }) =>
    request.method === 'POST' ? Response.json({ accepted: 1, duplicates: 0, rejected: [] }) : undefined
  server.misbehave(...Array.from({ length: 20 }, () => plain))
  const app = await metered({ url: server.url, apiKey: API_KEY })
  await app.meter.forTenant('acme', () => app.chat())
  await app[Symbol.asyncDispose]()
  expect(new Set(server.received.map(({ path }) => path))).not.toContain('/v1/meters')
  expect(server.received.filter(({ path }) => path === '/v1/ingest')).toHaveLength(1)
})

test('a script that ends without a word has said how it was', async () => {
  using folder = temporaryFolder()
  const program = `
    import { Meter } from 'tallygate'
    const meter = new Meter({ dir: ${JSON.stringify(folder.path)} })
    meter.trackManually({ provider: 'cohere', model: 'command-r-plus', inputTokens: 1, tenantId: 'acme' })
  `
  const code = await new Promise((resolve) => {
    spawn(process.execPath, ['--input-type=module', '--no-warnings', '-e', program], { cwd: REPO }).on('close', resolve)
  })
  expect(code).toBe(0)
  await using ledger = openLedger({ dir: folder.path })
  expect(await ledger.meters()).toMatchObject([{ calls: 1, isEnded: true, waiting: 0 }])
})
