// The embedded ledger: one SQLite file that several processes of a machine can write at once.

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { LimitWindow } from '../errors.ts'
import { MeterError } from '../errors.ts'
import { rollBack } from '../sqlite/transaction.ts'
import { EVENT_COLUMNS, fromRow } from './columns.ts'
import type { EventLedger, StoredLimit } from './ledger.ts'
import { wholeDaysFrom } from './roll-ups.ts'
import type { Batch, Delivery, RejectedEvent } from './sink.ts'
import { type BatchSums, createBatchSums } from './sqlite/batch-sums.ts'
import { BUSY_TIMEOUT_MS, IN_MEMORY, isRowFault, ledgerFault, openLedger } from './sqlite/open.ts'
import { repriceEvents, visitEvents } from './sqlite/repricings.ts'
import { SPENT } from './sqlite/roll-ups.ts'
import { SQLITE } from './sqlite/totals.ts'
import { filter, toTotalsRow, totalsStatement } from './totals.ts'
import { countOf, rowAt } from './wire/rows.ts'

export interface SqliteLedgerOptions {
  /** The file; its folder is made when the first event comes. `:memory:` for one that lives as long as the process. */
  readonly path: string
  /** For reports: a file that is not there is an error, and nothing is written. */
  readonly readOnly?: boolean | undefined
}

export interface SqliteLedger extends EventLedger {
  sendSync(batch: Batch): Delivery
}

const NAMES = EVENT_COLUMNS.map(({ name }) => name).join(', ')
// Not INSERT OR IGNORE, which passes over a missing value as well and would call the event a duplicate.
const INSERT = `INSERT INTO events (${NAMES}) VALUES (${EVENT_COLUMNS.map(() => '?').join(', ')})
  ON CONFLICT (event_id) DO `
const REPLACE = `UPDATE SET ${EVENT_COLUMNS.map(({ name }) => `${name} = excluded.${name}`).join(', ')}
  WHERE events.usage_source = 'estimated' AND excluded.usage_source = 'reported' AND events.project IS excluded.project`

/** Two to three milliseconds, for which the event loop stands still. */
const LARGE_BATCH = 100
/** The process is ending: there is no event loop to hold up any more, and no later. */
const LAST_BUSY_TIMEOUT_MS = 2000

/**
 * @example
 * const ledger = sqliteLedger({ path: '.tallygate/ledger.db' })
 * const meter = new Meter({ sinks: [ledger] })
 * await ledger.totals({ by: ['tenant', 'model'] })
 */
export function sqliteLedger({ path, readOnly = false }: SqliteLedgerOptions): SqliteLedger {
  let open: { db: DatabaseSync; writing: Writing | undefined; inode: number } | undefined

  function database(): DatabaseSync {
    // A file that was deleted or replaced under us would take every further event into the void.
    if (open !== undefined && open.inode !== inodeOf(path)) shut()
    if (open === undefined) {
      const db = openLedger(path, readOnly)
      open = { db, writing: undefined, inode: inodeOf(path) }
    }
    return open.db
  }

  function shut(): void {
    const closing = open
    open = undefined
    closing?.db.close()
  }

  function write(batch: Batch): Delivery {
    if (countOf(batch) === 0) return { outcome: 'delivered' }
    try {
      const db = database()
      const writing = (open!.writing ??= startWriting(db))
      try {
        return insertAll(db, batch, writing)
      } catch (cause) {
        if (!isRowFault(cause)) throw cause
        // A sum that no column holds: by its trigger it is known whose events make it so.
        rollBack(db)
        return insertAll(db, batch, { ...writing, sums: undefined })
      }
    } catch (cause) {
      return failure(cause)
    }
  }

  function failure(cause: unknown): Delivery {
    const { error, isPassing } = ledgerFault(cause, path)
    try {
      if (open) rollBack(open.db)
      if (!isPassing) shut()
    } catch {
      // The connection is as broken as the error says; the next batch opens a new one.
      open = undefined
    }
    return { outcome: isPassing ? 'retry' : 'paused', error }
  }

  /** Runs a query; what goes wrong is a `MeterError` of one sentence. */
  function ask<T>(query: (db: DatabaseSync) => T): T {
    try {
      return query(database())
    } catch (cause) {
      if (cause instanceof MeterError) throw cause
      throw ledgerFault(cause, path).error
    }
  }

  return {
    name: 'sqlite',
    largeBatch: LARGE_BATCH,
    send: async (batch) => write(batch),
    sendSync(batch) {
      try {
        database().exec(`PRAGMA busy_timeout = ${LAST_BUSY_TIMEOUT_MS}`)
        return write(batch)
      } catch (cause) {
        return failure(cause)
      } finally {
        open?.db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
      }
    },
    async report(report) {
      const { keepReport } = await import('./sqlite/reports.ts')
      ask((db) => keepReport(db, report, Date.now()))
      return true
    },
    async totals(query) {
      const { sql, values } = totalsStatement(query, SQLITE)
      const rows = ask((db) => reading(db, sql).all(values))
      return rows.map((row) => toTotalsRow(row, query.by.length, SQLITE))
    },
    async spent(tenantId, since) {
      const values = { tenant: tenantId, since, from: wholeDaysFrom(since) }
      return SQLITE.sumOf(ask((db) => reading(db, SPENT).get(values)) ?? {}, 'cost') ?? 0n
    },
    async events(query = {}) {
      const { where, values } = filter(query)
      const sql = `SELECT ${NAMES} FROM events${where} ORDER BY at DESC, event_id DESC LIMIT :limit`
      return ask((db) =>
        reading(db, sql)
          .all({ ...values, limit: query.limit ?? 1000 })
          .map(fromRow),
      )
    },
    async reprice(query, reprice, { apply = false } = {}) {
      ask((db) => {
        if (!apply) return visitEvents(db, query, reprice)
        db.exec(`PRAGMA busy_timeout = ${LAST_BUSY_TIMEOUT_MS}`)
        try {
          repriceEvents(db, query, reprice, Date.now())
        } finally {
          db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
        }
      })
    },
    async limits() {
      const rows = ask((db) => db.prepare('SELECT * FROM limits ORDER BY tenant_id, "window"').all())
      return rows.map(toStoredLimit)
    },
    async putLimit({ tenantId, window, limit, mode }) {
      ask((db) =>
        db
          .prepare('INSERT OR REPLACE INTO limits (tenant_id, "window", limit_pico, mode) VALUES (?, ?, ?, ?)')
          .run(tenantId, window, String(limit), mode),
      )
    },
    async removeLimit(tenantId, window) {
      ask((db) => db.prepare('DELETE FROM limits WHERE tenant_id = ? AND "window" = ?').run(tenantId, window))
    },
    async check() {
      // Writes a page, in which nothing changes: a disk that is full or a lock that is held is found by nothing less.
      ask((db) => db.exec(`PRAGMA user_version = ${Number(db.prepare('PRAGMA user_version').get()?.['user_version'])}`))
    },
    async close() {
      shut()
    },
  }
}

interface Writing {
  readonly insert: StatementSync
  /** What was reported stands in the place of what was estimated. */
  readonly replace: StatementSync
  /** Absent: the trigger sums up, event by event. */
  readonly sums: BatchSums | undefined
}

function startWriting(db: DatabaseSync): Writing {
  return {
    insert: db.prepare(`${INSERT}NOTHING`),
    replace: db.prepare(`${INSERT}${REPLACE}`),
    sums: createBatchSums(db),
  }
}

/** All of a batch in one transaction; what is wrong with one event is that event's. */
function insertAll(db: DatabaseSync, batch: Batch, { insert, replace, sums }: Writing): Delivery {
  // IMMEDIATE: a transaction that begins by reading and then writes fails with BUSY_SNAPSHOT, without waiting.
  db.exec('BEGIN IMMEDIATE')
  sums?.begin()
  const rejected: RejectedEvent[] = []
  let duplicates = 0
  const count = countOf(batch)
  for (let at = 0; at < count; at++) {
    try {
      const row = rowAt(batch, at)
      if (Number(insert.run(...row).changes) > 0) sums?.add(row)
      else if (Number(replace.run(...row).changes) === 0) duplicates++
    } catch (cause) {
      if (!isRowFault(cause)) throw cause
      const reason = cause instanceof MeterError ? cause.message : 'a value does not fit its column'
      rejected.push({ eventId: batch.events[at]!.eventId, reason })
    }
  }
  sums?.end()
  db.exec('COMMIT')
  return { outcome: 'delivered', duplicates, ...(rejected.length > 0 ? { rejected } : {}) }
}

/** Integers as `bigint`: a sum of pico-dollars is soon beyond what a `number` holds exactly. */
function reading(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql)
  statement.setReadBigInts(true)
  return statement
}

function toStoredLimit(row: Readonly<Record<string, unknown>>): StoredLimit {
  return {
    tenantId: row.tenant_id as string,
    window: row.window as LimitWindow,
    limit: BigInt(row.limit_pico as string),
    mode: row.mode as StoredLimit['mode'],
  }
}

function inodeOf(path: string): number {
  if (path === IN_MEMORY) return 0
  return process.getBuiltinModule('node:fs').statSync(path, { throwIfNoEntry: false })?.ino ?? -1
}
