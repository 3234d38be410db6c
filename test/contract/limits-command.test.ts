// `tallygate limits` on every database: what is set there holds, and what is shown is what the accounts and the ledger say.

import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { limits } from '../../src/cli/limits-command.ts'
import type { LimitStore } from '../../src/limits/limit-store.ts'
import { postgresLimitStore } from '../../src/limits/postgres-store.ts'
import { sqliteLimitStore } from '../../src/limits/sqlite-store.ts'
import { calendarOf, leavesAt } from '../../src/limits/window.ts'
import { type ChangeLog, fileChangeLog } from '../../src/server/changes.ts'
import { postgresChangeLog } from '../../src/server/changes-table.ts'
import type { EventLedger } from '../../src/sinks/ledger.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { runCommand } from '../support/commands.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { event, postgresServer, signal, stopServers } from '../support/ledgers.ts'

afterAll(stopServers)

interface Place {
  readonly args: readonly string[]
  readonly dir: string | undefined
  readonly ledger: EventLedger
  store(): LimitStore
}

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

const PLACES: Record<string, () => Promise<Place>> = {
  SQLite: async () => {
    const dir = folder()
    const ledger = sqliteLedger({ path: join(dir, 'ledger.db') })
    return { args: ['--dir', dir], dir, ledger, store: () => sqliteLimitStore({ path: join(dir, 'limits.db') }) }
  },
  PostgreSQL: async () => {
    const server = await postgresServer()
    await server.run('DROP SCHEMA IF EXISTS tallygate CASCADE')
    const ledger = postgresLedger({ databaseUrl: server.url })
    const args = ['--database-url', server.url]
    return { args, dir: undefined, ledger, store: () => postgresLimitStore({ databaseUrl: server.url }) }
  },
}

interface Entry {
  readonly of: unknown
  readonly window: string
  readonly spent_usd: string
}

describe.each(Object.entries(PLACES))('with a ledger in %s', (_, open) => {
  async function stage() {
    const place = await open()
    onTestFinished(() => place.ledger.close())
    const at = Date.now() - 1
    const events = [
      event({ at, costUsd: '0.25', userId: 'u1', feature: 'search' }),
      event({ at, costUsd: '0.5', userId: 'u2', model: 'gpt-4o' }),
      event({ at, costUsd: '1', tenantId: 'globex', feature: 'search' }),
    ]
    await place.ledger.send({ id: 'b', events }, signal)
    const run = (...args: string[]) => runCommand(limits, [...args, ...place.args])
    const listed = async (...args: string[]) => (await run(...args, '--json')).json()['limits'] as Entry[]
    return { ...place, run, listed }
  }

  test('a limit is set, listed with what is left of it, replaced and removed', async () => {
    const { run, listed, ledger, store, dir } = await stage()
    expect((await run()).out).toMatch(/ has no limits\.\n$/)
    if (dir !== undefined) expect(existsSync(join(dir, 'limits.db'))).toBe(false)
    expect((await run('set', 'acme', '--usd', '1')).out).toMatch(
      /^acme +month +\$1\.00 +\$0\.75 +\$0\.00 +\$0\.25 +\S/m,
    )
    expect(await ledger.limits()).toEqual([{ tenantId: 'acme', window: 'month', limit: 10n ** 12n, mode: 'expected' }])
    const set = (await run('set', 'acme', '--usd', '2.5', '--mode', 'hard', '--json')).json()
    expect(set).toEqual({
      of: 'acme',
      scope: 'tenant=acme',
      window: 'month',
      mode: 'hard',
      limit_usd: '2.5',
      spent_usd: '0.75',
      held_usd: '0',
      remaining_usd: '1.75',
      resets_at: new Date(calendarOf('month').at(Date.now()).until).toISOString(),
    })
    await using opened = disposable(store())
    const { rules } = await opened.store.changes(0)
    expect(rules).toMatchObject([{ scope: 'tenant=acme', per: 'month', limitNanoUsd: 2_500_000_000n, mode: 'hard' }])
    // A zone is more than a ledger keeps: the plain limit must not stay there beside it.
    await run('set', 'acme', '--usd', '3', '--time-zone', 'Europe/Vienna', '--anchor', '15')
    expect(await ledger.limits()).toEqual([])
    expect(await listed()).toMatchObject([{ of: 'acme', settings: { time_zone: 'Europe/Vienna', anchor: 15 } }])
    await run('set', 'acme', '--usd', '3')
    expect((await run('remove', 'acme')).out).toBe('Removed the limit per month of acme.\n')
    expect([await listed(), await ledger.limits()]).toEqual([[], []])
    await expect(run('remove', 'acme')).rejects.toThrow('There is no limit per month of acme: `tallygate limits` lists')
  })

  test('limits of users, features, organizations and everything count what they are for', async () => {
    const { run, listed } = await stage()
    await run('set', '--tenant', 'acme', '--user', 'u1', '--usd', '2', '--per', 'hour', '--rolling')
    await run('set', '--feature', 'search', '--usd', '5', '--per', 'day')
    await run('set', '--organization', 'big', '--tenants', 'acme, globex', '--usd', '6', '--per', 'total')
    await run('set', '--everything', '--usd', '70')
    await run('set', '--run', 'r1', '--usd', '8')
    const spent = (await listed()).map(({ of, window, spent_usd }) => [of, window, spent_usd])
    expect(spent).toHaveLength(5)
    expect(spent).toEqual(
      expect.arrayContaining([
        [{ tenant: 'acme', user: 'u1' }, 'hour', '0.25'],
        [{ feature: 'search' }, 'day', '1.25'],
        [{ organization: 'big' }, 'total', '1.75'],
        ['*', 'month', '1.75'],
        [{ run: 'r1' }, 'month', '0'],
      ]),
    )
    expect((await listed('list', 'acme')).map(({ of }) => of)).toEqual([
      { organization: 'big' },
      { tenant: 'acme', user: 'u1' },
    ])
    const { out } = await run()
    for (const words of ['tenant acme, u', 'feature search', 'organization', 'every call', 'run r1'])
      expect(out).toContain(words)
    expect((await run('remove', '--everything')).out).toBe('Removed the limit per month of every call.\n')
  })

  test('what processes hold is held, and what they have spent counts before the ledger knows of it', async () => {
    const { run, store } = await stage()
    await run('set', 'acme', '--usd', '10')
    await using opened = disposable(store())
    const { id: windowId, earlier, endsAt } = calendarOf('month').at(Date.now())
    const key = { scope: 'tenant=acme', per: 'month' as const, windowId, earlier, endsAt, leaseId: 'l1', warned: 0 }
    const nano = (usd: number) => BigInt(usd * 1e9)
    const none = { returned: 0n, granted: 0n, spent: 0n, final: false, ttlMs: 60_000 }
    const first = { ...key, ...none, seq: 1, need: nano(4), least: nano(4), want: nano(4), opening: nano(0.75) }
    await opened.store.lease([first])
    const second = { ...first, seq: 2, need: 0n, least: 0n, want: 0n, granted: nano(4), spent: nano(1.5) }
    await opened.store.lease([second])
    expect((await run('--json')).json()['limits']).toMatchObject([
      { spent_usd: '2.25', held_usd: '2.5', remaining_usd: '5.25' },
    ])
  })

  test('a rolling limit says when its oldest spend has left, and nothing while nothing is spent', async () => {
    const { run, listed, store } = await stage()
    await run('set', 'birch', '--usd', '10', '--per', 'hour', '--rolling')
    expect(await listed()).toMatchObject([{ resets_at: null }])
    expect((await run()).out).not.toContain('never')
    await using opened = disposable(store())
    const rolling = calendarOf('hour', { rolling: true })
    const before = rolling.at(Date.now() - 1_200_000)
    const { id: windowId, earlier, endsAt } = before
    const key = { scope: 'tenant=birch', per: 'hour' as const, windowId, earlier, endsAt, leaseId: 'l1', warned: 0 }
    const none = { returned: 0n, final: false, ttlMs: 60_000, need: 0n, least: 0n, want: 0n, opening: 10n ** 9n }
    await opened.store.lease([{ ...key, ...none, seq: 1, granted: 0n, spent: 0n }])
    const [limit] = await listed()
    expect(limit).toMatchObject({ spent_usd: '1', resets_at: new Date(leavesAt('hour', windowId)).toISOString() })
    expect((await run()).out).toMatch(/^birch +hour, rolling .* min$/m)
  })

  test('many limits are asked for together, and limits that only the ledger has are there too', async () => {
    const { listed, ledger } = await stage()
    const many = Array.from({ length: 60 }, (_, i) =>
      event({ at: Date.now() - 1, tenantId: `t${i}`, costUsd: `${i + 1}` }),
    )
    await ledger.send({ id: 'c', events: many }, signal)
    for (const { tenantId } of many)
      await ledger.putLimit({ tenantId: tenantId!, window: 'month', limit: 10n ** 14n, mode: 'hard' })
    const all = await listed()
    expect(all).toHaveLength(60)
    expect(all[0]).toMatchObject({ of: 't59', spent_usd: '60' })
    expect(new Set(all.map(({ spent_usd }) => spent_usd)).size).toBe(60)
  })

  test('whatever a tenant is called, it is a name', async () => {
    const { run, listed } = await stage()
    for (const name of ["'; DROP TABLE limits; --", '<b>&"</b>', 'a=b&c=d', '*', '../x', '株式会社', '%'])
      await run('set', '--tenant', name, '--usd', '1')
    const names = (await listed()).map(({ of }) => (typeof of === 'string' ? of : (of as { tenant: string }).tenant))
    expect(names.sort()).toEqual(['%', "'; DROP TABLE limits; --", '*', '../x', '<b>&"</b>', 'a=b&c=d', '株式会社'])
    expect((await run('remove', '--tenant', '*')).out).toMatch(/^Removed the limit per month of \*\.$/m)
    expect(await listed()).toHaveLength(6)
  })
})

function disposable(store: LimitStore): { store: LimitStore } & AsyncDisposable {
  return { store, [Symbol.asyncDispose]: async () => store.close?.() }
}

test.each([
  ['SQLite', (dir: string) => fileChangeLog(join(dir, 'changes.jsonl'))],
  ['PostgreSQL', (_: string, databaseUrl: string) => postgresChangeLog({ databaseUrl })],
] as const)('each change is in the trail beside the ledger, which the dashboard shows: %s', async (name, trailOf) => {
  const { ledger, args, dir } = await PLACES[name]!()
  await ledger.limits()
  await ledger.close()
  const run = (...more: string[]) => runCommand(limits, [...more, ...args])
  await run('set', 'acme', '--usd', '50')
  await run('set', 'acme', '--usd', '60', '--mode', 'hard')
  await run('remove', 'acme')
  const trail: ChangeLog & { close?(): Promise<void> } = trailOf(dir ?? '', args[1]!)
  onTestFinished(() => trail.close?.())
  expect((await trail.list()).map(({ at: _, ...change }) => change)).toEqual([
    { by: 'tallygate limits', what: 'limit.removed', of: 'acme', before: '$60 per month, hard', after: null },
    {
      by: 'tallygate limits',
      what: 'limit.set',
      of: 'acme',
      before: '$50 per month, expected',
      after: '$60 per month, hard',
    },
    { by: 'tallygate limits', what: 'limit.set', of: 'acme', before: null, after: '$50 per month, expected' },
  ])
})

test('a trail that cannot be written is said, and the limit is set all the same', async () => {
  const { ledger, args, dir } = await PLACES['SQLite']!()
  await ledger.limits()
  await ledger.close()
  mkdirSync(join(dir!, 'changes.jsonl'))
  const { err, json } = await runCommand(limits, ['set', 'acme', '--usd', '5', '--json', ...args])
  expect(err).toBe('The limit is changed; the trail of changes beside the ledger cannot be written.\n')
  expect(json()).toMatchObject({ limit_usd: '5' })
})

describe('what cannot be', () => {
  test.each([
    [['sett', 'acme'], '`limits` takes list, set, remove, refused; got "sett"; did you mean `set`?'],
    [['set', 'acme', 'birch'], '`limits` takes list | set | remove | refused, got "birch" besides.'],
    [['set', 'acme', '--tenant', 'birch', '--usd', '1'], 'Name the tenant once: "acme" or `--tenant`.'],
    [['set', 'acme'], '`limits set` needs `--usd <dollars>`.'],
    [['set', '--usd', '5'], 'Say whose limit it is: a tenant, `--user`, `--feature`'],
    [['set', 'acme', '--usd=-5'], 'Expected `--usd` to be a number of dollars from 0 to 9223372036, got "-5".'],
    [
      ['set', 'acme', '--usd', 'fifty'],
      'Expected `--usd` to be a number of dollars from 0 to 9223372036, got "fifty".',
    ],
    [['set', 'acme', '--usd', '99999999999'], 'Expected `--usd` to be a number of dollars'],
    [
      ['set', 'acme', '--usd', '5', '--per', 'year'],
      "Expected `--per` to be one of 'hour', 'day', 'week', 'month', 'total', got \"year\".",
    ],
    [['set', 'acme', '--usd', '5', '--mode', 'strict'], "Expected `--mode` to be one of 'expected', "],
    [
      ['set', 'acme', '--usd', '5', '--time-zone', 'Mars/Olympus'],
      'Expected `--time-zone` to be the IANA name of a time zone',
    ],
    [
      ['set', 'acme', '--usd', '5', '--anchor', '32'],
      'Expected `--anchor` to be a whole number from 1 to 31, got `32`.',
    ],
    [['set', 'acme', '--usd', '5', '--anchor', 'x'], 'Expected `--anchor` to be a whole number from 1 to 31, got "x".'],
    [
      ['set', 'acme', '--usd', '5', '--min-output-tokens', '9'],
      "`--min-output-tokens` is for a limit of mode 'clamp' only.",
    ],
    [
      ['set', '--organization', 'big', '--usd', '5'],
      'Expected `--tenants` to be the list of tenants that share the limit',
    ],
    [['set', 'acme', '--everything', '--usd', '5'], '`--organization` and `--everything` stand alone'],
    [['set', 'acme', '--tenants', 'a,b', '--usd', '5'], '`--tenants` goes with `--organization`.'],
    [['set', 'a\u0000b', '--usd', '5'], 'Expected the tenant to be a string without control characters'],
    [['remove', 'acme', '--usd', '5'], '`limits remove` takes no `--usd`.'],
    [['remove', 'acme', '--per', 'year'], '`--per` takes one of hour, day, week, month, total; got "year".'],
    [['list', '--mode', 'hard'], '`limits list` takes no `--mode`.'],
  ])('%j is refused in one sentence', async (args, sentence) => {
    const dir = folder()
    await expect(runCommand(limits, [...args, '--dir', dir])).rejects.toThrow(sentence)
    expect(existsSync(join(dir, 'limits.db'))).toBe(false)
  })

  test.each([[['list']], [['set', 'acme', '--usd', '5']], [['remove', 'acme']]])(
    '%j without a ledger makes none',
    async (args) => {
      const dir = folder()
      await expect(runCommand(limits, [...args, '--dir', dir])).rejects.toThrow(/^There is no ledger at .*ledger\.db: /)
      expect(existsSync(join(dir, 'limits.db'))).toBe(false)
    },
  )

  test.each([
    ['ledger.db', 'INSERT INTO ledger_version VALUES (999)', /^The ledger at .* was written by a newer version/],
    ['limits.db', 'INSERT INTO limits_version VALUES (999)', /^The limits at .* were written by a newer version/],
  ])('%s of a newer version is left alone', async (file, sql, sentence) => {
    const { ledger, args, dir, store } = await PLACES['SQLite']!()
    await ledger.limits()
    await ledger.close()
    await using opened = disposable(store())
    await opened.store.changes(0)
    const db = new DatabaseSync(join(dir!, file))
    db.exec(sql)
    db.close()
    for (const action of [['list'], ['set', 'acme', '--usd', '5']])
      await expect(runCommand(limits, [...action, ...args])).rejects.toThrow(sentence)
  })

  test('limits that another process has locked are not changed, and that is said', async () => {
    const { ledger, args, dir, store } = await PLACES['SQLite']!()
    await ledger.limits()
    await ledger.close()
    await using opened = disposable(store())
    await opened.store.changes(0)
    const db = new DatabaseSync(join(dir!, 'limits.db'))
    db.exec('BEGIN IMMEDIATE')
    await expect(runCommand(limits, ['set', 'acme', '--usd', '5', ...args])).rejects.toThrow(
      'The limits of this ledger are being written by another process.',
    )
    db.exec('ROLLBACK')
    db.close()
  })
})
