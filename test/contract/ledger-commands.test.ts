// The commands that ask a ledger and take from it, in process, on every database.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Command, readValues } from '../../src/cli/command.ts'
import { forget } from '../../src/cli/forget.ts'
import { migrate } from '../../src/cli/migrate.ts'
import { telling } from '../../src/cli/progress.ts'
import { prune } from '../../src/cli/prune.ts'
import { report } from '../../src/cli/report.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { openLedger } from '../../src/ledger/index.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { DAY, event, postgresServer, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

async function run(command: Command, args: readonly string[]) {
  let [out, err] = ['', '']
  const terminal = createTerminal({ write: (more: string) => (out += more) }, { write: (more) => (err += more) }, {})
  await command.run(readValues(command, args), { terminal, env: {} })
  return { out, err, json: () => JSON.parse(out) as Record<string, unknown> }
}

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

const TODAY = Math.floor(Date.now() / DAY) * DAY

/** The arguments by which a command finds a ledger of five days of two tenants. */
const PLACES: Record<string, () => Promise<string[]>> = {
  SQLite: async () => {
    const dir = folder()
    mkdirSync(dir, { recursive: true })
    await fill(sqliteLedger({ path: join(dir, 'ledger.db') }))
    return ['--dir', dir]
  },
  PostgreSQL: async () => {
    const server = await postgresServer()
    await server.run('DROP SCHEMA IF EXISTS tallygate CASCADE')
    await fill(postgresLedger({ databaseUrl: server.url }))
    return ['--database-url', server.url]
  },
}

async function fill(ledger: ReturnType<typeof sqliteLedger> | ReturnType<typeof postgresLedger>): Promise<void> {
  const events = Array.from({ length: 5 }, (_, day) =>
    ['acme', 'other'].map((tenantId) =>
      event({
        at: TODAY - day * DAY,
        tenantId,
        costUsd: '0.25',
        tags: { plan: day < 2 ? 'pro' : 'free' },
        ...(day > 0 && { feature: 'search' }),
      }),
    ),
  )
  await ledger.send({ id: 'b', events: events.flat() }, new AbortController().signal)
  await ledger.putLimit({ tenantId: 'acme', window: 'day', limit: 10n ** 12n, mode: 'hard' })
  await ledger.close()
}

describe.each(Object.entries(PLACES))('with a ledger in %s', (_, place) => {
  test('a report takes filters and tags', async () => {
    const at = await place()
    const asked = ['--where', 'tag:plan=pro', '--where', 'feature', '--by', 'tag:plan,tenant', '--json', ...at]
    expect((await run(report, asked)).json()).toMatchObject({
      where: { 'tag:plan': ['pro'], feature: [null] },
      by: ['tag:plan', 'tenant'],
      rows: [
        { 'tag:plan': 'pro', tenant: 'acme', calls: 1, cost_usd: '0.25' },
        { 'tag:plan': 'pro', tenant: 'other', calls: 1, cost_usd: '0.25' },
      ],
      total: { calls: 2, cost_usd: '0.5' },
    })
    const { out } = await run(report, ['--where', 'tenant=acme', '--where', 'tenant=nobody', ...at])
    expect(out).toMatch(/, tenant=acme, tenant=nobody, all time\n/)
    expect(out).toMatch(/^total +5 /m)
  })

  test('a tenant is forgotten only with --yes', async () => {
    const at = await place()
    expect((await run(forget, ['--tenant', 'acme', ...at])).out).toMatch(/ has 5 calls of acme\. Nothing is deleted/)
    expect((await run(report, ['--json', ...at])).json()).toMatchObject({ total: { calls: 10 } })
    expect((await run(forget, ['--tenant', 'acme', '--yes', '--json', ...at])).json()).toMatchObject({
      tenant: 'acme',
      calls: 5,
      deleted: 5,
      applied: true,
    })
    const after = (await run(report, ['--json', ...at])).json()
    expect(after).toMatchObject({ rows: [{ tenant: 'other' }], total: { calls: 5 }, limits: [] })
  })

  test('old events go only with --yes, and their sums stay', async () => {
    const at = await place()
    expect((await run(prune, ['--keep', '2d', ...at])).out).toMatch(/would be deleted\. Nothing is without --yes/)
    expect((await run(prune, ['--keep', '2d', '--yes', '--json', ...at])).json()).toMatchObject({
      before: new Date(TODAY - 2 * DAY).toISOString(),
      deleted: 4,
      applied: true,
    })
    expect((await run(report, ['--json', ...at])).json()).toMatchObject({ total: { calls: 10, cost_usd: '2.5' } })
    expect((await run(report, ['--by', 'user', '--json', ...at])).json()).toMatchObject({ total: { calls: 6 } })
  })

  test('tables that are up to date stay as they are', async () => {
    expect((await run(migrate, await place())).out).toMatch(/ are up to date\.\n$/)
  })
})

test.each([
  [forget, [], '`forget` needs `--tenant <id>`.'],
  [prune, [], '`prune` needs `--keep <time>`, such as `--keep 90d`.'],
  [prune, ['--keep', 'ninety'], '`--keep` takes so long ago (90d, 12w) or a date that is past; got "ninety".'],
  [prune, ['--keep', '2999-01-01'], '`--keep` takes so long ago (90d, 12w) or a date that is past; got "2999-01-01".'],
])('%o %j is refused in one sentence', async (command, args, message) => {
  await expect(run(command, args)).rejects.toThrow(message)
})

test('a ledger of an older version says how it is brought up to date, and is', async () => {
  const dir = folder()
  const path = join(dir, 'ledger.db')
  await fill(sqliteLedger({ path }))
  const db = new DatabaseSync(path)
  db.exec('DROP TRIGGER events_inserted; DROP TRIGGER events_updated; DROP TRIGGER events_deleted')
  db.exec(
    'DROP TABLE usage_models; DROP TABLE usage_features; DROP TABLE usage_tenants; DROP TABLE pruned; DROP TABLE usage_summing',
  )
  for (const column of ['counted_output_tokens', 'output_tokenizer', 'input_hashes', 'output_hash'])
    db.exec(`ALTER TABLE events DROP COLUMN ${column}`)
  db.exec('DELETE FROM ledger_version WHERE version > 3')
  db.close()
  await expect(run(report, ['--dir', dir])).rejects.toThrow(
    `The ledger at ${path} is of an older version of tallygate: \`npx tallygate migrate\` brings it up to date, and so does whoever writes to it next.`,
  )
  await run(migrate, ['--dir', dir])
  await using views = openLedger({ dir })
  expect((await views.totals({ by: ['tenant'] })).total.calls).toBe(10)
})

test('progress is told once a second, and not of what is quick', () => {
  const told: string[] = []
  let now = 0
  const tell = telling({ complain: (line) => told.push(line) }, 'events deleted', () => now)
  for (; now < 3500; now += 100) tell(now * 10)
  expect(told).toEqual(['10,000 events deleted', '20,000 events deleted', '30,000 events deleted'])
})
