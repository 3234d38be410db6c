// What holds of limits, scene by scene: `npm run bench:limits`, for figures to quote `npm run bench:limits -- --full`.

import { fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createDelivery } from '../src/delivery/delivery.ts'
import { createHeir } from '../src/limits/bequest.ts'
import type { LimitStore } from '../src/limits/limit-store.ts'
import { postgresLimitStore } from '../src/limits/postgres-store.ts'
import { redisLimitStore } from '../src/limits/redis-store.ts'
import { sqliteLimitStore } from '../src/limits/sqlite-store.ts'
import { formatUsd, parseUsd, picoFromNano } from '../src/money.ts'
import { createProblems } from '../src/problems.ts'
import { type Service, startPostgres, startRedis } from '../test/support/services.ts'
import { oneProcess } from './limits-one-process.ts'
import type { Told, Work } from './limits-processes.ts'
import { tenants } from './limits-tenants.ts'
import { report } from './report.ts'

const isFull = process.argv.includes('--full')
const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length)
const PROCESSES = 8
const SECONDS = isFull ? 15 : 6
const PROGRAM = join(import.meta.dirname, 'limits-processes.ts')

const KEY = { scope: 'tenant=acme', per: 'total', windowId: 'total', earlier: [] } as const

interface Place extends AsyncDisposable {
  readonly kind: Work['kind']
  readonly place: string
  readonly dir: string
  readonly service: Service | undefined
  store(): LimitStore & { end?: () => Promise<unknown> }
}

async function placeOf(kind: Work['kind']): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), 'tallygate-bench-'))
  // Redis as it has to be run where what it said must still be true after it was killed.
  const start = { postgres: startPostgres, redis: () => startRedis('--appendonly', 'yes', '--appendfsync', 'always') }
  const service = kind === 'sqlite' ? undefined : await start[kind]()
  const place = service?.url ?? join(dir, 'limits.db')
  return {
    kind,
    place,
    dir,
    service,
    store() {
      if (kind === 'sqlite') return sqliteLimitStore({ path: place })
      if (kind === 'postgres') return postgresLimitStore({ databaseUrl: place })
      const client = new Redis(place)
      return { ...redisLimitStore({ client }), close: async () => void (await client.quit()) }
    },
    async [Symbol.asyncDispose]() {
      await service?.[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function start({ kind, place, dir }: Place, name: string, over: Partial<Work>) {
  const work: Work = { kind, place, dir, name, seconds: SECONDS, usd: '10', ...over }
  const child = fork(PROGRAM, [JSON.stringify(work)], { execArgv: ['--no-warnings'] })
  let told: Told | undefined
  let isReady = () => {}
  const ready = new Promise<void>((resolve) => {
    isReady = resolve
  })
  child.on('message', (message: Told | 'ready') => {
    if (message === 'ready') isReady()
    else told = message
  })
  const ended = new Promise<Told | undefined>((resolve) => child.once('exit', () => resolve(told)))
  return { child, ready, ended }
}

/** What providers have billed, by what every process wrote down, the killed ones too. */
function billed(dir: string): bigint {
  let sum = 0n
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.costs')))
    for (const line of readFileSync(join(dir, file), 'utf8').split('\n')) if (line !== '') sum += BigInt(line)
  return sum
}

async function accountOf(place: Place) {
  const store = place.store()
  const [account] = await store.accounts([KEY])
  await store.close?.()
  return account!
}

/** Whoever finds the spools of the dead settles what they wrote down. */
async function settleDead(place: Place): Promise<void> {
  const store = place.store()
  const heir = createHeir(store)
  const settling: Promise<void>[] = []
  const delivery = createDelivery({
    sinks: [{ name: 'nowhere', send: async () => ({ outcome: 'delivered' }) }],
    problems: createProblems({ onProblem: () => undefined, raiseOnError: false }),
    spool: { dir: place.dir },
    onAdopted: (spool) => void settling.push(heir.take(spool)),
  })
  await delivery.drainOrphans()
  await Promise.all(settling)
  await delivery.close(0)
  await store.close?.()
}

const dollars = (pico: bigint) => `$${formatUsd(pico)}`
const over = (spent: bigint, usd: string) => dollars(spent > parseUsd(usd)! ? spent - parseUsd(usd)! : 0n)
const share = (spent: bigint, usd: string) => `${((Number(spent) / Number(parseUsd(usd)!)) * 100).toFixed(2)} %`

function sums(told: readonly (Told | undefined)[]) {
  const all = told.filter((one) => one !== undefined)
  const sum = (field: 'calls' | 'operations' | 'refused') => all.reduce((total, one) => total + one[field], 0)
  const worst = (field: 'p50' | 'p99') => Math.max(...all.map((one) => one[field]))
  return {
    calls: sum('calls'),
    perCall: (sum('operations') / Math.max(1, sum('calls'))).toFixed(3),
    added: `${worst('p50').toFixed(1)} / ${worst('p99').toFixed(0)} us`,
  }
}

async function together(place: Place, work: Partial<Work>, during: (at: ReturnType<typeof start>[]) => Promise<void>) {
  const running = Array.from({ length: PROCESSES }, (_, at) =>
    start(place, `p${at}-${Date.now()}`, at === 0 ? work : { ...work, skewMs: 0 }),
  )
  await Promise.all(running.map(({ ready }) => ready))
  await during(running)
  return sums(await Promise.all(running.map(({ ended }) => ended)))
}

const nothing = async () => {}

async function shared(): Promise<void> {
  const rows: string[][] = []
  for (const kind of ['sqlite', 'postgres', 'redis'] as const)
    for (const how of ['leases', 'each call', 'cached'] as const) {
      {
        await using place = await placeOf(kind)
        // What they add is measured while there is money, and what passes where it runs out.
        const steady = await together(place, { how, usd: '1000' }, nothing)
        await using other = await placeOf(kind)
        const end = await together(other, { how, usd: '10' }, nothing)
        const spent = billed(other.dir)
        rows.push([kind, how, share(spent, '10'), over(spent, '10'), steady.added, steady.perCall, end.perCall])
      }
    }
  report({
    title: `${PROCESSES} processes with 25 calls in flight each, a hard limit of $10`,
    columns: [
      'store',
      'how',
      'spent',
      'overshoot',
      'added p50 / p99, worst process',
      'operations a call',
      'to the end',
    ],
    rows,
    notes: ['Added: by asking, while there is money; each process was warmed up with 20,000 calls.'],
  })
}

async function killed(): Promise<void> {
  const rows: string[][] = []
  const rounds = isFull ? 20 : 3
  for (const kind of isFull ? (['sqlite', 'postgres', 'redis'] as const) : (['sqlite', 'redis'] as const)) {
    let worst = 0n
    let stranded = 0n
    let beyond = 0n
    for (let round = 0; round < rounds; round++) {
      await using place = await placeOf(kind)
      await together(place, { seconds: isFull ? 6 : 4, usd: '15' }, async (running) => {
        await pause(700 + Math.random() * 1500)
        for (const { child } of running.slice(0, 4)) child.kill('SIGKILL')
      })
      await settleDead(place)
      const { committed, escrow, suspense } = await accountOf(place)
      const spent = billed(place.dir)
      const passed = spent - parseUsd('15')!
      if (passed > worst) worst = passed
      stranded += escrow + suspense
      beyond += picoFromNano(committed) - spent
    }
    const charged = `${dollars(beyond / BigInt(rounds))} a round`
    rows.push([kind, String(rounds), dollars(worst), dollars(picoFromNano(stranded)), charged])
  }
  report({
    title: '4 of 8 processes killed with kill -9 in mid-flight, a hard limit of $15',
    columns: ['store', 'rounds', 'overshoot, worst', 'stranded after recovery', 'charged for calls in flight'],
    rows,
  })
}

async function storeDown(): Promise<void> {
  const rows: string[][] = []
  const down = isFull ? 30_000 : 4000
  for (const kind of ['postgres', 'redis'] as const)
    for (const whenDown of ['lease-then-deny', 'lease-then-allow', 'deny', 'allow'] as const) {
      await using place = await placeOf(kind)
      let before = 0n
      let after = 0n
      await together(place, { seconds: down / 1000 + 5, usd: '1000', whenDown }, async () => {
        await pause(2000)
        await place.service!.kill()
        // What was under way has ended, and what was held is spent.
        await pause(1500)
        before = billed(place.dir)
        await pause(down - 1500)
        after = billed(place.dir)
        await place.service!.start()
      })
      // Of processes that ended before it was back.
      await settleDead(place)
      const { committed, escrow, suspense } = await accountOf(place)
      const spent = billed(place.dir)
      const isTrue = picoFromNano(committed) >= spent && picoFromNano(committed) - spent < 1_000_000n
      rows.push([
        kind,
        whenDown,
        dollars(after - before),
        dollars(spent),
        isTrue ? 'to the nano-dollar' : `off by ${dollars(picoFromNano(committed) - spent)}`,
        dollars(picoFromNano(escrow + suspense)),
      ])
    }
  report({
    title: `the store killed for ${down / 1000} s under load, and back, a hard limit of $1000`,
    columns: ['store', 'policy', 'spent meanwhile', 'spent in all', 'the store afterwards', 'stranded'],
    rows,
  })
}

async function clocks(): Promise<void> {
  const rows: string[][] = []
  for (const kind of ['sqlite', 'redis'] as const) {
    {
      await using place = await placeOf(kind)
      await together(place, { skewMs: 3_600_000 }, nothing)
      rows.push([
        kind,
        'the clock of one is an hour ahead',
        share(billed(place.dir), '10'),
        over(billed(place.dir), '10'),
      ])
    }
    await using place = await placeOf(kind)
    await together(place, { ttlMs: 1500, seconds: 8 }, async ([first]) => {
      await pause(700)
      first!.child.kill('SIGSTOP')
      await pause(4000)
      first!.child.kill('SIGCONT')
    })
    rows.push([
      kind,
      'one is frozen past its lease, and thawed',
      share(billed(place.dir), '10'),
      over(billed(place.dir), '10'),
    ])
  }
  report({ title: 'clocks, a hard limit of $10', columns: ['store', 'scene', 'spent', 'overshoot'], rows })
}

mkdirSync(tmpdir(), { recursive: true })
const scenes = { 'one-process': () => oneProcess(isFull), shared, killed, 'store-down': storeDown, clocks, tenants }
for (const [name, scene] of Object.entries(scenes)) if (only === undefined || only === name) await scene()
