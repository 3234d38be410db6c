// The ingest server over a real PostgreSQL: several at once, one that is read-only, one that is gone and comes back.

import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { type RunningServer, serve } from '../../src/server/serve.ts'
import { type PostgresLedger, postgresLedger } from '../../src/sinks/postgres.ts'
import { API_KEY } from '../support/ingest.ts'
import { PATIENT } from '../support/patience.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'

let database: TestPostgres
beforeAll(async () => {
  database = await startPostgres()
})
afterAll(() => database[Symbol.asyncDispose]())

const headers = { authorization: `Bearer ${API_KEY}` }
let made = 0
const wire = (over: object = {}) => ({
  event_id: `p-${++made}`,
  timestamp: '2026-11-22T09:00:00Z',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'chat.completions',
  usage_source: 'reported',
  ...over,
})

interface Stand {
  readonly server: RunningServer
  readonly ledger: PostgresLedger
  post(...events: unknown[]): Promise<{ status: number; retryAfter: string | null; body: Record<string, unknown> }>
  status(path: string): Promise<number>
}

async function stage(schema: string, databaseUrl = database.url): Promise<Stand> {
  const ledger = postgresLedger({ databaseUrl, schema })
  const apiKeys = [{ key: API_KEY, project: 'web' }]
  const server = await serve({ ledger, apiKeys, onProblem: () => {} })
  onTestFinished(async () => {
    await server.close()
    await ledger.close()
  })
  return {
    server,
    ledger,
    async post(...events) {
      const body = JSON.stringify({ schema_version: 1, batch_id: 'b', events })
      const response = await fetch(`${server.url}/v1/ingest`, { method: 'POST', headers, body })
      const retryAfter = response.headers.get('retry-after')
      return { status: response.status, retryAfter, body: (await response.json()) as Record<string, unknown> }
    },
    status: async (path) => (await fetch(server.url + path)).status,
  }
}

test('three servers that begin at once, with the same events at once, write each once and under its project', async () => {
  const schema = database.schema()
  const stands = await Promise.all([stage(schema), stage(schema), stage(schema)])
  const events = Array.from({ length: 300 }, () => wire())
  const shuffled = (at: number) => [...events.slice(at * 100), ...events.slice(0, at * 100), events[0]]
  const answers = await Promise.all(stands.map(({ post }, at) => post(...shuffled(at))))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  const sum = (name: string) => answers.reduce((total, { body }) => total + (body[name] as number), 0)
  expect([sum('accepted'), sum('duplicates')]).toEqual([300, 603])
  const rows = await database.run(`SELECT project, count(*)::int AS calls FROM ${schema}.events GROUP BY project`)
  expect(rows).toEqual([{ project: 'web', calls: 300 }])
})

test('what its columns cannot hold is refused alone or repaired, and the rest of the batch is there', async () => {
  const { post, ledger } = await stage(database.schema())
  const [good, odd] = [wire(), wire({ user_id: 'a\u0000b', tags: { note: '\ud800 \u0000' } })]
  const bad = [wire({ event_id: 'a\u0000' }), wire({ tenant_id: '\u0000' }), wire({ project: 'batch' })]
  const { status, body } = await post(bad[0], good, bad[1], odd, bad[2])
  expect([status, body['accepted'], (body['rejected'] as unknown[]).length]).toEqual([200, 2, 3])
  expect(
    (await ledger.events())
      .map(({ eventId, userId }) => [eventId, userId])
      .sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  ).toEqual([
    [good.event_id, undefined],
    [odd.event_id, 'a\ufffdb'],
  ])
})

test('one that is read-only, and a user that may not write, take nothing, and say so to whoever asks for readiness', async () => {
  const schema = database.schema()
  const first = await stage(schema)
  expect([await first.status('/readyz'), (await first.post(wire())).status]).toEqual([200, 200])
  await database.run(`CREATE ROLE reader LOGIN`)
  await database.run(`GRANT USAGE ON SCHEMA ${schema} TO reader`)
  await database.run(`GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO reader`)
  const readOnly = `${database.url}?options=-c%20default_transaction_read_only%3Don`
  for (const url of [readOnly, database.url.replace('postgres@', 'reader@')]) {
    const stand = await stage(schema, url)
    expect(await stand.status('/readyz')).toBe(503)
    expect(await stand.post(wire())).toEqual({
      status: 503,
      retryAfter: '5',
      body: { error: 'The ledger is not available.' },
    })
    expect(await stand.status('/healthz')).toBe(200)
  }
  expect(await first.ledger.events()).toHaveLength(1)
})

test('gone: 503 and nothing acknowledged; back again: everything is taken, by the same server', async () => {
  const { post, status, ledger } = await stage(database.schema())
  const events = Array.from({ length: 10 }, () => wire())
  expect((await post(events[0])).status).toBe(200)
  await database.kill()
  for (const event of events) expect((await post(event)).status).toBe(503)
  await vi.waitUntil(async () => (await status('/readyz')) === 503, PATIENT)
  expect(await status('/healthz')).toBe(200)
  await database.restart()
  await vi.waitUntil(async () => (await post(...events)).status === 200, PATIENT)
  expect(await ledger.events()).toHaveLength(10)
  expect(await status('/readyz')).toBe(200)
})
