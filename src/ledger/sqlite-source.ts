// The ledger in a file, as the views ask it.

import { MeterError } from '../errors.ts'
import { ledgerFault, openLedger } from '../sinks/sqlite/open.ts'
import { parameters } from '../sqlite/parameters.ts'
import { type Row, SQLITE_DIALECT } from './dialect.ts'
import type { Source } from './source.ts'
import type { Statement } from './statement.ts'

type Connection = ReturnType<typeof openLedger>

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
      return statement.all(parameters(values))
    } catch (cause) {
      if (cause instanceof MeterError) throw cause
      throw ledgerFault(cause, path).error
    }
  }

  return {
    dialect: SQLITE_DIALECT,
    ask: (statement) => run(reader, statement),
    change(statement) {
      return run(() => {
        // Not one that is made by being opened: there is nothing in it to change.
        reader()
        return (writing ??= openLedger(path, false))
      }, statement)
    },
    close: async () => shut(),
  }
}

function inodeOf(path: string): number {
  return process.getBuiltinModule('node:fs').statSync(path, { throwIfNoEntry: false })?.ino ?? -1
}
