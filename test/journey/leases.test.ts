// "One limit for all your processes, on any number of machines": `tallygate serve` holds it, and nobody passes it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Meter } from 'tallygate'
import { startEmulator } from 'tallygate/emulator'
import { sqliteLimitStore } from 'tallygate/limits'
import { expect, onTestFinished, test } from 'vitest'
import { cable } from '../support/cable.ts'
import { run, start } from '../support/command-line.ts'
import { temporaryFolder } from '../support/ingest.ts'
import { metered } from '../support/metered.ts'
import { startPostgres } from '../support/services.ts'

const KEY = 'a-key-of-the-test'
const root = join(import.meta.dirname, '../..')

function folder(): string {
  const temporary = temporaryFolder()
  onTestFinished(() => temporary[Symbol.dispose]())
  return temporary.path
}

async function serving(cwd: string, args: readonly string[] = []) {
  const running = start(cwd, ['serve', '--port', '0', ...args], { TALLYGATE_API_KEY: KEY })
  onTestFinished(() => void running.process.kill('SIGKILL'))
  const [, url = ''] = await running.until(/new Meter\(\{ url: '([^']+)', apiKey: process\.env\.TALLYGATE_API_KEY \}\)/)
  return { ...running, url, base: url.replace('/v1/ingest', '') }
}

/** What a folder's ledger says was spent, in nano-dollars. */
function spentIn(cwd: string): bigint {
  using database = new DatabaseSync(join(cwd, '.tallygate/ledger.db'), { readOnly: true })
  const statement = database.prepare('SELECT coalesce(sum(cost_pico), 0) AS spent FROM events')
  statement.setReadBigInts(true)
  return (statement.get()!['spent'] as bigint) / 1000n
}

async function standingIn(cwd: string) {
  const store = sqliteLimitStore({ path: join(cwd, '.tallygate/limits.db') })
  const windowId = new Date().toISOString().slice(0, 7)
  const [account] = await store.accounts([{ scope: 'tenant=acme', per: 'month', windowId, earlier: [] }])
  await store.close?.()
  return account
}

test('four processes with ten calls each at once spend all of a limit, and nothing beyond it', async () => {
  const cwd = folder()
  const server = await serving(cwd)
  await using emulator = await startEmulator()
  emulator.reply({ inputTokens: 10, outputTokens: 900, times: Number.POSITIVE_INFINITY, delayMs: 5 })
  const admin = new Meter({ url: server.url, apiKey: KEY, dir: folder() })
  await admin.setLimit('acme', { usd: 5, mode: 'hard' })

  const apps = Array.from({ length: 4 }, async () => {
    const child = spawn(process.execPath, ['--no-warnings', join(root, 'test/support/lease-app.ts')], {
      cwd: root,
      env: {
        ...process.env,
        URL_OF_EVENTS: server.url,
        KEY,
        BASE_URL: emulator.openai.baseURL,
        HOSTS: JSON.stringify(emulator.hosts),
        TALLYGATE_DIR: folder(),
      },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    const [status] = await once(child, 'close')
    expect(status, output).toBe(0)
    return JSON.parse(output) as { calls: number; refusals: number }
  })
  const results = await Promise.all(apps)
  const billed = Number(emulator.bill().usd)
  expect(billed).toBeLessThanOrEqual(5)
  expect(billed).toBeGreaterThanOrEqual(4.95)
  // Each of them had its share.
  expect(Math.min(...results.map(({ calls }) => calls))).toBeGreaterThan(0)
  const [limit] = await admin.limits('acme')
  expect(limit).toMatchObject({ limitUsd: '5', spentUsd: emulator.bill().usd, heldUsd: '0' })
  await admin.close()
  // The ledger and the accounts tell the same, to the nano-dollar.
  expect((await standingIn(cwd))!.committed).toBe(spentIn(cwd))
  expect(await standingIn(cwd)).toMatchObject({ escrow: 0n, suspense: 0n })
})

test('a server that is killed under load and comes back: what the policy says, and nothing is lost or counted twice', async () => {
  const cwd = folder()
  const first = await serving(cwd)
  await using wire = await cable(first.base)
  await using app = await metered({ url: `${wire.url}/v1/ingest`, apiKey: KEY, flushIntervalMs: 100, dir: folder() })
  const { meter } = app
  app.emulator.reply({ inputTokens: 10, outputTokens: 900, times: Number.POSITIVE_INFINITY, delayMs: 2 })
  await meter.setLimit('acme', { usd: 2, mode: 'hard' })
  let isOver = false
  const codes = new Set<string>()
  const work = async () => {
    while (!isOver)
      await meter
        .forTenant('acme', () => app.chat())
        .catch(async (error: { code: string }) => {
          codes.add(error.code)
          // What is refused comes back at once: ten loops that never wait would leave the process nothing else to do.
          await new Promise((resolve) => setTimeout(resolve, 20))
        })
  }
  const workers = Array.from({ length: 10 }, work)
  const calls = () => app.emulator.requests.length
  await expect.poll(calls).toBeGreaterThan(20)
  first.process.kill('SIGKILL')
  await first.finished
  // The money in hand is spent, and then no more.
  await expect.poll(() => codes.has('LIMIT_STORE_DOWN')).toBe(true)
  expect(meter.stats().limits).toMatchObject({ isStoreDown: true, storeOutages: 1 })
  const whileDown = calls()

  const second = await serving(cwd)
  wire.plug(second.base)
  await expect.poll(() => codes.has('LIMIT_EXCEEDED')).toBe(true)
  isOver = true
  await Promise.all(workers)
  expect(calls()).toBeGreaterThan(whileDown)
  await meter.close()
  expect(Number(app.emulator.bill().usd)).toBeLessThanOrEqual(2)
  expect(Number(app.emulator.bill().usd)).toBeGreaterThan(1.95)
  expect(app.problems.filter(({ kind }) => kind === 'limit').map(({ message }) => message)).toEqual([
    expect.stringMatching(/^The limit store at http:\/\/127\.0\.0\.1:\d+ could not be reached \(\w+\); until it does/),
    'The limit store answers again; it is told what was spent meanwhile.',
  ])
  expect((await standingIn(cwd))!.committed).toBe(spentIn(cwd))
  expect(spentIn(cwd)).toBe(BigInt(Math.round(Number(app.emulator.bill().usd) * 1e9)))
})

test('a limit that is set in one process holds in another within a heartbeat, and is seen by whoever knows no leases', async () => {
  const cwd = folder()
  const server = await serving(cwd)
  await using app = await metered({ url: server.url, apiKey: KEY, dir: folder() })
  const { meter } = app
  await using other = new Meter({ url: server.url, apiKey: KEY, dir: folder() })
  expect(await other.checkLimit('acme', { estimateUsd: 1 })).toMatchObject({ allowed: true, limits: [] })
  await meter.setLimit('acme', { usd: 0, mode: 'hard' })
  await expect(meter.forTenant('acme', () => app.chat())).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  await expect.poll(async () => (await other.checkLimit('acme', { estimateUsd: 1 })).allowed).toBe(false)
  const headers = { authorization: `Bearer ${KEY}` }
  const answer = (await (await fetch(`${server.base}/v1/limits/acme`, { headers })).json()) as { limits: object[] }
  expect(answer.limits).toMatchObject([{ window: 'month', limit_usd: '0', mode: 'hard' }])
  // Whatever a store knows: of a feature, in a time zone.
  await meter.removeLimit('acme')
  await meter.setLimit({ feature: 'search' }, { usd: 1, per: 'day', timeZone: 'Asia/Kathmandu' })
  const known = async () => (await other.limits({ feature: 'search' })).length
  await expect.poll(known).toBe(1)
  other.trackManually({ provider: 'openai', model: 'gpt-4o', inputTokens: 1000, outputTokens: 1000, feature: 'search' })
  await other.close()
  expect(await meter.limits({ feature: 'search' })).toMatchObject([{ limitUsd: '1', spentUsd: '0.0125' }])
  const report = await run(cwd, ['report', '--json'])
  expect(JSON.parse(report.stdout)).toMatchObject({ limits: [] })
})

test('two servers in front of one PostgreSQL are one limit', async () => {
  await using database = await startPostgres()
  const servers = []
  for (let one = 0; one < 2; one++) servers.push(await serving(folder(), ['--database-url', database.url]))
  const meters = servers.map(({ url }) => new Meter({ url, apiKey: KEY, dir: folder() }))
  const [one, two] = meters as [Meter, Meter]
  await one.setLimit('acme', { usd: 1, mode: 'hard' })
  await expect.poll(async () => (await two.limits('acme')).length).toBe(1)
  for (const meter of meters)
    meter.trackManually({
      provider: 'openai',
      model: 'gpt-4o',
      inputTokens: 40_000,
      outputTokens: 30_000,
      tenantId: 'acme',
    })
  for (const meter of meters) await meter.flush()
  const spent = async (meter: Meter) => (await meter.limits('acme'))[0]?.spentUsd
  await expect.poll(() => spent(one)).toBe('0.8')
  expect(await two.checkLimit('acme', { estimateUsd: '0.21' })).toMatchObject({ allowed: false })
  for (const meter of meters) await meter.close()
  const report = await run(folder(), ['report', '--json', '--database-url', database.url])
  expect(JSON.parse(report.stdout)).toMatchObject({ limits: [{ tenant: 'acme', spent_usd: '0.8' }] })
  for (const { process: child, finished } of servers) {
    child.kill('SIGTERM')
    expect((await finished).exitCode).toBe(0)
  }
})
