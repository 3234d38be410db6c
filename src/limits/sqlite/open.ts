// Opens the file of a SQLite limit store, and brings its tables to the newest version.

import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { MeterError } from '../../errors.ts'
import { inTransaction } from '../../sqlite/transaction.ts'
import { MIGRATIONS } from './statements.ts'

/** Long enough for the steps of other processes, short enough that the event loop is not missed: it stands still meanwhile. */
export const BUSY_TIMEOUT_MS = 100
export const LONG_BUSY_TIMEOUT_MS = 2000
const OPEN_ATTEMPTS = 10
const OPEN_PAUSE_MS = 10
const BUSY = 5
const LOCKED = 6

export function openLimits(path: string): DatabaseSync {
  const sqlite = loadSqlite()
  try {
    process.getBuiltinModule('node:fs').mkdirSync(dirname(path), { recursive: true })
  } catch (error) {
    throw fault(error, path)
  }
  // Two processes that create the same file at once make one of them fail with BUSY at once, whatever `busy_timeout` says.
  for (let attempt = 1; ; attempt++) {
    try {
      return prepared(new sqlite.DatabaseSync(path), path)
    } catch (error) {
      if (!isBusy(error) || attempt === OPEN_ATTEMPTS) throw fault(error, path)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS)
    }
  }
}

function prepared(db: DatabaseSync, path: string): DatabaseSync {
  try {
    // By PRAGMA: the constructor's `timeout` is ignored on Node 22.13 and 22.15.
    db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA synchronous = NORMAL')
    migrate(db, path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Two processes may come at once: the second finds nothing left to do. */
function migrate(db: DatabaseSync, path: string): void {
  if (versionOf(db) === MIGRATIONS.length) return
  inTransaction(db, () => {
    db.exec('CREATE TABLE IF NOT EXISTS limits_version (version INTEGER PRIMARY KEY) STRICT')
    const from = versionOf(db)
    if (from > MIGRATIONS.length)
      throw new MeterError('LIMIT_STORE_DOWN', `The limits at ${path} were written by a newer version of tallygate.`)
    for (let version = from; version < MIGRATIONS.length; version++) {
      db.exec(MIGRATIONS[version]!)
      db.prepare('INSERT INTO limits_version (version) VALUES (?)').run(version + 1)
    }
  })
}

/** 0 when the file holds no limits yet. A table rather than `user_version`: the file may have other tenants than us. */
function versionOf(db: DatabaseSync): number {
  const table = db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'limits_version'`).get()
  if (table === undefined) return 0
  return Number(db.prepare('SELECT max(version) AS version FROM limits_version').get()?.version ?? 0)
}

function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process
  // Node 22 warns that SQLite is experimental when the module loads, which an application that never heard of it should not print.
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    if (!(String(warning).includes('SQLite') && String(rest[0]) === 'ExperimentalWarning'))
      emitWarning.call(process, warning, ...rest)
  }) as typeof process.emitWarning
  try {
    const sqlite = process.getBuiltinModule?.('node:sqlite')
    if (sqlite) return sqlite
  } finally {
    process.emitWarning = emitWarning
  }
  throw new MeterError(
    'LIMIT_STORE_DOWN',
    `A limit store in a file needs Node 22.13 or newer, and this is ${process.version}.`,
  )
}

function codeOf(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code === BUSY || code === LOCKED
}

function fault(cause: unknown, path: string): MeterError {
  if (cause instanceof MeterError) return cause
  const code = codeOf(cause)
  const what = isBusy(cause)
    ? 'is being written by another process'
    : code === 26
      ? 'is no SQLite file'
      : 'cannot be opened'
  return new MeterError('LIMIT_STORE_DOWN', `The limit store at ${path} ${what}.`, { cause })
}
