// The trail of changes in PostgreSQL: one for all servers over a ledger. Rows are only ever added.

import { type PostgresOptions, postgres } from '../postgres/client.ts'
import { ledgerError } from '../postgres/faults.ts'
import { checkSchema, inSchema, type Migrations, migrate, SCHEMA } from '../postgres/migrate.ts'
import { runAsNobody } from '../tenant.ts'
import type { Change, ChangeLog } from './changes.ts'

export interface PostgresChangeLogOptions extends PostgresOptions {
  /** The schema that the table is in; `tallygate`. */
  readonly schema?: string | undefined
}

export const CHANGE_TABLES: Migrations = {
  part: 'changes',
  breaking: 1,
  steps: [
    `CREATE TABLE tallygate.changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- Milliseconds since 1970.
  at bigint NOT NULL,
  -- The key, by a name that does not open anything, or what else did it.
  "by" text NOT NULL,
  what text NOT NULL,
  "of" text NOT NULL,
  before text,
  after text
);`,
  ],
}

const NOTE =
  'INSERT INTO tallygate.changes (at, "by", what, "of", before, after) VALUES ($1::bigint, $2, $3, $4, $5, $6)'
const MOST_SHOWN = 1000
const LIST = `SELECT at::text AS at, "by", what, "of", before, after FROM tallygate.changes ORDER BY id DESC LIMIT ${MOST_SHOWN}`

/**
 * The trail of limit and key changes in the database of the ledger; the caller's to close.
 *
 * @example
 * await using changes = postgresChangeLog({ databaseUrl: 'postgres://db/app' })
 * for (const { at, by, what, of } of await changes.list()) console.log(at, by, what, of)
 */
export function postgresChangeLog(
  options: PostgresChangeLogOptions,
): ChangeLog & AsyncDisposable & { close(): Promise<void> } {
  const schema = checkSchema(options.schema ?? SCHEMA)
  const db = postgres(options)
  let preparing: Promise<void> | undefined
  let isClosed = false

  function run(sql: string, params: readonly (string | number | null)[] = []) {
    return runAsNobody(async () => {
      // A server that is told to stop while it starts: another connection would hold the process.
      if (isClosed) return []
      try {
        await (preparing ??= migrate(db, CHANGE_TABLES, schema))
        return await db.query(inSchema(sql, schema), [...params])
      } catch (cause) {
        preparing = undefined
        throw ledgerError(db.address, cause)
      }
    })
  }

  function close(): Promise<void> {
    isClosed = true
    return db.close()
  }

  return {
    async note({ at, by, what, of, before, after }) {
      await run(NOTE, [Date.parse(at), storable(by), what, storable(of), storable(before), storable(after)])
    },
    async list() {
      return (await run(LIST)).map(changeOf)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function changeOf(row: Readonly<Record<string, unknown>>): Change {
  return {
    at: new Date(Number(row['at'])).toISOString(),
    by: String(row['by']),
    what: row['what'] as Change['what'],
    of: String(row['of']),
    before: row['before'] as string | null,
    after: row['after'] as string | null,
  }
}

/** The database takes no NUL. */
function storable<T extends string | null>(text: T): T {
  return (text?.replaceAll('\0', '\ufffd') ?? null) as T
}
