// Opens a ledger file, and says in one sentence why it cannot be opened or written.

import { basename, dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { MeterError } from '../../errors.ts'
import { MIGRATIONS, migrate, versionOf } from './schema.ts'

type Sqlite = typeof import('node:sqlite')

const BUSY = 5
const LOCKED = 6
const FULL = 13
const IO_ERROR = 10
const READ_ONLY = 8

/** The file of a `:memory:` ledger is none. */
export const IN_MEMORY = ':memory:'

/** Long enough for the writes of other processes, short enough that the event loop is not missed: it stands still meanwhile. */
export const BUSY_TIMEOUT_MS = 200
const OPEN_ATTEMPTS = 10
const OPEN_PAUSE_MS = 10

/** Throws a `MeterError` or an error of SQLite's. */
export function openLedger(path: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  // Not imported: node:fs, and the streams that its exports bring, take 4 ms of CPU to load.
  const { existsSync, mkdirSync } = process.getBuiltinModule('node:fs')
  if (readOnly) {
    if (path !== IN_MEMORY && !existsSync(path))
      throw new MeterError('LEDGER_UNAVAILABLE', `There is no ledger at ${path}.`)
    return readWith(() => prepare(new DatabaseSync(path, { readOnly: true }), () => {}, path), path)
  }
  if (path !== IN_MEMORY) mkdirSync(dirname(path), { recursive: true })
  // Two processes that create or recover the same file at once make one of them fail with BUSY at once, whatever
  // `busy_timeout` says (SQLite does not call the busy handler there).
  for (let attempt = 1; ; attempt++) {
    try {
      return prepare(new DatabaseSync(path), setUp, path)
    } catch (error) {
      if (!isBusy(error) || attempt === OPEN_ATTEMPTS) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OPEN_PAUSE_MS)
    }
  }
}

/** In WAL mode whoever reads writes as well: to the index of the log, in a file beside the ledger. */
function readWith(open: () => DatabaseSync, path: string): DatabaseSync {
  try {
    return open()
  } catch (cause) {
    if (sqliteCode(cause) !== READ_ONLY) throw cause
    const message = `The ledger at ${path} cannot be read where nothing may be written: SQLite needs ${basename(path)}-shm beside it. Copy the folder, and read the copy.`
    throw new MeterError('LEDGER_UNAVAILABLE', message, { cause })
  }
}

function setUp(db: DatabaseSync): void {
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('PRAGMA synchronous = NORMAL')
  migrate(db)
}

function prepare(db: DatabaseSync, setUp: (db: DatabaseSync) => void, path: string): DatabaseSync {
  try {
    // By PRAGMA: the constructor's `timeout` is ignored on Node 22.13 and 22.15.
    db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    setUp(db)
    const version = versionOf(db)
    if (version > MIGRATIONS.length)
      throw new MeterError('LEDGER_UNAVAILABLE', `The ledger at ${path} was written by a newer version of tallygate.`)
    if (version > 0 && version < MIGRATIONS.length)
      throw new MeterError(
        'LEDGER_UNAVAILABLE',
        `The ledger at ${path} is of an older version of tallygate: \`npx tallygate migrate\` brings it up to date, and so does whoever writes to it next.`,
      )
    if (version < MIGRATIONS.length)
      throw new MeterError(
        'LEDGER_UNAVAILABLE',
        `The file ${path} holds no ledger that this version of tallygate can read.`,
      )
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** `node:sqlite`, or a sentence on what to do without it. */
export function loadSqlite(): Sqlite {
  const sqlite = withoutExperimentalWarning(() => process.getBuiltinModule?.('node:sqlite'))
  if (sqlite === undefined)
    throw new MeterError(
      'LEDGER_UNAVAILABLE',
      `The embedded ledger needs Node 22.13 or newer and this is ${process.version}: update Node, or set \`url\` to send events to an ingest endpoint.`,
    )
  return sqlite
}

/**
 * Node 22 warns that SQLite is experimental when the module loads, which an application that never heard of it should
 * not print. The load is synchronous: nothing else can warn meanwhile, and no other kind of warning is held back.
 */
function withoutExperimentalWarning<T>(load: () => T): T {
  const { emitWarning } = process
  process.emitWarning = ((warning: string | Error, ...rest: never[]) => {
    const isOurs = String(warning).includes('SQLite') && String(rest[0]) === 'ExperimentalWarning'
    if (!isOurs) emitWarning.call(process, warning, ...rest)
  }) as typeof process.emitWarning
  try {
    return load()
  } finally {
    process.emitWarning = emitWarning
  }
}

/** An error of opening, reading or writing as one sentence; whether waiting helps stands in `isPassing`. */
export function ledgerFault(cause: unknown, path: string): { error: MeterError; isPassing: boolean } {
  if (cause instanceof MeterError) return { error: cause, isPassing: false }
  const code = sqliteCode(cause)
  const why = code === undefined ? systemReason(cause) : REASONS[code]
  const message = `The ledger at ${path} ${why ?? 'failed'}${code === undefined ? '' : ` (SQLite error ${code})`}.`
  return {
    error: new MeterError('LEDGER_UNAVAILABLE', message, { cause }),
    isPassing: code === BUSY || code === LOCKED || code === FULL || code === IO_ERROR,
  }
}

const REASONS: Readonly<Record<number, string>> = {
  1: 'does not have the tables of a ledger',
  3: 'may not be opened by this user',
  [BUSY]: 'is being written by another process',
  [LOCKED]: 'is being written by another process',
  [READ_ONLY]: 'is read-only',
  [IO_ERROR]: 'cannot be read or written',
  11: 'is damaged',
  [FULL]: 'cannot grow: the disk is full',
  14: 'cannot be opened',
  26: 'is no SQLite file',
}

function systemReason(cause: unknown): string {
  const code = (cause as { code?: unknown } | null)?.code
  return typeof code === 'string' ? `cannot be opened (${code})` : 'failed'
}

/** SQLite's primary result code; the extended one holds it in its low byte. */
function sqliteCode(cause: unknown): number | undefined {
  const code = (cause as { errcode?: unknown } | null)?.errcode
  return typeof code === 'number' ? code & 0xff : undefined
}

function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === BUSY || code === LOCKED
}

/** Whether an error concerns one row and not the file: a value that its column refuses. */
export function isRowFault(cause: unknown): boolean {
  const code = sqliteCode(cause)
  return cause instanceof MeterError || (code !== undefined && ROW_FAULTS.has(code))
}

/** TOOBIG, CONSTRAINT, MISMATCH, RANGE. */
const ROW_FAULTS = new Set([18, 19, 20, 25])
