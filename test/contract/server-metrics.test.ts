// What the server says of itself: that it lives, that it can write, and what it has done.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createIngest } from '../../src/server/ingest.ts'
import { createMetrics } from '../../src/server/metrics.ts'
import { createOutage } from '../../src/server/outage.ts'
import { createReadiness } from '../../src/server/readiness.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { readExposition } from '../support/exposition.ts'
import { API_KEY, ingest, temporaryFolder } from '../support/ingest.ts'

const headers = { authorization: `Bearer ${API_KEY}` }
const wire = (id: string, over: object = {}) => ({
  event_id: id,
  timestamp: '2026-11-22T09:00:00Z',
  tenant_id: 'a-tenant-nobody-should-see',
  provider: 'openai',
  model: 'gpt-4o',
  endpoint: 'chat.completions',
  usage_source: 'reported',
  ...over,
})

test('counts requests by route and status, events by what became of them, bytes and seconds', async () => {
  await using server = await ingest()
  const body = JSON.stringify({
    schema_version: 1,
    batch_id: 'b',
    events: [wire('a'), wire('a'), wire('b'), wire('c', { model: 5 })],
  })
  for (let times = 0; times < 2; times++) await fetch(server.url, { method: 'POST', headers, body })
  await fetch(server.url, { method: 'POST', headers, body: 'nonsense' })
  await fetch(server.url, { method: 'POST', body })
  await fetch(`${server.base}/v1/limits/a-tenant-nobody-should-see`, { headers })
  for (const path of ['/healthz', '/readyz', '/nowhere', '/nowhere-else']) await fetch(server.base + path)
  const response = await fetch(`${server.base}/metrics`, { headers })
  expect([response.status, response.headers.get('content-type')]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  const text = await response.text()
  expect(text).not.toContain('nobody')
  const families = readExposition(text)
  const samples = (name: string) =>
    Object.fromEntries(families.get(name)!.samples.map(({ labels, value }) => [Object.values(labels).join(' '), value]))
  expect(samples('tallygate_requests_total')).toEqual({
    'ingest 200': 2,
    'ingest 400': 1,
    'ingest 401': 1,
    'limits 200': 1,
    'health 200': 2,
    'other 404': 2,
  })
  expect(samples('tallygate_events_total')).toEqual({ accepted: 2, duplicate: 4, rejected: 2 })
  expect(samples('tallygate_received_bytes_total')).toEqual({ '': 2 * body.length + 'nonsense'.length })
  expect(samples('tallygate_unpacked_bytes_total')).toEqual({ '': 2 * body.length + 'nonsense'.length })
  expect(families.get('tallygate_ingest_seconds')!.samples.at(-1)!.value).toBe(4)
  for (const name of ['tallygate_ingest_in_flight', 'tallygate_ingest_waiting', 'tallygate_ingest_held_bytes'])
    expect(samples(name)).toEqual({ '': 0 })
  expect(families.get('tallygate_build_info')!.samples[0]!.labels).toEqual({
    version: 'unknown',
    node: process.version,
  })
})

test("metrics want a key, as whoever may ask for them behind a proxy is nobody's guess; health does not", async () => {
  await using server = await ingest()
  for (const [path, status] of [
    ['/metrics', 401],
    ['/healthz', 200],
    ['/readyz', 200],
  ] as const)
    expect((await fetch(server.base + path)).status).toBe(status)
  expect((await fetch(`${server.base}/metrics`, { method: 'POST', headers })).status).toBe(405)
  expect((await fetch(`${server.base}/readyz`, { method: 'PUT' })).status).toBe(405)
  const head = await fetch(`${server.base}/healthz`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test('the format holds for labels of any text, and for durations of any length', () => {
  const metrics = createMetrics('1.0 "odd" \\ \n')
  for (const seconds of [0, 0.001, 0.0011, 3, 10, 11, 1e9]) metrics.took(seconds)
  const families = readExposition(metrics.text({ requests: 1, bytes: 2, waiting: 3 }))
  expect(families.get('tallygate_build_info')!.samples[0]!.labels['version']).toBe('1.0 "odd" \\ \n')
  const values = families.get('tallygate_ingest_seconds')!.samples.map(({ value }) => value)
  expect(values).toEqual([2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 7, 0.0021 + 3 + 10 + 11 + 1e9, 7])
})

test.each([
  ['no newline at the end', 'a 1'],
  ['a sample before its type', 'a 1\n'],
  ['a value that is none', '# HELP a b\n# TYPE a gauge\na one\n'],
  ['a label that does not end', '# HELP a b\n# TYPE a gauge\na{b="c} 1\n'],
  ['a sample twice', '# HELP a b\n# TYPE a gauge\na 1\na 1\n'],
  ['another family between', '# HELP a b\n# TYPE a gauge\nb 1\n'],
  [
    'a histogram that goes down',
    '# HELP a b\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
  ],
])('the reader of the tests is strict: %s', (_, text) => {
  expect(() => readExposition(text)).toThrow()
})

test('is not ready where the ledger cannot be written, and says why to its own log only', async () => {
  using folder = temporaryFolder()
  mkdirSync(join(folder.path, 'ledger.db'))
  const handler = createIngest({ ledger: sqliteLedger({ path: join(folder.path, 'ledger.db') }), apiKeys: ['k'] })
  const response = await handler(new Request('http://x/readyz'))
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  expect(await response.json()).toEqual({ error: 'The ledger cannot be written.' })
  expect((await handler(new Request('http://x/healthz'))).status).toBe(200)
})

test('a ledger that was opened for reports is not ready either', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  await ledger.limits()
  const before = await ledger.totals({ by: [] })
  await ledger.check!()
  expect(await ledger.totals({ by: [] })).toEqual(before)
  await ledger.close()
  const reading = sqliteLedger({ path, readOnly: true })
  await expect(reading.check!()).rejects.toThrow(`The ledger at ${path} is read-only (SQLite error 8).`)
  await reading.close()
})

test('strangers that ask make the ledger be asked once a second, and share the answer', async () => {
  let asked = 0
  let now = 0
  let fails = false
  const isReady = createReadiness(
    {
      limits: async () => {
        asked++
        if (fails) throw new Error('gone')
        return []
      },
    },
    () => now,
  )
  expect(await Promise.all([isReady(), isReady(), isReady()])).toEqual([true, true, true])
  now = 999
  fails = true
  expect([await isReady(), asked]).toEqual([true, 1])
  now = 1000
  expect([await isReady(), await isReady(), asked]).toEqual([false, false, 2])
  fails = false
  now = 2000
  expect([await isReady(), asked]).toEqual([true, 3])
})

test('an outage is fresh for a second, and lasts for ten without news', () => {
  let now = 0
  const outage = createOutage(() => now)
  expect([outage.isFresh, outage.isLasting, outage.worked()]).toEqual([false, false, false])
  outage.failed()
  now = 999
  expect([outage.isFresh, outage.isLasting]).toEqual([true, true])
  now = 1000
  expect([outage.isFresh, outage.isLasting]).toEqual([false, true])
  now = 10_000
  expect(outage.isLasting).toBe(false)
  expect([outage.worked(), outage.worked()]).toEqual([true, false])
})
