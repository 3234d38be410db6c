// Promises of a ledger: exact sums, limits that stay, and plain words when the file is no good.

import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createDelivery } from '../../src/delivery/delivery.ts'
import type { MeterError } from '../../src/errors.ts'
import { EVENT_FIELDS, eventId, type LLMEvent, WIRE_NAMES } from '../../src/event.ts'
import { formatUsd } from '../../src/money.ts'
import { createProblems } from '../../src/problems.ts'
import { EVENT_COLUMNS } from '../../src/sinks/columns.ts'
import { DIMENSIONS, isLedger, type StoredLimit } from '../../src/sinks/ledger.ts'
import { MIGRATIONS } from '../../src/sinks/sqlite/schema.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'

const signal = new AbortController().signal
const DAY = 86_400_000
const NOV_22 = Date.UTC(2026, 10, 22)
const MAX_PICO = 2n ** 63n - 1n

let made = 0
function event(over: Partial<LLMEvent> & { at?: number } = {}): LLMEvent {
  const { at = NOV_22, ...rest } = over
  return {
    eventId: eventId(at + ++made),
    timestamp: new Date(at).toISOString(),
    tenantId: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    ...rest,
  }
}

function memoryLedger() {
  const ledger = sqliteLedger({ path: ':memory:' })
  const put = (...events: LLMEvent[]) => ledger.send({ id: 'b', events }, signal)
  return { ledger, put, [Symbol.asyncDispose]: () => ledger.close() }
}

async function failureOf(promise: Promise<unknown>): Promise<MeterError> {
  try {
    await promise
  } catch (error) {
    return error as MeterError
  }
  throw new Error('nothing was thrown')
}

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

describe('sums', () => {
  test('are exact far beyond 64 bits', async () => {
    const costs = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.bigInt({ min: 0n, max: MAX_PICO })), {
      minLength: 1,
      maxLength: 40,
    })
    let beyond = 0
    await fc.assert(
      fc.asyncProperty(costs, async (entries) => {
        await using book = memoryLedger()
        await book.put(...entries.map(([tenantId, pico]) => event({ tenantId, costUsd: formatUsd(pico) })))
        const expected = new Map<string, bigint>()
        for (const [tenant, pico] of entries) expected.set(tenant, (expected.get(tenant) ?? 0n) + pico)
        const rows = await book.ledger.totals({ by: ['tenant'] })
        expect(new Map(rows.map(({ key, cost }) => [key[0], cost]))).toEqual(expected)
        for (const [tenant, pico] of expected) expect(await book.ledger.spent(tenant, 0)).toBe(pico)
        const all = entries.reduce((sum, [, pico]) => sum + pico, 0n)
        expect((await book.ledger.totals({ by: [] }))[0]!.cost).toBe(all)
        if (all > MAX_PICO) beyond++
      }),
      { numRuns: 100 },
    )
    expect(beyond).toBeGreaterThan(30)
  })

  test('add a cost of less than a cent to sums of millions without losing a digit', async () => {
    await using book = memoryLedger()
    await book.put(
      event({ costUsd: '9223372.036854775807' }),
      event({ costUsd: '9223372' }),
      event({ costUsd: '0.000000000001' }),
    )
    expect(formatUsd(await book.ledger.spent('acme', 0))).toBe('18446744.036854775808')
  })

  test('count calls, errors, estimates and calls without a price; a roll-up counts for all it stands for', async () => {
    await using book = memoryLedger()
    await book.put(
      event({ costUsd: '0.5', inputTokens: 10, cachedTokens: 4, outputTokens: 5 }),
      event({ costUsd: '0', error: 'aborted', usageSource: 'partial', inputTokens: 10, outputTokens: 1 }),
      event({ error: 'http_400', usageSource: 'absent' }),
      event({ inputTokens: 7, costSource: 'unpriced' }),
      event({ usage: { 'fee.web_search': 1 } }),
      event({ usage: {} }),
      event({ imageCount: 1, usageSource: 'estimated' }),
      event({
        calls: 40,
        costUsd: '1',
        inputTokens: 100,
        outputTokens: 50,
        error: 'http_500',
        usageSource: 'estimated',
      }),
    )
    expect(await book.ledger.totals({ by: [] })).toEqual([
      {
        key: [],
        calls: 47,
        errors: 42,
        unpriced: 3,
        estimated: 42,
        inputTokens: 127,
        cachedTokens: 4,
        outputTokens: 56,
        cost: 1_500_000_000_000n,
      },
    ])
  })

  test('do not fail on counts whose sum is beyond 64 bits', async () => {
    await using book = memoryLedger()
    await book.put(...Array.from({ length: 1100 }, () => event({ inputTokens: Number.MAX_SAFE_INTEGER })))
    const [total] = await book.ledger.totals({ by: [] })
    expect(total!.inputTokens).toBe(Number(BigInt(Number.MAX_SAFE_INTEGER) * 1100n))
  })

  test('of nothing are one row of zeros, or no group', async () => {
    await using book = memoryLedger()
    expect(await book.ledger.totals({ by: [] })).toMatchObject([{ key: [], calls: 0, cost: 0n }])
    expect(await book.ledger.totals({ by: ['tenant'] })).toEqual([])
    expect(await book.ledger.spent('nobody', 0)).toBe(0n)
  })
})

describe('a report', () => {
  test('groups by every dimension, and by all of them', async () => {
    await using book = memoryLedger()
    const one = event({
      userId: 'u',
      sessionId: 's',
      feature: 'f',
      team: 't',
      project: 'p',
      costCenter: 'c',
      appName: 'app',
      environment: 'prod',
      host: 'h',
      serviceTier: 'flex',
    })
    await book.put(one, event({ tenantId: undefined as never, model: 'other' }))
    const values = [
      'acme',
      'u',
      's',
      'f',
      't',
      'p',
      'c',
      'app',
      'prod',
      'openai',
      'h',
      'gpt-4o',
      'chat.completions',
      'flex',
      '2026-11-22',
    ]
    const rows = await book.ledger.totals({ by: DIMENSIONS })
    expect(rows.map(({ key }) => key)).toContainEqual(values)
    for (const [i, dimension] of DIMENSIONS.entries()) {
      const keys = (await book.ledger.totals({ by: [dimension] })).map(({ key }) => key[0])
      expect(keys).toContain(values[i])
    }
    expect(rows.find(({ key }) => key[11] === 'other')!.key[0]).toBeNull()
  })

  test('refuses a dimension that it does not know, which could be SQL', async () => {
    await using book = memoryLedger()
    const error = await failureOf(book.ledger.totals({ by: ['1; DROP TABLE events' as never] }))
    expect(error.code).toBe('BAD_INPUT')
  })

  test('takes days in UTC', async () => {
    const time = fc.integer({ min: Date.UTC(1969, 0, 1), max: Date.UTC(2100, 0, 1) })
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            time,
            time.map((at) => at - (at % DAY)),
            time.map((at) => at - (at % DAY) - 1),
          ),
          { minLength: 1, maxLength: 10 },
        ),
        async (times) => {
          await using book = memoryLedger()
          await book.put(...times.map((at, i) => event({ at, eventId: `e${i}` })))
          const days = (await book.ledger.totals({ by: ['day'] })).map(({ key }) => key[0])
          expect(days).toEqual([...new Set(times.map((at) => new Date(at).toISOString().slice(0, 10)))].sort())
        },
      ),
      { numRuns: 60 },
    )
  })

  test('includes its first moment and excludes its last', async () => {
    await using book = memoryLedger()
    await book.put(...[0, 1, 2, 3].map((hours) => event({ at: NOV_22 + hours, costUsd: String(10 ** hours) })))
    const [total] = await book.ledger.totals({ by: [], since: NOV_22 + 1, until: NOV_22 + 3 })
    expect([total!.calls, formatUsd(total!.cost)]).toEqual([2, '110'])
    expect(formatUsd(await book.ledger.spent('acme', NOV_22 + 2))).toBe('1100')
    expect((await book.ledger.totals({ by: [], tenantId: 'other' }))[0]!.calls).toBe(0)
    expect(
      (await book.ledger.events({ since: NOV_22 + 1, until: NOV_22 + 3, tenantId: 'acme', limit: 1 }))[0]!.costUsd,
    ).toBe('100')
  })
})

describe('limits', () => {
  const limit = (over: Partial<StoredLimit> = {}): StoredLimit => ({
    tenantId: 'acme',
    window: 'month',
    limit: 50n * 10n ** 12n,
    mode: 'expected',
    ...over,
  })

  test('stay when the ledger is opened again; one for each tenant and window', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'ledger.db')
    const ledger = sqliteLedger({ path })
    expect(await ledger.limits()).toEqual([])
    await ledger.putLimit(limit())
    await ledger.putLimit(limit({ window: 'day', limit: 10n ** 30n, mode: 'hard' }))
    await ledger.putLimit(limit({ tenantId: "o'hara", limit: 0n }))
    await ledger.putLimit(limit({ limit: 7n }))
    await ledger.close()
    const again = sqliteLedger({ path })
    expect(await again.limits()).toEqual([
      limit({ window: 'day', limit: 10n ** 30n, mode: 'hard' }),
      limit({ limit: 7n }),
      limit({ tenantId: "o'hara", limit: 0n }),
    ])
    await again.removeLimit('acme', 'day')
    await again.removeLimit('nobody', 'hour')
    expect(await again.limits()).toHaveLength(2)
    await again.close()
  })
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

test('the names of the wire are the names of the columns, but for time and cost', () => {
  const renamed = EVENT_COLUMNS.filter(({ field, name }) => WIRE_NAMES[field] !== name).map(({ name }) => name)
  expect(renamed).toEqual(['at', 'cost_pico'])
})
