// `tallygate migrate`: makes the tables in PostgreSQL, or prints the SQL that does.

import { LIMIT_TABLES } from '../limits/postgres-schema.ts'
import type { Postgres } from '../postgres/client.ts'
import { postgres } from '../postgres/client.ts'
import { postgresFault } from '../postgres/faults.ts'
import { migrate as bringUpToDate, checkSchema, type Migrations, migrationSql, SCHEMA } from '../postgres/migrate.ts'
import { makeNextMonths } from '../sinks/postgres/months.ts'
import { LEDGER } from '../sinks/postgres/schema.ts'
import { defineCommand, Stop } from './command.ts'
import { DATABASE_URL, databaseUrlOf } from './ledgers.ts'

/** All that this library keeps in a database. */
const PARTS: readonly Migrations[] = [LEDGER, LIMIT_TABLES]

export const migrate = defineCommand({
  name: 'migrate',
  summary: 'Make the tables in PostgreSQL, or bring them up to date.',
  about: [
    'A ledger makes its tables by itself where its user may. This is for where it may not: run it as the owner, or hand what --print prints to whoever is. Running it again changes nothing.',
  ],
  options: {
    'database-url': DATABASE_URL,
    schema: { type: 'string', value: 'name', help: `The schema that the tables are in. Default: ${SCHEMA}` },
    print: { type: 'boolean', help: 'Print the SQL and connect to nothing.' },
  },
  examples: [
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
    if (databaseUrl === undefined)
      throw new Stop(2, '`migrate` needs `--database-url <url>` or TALLYGATE_DATABASE_URL; --print works without.')
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
