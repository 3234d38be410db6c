// The PostgreSQL ledger: what is its alone. A server, which can be away, full of others' tables or somebody else's to change.

import { spawn } from 'node:child_process'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDelivery } from '../../src/delivery/delivery.ts'
import { EVENT_FIELDS, eventId, type LLMEvent } from '../../src/event.ts'
import { formatUsd } from '../../src/money.ts'
import { migrationSql } from '../../src/postgres/migrate.ts'
import { createProblems } from '../../src/problems.ts'
import { EVENT_COLUMNS } from '../../src/sinks/columns.ts'
import { monthOf } from '../../src/sinks/postgres/months.ts'
import { typeOf } from '../../src/sinks/postgres/rows.ts'
import { LEDGER } from '../../src/sinks/postgres/schema.ts'
import { type PostgresLedgerOptions, postgresLedger } from '../../src/sinks/postgres.ts'
import type { Batch, Delivery } from '../../src/sinks/sink.ts'
import { DAY, failureOf, event as recorded, signal } from '../support/ledgers.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

const event = (over: Partial<LLMEvent> & { at?: number } = {}) => recorded({ at: Date.now(), costUsd: '1', ...over })
const batch = (...events: LLMEvent[]): Batch => ({ id: 'b', events })
const messageOf = (delivery: Delivery) => ('error' in delivery ? delivery.error.message : undefined)

/** A ledger in a schema of its own. */
function book(options: PostgresLedgerOptions = {}) {
  const schema = options.schema ?? server.schema()
  const ledger = postgresLedger({ ...(options.pool ? {} : { databaseUrl: server.url }), ...options, schema })
  return {
    schema,
    ledger,
    put: (...events: LLMEvent[]) => ledger.send(batch(...events), signal),
    rows: (from: string, what = '*') => server.run(`SELECT ${what} FROM ${schema}.${from}`),
    [Symbol.asyncDispose]: () => ledger.close(),
  }
}

test('there is a column of the right type for every field', async () => {
  await using it = book()
  await it.ledger.migrate()
  const columns = await server.run(
    `SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'events'`,
    [it.schema],
  )
  const expected = [...EVENT_COLUMNS.map((column) => [column.name, typeOf(column)] as const), ['id_month', 'text']]
  expect(Object.fromEntries(columns.map((row) => [row['column_name'], row['data_type']]))).toEqual(
    Object.fromEntries(expected),
  )
  expect(columns).toHaveLength(EVENT_FIELDS.length + 1)
})

describe('months', () => {
  test.each([
    ['01939fc2-3a00-7000-8000-000000000000', '2024-12'],
    ['00000000-0000-7abc-9def-0123456789ab', '1970-01'],
    ['ffffffff-ffff-7fff-bfff-ffffffffffff', '10889-08'],
    [eventId(Date.UTC(2026, 11, 1)), '2026-12'],
    [eventId(Date.UTC(2026, 11, 1) - 1), '2026-11'],
    // A UUIDv8, of another variant, in capitals, and none at all.
    ['01939fc2-3a00-8000-8000-000000000000', 'none'],
    ['01939fc2-3a00-7000-c000-000000000000', 'none'],
    ['01939FC2-3A00-7000-8000-000000000000', 'none'],
    ['order-17', 'none'],
    ['', 'none'],
  ])('the id %j tells %s', (id, month) => {
    expect(monthOf(id)).toBe(month)
  })

  const partitionsOf = async (schema: string) => {
    const rows = await server.run(
      `SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
       WHERE inhparent = '${schema}.events'::regclass ORDER BY 1`,
    )
    return rows.map(({ relname }) => relname)
  }
  const nameOf = (at: number) => `events_${new Date(at).toISOString().slice(0, 7).replace('-', '_')}`
  const now = new Date()
  const next = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)
  const last = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1)

  test('a partition for this month and the next is made with the first batch, and for a backlog that comes late', async () => {
    await using it = book()
    await it.put(event())
    expect(await partitionsOf(it.schema)).toEqual(
      [nameOf(Date.now()), nameOf(next), 'events_default', 'events_untimed'].sort(),
    )
    await it.put(event({ at: last }))
    expect(await partitionsOf(it.schema)).toContain(nameOf(last))
    expect(await it.rows(nameOf(last), 'event_id')).toHaveLength(1)
  })

  test('an id of a time that cannot be goes into the default partition, and none is made for it', async () => {
    await using it = book()
    const strays = [0, Date.UTC(2001, 0), Date.UTC(2900, 0), 2 ** 47].map((at) => event({ eventId: eventId(at) }))
    expect(await it.put(...strays, event({ eventId: 'order-1' }))).toMatchObject({ outcome: 'delivered' })
    expect(await it.rows('events_default')).toHaveLength(4)
    expect(await it.rows('events_untimed')).toHaveLength(1)
    expect(await partitionsOf(it.schema)).toHaveLength(4)
    expect(await it.put(...strays)).toMatchObject({ duplicates: 4 })
  })

  test('events that came before their partition move into it, and still count once', async () => {
    await using it = book()
    await it.ledger.migrate()
    const early = event()
    await using first = book({ schema: it.schema, pool: refusing(/tallygate_month/) })
    await first.put(early)
    expect(await it.rows('events_default')).toHaveLength(1)
    expect(await it.put(early, event())).toMatchObject({ outcome: 'delivered', duplicates: 1 })
    expect(await it.rows('events_default')).toHaveLength(0)
    expect(await it.rows(nameOf(Date.now()))).toHaveLength(2)
  })

  test('a long report over everything holds nothing up but the partition', async () => {
    await using it = book()
    await it.ledger.migrate()
    const client = new pg.Client(server.url)
    await client.connect()
    await client.query(`BEGIN; SELECT count(*) FROM ${it.schema}.events`)
    expect(await it.put(event())).toMatchObject({ outcome: 'delivered' })
    expect(await it.rows('events_default')).toHaveLength(1)
    await client.end()
  })

  test('a month that is dropped takes nothing else with it', async () => {
    await using it = book()
    await it.put(event({ at: last }), event())
    await server.run(`DROP TABLE ${it.schema}.${nameOf(last)}`)
    expect((await it.ledger.totals({ by: [] }))[0]!.calls).toBe(1)
    // A partition that this process has made and somebody dropped: its events are strays then.
    expect(await it.put(event({ at: last }))).toMatchObject({ outcome: 'delivered', duplicates: 0 })
  })
})

/** A client that only has `query`, each statement on a connection of its own, as behind a pooler; some of them refused. */
function refusing(pattern: RegExp, error: Error = Object.assign(new Error('denied'), { code: '42501' })) {
  return {
    async query(text: string, params?: unknown[]) {
      if (pattern.test(text)) throw error
      const client = new pg.Client(server.url)
      await client.connect()
      try {
        return await client.query(text, params)
      } finally {
        await client.end()
      }
    },
  }
}

describe('a client of the application', () => {
  test('needs no session: each statement may have a connection of its own', async () => {
    await using it = book({ pool: refusing(/never/) })
    await it.put(event(), event())
    await it.ledger.putLimit({ tenantId: 'acme', window: 'day', limit: 5n, mode: 'hard' })
    await it.ledger.reprice({}, (one) => ({ ...one, costUsd: '3' }), { apply: true })
    expect(formatUsd(await it.ledger.spent('acme', 0))).toBe('6')
    expect(await it.ledger.limits()).toHaveLength(1)
    expect(await it.rows('repricings', 'from_cost, to_cost')).toEqual([
      { from_cost: String(10n ** 12n), to_cost: String(3n * 10n ** 12n) },
      { from_cost: String(10n ** 12n), to_cost: String(3n * 10n ** 12n) },
    ])
  })

  test('is a pool that stays open, and that reads 64 bits as it likes', async () => {
    const types = {
      getTypeParser: (oid: number) => (oid === 20 || oid === 1700 ? Number : pg.types.getTypeParser(oid)),
    }
    const pool = new pg.Pool({ connectionString: server.url, types: types as never })
    await using it = book({ pool })
    await it.put(event({ costUsd: '9223372.036854775807' }), event({ costUsd: '9223372.036854775807' }))
    expect(await it.ledger.spent('acme', 0)).toBe(2n * (2n ** 63n - 1n))
    expect((await it.ledger.events())[0]!.costUsd).toBe('9223372.036854775807')
    await it.ledger.close()
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })

  test.each([
    [{ pool: {} as never }, 'Expected `pool` to be an object with `query(text, params)`, got an object.'],
    [{}, 'Expected `databaseUrl` to be an address such as postgres://user@host:5432/name.'],
    [
      { databaseUrl: 'mysql://root:hunter2@h/db' },
      'Expected `databaseUrl` to be an address such as postgres://user@host:5432/name.',
    ],
    [
      { databaseUrl: 'postgres://h/db', schema: 'a"; DROP TABLE x; --' },
      'Expected `schema` to be a lower-case name of letters, digits and underscores, got "a\\"; DROP TABLE x; --".',
    ],
  ])('the options %j are refused', (options, message) => {
    expect(() => postgresLedger(options)).toThrow(message)
  })
})

describe('text that PostgreSQL cannot hold', () => {
  test('a NUL in the id of a tenant or an event is set aside with its reason, and the others arrive', async () => {
    await using it = book()
    const bad = [event({ tenantId: 'a\0b' }), event({ eventId: 'x\0' })]
    const delivery = await it.put(event(), ...bad, event())
    expect(delivery).toEqual({
      outcome: 'delivered',
      duplicates: 0,
      rejected: [
        { eventId: bad[0]!.eventId, reason: '`tenant_id` holds a NUL, which PostgreSQL cannot' },
        { eventId: 'x\0', reason: '`event_id` holds a NUL, which PostgreSQL cannot' },
      ],
    })
    expect((await it.ledger.totals({ by: [] }))[0]!.calls).toBe(2)
  })

  test('elsewhere a NUL, and half a pair, become the sign of a character that is none', async () => {
    await using it = book()
    await it.put(event({ feature: 'a\0b', tags: { 'k\0': 'v\ud800', real: 'a\\u0000 and 💸' } }))
    const [one] = await it.ledger.events()
    expect(one!.feature).toBe('a\ufffdb')
    expect(one!.tags).toEqual({ 'k\ufffd': 'v\ufffd', real: 'a\\u0000 and 💸' })
  })

  test('tags of a megabyte arrive, and so do their neighbours', async () => {
    await using it = book()
    const tags = { big: 'x'.repeat(1024 * 1024) }
    expect(await it.put(event(), event({ tags }), event())).toMatchObject({ outcome: 'delivered' })
    expect((await it.ledger.events()).filter((one) => one.tags).map((one) => one.tags)).toEqual([tags])
  })

  test('an id that no index can hold is refused by itself', async () => {
    await using it = book()
    const long = event({ tenantId: Array.from({ length: 9000 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join('') })
    const problems = createProblems({ onProblem: () => {}, raiseOnError: false })
    const delivery = createDelivery({ sinks: [it.ledger], problems })
    for (const one of [event(), long, event()]) delivery.add(one)
    await delivery.close()
    expect(delivery.stats()).toMatchObject({ delivered: 2, rejected: 1, queued: 0 })
  })
})

describe('tables', () => {
  test('are made as one statement that can be printed, run by hand, and run again', async () => {
    const schema = server.schema()
    const sql = migrationSql(LEDGER, schema)
    expect(sql).not.toContain('tallygate.events')
    await server.run(sql)
    await server.run(sql)
    await using it = book({ schema })
    expect(await it.put(event())).toMatchObject({ outcome: 'delivered' })
  })

  test('that are not there are an error for a report, which makes none', async () => {
    await using it = book({ readOnly: true })
    const sentence = `There is no ledger in ${new URL(server.url).host}/postgres, schema ${it.schema}.`
    expect((await failureOf(it.ledger.totals({ by: [] }))).message).toBe(sentence)
    expect(await it.put(event())).toMatchObject({ outcome: 'paused' })
    expect(await server.run('SELECT to_regnamespace($1) AS there', [it.schema])).toEqual([{ there: null }])
  })

  test('of a newer version are written on while it only added, and left alone where it did not', async () => {
    await using it = book()
    await it.ledger.migrate()
    await server.run(`ALTER TABLE ${it.schema}.events ADD COLUMN more text`)
    await server.run(`INSERT INTO ${it.schema}.migrations (part, version, needs) VALUES ('ledger', 98, 1)`)
    await using older = book({ schema: it.schema })
    expect(await older.put(event())).toMatchObject({ outcome: 'delivered' })
    await server.run(`INSERT INTO ${it.schema}.migrations (part, version, needs) VALUES ('ledger', 99, 99)`)
    await using oldest = book({ schema: it.schema })
    const paused = await oldest.put(event())
    expect([paused.outcome, messageOf(paused)]).toEqual([
      'paused',
      `The tables in ${new URL(server.url).host}/postgres were made by a newer version of tallygate.`,
    ])
  })

  test('of another program under our names pause delivery', async () => {
    const schema = server.schema()
    await server.run(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.events (id int)`)
    await using it = book({ schema })
    expect(messageOf(await it.put(event()))).toMatch(
      /has another program's tables under the names of a ledger \(42P07\)\.$/,
    )
  })

  test('that somebody dropped are made again', async () => {
    await using it = book()
    await it.put(event())
    await server.run(`DROP SCHEMA ${it.schema} CASCADE`)
    expect(messageOf(await it.put(event()))).toMatch(/does not have the tables of a ledger \(42P01\)\.$/)
    expect(await it.put(event())).toMatchObject({ outcome: 'delivered' })
  })

  test('may be somebody else’s: a user who can only write, writes', async () => {
    const schema = server.schema()
    await using owner = book({ schema })
    await owner.ledger.migrate()
    await server.run(`DO $$ BEGIN CREATE ROLE writer LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`)
    await server.run(`GRANT USAGE ON SCHEMA ${schema} TO writer;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO writer`)
    const databaseUrl = server.url.replace('postgres@', 'writer@')
    await using it = book({ schema, databaseUrl })
    expect(await it.put(event())).toMatchObject({ outcome: 'delivered' })
    expect(await it.put(event())).toMatchObject({ outcome: 'delivered' })
    expect(await owner.rows('events_default')).toHaveLength(2)
    // Where there are no tables, it cannot make them, and says so.
    await using other = book({ databaseUrl })
    expect(messageOf(await other.put(event()))).toMatch(/may not be read or written by this user \(42501\)\.$/)
  })
})

describe('a server that is away', () => {
  test('is tried again, without a word of the password', async () => {
    const ledger = postgresLedger({ databaseUrl: 'postgres://acme:hunter2@127.0.0.1:9/db' })
    const delivery = await ledger.send(batch(event()), signal)
    expect(delivery.outcome).toBe('retry')
    expect(messageOf(delivery)).toBe('The ledger in 127.0.0.1:9/db could not be reached (ECONNREFUSED).')
    expect((await failureOf(ledger.spent('acme', 0))).message).not.toContain('hunter2')
    await ledger.close()
  })

  test('is found again: nothing is lost or doubled over a crash of it', async () => {
    await using own = await startPostgres()
    const ledger = postgresLedger({ databaseUrl: own.url })
    const sent = [event(), event()]
    await ledger.send(batch(sent[0]!), signal)
    await own.kill()
    expect((await ledger.send(batch(sent[1]!), signal)).outcome).toBe('retry')
    await own.restart()
    expect(await ledger.send(batch(...sent), signal)).toMatchObject({ outcome: 'delivered', duplicates: 1 })
    expect((await ledger.totals({ by: [] }))[0]!.calls).toBe(2)
    await ledger.close()
  })

  test.each([
    ['28P01', 'paused'],
    ['25006', 'paused'],
    ['42501', 'paused'],
    ['53100', 'retry'],
    ['53300', 'retry'],
    ['57P01', 'retry'],
    ['40P01', 'retry'],
    ['XX000', 'retry'],
    ['22003', 'rejected'],
    ['54000', 'rejected'],
  ])('the answer %s makes %s of a batch, and quotes nothing', async (code, outcome) => {
    const fault = Object.assign(new Error('value "a secret" of tenant acme'), {
      code,
      detail: 'Key (tenant_id)=(acme)',
    })
    await using it = book({ pool: refusing(/unnest/, fault) })
    const delivery = await it.put(event())
    expect(delivery.outcome).toBe(outcome)
    expect(messageOf(delivery)).toMatch(new RegExp(`^The ledger in the database [^"]+ \\(${code}\\)\\.$`))
    expect(messageOf(delivery)).not.toMatch(/secret|acme/)
  })

  test('a database that is not there pauses delivery', async () => {
    await using it = book({ databaseUrl: `${server.url}x` })
    expect(messageOf(await it.put(event()))).toMatch(/is not there: the server has no such database \(3D000\)\.$/)
  })
})

test('six processes that meet a new schema with the same events store each of them once', async () => {
  const schema = server.schema()
  const source = new URL('../../src/', import.meta.url)
  const program = `
    const { postgresLedger } = await import('${source}sinks/postgres.ts')
    const ledger = postgresLedger({ databaseUrl: ${JSON.stringify(server.url)}, schema: ${JSON.stringify(schema)} })
    const mixed = (list) => list.map((one) => [Math.random(), one]).sort((a, b) => a[0] - b[0]).map(([, one]) => one)
    const events = JSON.parse(process.env.EVENTS)
    let written = 0
    for (let i = 0; i < 10; i++) {
      const some = mixed(events).slice(0, 200)
      let answer
      do answer = await ledger.send({ id: 'b', events: some }, AbortSignal.timeout(60_000))
      while (answer.outcome === 'retry')
      if (answer.outcome !== 'delivered') throw answer.error
      written += some.length - answer.duplicates
    }
    await ledger.close()
    process.stdout.write(String(written))
  `
  const events = Array.from({ length: 300 }, (_, i) => event({ at: Date.now() - (i % 3) * 30 * DAY, costUsd: '0.01' }))
  const ends = Array.from({ length: 6 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, EVENTS: JSON.stringify(events) },
    })
    let out = ''
    child.stdout.on('data', (text) => {
      out += text
    })
    return new Promise<number>((resolve) => child.on('close', (code) => resolve(code === 0 ? Number(out) : Number.NaN)))
  })
  const written = await Promise.all(ends)
  await using it = book({ schema })
  const [total] = await it.ledger.totals({ by: [] })
  expect(written.reduce((sum, one) => sum + one, 0)).toBe(total!.calls)
  expect(new Set(await it.ledger.events()).size).toBe(total!.calls)
})
