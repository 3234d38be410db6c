// A throw-away PostgreSQL on a free port, the machine's own binaries; each test takes a schema of its own in it.

import { execFileSync, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import pg from 'pg'

export interface TestPostgres extends AsyncDisposable {
  readonly url: string
  /** A name that no other test has; nothing is made. */
  schema(): string
  /** Runs SQL as the owner of everything. */
  run(sql: string, params?: unknown[]): Promise<Record<string, unknown>[]>
  /** Ends the server as a crash would; `restart` has it back on the same port. */
  kill(): Promise<void>
  restart(): Promise<void>
}

/** Where the servers of Debian, and of whoever built one, put `initdb`. */
function binaries(): string {
  const versions = '/usr/lib/postgresql'
  const folders = [
    ...(process.env['PG_BIN'] ? [process.env['PG_BIN']] : []),
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/local/bin',
    ...(existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'bin')) : []),
  ]
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
  if (found === undefined)
    throw new Error(
      'These tests need PostgreSQL: put `initdb` and `postgres` on the PATH, or their folder into PG_BIN.',
    )
  return found
}

/** PostgreSQL refuses to run as root. */
const NOBODY = 65_534
/** No test cuts the power. */
const SETTINGS = { fsync: 'off', full_page_writes: 'off', shared_buffers: '32MB', max_connections: '60' }

export async function startPostgres(own: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const bin = binaries()
  const folder = mkdtempSync(join(tmpdir(), 'tallygate-pg-'))
  const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  if ('uid' in user) chownSync(folder, NOBODY, NOBODY)
  const options = { ...user, cwd: folder, env: { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C' } }
  const data = join(folder, 'data')
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
    { ...options, stdio: 'pipe' },
  )
  const port = await freePort()
  const start = () =>
    new Promise<ReturnType<typeof spawn>>((resolve, reject) => {
      const settings = Object.entries({ ...SETTINGS, ...own }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
      const child = spawn(
        join(bin, 'postgres'),
        ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, ...settings],
        { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
      )
      let log = ''
      child.stderr!.setEncoding('utf8').on('data', (text: string) => {
        log += text
        if (text.includes('ready to accept connections')) resolve(child)
      })
      child.once('exit', (code) => reject(new Error(`PostgreSQL ended with ${code}:\n${log}`)))
    })
  let child = await start()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let pool = ownPool(url)
  let schemas = 0

  async function end(signal: NodeJS.Signals): Promise<void> {
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }

  return {
    url,
    schema: () => `s${++schemas}`,
    run: async (sql, params) => (await pool.query(sql, params)).rows as Record<string, unknown>[],
    async kill() {
      await pool.end()
      await end('SIGQUIT')
    },
    async restart() {
      child = await start()
      pool = ownPool(url)
    },
    async [Symbol.asyncDispose]() {
      await pool.end()
      // At once: clients that a test forgot must not hold it up.
      await end('SIGINT')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function ownPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 4 })
  pool.on('error', () => undefined)
  return pool
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
