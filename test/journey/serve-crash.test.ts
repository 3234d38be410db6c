// "npx tallygate serve" is killed while meters send to it, and starts again: nothing acknowledged is lost, nothing counts twice.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Meter } from 'tallygate'
import { type EventLedger, postgresLedger, sqliteLedger } from 'tallygate/sinks'
import { expect, onTestFinished, test, vi } from 'vitest'
import { start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'
import { startPostgres } from '../support/postgres.ts'

const KEY = 'a-key-of-the-test'

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** A server at one address, however often it is killed and started. */
async function server(cwd: string, args: readonly string[] = []) {
  const port = await freePort()
  const begin = async () => {
    const running = start(cwd, ['serve', '--port', String(port), ...args], { TALLYGATE_API_KEY: KEY })
    onTestFinished(() => void running.process.kill('SIGKILL'))
    await running.until(/Listening on/)
    return running
  }
  let running = await begin()
  return {
    url: `http://127.0.0.1:${port}/v1/ingest`,
    async kill(signal: NodeJS.Signals) {
      running.process.kill(signal)
      return running.finished
    },
    async restart() {
      running = await begin()
    },
  }
}

/** More would only be work for the machine. */
const MOST_QUEUED = 100

/** A meter that goes on recording, into a spool of its own, whether anybody takes it or not. */
function load(url: string, dir: string) {
  const meter = new Meter({ url, apiKey: KEY, dir, maxBatchSize: 10, flushIntervalMs: 5, onProblem: () => {} })
  const queued = () => meter.stats().delivery.queued
  onTestFinished(() => meter.close())
  let made = 0
  let isStopped = false
  const working = (async () => {
    while (!isStopped) {
      // Not held up by the wait between two tries either.
      if (queued() > MOST_QUEUED) await meter.flush()
      meter.trackManually({
        provider: 'openai',
        model: 'gpt-4o',
        inputTokens: 1000,
        tenantId: 'acme',
        requestId: `m-${++made}`,
      })
      await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  return {
    delivered: () => meter.stats().delivery.delivered,
    made: () => made,
    async finish() {
      isStopped = true
      await working
      await vi.waitUntil(async () => {
        await meter.flush()
        return queued() === 0
      }, PATIENT)
      return made
    },
  }
}

/** A plain client, which sends every event once, and notes what the server has acknowledged. */
function plain(url: string, name: string) {
  const acknowledged: string[] = []
  let sent = 0
  let isStopped = false
  const working = (async () => {
    while (!isStopped) {
      const ids = Array.from({ length: 5 }, () => `${name}-${++sent}`)
      const events = ids.map((event_id) => ({
        event_id,
        timestamp: '2026-11-22T09:00:00Z',
        provider: 'openai',
        model: 'plain',
        endpoint: 'chat.completions',
        usage_source: 'reported',
      }))
      const answer = await fetch(url, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}` },
        body: JSON.stringify({ schema_version: 1, batch_id: name, events }),
      }).then(
        async (response) => (response.ok ? ((await response.json()) as { accepted: number }) : undefined),
        () => undefined,
      )
      if (answer?.accepted === ids.length) acknowledged.push(...ids)
      else await new Promise((resolve) => setImmediate(resolve))
    }
  })()
  return {
    acknowledged,
    async stop() {
      isStopped = true
      await working
    },
  }
}

async function recorded(ledger: EventLedger) {
  const events = await ledger.events({ limit: 1_000_000 })
  await ledger.close()
  return {
    ids: new Set(events.map(({ eventId }) => eventId)),
    byMeters: events.filter(({ model }) => model !== 'plain'),
  }
}

test.each(['SIGTERM', 'SIGKILL'] as const)('%s under load, again and again: SQLite', async (signal) => {
  const cwd = folder()
  const one = await server(cwd)
  const client = load(one.url, join(cwd, 'client'))
  const plains = ['a', 'b', 'c'].map((name) => plain(one.url, name))
  for (let round = 1; round <= 2; round++) {
    const [delivered, acknowledged] = [client.delivered(), plains[0]!.acknowledged.length]
    await vi.waitUntil(
      () => client.delivered() > delivered + 50 && plains[0]!.acknowledged.length > acknowledged + 20,
      PATIENT,
    )
    const { exitCode, stderr } = await one.kill(signal)
    if (signal === 'SIGTERM') expect([exitCode, stderr]).toEqual([0, ''])
    const made = client.made()
    await vi.waitUntil(() => client.made() > made + 20, PATIENT)
    await one.restart()
  }
  const made = await client.finish()
  for (const each of plains) await each.stop()
  const { ids, byMeters } = await recorded(sqliteLedger({ path: join(cwd, '.tallygate/ledger.db'), readOnly: true }))
  expect(plains.flatMap(({ acknowledged }) => acknowledged).filter((id) => !ids.has(id))).toEqual([])
  expect([byMeters.length, new Set(byMeters.map(({ requestId }) => requestId)).size]).toEqual([made, made])
})

test('two servers on one PostgreSQL count an event once, whichever it reaches, and survive each other', async () => {
  await using database = await startPostgres()
  const cwd = folder()
  const args = ['--database-url', database.url]
  const servers = await Promise.all([server(cwd, args), server(cwd, args)])
  const body = JSON.stringify({
    schema_version: 1,
    batch_id: 'b',
    events: Array.from({ length: 200 }, (_, at) => ({
      event_id: `twice-${at}`,
      timestamp: '2026-11-22T09:00:00Z',
      provider: 'openai',
      model: 'plain',
      endpoint: 'chat.completions',
      usage_source: 'reported',
    })),
  })
  const answers = await Promise.all(
    [0, 1, 0, 1].map(async (at) => {
      const response = await fetch(servers[at]!.url, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}` },
        body,
      })
      return (await response.json()) as { accepted: number; duplicates: number; rejected: unknown[] }
    }),
  )
  expect(answers.reduce((sum, { accepted }) => sum + accepted, 0)).toBe(200)
  expect(answers.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBe(600)

  const clients = servers.map(({ url }, at) => load(url, join(cwd, `client-${at}`)))
  const plains = servers.map(({ url }, at) => plain(url, `p${at}`))
  for (const [at, signal] of (['SIGKILL', 'SIGTERM'] as const).entries()) {
    await vi.waitUntil(() => clients.every((client) => client.delivered() > 50 * (at + 1)), PATIENT)
    await servers[at]!.kill(signal)
    const other = clients[1 - at]!.delivered()
    await vi.waitUntil(() => clients[1 - at]!.delivered() > other + 20, PATIENT)
    await servers[at]!.restart()
  }
  // And the database itself, as if its machine had failed: nothing is acknowledged that it does not have.
  await database.kill()
  const ready = servers[0]!.url.replace('/v1/ingest', '/readyz')
  await vi.waitUntil(async () => (await fetch(ready)).status === 503, PATIENT)
  expect((await fetch(ready.replace('readyz', 'healthz'))).status).toBe(200)
  await database.restart()
  await vi.waitUntil(async () => (await fetch(ready)).status === 200, PATIENT)
  const made = await Promise.all(clients.map((client) => client.finish()))
  for (const each of plains) await each.stop()
  const { ids, byMeters } = await recorded(postgresLedger({ databaseUrl: database.url, readOnly: true }))
  expect(plains.flatMap(({ acknowledged }) => acknowledged).filter((id) => !ids.has(id))).toEqual([])
  expect(byMeters).toHaveLength(made[0]! + made[1]!)
  for (const { kill } of servers) expect((await kill('SIGTERM')).exitCode).toBe(0)
})

test('memory stays bounded, however much comes at once', async () => {
  const { gzipSync } = await import('node:zlib')
  const cwd = folder()
  const one = await server(cwd)
  const event = (at: number) => ({
    event_id: `large-${at}`,
    timestamp: '2026-11-22T09:00:00Z',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usage_source: 'reported',
    user_id: 'x'.repeat(600),
  })
  const events = Array.from({ length: 10_000 }, (_, at) => event(at))
  const body = gzipSync(JSON.stringify({ schema_version: 1, batch_id: 'b', events }))
  const headers = { authorization: `Bearer ${KEY}` }
  let most = 0
  const look = async () => {
    const page = await (await fetch(one.url.replace('/v1/ingest', '/metrics'), { headers })).text()
    most = Math.max(most, Number(/^process_resident_memory_bytes (\d+)$/m.exec(page)?.[1]))
  }
  const posts = Array.from({ length: 16 }, () =>
    fetch(one.url, { method: 'POST', headers: { ...headers, 'content-encoding': 'gzip' }, body }),
  )
  let isOver = false
  const all = Promise.all(posts).finally(() => (isOver = true))
  while (!isOver) await look()
  const statuses = (await all).map(({ status }) => status)
  expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([])
  expect(statuses).toContain(200)
  // All at once would be some gigabytes.
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThan(700 * 1024 * 1024)
})
