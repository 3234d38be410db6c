// The table of what was told, in the ledger's own database: made when it is first needed.

import type { OpenLedgerOptions } from '../ledger/open.ts'
import { type PostgresOptions, postgres } from '../postgres/client.ts'
import { ledgerError } from '../postgres/faults.ts'
import { checkSchema, inSchema, type Migrations, migrate, SCHEMA } from '../postgres/migrate.ts'
import { ledgerFault, openLedger } from '../sinks/sqlite/open.ts'
import { parameters } from '../sqlite/parameters.ts'
import { runAsNobody } from '../tenant.ts'
import { type AlertDatabase, tableSql } from './store.ts'

export function alertDatabase({ path, dir, databaseUrl, pool, schema }: OpenLedgerOptions): AlertDatabase {
  if (databaseUrl !== undefined || pool !== undefined) return postgresDatabase({ databaseUrl, pool, schema })
  return sqliteDatabase(path ?? `${dir?.replace(/\/+$/, '')}/ledger.db`)
}

const IN_SQLITE = `${tableSql('TEXT', 'INTEGER').replace('CREATE TABLE tallygate.', 'CREATE TABLE IF NOT EXISTS ')} STRICT, WITHOUT ROWID`

function sqliteDatabase(path: string): AlertDatabase {
  let opened: ReturnType<typeof openLedger> | undefined

  function db(): ReturnType<typeof openLedger> {
    if (opened === undefined) {
      opened = openLedger(path, false)
      opened.exec(IN_SQLITE)
    }
    return opened
  }

  return {
    async run(sql, values) {
      try {
        return db().prepare(sql.replaceAll('tallygate.', '')).all(parameters(values))
      } catch (cause) {
        throw ledgerFault(cause, path).error
      }
    },
    async close() {
      opened?.close()
      opened = undefined
    },
  }
}

export const ALERT_TABLES: Migrations = {
  part: 'alerts',
  steps: [`${tableSql('text COLLATE "C"', 'bigint')};`],
  breaking: 1,
}

function postgresDatabase(options: PostgresOptions & { readonly schema?: string | undefined }): AlertDatabase {
  const schema = checkSchema(options.schema ?? SCHEMA)
  const db = postgres(options)
  let preparing: Promise<void> | undefined

  return {
    run: (sql, values) =>
      runAsNobody(async () => {
        try {
          await (preparing ??= migrate(db, ALERT_TABLES, schema))
          return await db.query(inSchema(sql, schema), [...values])
        } catch (cause) {
          preparing = undefined
          throw ledgerError(db.address, cause)
        }
      }),
    close: () => db.close(),
  }
}
