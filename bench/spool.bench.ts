// What the spool costs the caller for each event, and how fast events go from it to the sinks.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { createDelivery } from '../src/delivery/delivery.ts'
import { wireJson } from '../src/delivery/wire-json.ts'
import { eventId, isoTime, type LLMEvent } from '../src/event.ts'
import { inSchema } from '../src/postgres/migrate.ts'
import { createProblems } from '../src/problems.ts'
import { EVENT_COLUMNS, toRow } from '../src/sinks/columns.ts'
import { httpSink } from '../src/sinks/http.ts'
import { insertOf, toRows } from '../src/sinks/postgres/rows.ts'
import { postgresLedger } from '../src/sinks/postgres.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { MIGRATIONS } from '../src/sinks/sqlite/schema.ts'
import { sqliteLedger } from '../src/sinks/sqlite.ts'
import { startPostgres, type TestPostgres } from '../test/support/postgres.ts'
import { API_KEY, type Peer, startPeer } from './peer.ts'
import { isQuick, report } from './report.ts'
import { median } from './statistics.ts'

const EVENTS = isQuick ? 20_000 : 100_000
const ROUNDS = isQuick ? 1 : 3
const folders: string[] = []
process.once('exit', () => {
  for (const made of folders) rmSync(made, { recursive: true, force: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
  folders.push(made)
  return made
}

const problems = createProblems({
  raiseOnError: false,
  onProblem({ message }) {
    console.error(message)
    process.exit(1)
  },
})

/** As a priced chat call makes it: some 870 bytes of JSON. */
function event(): LLMEvent {
  const now = Date.now()
  return Object.freeze<LLMEvent>({
    eventId: eventId(now),
    timestamp: isoTime(now),
    provider: 'openai',
    host: 'api.openai.com',
    model: 'gpt-4o-2024-08-06',
    endpoint: 'chat.completions',
    stream: false,
    usageSource: 'reported',
    attempts: [{ status: 200, requestId: 'req_0123456789abcdef', billable: 'yes' }],
    durationMs: 812,
    tenantId: 'acme',
    modelRequested: 'gpt-4o',
    usage: { input: 1200, output: 340 } as LLMEvent['usage'] & object,
    inputTokens: 1200,
    outputTokens: 340,
    totalTokens: 1540,
    costSource: 'priced',
    costUsd: '0.0064',
    costLines: [
      { bucket: 'input', quantity: 1200, costUsd: '0.003', rate: 'openai/gpt-4o' },
      { bucket: 'output', quantity: 340, costUsd: '0.0034', rate: 'openai/gpt-4o' },
    ],
    priceVersion: '2026-11-22',
    requestId: 'req_0123456789abcdef',
    responseId: 'chatcmpl-0123456789abcdef',
    metadata: { http_status: 200, finish_reason: 'stop', max_tokens: 1000 },
  })
}

const discard: Sink = { name: 'discard', send: async () => ({ outcome: 'delivered' }) }

function quantile(sorted: Float64Array, part: number): string {
  return sorted[Math.floor(sorted.length * part)]!.toFixed(1)
}

/** The caller's own time in `add`, with the queue emptied between. */
async function callersCost(durability: 'memory' | 'os' | 'fsync'): Promise<string[]> {
  const delivery = createDelivery({
    sinks: [discard],
    problems,
    maxQueueSize: 10_000,
    spool: { dir: folder(), durability },
  })
  const micros = new Float64Array(EVENTS)
  const made = Array.from({ length: 1000 }, event)
  for (let round = -5; round < EVENTS / 1000; round++) {
    for (let at = 0; at < 1000; at++) {
      const start = process.hrtime.bigint()
      delivery.add(made[at]!)
      if (round >= 0) micros[round * 1000 + at] = Number(process.hrtime.bigint() - start) / 1000
    }
    await delivery.flush()
  }
  await delivery.close()
  micros.sort()
  return [`durability: '${durability}'`, quantile(micros, 0.5), quantile(micros, 0.99), quantile(micros, 0.999)]
}

interface Speed {
  readonly rate: number
  /** Of this process, for each event. */
  readonly micros: number
}

async function timed(work: () => Promise<void> | void): Promise<Speed> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await work()
  const seconds = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpu)
  return { rate: EVENTS / seconds, micros: (used.user + used.system) / EVENTS }
}

/** How fast what is in the spool reaches a sink that was down while it was written. */
async function throughput(sink: Sink, maxBatchSize: number): Promise<Speed> {
  const dir = folder()
  const down: Sink = { name: sink.name, send: async () => ({ outcome: 'retry', error: new Error('down') }) }
  const before = createDelivery({ sinks: [down], problems: silent, maxQueueSize: 10, spool: { dir } })
  for (let at = 0; at < EVENTS; at++) before.add(event())
  await before.close(0)
  const delivery = createDelivery({ sinks: [sink], problems, maxBatchSize, maxQueueSize: 10_000, spool: { dir } })
  const speed = await timed(async () => void (await delivery.drainOrphans()))
  const { delivered } = delivery.stats()
  await delivery.close()
  if (delivered !== EVENTS) throw new Error(`${delivered} events of ${EVENTS} were delivered.`)
  return speed
}

const silent = createProblems({ raiseOnError: false, onProblem: () => {} })

report({
  title: 'An event recorded, its JSON included (µs of the caller)',
  columns: ['', 'p50', 'p99', 'p99.9'],
  rows: [await callersCost('memory'), await callersCost('os'), await callersCost('fsync')],
  notes: [`Of ${EVENTS.toLocaleString('en')} events of some 870 bytes, after 5,000 to warm up, in lots of 1,000.`],
})

/** The driver and nothing else: rows that were made before, in one prepared statement, a thousand to a transaction. */
function bareSqlite(): Promise<Speed> {
  const db = new DatabaseSync(join(folder(), 'ledger.db'))
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = NORMAL')
  for (const step of MIGRATIONS) db.exec(step)
  const rows = Array.from({ length: EVENTS }, () => toRow(event()))
  const names = EVENT_COLUMNS.map(({ name }) => name)
  const insert = db.prepare(`INSERT INTO events (${names}) VALUES (${names.map(() => '?')})`)
  return timed(() => {
    for (let from = 0; from < EVENTS; from += 1000) {
      db.exec('BEGIN IMMEDIATE')
      for (let at = from; at < from + 1000; at++) insert.run(...rows[at]!)
      db.exec('COMMIT')
    }
    db.close()
  })
}

/** One connection and nothing else: lists that were made before, one statement after the other. */
async function barePostgres(server: TestPostgres, schema: string): Promise<Speed> {
  const ledger = postgresLedger({ databaseUrl: server.url, schema })
  // Makes the tables, and the partition of the month.
  await ledger.send({ id: 'first', events: [event()] }, new AbortController().signal)
  await ledger.close()
  const client = new pg.Client(server.url)
  await client.connect()
  const inserts = Array.from({ length: EVENTS / 250 }, () => {
    const [rows] = toRows({ id: 'bare', events: Array.from({ length: 250 }, event) }).lists
    return insertOf(rows!)
  })
  const speed = await timed(async () => {
    for (const { sql, params } of inserts) await client.query(inSchema(sql, schema), [...params])
  })
  await client.end()
  return speed
}

/** Each after its bare loop, the ones of a pair one after the other: a machine has other things to do too. */
async function pair(name: string, bare: (() => Promise<Speed>) | undefined, ours: () => Promise<Speed>) {
  const speeds: { readonly bare: Speed | undefined; readonly ours: Speed }[] = []
  for (let round = 0; round < ROUNDS; round++) speeds.push({ bare: await bare?.(), ours: await ours() })
  const of = (pick: (one: (typeof speeds)[number]) => number | undefined) => {
    const values = speeds.flatMap((one) => pick(one) ?? [])
    return values.length === 0 ? undefined : median(values)
  }
  const whole = (value: number | undefined) => (value === undefined ? '' : Math.round(value).toLocaleString('en'))
  const rate = of(({ ours }) => ours.rate)!
  const bareRate = of(({ bare }) => bare?.rate)
  return [
    name,
    whole(rate),
    of(({ ours }) => ours.micros)!.toFixed(1),
    whole(bareRate),
    of(({ bare }) => bare?.micros)?.toFixed(1) ?? '',
    bareRate === undefined ? '' : (rate / bareRate).toFixed(2),
  ]
}

/** Of these the least is what a machine that does nothing else would need, the median what this one did. */
const POSTS = isQuick ? 20 : 100
const POST_EVENTS = 1000

/** Batches as a meter sends them after an outage, posted one after the other; the CPU is the server's, by post. */
async function posted(peer: Peer): Promise<{ readonly bare: number[]; readonly ours: number[] }> {
  const bare: number[] = []
  const ours: number[] = []
  const signal = new AbortController().signal
  const db = new DatabaseSync(join(folder(), 'ledger.db'))
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = NORMAL')
  for (const step of MIGRATIONS) db.exec(step)
  const names = EVENT_COLUMNS.map(({ name }) => name)
  const insert = db.prepare(`INSERT INTO events (${names}) VALUES (${names.map(() => '?')})`)
  const sink = over(peer)
  for (let at = 0; at < POSTS; at++) {
    const rows = Array.from({ length: POST_EVENTS }, () => toRow(event()))
    const cpu = process.cpuUsage()
    db.exec('BEGIN IMMEDIATE')
    for (const row of rows) insert.run(...row)
    db.exec('COMMIT')
    const { user, system } = process.cpuUsage(cpu)
    bare.push((user + system) / POST_EVENTS)
    const events = Array.from({ length: POST_EVENTS }, event)
    const before = await peer.cpuMicros()
    const { outcome } = await sink.send({ id: `b${at}`, events, json: events.map(wireJson) }, signal)
    if (outcome !== 'delivered') throw new Error(`A batch was ${outcome}.`)
    ours.push(((await peer.cpuMicros()) - before) / POST_EVENTS)
  }
  await sink.close?.()
  db.close()
  // The first of them compile the code.
  return { bare: bare.slice(POSTS / 5), ours: ours.slice(POSTS / 5) }
}

const sponge = await startPeer('sponge')
const server = await startPeer('server', join(folder(), 'ledger.db'))
await using postgres = await startPostgres()
const further = await startPeer('server', postgres.url)
const over = (peer: Peer) => httpSink({ url: peer.addresses['ingest']!, apiKey: API_KEY })
const sqlite = () => sqliteLedger({ path: join(folder(), 'ledger.db') })
const database = () => postgresLedger({ databaseUrl: postgres.url, schema: postgres.schema() })

report({
  title: 'From the spool of a dead process',
  columns: ['to', 'events a second', 'CPU an event (µs)', 'the bare driver', 'its CPU (µs)', 'of it'],
  rows: [
    await pair('a sink that forgets', undefined, () => throughput({ ...discard }, 50)),
    await pair('the embedded SQLite ledger, as a live process does', bareSqlite, () => throughput(sqlite(), 50)),
    await pair('the same, as `tallygate drain` does', bareSqlite, () => throughput(sqlite(), 1000)),
    await pair(
      'PostgreSQL',
      () => barePostgres(postgres, postgres.schema()),
      () => throughput(database(), 50),
    ),
    await pair('HTTP, an endpoint that only says 202', undefined, () => throughput(over(sponge), 50)),
    await pair('HTTP, `tallygate serve` with SQLite', undefined, () => throughput(over(server), 50)),
    await pair('HTTP, `tallygate serve` with PostgreSQL', undefined, () => throughput(over(further), 50)),
  ],
  notes: [
    `${EVENTS.toLocaleString('en')} events of some 870 bytes, medians of ${ROUNDS} rounds; the CPU is of this process alone.`,
    'The bare driver inserts rows that were made beforehand into the same tables: SQLite a thousand to a transaction,',
    'PostgreSQL 250 to a statement on one connection, on this machine, without `fsync`.',
  ],
})

const fresh = await startPeer('server', join(folder(), 'ledger.db'))
const { bare, ours } = await posted(fresh)
fresh.stop()
const costOf = (values: readonly number[]) => {
  const micros = [Math.min(...values), median(values)]
  return micros.flatMap((one) => [one.toFixed(1), Math.round(1e6 / one).toLocaleString('en')])
}
report({
  title: '`POST /v1/ingest` of `tallygate serve` with SQLite: CPU of the server',
  columns: [
    '',
    'the least (µs an event)',
    'events a second of one core',
    'median (µs)',
    'events a second of one core ',
  ],
  rows: [
    ['`POST /v1/ingest`', ...costOf(ours)],
    ['the bare driver', ...costOf(bare)],
  ],
  notes: [
    `${POSTS} batches of ${POST_EVENTS} events, packed, one after the other, with a bare loop of as many rows before each.`,
  ],
})
sponge.stop()
server.stop()
further.stop()
