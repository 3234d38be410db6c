// The dashboard over ten million events of five thousand tenants: what each page asks, how long the answers take, and the
// memory of the server: `npm run bench:views`, `-- --store postgres`, `-- --events 100000`, `-- --folder /var/tmp/big`
// to keep what was filled for the next run.

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { NO_BROWSER, startBrowser, visit } from '../test/support/browser.ts'
import { startPostgres } from '../test/support/postgres.ts'
import { fillPostgres, fillSqlite } from './fill-ledger.ts'
import { quantile } from './statistics.ts'

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '10000000' },
    store: { type: 'string', default: 'sqlite' },
    rounds: { type: 'string', default: '20' },
    folder: { type: 'string' },
  },
})
const EVENTS = Number(options.events)
const ROUNDS = Number(options.rounds)
const TENANTS = 5000
const DAYS = 90
const DAY = 86_400_000
const KEY = 'bench'
const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const seconds = (began: number) => ((performance.now() - began) / 1000).toFixed(1)

const PAGES = [
  '#/',
  '#/?by=tenant',
  '#/?by=feature&range=7d',
  '#/?range=24h',
  '#/?range=90d',
  '#/tenants',
  '#/tenants/tenant-0',
  '#/tenants/tenant-40',
  '#/tenants/tenant-4000',
  '#/models',
  '#/labels',
  '#/labels?by=user',
  '#/labels?by=session&range=7d',
  '#/labels?by=tag%3Aplan',
  '#/events',
  '#/limits',
  '#/health',
]

interface Looked {
  readonly hash: string
  readonly paintedMs: number
  readonly addresses: readonly string[]
}

/** Opens each page in a browser, as a reader does, and notes what it asks for. */
async function look(url: string): Promise<{ looked: Looked[]; faults: readonly string[] }> {
  const browser = await startBrowser()
  try {
    await using reader = await visit(browser, url, { key: KEY })
    reader.page.setDefaultTimeout(600_000)
    const asked = new Set<string>()
    reader.page.on('request', (request) => {
      const address = new URL(request.url())
      if (address.pathname.startsWith('/v1/') && request.method() === 'GET')
        asked.add(address.pathname + address.search)
    })
    const looked: Looked[] = []
    for (const hash of ['#/limits', ...PAGES]) {
      asked.clear()
      const began = performance.now()
      await reader.go(hash)
      looked.push({ hash, paintedMs: performance.now() - began, addresses: [...asked] })
      console.log(`${hash} after ${seconds(began)} s`)
    }
    return { looked: looked.slice(1), faults: reader.faults }
  } finally {
    await browser.close()
  }
}

async function timeOf(url: string, address: string): Promise<number> {
  const began = performance.now()
  const response = await fetch(url + address, { headers: { authorization: `Bearer ${KEY}` } })
  const body = await response.text()
  if (!response.ok) throw new Error(`${address}: ${response.status} ${body}`)
  return performance.now() - began
}

function residentMb(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  const kb = new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Math.round(Number(kb) / 1024)
}

async function startServer(args: readonly string[]): Promise<{ url: string; pid: number; stop(): void }> {
  const env = { ...process.env, TALLYGATE_API_KEY: KEY }
  const child = spawn(process.execPath, ['--no-warnings', MAIN, 'serve', '--port', '0', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const url = await new Promise<string>((resolve, reject) => {
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const found = /Listening on (http:\S+?),/.exec(said)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', (code) => reject(new Error(`The server ended with ${code}: ${said}`)))
  })
  return { url, pid: child.pid!, stop: () => void child.kill() }
}

/** What an own query over the events takes, for those who wonder what the roll-ups are for. */
async function plainGroupBy(target: string): Promise<number> {
  const since = Date.now() - 30 * DAY
  const began = performance.now()
  if (target.startsWith('postgres:')) {
    const client = new pg.Client(target)
    await client.connect()
    await client.query('SELECT model, sum(cost_pico) FROM tallygate.events WHERE at >= $1 GROUP BY model', [since])
    await client.end()
  } else {
    using database = new DatabaseSync(target, { readOnly: true })
    const statement = database.prepare('SELECT model, sum(cost_pico) FROM events WHERE at >= ? GROUP BY model')
    statement.setReadBigInts(true)
    statement.all(since)
  }
  return performance.now() - began
}

async function measure(target: string, args: readonly string[]): Promise<void> {
  if (NO_BROWSER) throw new Error(NO_BROWSER)
  const server = await startServer(args)
  try {
    const atStart = residentMb(server.pid, 'VmRSS')
    const { looked, faults } = await look(server.url)
    const addresses = [...new Set(looked.flatMap((page) => page.addresses))]
    const times = new Map<string, number[]>(addresses.map((address) => [address, []]))
    for (let round = 0; round < ROUNDS; round++)
      for (const [address, taken] of times) taken.push(await timeOf(server.url, address))
    console.table(
      looked.map(({ hash, paintedMs, addresses: asked }) => ({
        page: hash,
        'first look (ms)': Math.round(paintedMs),
        questions: asked.length,
        'slowest p95 (ms)': Math.round(Math.max(...asked.map((address) => quantile(times.get(address)!, 0.95)))),
      })),
    )
    const slowest = [...times].map(([address, taken]) => ({
      question: decodeURIComponent(address).slice(0, 110),
      p50: Number(quantile(taken, 0.5).toFixed(1)),
      p95: Number(quantile(taken, 0.95).toFixed(1)),
    }))
    console.table(slowest.sort((a, b) => b.p95 - a.p95))
    const all = [...times.values()].flat()
    console.log(
      `${addresses.length} questions, ${ROUNDS} times each: p50 ${quantile(all, 0.5).toFixed(1)} ms, p95 ${quantile(all, 0.95).toFixed(1)} ms`,
    )
    console.log(
      `memory of the server: ${atStart} MB at the start, ${residentMb(server.pid, 'VmRSS')} at the end, ${residentMb(server.pid, 'VmHWM')} at most`,
    )
    if (faults.length > 0) console.log('The console of the browser:', faults)
    const plain: number[] = []
    for (let round = 0; round < 3; round++) plain.push(await plainGroupBy(target))
    console.log(`a plain GROUP BY model over the events of 30 days: ${quantile(plain, 0.5).toFixed(0)} ms`)
  } finally {
    server.stop()
  }
}

const filling = { events: EVENTS, tenants: TENANTS, days: DAYS, now: Date.now() }
if (options.store === 'postgres') {
  await using server = await startPostgres({ shared_buffers: '512MB' })
  await fillPostgres(server.url, filling)
  await measure(server.url, ['--database-url', server.url])
} else {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'tallygate-bench-views-'))
  mkdirSync(folder, { recursive: true })
  const path = join(folder, 'ledger.db')
  try {
    // Whole, and not what a run that was broken off has left.
    const done = join(folder, 'filled')
    if (!existsSync(done)) await fillSqlite(path, filling)
    writeFileSync(done, '')
    await measure(path, ['--dir', folder])
  } finally {
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true })
  }
}
