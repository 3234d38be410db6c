// Transactions of SQLite: all of it or nothing.

import type { DatabaseSync } from 'node:sqlite'

/** IMMEDIATE: a transaction that begins by reading and then writes fails with BUSY_SNAPSHOT, without waiting. */
export function inTransaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec('BEGIN IMMEDIATE')
  try {
    const result = work()
    db.exec('COMMIT')
    return result
  } catch (cause) {
    rollBack(db)
    throw cause
  }
}

/** SQLite ends some transactions by itself when it fails, and `isTransaction`, which would tell, came with Node 22.16. */
export function rollBack(db: DatabaseSync): void {
  try {
    db.exec('ROLLBACK')
  } catch (error) {
    if (!(error as Error).message.includes('no transaction is active')) throw error
  }
}
