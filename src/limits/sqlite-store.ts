// Accounts in a SQLite file: for the processes of one machine. A step is one transaction of some tens of microseconds.

import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { rollBack } from '../sqlite/transaction.ts'
import { type Books, takeStep } from './lease.ts'
import type { AccountKey, LeaseStep, LimitKey, LimitRule, LimitStore } from './limit-store.ts'
import { BUSY_TIMEOUT_MS, LONG_BUSY_TIMEOUT_MS, openLimits } from './sqlite/open.ts'
import { LEASE, leaseFrom, ruleFrom, STATEMENTS, WINDOW } from './sqlite/statements.ts'

export interface SqliteStoreOptions {
  /** The file; its folder is made when the first question comes. */
  readonly path: string
  /** Epoch milliseconds; decides when a lease has run out. */
  readonly now?: () => number
}

/** What a meter asks of the file that it keeps by itself, beside what any limit store is asked. */
export interface LimitFile extends LimitStore {
  /** Adds the limits that are not there yet; of each source once, whichever process comes first. */
  takeOver(source: string, rules: readonly LimitRule[]): void
}

type Statements = { readonly [Name in keyof typeof STATEMENTS]: StatementSync }

/** Calls that were under way when their window ended settle in it long before. */
const FORGET_AFTER_MS = 7 * 24 * 3_600_000

/**
 * A limit store in a SQLite file, for all processes that open it; needs Node 22.13.
 *
 * @example
 * const meter = new Meter({ limitStore: sqliteLimitStore({ path: '/var/lib/app/limits.db' }) })
 */
export function sqliteLimitStore(options: SqliteStoreOptions): LimitStore {
  return limitFile(options)
}

export function limitFile({ path, now = Date.now }: SqliteStoreOptions): LimitFile {
  let open: { readonly db: DatabaseSync; readonly run: Statements; readonly inode: number } | undefined

  let identity: string | undefined

  function database() {
    if (open) return open
    const db = openLimits(path)
    const prepared = Object.entries(STATEMENTS).map(([name, sql]) => {
      const statement = db.prepare(sql)
      statement.setReadBigInts(true)
      return [name, statement]
    })
    open = { db, run: Object.fromEntries(prepared) as Statements, inode: inodeOf(path) }
    return open
  }

  /** A file that was deleted or replaced under us is nobody's: what we know is put into the one that is there. */
  function current() {
    if (open && open.inode !== inodeOf(path)) shut()
    return database()
  }

  function shut(): void {
    const { db } = open ?? {}
    open = undefined
    db?.close()
  }

  /** IMMEDIATE: a transaction that begins by reading and then writes fails with BUSY_SNAPSHOT, without waiting. */
  function transaction<T>(work: (run: Statements) => T): T {
    const { db, run } = database()
    try {
      db.exec('BEGIN IMMEDIATE')
      const result = work(run)
      db.exec('COMMIT')
      return result
    } catch (error) {
      try {
        rollBack(db)
      } catch {
        // The connection is as broken as the error says; the next question opens a new one.
        shut()
      }
      throw error
    }
  }

  function limitOf(run: Statements, { scope, per }: LimitKey): bigint | undefined {
    return run.limit.get(scope, per)?.limit_nano as bigint | undefined
  }

  function booksOf(run: Statements, { scope, per }: LimitKey, windowId: string): Books | undefined {
    const row = run.window.get(scope, per, windowId)
    return row && { ...WINDOW.read(row), leases: new Map() }
  }

  function earlierOf(run: Statements, key: AccountKey): Books[] {
    return key.earlier.flatMap((windowId) => booksOf(run, key, windowId) ?? [])
  }

  function opened(run: Statements, { scope, per, windowId, opening, endsAt }: LeaseStep): Books {
    run.forget.run(scope, per, now() - FORGET_AFTER_MS)
    run.forgetLeases.run(scope, per, scope, per)
    run.open.run(scope, per, windowId, opening, endsAt ?? null)
    return { committed: opening, escrow: 0n, suspense: 0n, warned: 0, leases: new Map() }
  }

  function step(run: Statements, request: LeaseStep) {
    const { scope, per, windowId, leaseId } = request
    const limit = limitOf(run, request)
    if (limit === undefined) return undefined
    if (request.ifKnown && run.lease.get(leaseId) === undefined) return undefined
    const books = booksOf(run, request, windowId) ?? opened(run, request)
    const at = now()
    const touched = [...run.expired.all(scope, per, windowId, at), ...run.lease.all(leaseId)]
    for (const row of touched) books.leases.set(row.lease_id as string, leaseFrom(row))
    const others = Number(run.live.get(scope, per, windowId, leaseId, at)?.live ?? 0n)
    const answer = takeStep(books, earlierOf(run, request), request, limit, at, others)
    for (const [id, lease] of books.leases) run.keep.run(id, scope, per, windowId, ...LEASE.write(lease))
    run.update.run(...WINDOW.write(books), scope, per, windowId)
    return answer
  }

  /** A limit is set seldom, and must not be lost because others are busy. */
  function patiently(work: (run: Statements) => void): void {
    const { db } = current()
    db.exec(`PRAGMA busy_timeout = ${LONG_BUSY_TIMEOUT_MS}`)
    try {
      transaction(work)
    } finally {
      if (open) db.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    }
  }

  return {
    get identity() {
      return (identity ??= realPath(path))
    },
    setLimit({ scope, per, limitNanoUsd, mode, settings }) {
      patiently((run) => {
        run.revise.run()
        run.setLimit.run(scope, per, limitNanoUsd, mode, JSON.stringify(settings))
      })
    },
    removeLimit({ scope, per }) {
      patiently((run) => {
        if (limitOf(run, { scope, per }) === undefined) return
        run.revise.run()
        run.removeLimit.run(scope, per)
        for (const statement of [run.removeLeases, run.removeWindows]) statement.run(scope, per)
      })
    },
    changes(since) {
      const { run } = current()
      const revision = Number(run.revision.get()?.revision ?? 0n)
      if (revision === since) return { revision, rules: [], removed: [] }
      const rows = run.changed.all(since)
      const rules: LimitRule[] = []
      const removed: LimitKey[] = []
      for (const row of rows) {
        if (row.removed === 0n) rules.push(ruleFrom(row))
        else removed.push({ scope: row.scope as string, per: row.per as LimitKey['per'] })
      }
      return { revision, rules, removed }
    },
    accounts(keys) {
      const { run } = database()
      return keys.map((key) => {
        const limitNanoUsd = limitOf(run, key)
        if (limitNanoUsd === undefined) return undefined
        const own = booksOf(run, key, key.windowId)
        const sums = { committed: 0n, escrow: 0n, suspense: 0n }
        for (const books of [...(own ? [own] : []), ...earlierOf(run, key)]) {
          sums.committed += books.committed
          sums.escrow += books.escrow
          sums.suspense += books.suspense
        }
        return { ...sums, limitNanoUsd, warned: own?.warned ?? 0 }
      })
    },
    takeOver(source, rules) {
      patiently((run) => {
        if (Number(run.addSource.run(source).changes) === 0 || rules.length === 0) return
        run.revise.run()
        for (const { scope, per, limitNanoUsd, mode, settings } of rules)
          run.addLimit.run(scope, per, limitNanoUsd, mode, JSON.stringify(settings))
      })
    },
    lease: (steps) => transaction((run) => steps.map((request) => step(run, request))),
    close: shut,
  }
}

/** `undefined` as long as there is none. */
function realPath(path: string): string | undefined {
  const { existsSync, realpathSync } = process.getBuiltinModule('node:fs')
  return existsSync(path) ? realpathSync(path) : undefined
}

function inodeOf(path: string): number {
  return process.getBuiltinModule('node:fs').statSync(path, { throwIfNoEntry: false })?.ino ?? -1
}
