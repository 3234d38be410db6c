// `tallygate migrate`: brings the tables of a ledger up to date, or prints the SQL that makes them in PostgreSQL.

import { ALERT_TABLES } from '../alerts/databases.ts'
import { LIMIT_TABLES } from '../limits/postgres-schema.ts'
import type { Postgres } from '../postgres/client.ts'
import { postgres } from '../postgres/client.ts'
import { postgresFault } from '../postgres/faults.ts'
import { migrate as bringUpToDate, checkSchema, type Migrations, migrationSql, SCHEMA } from '../postgres/migrate.ts'
import { CHANGE_TABLES } from '../server/changes-table.ts'
import { makeNextMonths } from '../sinks/postgres/months.ts'
import { LEDGER } from '../sinks/postgres/schema.ts'
import { DIR, defineCommand, Stop } from './command.ts'
import { DATABASE_URL, databaseUrlOf } from './ledgers.ts'
import { existingLedgerIn, folderOf, shown } from './place.ts'

/** All that this library keeps in a database. */
const PARTS: readonly Migrations[] = [LEDGER, LIMIT_TABLES, CHANGE_TABLES, ALERT_TABLES]

export const migrate = defineCommand({
  name: 'migrate',
  summary: 'Bring the tables of a ledger up to date, or make them in PostgreSQL.',
  about: [
    'A ledger makes its tables by itself where its user may. This is for where it may not: run it as the owner, or hand what --print prints to whoever is. Running it again changes nothing.',
    'The ledger in a folder is brought up to date by whoever writes to it first. Where it is large, do so before the application starts: the event loop stands still meanwhile, for tens of seconds where there are a million events.',
  ],
  options: {
    dir: DIR,
    'database-url': DATABASE_URL,
    schema: { type: 'string', value: 'name', help: `The schema that the tables are in. Default: ${SCHEMA}` },
    print: { type: 'boolean', help: 'Print the SQL and connect to nothing.' },
  },
  examples: [
    'tallygate migrate --dir .tallygate',
    'tallygate migrate --database-url postgres://owner@db.example.com/app',
    'tallygate migrate --print > supabase/migrations/20261122000000_tallygate.sql',
  ],
  async run(values, { terminal, env }) {
    const schema = checkSchema(values.schema ?? SCHEMA)
    if (values.print) {
      terminal.write(PARTS.map((part) => migrationSql(part, schema)).join('\n'))
      return undefined
    }
    const databaseUrl = databaseUrlOf(values, env)
    if (databaseUrl === undefined) {
      const path = existingLedgerIn(folderOf(values.dir, env))
      const { ledgerFault, openLedger } = await import('../sinks/sqlite/open.ts')
      try {
        openLedger(path, false).close()
      } catch (cause) {
        throw ledgerFault(cause, path).error
      }
      terminal.print(`The tables in ${shown(path)} are up to date.`)
      return undefined
    }
    const db = postgres({ databaseUrl })
    try {
      await makeAll(db, schema)
    } finally {
      await db.close()
    }
    terminal.print(`The tables in ${db.address}, schema ${schema}, are up to date.`)
    return undefined
  },
})

async function makeAll(db: Postgres, schema: string): Promise<void> {
  try {
    for (const part of PARTS) await bringUpToDate(db, part, schema)
    await makeNextMonths(db, schema, Date.now())
  } catch (cause) {
    const { code, words } = postgresFault(cause)
    if (code === undefined) throw cause
    throw new Stop(1, `The database at ${db.address} ${words} (${code}).`)
  }
}
