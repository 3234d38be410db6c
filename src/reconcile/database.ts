// The ledger's database as a reconciliation needs it: questions, and changes of which all are made or none.

import { type PostgresClient, postgres } from '../postgres/client.ts'
import { ledgerError } from '../postgres/faults.ts'
import { checkSchema, checkVersion, inSchema, SCHEMA } from '../postgres/migrate.ts'
import { LEDGER } from '../sinks/postgres/schema.ts'
import { ledgerFault, openLedger } from '../sinks/sqlite/open.ts'
import { parameters } from '../sqlite/parameters.ts'
import { rollBack } from '../sqlite/transaction.ts'
import { runAsNobody } from '../tenant.ts'

export type Value = string | number | bigint | null
export type Row = Readonly<Record<string, unknown>>
/** One statement; its values are `$1`, `$2`, and its tables `tallygate.<name>`. */
export type Ask = (sql: string, values?: readonly Value[]) => Promise<Row[]>

/** A table's columns, and what each is in PostgreSQL. */
export type ColumnTypes = Readonly<Record<string, string>>
export type Cells = Readonly<Record<string, Value | undefined>>

/** What one transaction can do. */
export interface Changes {
  readonly ask: Ask
  /** `fixed` is the same in every row. */
  insert(table: string, columns: ColumnTypes, rows: readonly Cells[], fixed: Cells): Promise<void>
}

export interface Database {
  readonly kind: 'sqlite' | 'postgres'
  ask: Ask
  /** All that `work` changes, or nothing. */
  transaction<T>(work: (changes: Changes) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** Where the ledger is: one of the first three. */
export interface LedgerPlace {
  /** The file of the embedded ledger. */
  readonly path?: string | undefined
  /** The ledger in PostgreSQL; needs the package `pg`. */
  readonly databaseUrl?: string | undefined
  /** Likewise, by a pool of yours: of a single client nothing is all or nothing. */
  readonly pool?: PostgresClient | undefined
  /** In PostgreSQL, the schema that the tables are in; `tallygate` unless told. */
  readonly schema?: string | undefined
  /** Nothing is written, and the tables need not be new. */
  readonly readOnly?: boolean | undefined
}

export function openDatabase({ path, databaseUrl, pool, schema, readOnly = false }: LedgerPlace): Database {
  if (path !== undefined) return sqliteDatabase(path, readOnly)
  return postgresDatabase({ databaseUrl, pool, schema })
}

function sqliteDatabase(path: string, readOnly: boolean): Database {
  let opened: ReturnType<typeof openLedger> | undefined
  const db = () => (opened ??= openLedger(path, readOnly))

  async function ask(sql: string, values: readonly Value[] = []): Promise<Row[]> {
    try {
      const statement = db().prepare(sql.replace(/\btallygate\./g, ''))
      statement.setReadBigInts(true)
      return statement.all(parameters(values))
    } catch (cause) {
      throw ledgerFault(cause, path).error
    }
  }

  async function insert(table: string, columns: ColumnTypes, rows: readonly Cells[], fixed: Cells): Promise<void> {
    const names = Object.keys(columns)
    const marks = names.map(() => '?').join(', ')
    try {
      const statement = db().prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${marks})`)
      for (const row of rows) statement.run(...names.map((name) => row[name] ?? fixed[name] ?? null))
    } catch (cause) {
      throw ledgerFault(cause, path).error
    }
  }

  return {
    kind: 'sqlite',
    ask,
    async transaction(work) {
      await ask('BEGIN IMMEDIATE')
      try {
        const result = await work({ ask, insert })
        await ask('COMMIT')
        return result
      } catch (cause) {
        if (opened) rollBack(opened)
        throw cause
      }
    },
    async close() {
      opened?.close()
      opened = undefined
    },
  }
}

function postgresDatabase({ databaseUrl, pool, schema = SCHEMA }: LedgerPlace): Database {
  const name = checkSchema(schema)
  const db = postgres({ databaseUrl, pool })
  let checking: Promise<void> | undefined

  async function told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await runAsNobody(work)
    } catch (cause) {
      checking = undefined
      throw ledgerError(db.address, cause)
    }
  }

  // Before a connection is taken, and not within: a pool may have one connection and no other.
  const check = () => told(() => (checking ??= checkVersion(db, LEDGER, name)))
  const by =
    (query: typeof db.query): Ask =>
    (sql, values = []) =>
      // As text, which every driver passes on: some know no bigint.
      told(() =>
        query(
          inSchema(sql, name),
          values.map((value) => (typeof value === 'bigint' ? String(value) : value)),
        ),
      )

  return {
    kind: 'postgres',
    async ask(sql, values) {
      await check()
      return by(db.query)(sql, values)
    },
    async transaction(work) {
      await check()
      let isOwn = false
      const within = async (query: typeof db.query) => {
        const ask = by(query)
        const insert: Changes['insert'] = (table, columns, rows, fixed) =>
          insertInto(
            ask,
            table,
            columns,
            rows.map((row) => ({ ...fixed, ...row })),
          )
        try {
          return await work({ ask, insert })
        } catch (cause) {
          isOwn = true
          throw cause
        }
      }
      try {
        return await runAsNobody(() => db.transaction(within))
      } catch (cause) {
        // What the work threw says for itself what it is; the rest is of the connection.
        throw isOwn ? cause : ledgerError(db.address, cause)
      }
    },
    close: () => db.close(),
  }
}

/** One parameter for all the rows, whatever the driver makes of lists. */
async function insertInto(ask: Ask, table: string, columns: ColumnTypes, rows: readonly Cells[]): Promise<void> {
  const names = Object.keys(columns).join(', ')
  const typed = Object.entries(columns).map(([name, type]) => `${name} ${type}`)
  const json = rows.map((row) =>
    JSON.stringify(row, (name, value: unknown) =>
      // Parsed here, since a text would be kept as one.
      typeof value === 'bigint'
        ? String(value)
        : columns[name] === 'jsonb' && typeof value === 'string'
          ? (JSON.parse(value) as unknown)
          : value,
    ),
  )
  await ask(
    `INSERT INTO tallygate.${table} (${names})
    SELECT ${names} FROM json_to_recordset($1::text::json) AS given (${typed.join(', ')})`,
    [`[${json.join(',')}]`],
  )
}
