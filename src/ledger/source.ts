// The database behind the views: asks one statement at a time, and says in one sentence what went wrong.

import { MeterError } from '../errors.ts'
import { type PostgresOptions, postgres } from '../postgres/client.ts'
import { isMissing, postgresFault } from '../postgres/faults.ts'
import { checkSchema, checkVersion, inSchema, SCHEMA } from '../postgres/migrate.ts'
import { LEDGER } from '../sinks/postgres/schema.ts'
import { ledgerFault, openLedger } from '../sinks/sqlite/open.ts'
import { runAsNobody } from '../tenant.ts'
import { type Dialect, POSTGRES_DIALECT, type Row, SQLITE_DIALECT } from './dialect.ts'
import type { Statement } from './statement.ts'

type Connection = ReturnType<typeof openLedger>

export interface Source {
  readonly dialect: Dialect
  ask(statement: Statement): Promise<Row[]>
  /** Runs a statement that changes something; the rows that it gives. */
  change(statement: Statement): Promise<Row[]>
  close(): Promise<void>
}

export function sqliteSource(path: string): Source {
  let reading: { db: Connection; inode: number } | undefined
  let writing: Connection | undefined

  function reader(): Connection {
    // A file that was replaced under us has nothing new any more.
    if (reading !== undefined && reading.inode !== inodeOf(path)) shut()
    reading ??= { db: openLedger(path, true), inode: inodeOf(path) }
    return reading.db
  }

  function shut(): void {
    const closing = [reading?.db, writing]
    reading = writing = undefined
    for (const db of closing) db?.close()
  }

  async function run(db: () => Connection, { sql, values }: Statement): Promise<Row[]> {
    try {
      const statement = db().prepare(sql)
      statement.setReadBigInts(true)
      return statement.all(...values)
    } catch (cause) {
      if (cause instanceof MeterError) throw cause
      throw ledgerFault(cause, path).error
    }
  }

  return {
    dialect: SQLITE_DIALECT,
    ask: (statement) => run(reader, statement),
    change(statement) {
      // Not one that is made by being opened: there is nothing in it to change.
      reader()
      return run(() => (writing ??= openLedger(path, false)), statement)
    },
    close: async () => shut(),
  }
}

function inodeOf(path: string): number {
  return process.getBuiltinModule('node:fs').statSync(path, { throwIfNoEntry: false })?.ino ?? -1
}

export interface PostgresSourceOptions extends PostgresOptions {
  readonly schema?: string | undefined
}

export function postgresSource(options: PostgresSourceOptions): Source {
  const schema = checkSchema(options.schema ?? SCHEMA)
  const db = postgres(options)
  let checking: Promise<void> | undefined

  async function run({ sql, values }: Statement): Promise<Row[]> {
    try {
      checking ??= checkVersion(db, LEDGER, schema)
      await checking
      // As text, which every driver passes on: some know no bigint.
      const params = values.map((value) => (typeof value === 'bigint' ? String(value) : value))
      return await db.query(inSchema(sql, schema), params)
    } catch (cause) {
      const fault = postgresFault(cause)
      if (cause instanceof MeterError || isMissing(fault)) checking = undefined
      if (cause instanceof MeterError) throw cause
      const number = fault.code === undefined ? '' : ` (${fault.code})`
      const sentence = `The ledger in ${db.address} ${fault.words}${number}.`
      checking = undefined
      throw new MeterError('LEDGER_UNAVAILABLE', sentence, { cause })
    }
  }

  const ask = (statement: Statement) => runAsNobody(() => run(statement))
  return { dialect: POSTGRES_DIALECT, ask, change: ask, close: () => db.close() }
}
