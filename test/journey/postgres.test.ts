// "new Meter({ databaseUrl })": straight into PostgreSQL, and every command reads and writes there.

import { createServer, type Socket } from 'node:net'
import { Meter } from 'tallygate'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'

let server: TestPostgres
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server[Symbol.asyncDispose]())

/** A database of its own, in which everything has its usual name. */
async function database(name: string): Promise<string> {
  await server.run(`CREATE DATABASE ${name}`)
  return server.url.replace(/\/postgres$/, `/${name}`)
}

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

const CALL = { provider: 'openai', model: 'gpt-6-sol', inputTokens: 1000, outputTokens: 100, tenantId: 'acme' } as const

test('what a meter records is in the report, with its limits, and can be priced again', async () => {
  const databaseUrl = await database('straight')
  const cwd = folder()
  const problems: string[] = []
  const meter = new Meter({ databaseUrl, dir: cwd, onProblem: ({ message }) => problems.push(message) })
  await meter.setLimit('acme', { usd: 50 })
  meter.trackManually(CALL)
  await meter.close()
  expect(problems).toEqual([])

  const given = await run(cwd, ['report', '--json', '--database-url', databaseUrl])
  const named = await run(cwd, ['report', '--json'], { TALLYGATE_DATABASE_URL: databaseUrl })
  expect([given.exitCode, given.stderr]).toEqual([0, ''])
  expect(named.stdout).toBe(given.stdout)
  expect(JSON.parse(given.stdout)).toMatchObject({
    ledger: `postgres://${new URL(databaseUrl).host}/straight`,
    rows: [{ tenant: 'acme', calls: 1, cost_usd: '0.003' }],
    limits: [{ tenant: 'acme', window: 'month', limit_usd: '50', spent_usd: '0.003' }],
  })
  const repriced = await run(cwd, ['reprice', '--since', 'day', '--json', '--apply', '--database-url', databaseUrl])
  expect([repriced.exitCode, repriced.stderr]).toEqual([0, ''])
  expect(JSON.parse(repriced.stdout)).toMatchObject({ total: { calls: 1 } })

  const again = new Meter({ databaseUrl, dir: cwd })
  expect(await again.limits('acme')).toMatchObject([{ limitUsd: '50', spentUsd: '0.003' }])
  await again.close()
})

test('limits are shared by all that write into it, of every kind, and nobody passes one', async () => {
  const databaseUrl = await database('limited')
  const meters = [1, 2].map(() => new Meter({ databaseUrl, dir: folder() }))
  onTestFinished(async () => void (await Promise.all(meters.map((meter) => meter.close()))))
  const [first, second] = meters as [Meter, Meter]
  const SEARCH = { tenant: 'acme', feature: 'search' }
  await first.setLimit(SEARCH, { usd: 0.5, per: 'total', mode: 'hard' })
  first.forTenant('acme', { feature: 'search' }, () => first.trackManually({ ...CALL, inputTokens: 500_000 }))
  await first.close()
  expect(await second.limits(SEARCH)).toMatchObject([{ limitUsd: '0.5', remainingUsd: '0', mode: 'hard' }])
})

test('the ingest endpoint stores into it, and an event that came both ways counts once', async () => {
  const databaseUrl = await database('served')
  const cwd = folder()
  const running = start(cwd, ['serve', '--port', '0', '--database-url', databaseUrl], { TALLYGATE_API_KEY: 'k' })
  onTestFinished(() => void running.process.kill('SIGKILL'))
  const [, url = ''] = await running.until(/new Meter\(\{ url: '([^']+)'/)
  const meter = new Meter({ url, apiKey: 'k', databaseUrl, dir: cwd, onProblem: ({ message }) => expect.fail(message) })
  meter.trackManually(CALL)
  await meter.close()
  running.process.kill('SIGTERM')
  expect((await running.finished).exitCode).toBe(0)
  const report = await run(cwd, ['report', '--json', '--database-url', databaseUrl])
  expect(JSON.parse(report.stdout)).toMatchObject({ total: { calls: 1, cost_usd: '0.003' } })
})

test('the tables can be made before, by whoever may', async () => {
  const databaseUrl = await database('prepared')
  const cwd = folder()
  const printed = await run(cwd, ['migrate', '--print'])
  expect(printed.stdout).toContain('CREATE TABLE tallygate.events')
  for (let times = 0; times < 2; times++) {
    const made = await run(cwd, ['migrate', '--database-url', databaseUrl])
    expect([made.exitCode, made.stderr]).toEqual([0, ''])
    expect(made.stdout).toMatch(/^The tables in .+\/prepared, schema tallygate, are up to date\.$/m)
  }
  expect((await run(cwd, ['report', '--database-url', databaseUrl])).stdout).toContain('No calls.')
})

test('what cannot be is said in one sentence, without the password', async () => {
  const cwd = folder()
  const failed = async (args: readonly string[]) => {
    const { exitCode, stderr, stdout } = await run(cwd, args)
    expect(stdout + stderr).not.toContain('hunter2')
    return [exitCode, stderr.trim()]
  }
  const away = 'postgres://acme:hunter2@127.0.0.1:9/db'
  expect(await failed(['report', '--database-url', away])).toEqual([
    1,
    'The ledger in 127.0.0.1:9/db could not be reached (ECONNREFUSED).',
  ])
  expect(await failed(['report', '--database-url', away, '--dir', '.'])).toEqual([
    2,
    'Give either `--dir` or `--database-url`.',
  ])
  expect((await failed(['report', '--database-url', 'mysql://acme:hunter2@h/db']))[1]).toBe(
    'Expected `databaseUrl` to be an address such as postgres://user@host:5432/name.',
  )
  expect((await failed(['report', '--database-url', await database('empty')]))[1]).toMatch(
    /^There is no ledger in .+\/empty, schema tallygate\.$/,
  )
  const none = await failed(['migrate'])
  expect([none[0], String(none[1]).split(' at ')[0]]).toEqual([1, 'There is no ledger'])
  expect(await failed(['migrate', '--database-url', away])).toEqual([
    1,
    'The database at 127.0.0.1:9/db could not be reached (ECONNREFUSED).',
  ])
})

/** Takes every connection and says nothing, as a database behind a dead proxy does. */
async function silentServer(): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

test.each<[string, () => Promise<number>]>([
  ['refuses connections', async () => 9],
  ['says nothing', silentServer],
])('calls go on with a database that %s, and what they cost reaches it later', async (name, port) => {
  const dir = folder()
  const away = `postgres://acme:hunter2@127.0.0.1:${await port()}/db`
  const app = await metered({ databaseUrl: away, dir })
  for (let call = 0; call < 3; call++) await app.meter.forTenant('acme', () => app.chat())
  await app.meter.close(500)
  await app.emulator.close()
  expect(app.problems.filter(({ kind }) => kind === 'limit')).toHaveLength(1)
  expect(app.problems.map(({ message }) => message).join()).not.toContain('hunter2')
  expect(app.meter.stats().limits).toMatchObject({ allowedWhileDown: 3, isStoreDown: true })

  const databaseUrl = await database(name.replaceAll(' ', '_'))
  await using back = new Meter({ databaseUrl, dir })
  back.trackManually(CALL)
  await back.close()
  const report = await run(dir, ['report', '--json', '--database-url', databaseUrl])
  expect(JSON.parse(report.stdout)).toMatchObject({ rows: [{ tenant: 'acme', calls: 4 }] })
})
