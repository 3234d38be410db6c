// The SQLite ledger: what is its alone. A file, which can be no good, and which several processes write.

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { createDelivery } from '../../src/delivery/delivery.ts'
import { EVENT_FIELDS } from '../../src/event.ts'
import { formatUsd } from '../../src/money.ts'
import { createProblems } from '../../src/problems.ts'
import { EVENT_COLUMNS } from '../../src/sinks/columns.ts'
import { isLedger } from '../../src/sinks/ledger.ts'
import { MIGRATIONS } from '../../src/sinks/sqlite/schema.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, failureOf, NOV_22, signal } from '../support/ledgers.ts'

test('the SQLite ledger is a ledger, with a column for every field', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const ledger = sqliteLedger({ path })
  expect(isLedger(ledger)).toBe(true)
  await ledger.limits()
  const db = new DatabaseSync(path, { readOnly: true })
  const columns = db.prepare(`SELECT name, type FROM pragma_table_info('events')`).all() as {
    name: string
    type: string
  }[]
  db.close()
  await ledger.close()
  const types = {
    text: 'TEXT',
    json: 'TEXT',
    integer: 'INTEGER',
    boolean: 'INTEGER',
    pico: 'INTEGER',
    time: 'INTEGER',
    real: 'REAL',
  }
  expect(new Map(columns.map(({ name, type }) => [name, type]))).toEqual(
    new Map(EVENT_COLUMNS.map(({ name, type }) => [name, types[type]])),
  )
  expect(EVENT_COLUMNS).toHaveLength(EVENT_FIELDS.length)
})

describe('a file that is no good', () => {
  test('a report makes no ledger where there is none', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'nothing', 'ledger.db')
    const error = await failureOf(sqliteLedger({ path, readOnly: true }).totals({ by: [] }))
    expect([error.code, error.message]).toEqual(['LEDGER_UNAVAILABLE', `There is no ledger at ${path}.`])
    expect(existsSync(join(folder.path, 'nothing'))).toBe(false)
  })

  test('making a ledger opens nothing', () => {
    using folder = temporaryFolder()
    sqliteLedger({ path: join(folder.path, 'ledger.db') })
    expect(readdirSync(folder.path)).toEqual([])
  })

  test.each<[string, (path: string) => void, string]>([
    [
      'a text',
      (path) => writeFileSync(path, 'no database, but long enough to look at it\n'.repeat(50)),
      'is no SQLite file (SQLite error 26)',
    ],
    ['a folder', (path) => mkdirSync(path), 'cannot be opened (SQLite error 14)'],
    [
      'of another program',
      (path) => exec(path, 'CREATE TABLE events (id)'),
      'does not have the tables of a ledger (SQLite error 1)',
    ],
    [
      'of a newer version',
      (path) => exec(path, 'CREATE TABLE ledger_version (version); INSERT INTO ledger_version VALUES (99)'),
      'was written by a newer version of tallygate',
    ],
  ])('%s pauses delivery with one sentence, and questions throw it', async (_, spoil, words) => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    spoil(path)
    const ledger = sqliteLedger({ path })
    const said: string[] = []
    const problems = createProblems({ onProblem: ({ message }) => said.push(message), raiseOnError: false })
    const delivery = createDelivery({ sinks: [ledger], problems })
    delivery.add(event())
    await delivery.flush()
    await delivery.flush()
    const sentence = `The ledger at ${path} ${words}.`
    expect(said).toEqual([`Delivery to sqlite is paused, its events are kept: ${sentence}`])
    expect(ledger.sendSync({ id: 'b', events: [event()] }).outcome).toBe('paused')
    const error = await failureOf(ledger.spent('acme', 0))
    expect([error.code, error.message]).toEqual(['LEDGER_UNAVAILABLE', sentence])
    // Somebody puts it right: the events are still there.
    rmSync(path, { recursive: true })
    await delivery.flush()
    expect((await ledger.totals({ by: [] }))[0]!.calls).toBe(1)
    await delivery.close()
  })

  test('a ledger of an older version is brought up to date, and keeps what it had', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    exec(path, MIGRATIONS[0]!)
    exec(
      path,
      `CREATE TABLE ledger_version (version INTEGER PRIMARY KEY) STRICT; INSERT INTO ledger_version VALUES (1);
       INSERT INTO events (event_id, at, tenant_id, provider, model, endpoint, usage_source, cost_pico, calls)
       VALUES ('old', ${NOV_22}, 'acme', 'openai', 'gpt-4o', 'chat.completions', 'reported', 5, 1)`,
    )
    const ledger = sqliteLedger({ path })
    const sent = await ledger.send({ id: 'b', events: [event({ audioOutputTokens: 7, fimPrefix: 'def' })] }, signal)
    expect(sent).toMatchObject({ outcome: 'delivered' })
    expect((await ledger.totals({ by: [] }))[0]!.calls).toBe(2)
    expect(await ledger.spent('acme', 0)).toBe(5n)
    await ledger.close()
    const db = new DatabaseSync(path)
    expect(db.prepare('SELECT audio_output_tokens, fim_prefix FROM events ORDER BY at, event_id').all()).toEqual([
      expect.objectContaining({ audio_output_tokens: 7, fim_prefix: 'def' }),
      expect.objectContaining({ audio_output_tokens: null, fim_prefix: null }),
    ])
    db.close()
  })

  test('a folder that cannot be made pauses delivery', async () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'file'), '')
    const path = join(folder.path, 'file', 'ledger.db')
    const delivery = await sqliteLedger({ path }).send({ id: 'b', events: [event()] }, signal)
    expect(delivery).toMatchObject({ outcome: 'paused' })
    expect(delivery.outcome === 'paused' && delivery.error.message).toMatch(
      /^The ledger at .+ cannot be opened \((ENOTDIR|EEXIST)\)\.$/,
    )
  })

  test('a damaged file pauses delivery', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    const first = sqliteLedger({ path })
    await first.send({ id: 'b', events: Array.from({ length: 500 }, () => event()) }, signal)
    await first.close()
    const bytes = readFileSync(path)
    bytes.fill(0x5a, 4096, bytes.length - 4096)
    writeFileSync(path, bytes)
    const ledger = sqliteLedger({ path })
    const { outcome } = await ledger.send({ id: 'c', events: [event()] }, signal)
    expect(outcome).toBe('paused')
    expect((await failureOf(ledger.totals({ by: [] }))).code).toBe('LEDGER_UNAVAILABLE')
    await ledger.close()
  })

  test.skipIf(process.getuid?.() === 0)('a read-only file pauses delivery', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    const first = sqliteLedger({ path })
    await first.limits()
    await first.close()
    chmodSync(path, 0o444)
    expect((await sqliteLedger({ path }).send({ id: 'b', events: [event()] }, signal)).outcome).toBe('paused')
  })

  test('a ledger opened for reports takes no events', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    const writer = sqliteLedger({ path })
    await writer.send({ id: 'b', events: [event()] }, signal)
    const reader = sqliteLedger({ path, readOnly: true })
    expect((await reader.totals({ by: [] }))[0]!.calls).toBe(1)
    const delivery = await reader.send({ id: 'b', events: [event()] }, signal)
    expect(delivery.outcome === 'paused' && delivery.error.message).toContain('is read-only')
    await writer.send({ id: 'b', events: [event()] }, signal)
    expect((await reader.totals({ by: [] }))[0]!.calls).toBe(2)
    await reader.close()
    await writer.close()
  })

  test('a file that is deleted under the process is made again', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    const ledger = sqliteLedger({ path })
    await ledger.send({ id: 'a', events: [event()] }, signal)
    for (const name of readdirSync(folder.path)) rmSync(join(folder.path, name))
    expect((await ledger.send({ id: 'b', events: [event(), event()] }, signal)).outcome).toBe('delivered')
    await ledger.close()
    const reader = sqliteLedger({ path, readOnly: true })
    expect((await reader.totals({ by: [] }))[0]!.calls).toBe(2)
    await reader.close()
  })

  test('a file that another process is writing is tried again', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    const ledger = sqliteLedger({ path })
    await ledger.limits()
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    const delivery = await ledger.send({ id: 'b', events: [event()] }, signal)
    expect(delivery.outcome === 'retry' && delivery.error.message).toBe(
      `The ledger at ${path} is being written by another process (SQLite error 5).`,
    )
    other.exec('COMMIT')
    other.close()
    expect((await ledger.send({ id: 'b', events: [event()] }, signal)).outcome).toBe('delivered')
    await ledger.close()
  })
})

test('eight processes that open a new ledger at once all write all their events', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'ledger.db')
  const source = new URL('../../src/', import.meta.url)
  const program = `
    const { sqliteLedger } = await import('${source}sinks/sqlite.ts')
    const { eventId, isoTime } = await import('${source}event.ts')
    const ledger = sqliteLedger({ path: ${JSON.stringify(path)} })
    for (let i = 0; i < 20; i++) {
      const events = Array.from({ length: 25 }, () => ({ eventId: eventId(Date.now()), timestamp: isoTime(Date.now()), tenantId: 'acme', provider: 'p', model: 'm', endpoint: 'e', usageSource: 'absent', costUsd: '0.01' }))
      let outcome
      do ({ outcome } = await ledger.send({ id: 'b', events }, AbortSignal.timeout(60_000)))
      while (outcome === 'retry')
      if (outcome !== 'delivered') throw new Error(outcome)
    }
    await ledger.close()
  `
  const ends = Array.from({ length: 8 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' })
    return new Promise((resolve) => child.on('close', resolve))
  })
  expect(await Promise.all(ends)).toEqual(Array(8).fill(0))
  const ledger = sqliteLedger({ path, readOnly: true })
  const [total] = await ledger.totals({ by: [] })
  expect([total!.calls, formatUsd(total!.cost)]).toEqual([4000, '40'])
  await ledger.close()
})

function exec(path: string, sql: string): void {
  const db = new DatabaseSync(path)
  db.exec(sql)
  db.close()
}
