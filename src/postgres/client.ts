// A connection to PostgreSQL: any client with `query`, or a small pool of our own over the package `pg`.

import { expected, MeterError } from '../errors.ts'
import { runAsNobody } from '../tenant.ts'
import { isDatabaseUrl } from './address.ts'

type Row = Readonly<Record<string, unknown>>

/**
 * Whatever runs one statement at a time: a `Pool` of `pg` or of Neon's driver, a PGlite, or a function around another
 * driver. Nothing is asked of its session, so that it may be a pooler's too.
 */
export interface PostgresClient {
  query(text: string, params?: unknown[]): Promise<{ rows: unknown[] }>
}

export interface Postgres {
  /** Where it is, for messages: never with a user or a password. */
  readonly address: string
  /** How many statements it is asked to run side by side. */
  readonly atOnce: number
  query(text: string, params?: readonly unknown[]): Promise<Row[]>
  /** All of it or nothing where the client can lend a connection, as a pool can; else each statement by itself. */
  transaction<T>(work: (query: Postgres['query']) => Promise<T>): Promise<T>
  /** Ends a pool of our own; one that was given stays open. */
  close(): Promise<void>
}

export interface PostgresOptions {
  /** A client of yours, which stays yours to end. */
  readonly pool?: PostgresClient | undefined
  /** `postgres://user:password@host:5432/database`; needs the package `pg`. */
  readonly databaseUrl?: string | undefined
}

interface Pool extends PostgresClient {
  connect(): Promise<Connection>
}

interface Connection extends PostgresClient {
  release(error?: Error): void
}

interface OwnPool extends Pool {
  on(event: 'error', listener: () => void): unknown
  end(): Promise<void>
}

const CONNECTIONS = 4
const CONNECT_MS = 10_000
const QUERY_MS = 60_000
const IDLE_MS = 10_000

/** Throws MeterError `BAD_OPTION` for options that cannot be; opens nothing before the first query. */
export function postgres({ pool, databaseUrl }: PostgresOptions): Postgres {
  if (pool !== undefined) return over(checkClient(pool))
  const address = addressOf(databaseUrl)
  let opened: Promise<OwnPool> | undefined
  const open = () => {
    opened ??= runAsNobody(() => openPool(databaseUrl!))
    // A package that is missing now may be there later; a pool that cannot connect says so query by query.
    opened.catch(() => {
      opened = undefined
    })
    return opened
  }
  return {
    address,
    atOnce: 2,
    query: async (text, params) => rowsOf(await (await open()).query(text, params && [...params])),
    transaction: async (work) => inTransaction(await open(), work),
    async close() {
      const closing = opened
      opened = undefined
      await (await closing)?.end()
    },
  }
}

function over(client: PostgresClient): Postgres {
  const query: Postgres['query'] = async (text, params) => rowsOf(await client.query(text, params && [...params]))
  return {
    address: 'the database',
    // A single client takes one statement after the other, and pg warns of more.
    atOnce: isPool(client) ? 2 : 1,
    query,
    transaction: (work) => (isPool(client) ? inTransaction(client, work) : work(query)),
    close: async () => undefined,
  }
}

/** A single client has a `connect` too, and cannot be lent: the application's own statements would be in our transaction. */
function isPool(client: PostgresClient): client is Pool {
  const { connect, totalCount } = client as { connect?: unknown; totalCount?: unknown }
  return typeof connect === 'function' && typeof totalCount === 'number'
}

async function inTransaction<T>(pool: Pool, work: (query: Postgres['query']) => Promise<T>): Promise<T> {
  const connection = await pool.connect()
  try {
    await connection.query('BEGIN')
    const result = await work(async (text, params) => rowsOf(await connection.query(text, params && [...params])))
    await connection.query('COMMIT')
    connection.release()
    return result
  } catch (cause) {
    // Ends the connection, and with it the transaction: what state it is in nobody knows.
    connection.release(cause instanceof Error ? cause : new Error('the transaction failed'))
    throw cause
  }
}

async function openPool(connectionString: string): Promise<OwnPool> {
  let pg: { Pool: new (options: Record<string, unknown>) => OwnPool }
  try {
    // The comments keep a bundler from asking for a package that an application without PostgreSQL does not have.
    const loaded = (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ 'pg')) as unknown as {
      default?: typeof pg
    } & typeof pg
    pg = loaded.default ?? loaded
  } catch (cause) {
    throw new MeterError(
      'LEDGER_UNAVAILABLE',
      '`databaseUrl` needs the package pg: `npm install pg` adds it, or give a client of yours as `pool`.',
      { cause },
    )
  }
  const pool = new pg.Pool({
    connectionString,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    // Not `statement_timeout`, which goes into the startup packet, where PgBouncer refuses what it does not know.
    query_timeout: QUERY_MS,
    idleTimeoutMillis: IDLE_MS,
    // An idle connection must not hold the process up.
    allowExitOnIdle: true,
    application_name: 'tallygate',
    keepAlive: true,
  })
  // A server that goes away ends idle connections, and an `error` nobody listens to would end the process.
  pool.on('error', () => undefined)
  return pool
}

function rowsOf(result: { readonly rows?: unknown }): Row[] {
  return Array.isArray(result?.rows) ? (result.rows as Row[]) : []
}

function checkClient(value: unknown): PostgresClient {
  if (typeof (value as { query?: unknown } | null)?.query === 'function') return value as PostgresClient
  throw new MeterError('BAD_OPTION', expected('pool', 'an object with `query(text, params)`', value))
}

/** `host:port/database` of a URL. A wrong one is not repeated: it may hold a password. */
function addressOf(databaseUrl: unknown): string {
  if (!isDatabaseUrl(databaseUrl))
    throw new MeterError(
      'BAD_OPTION',
      'Expected `databaseUrl` to be an address such as postgres://user@host:5432/name.',
    )
  const { host, pathname } = new URL(databaseUrl)
  return `${host || 'localhost'}${pathname === '/' ? '' : pathname}`
}
