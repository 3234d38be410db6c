// Brings tables in PostgreSQL up to date: numbered steps of plain SQL, each made once, however many processes come at once.

import { expected, MeterError } from '../errors.ts'
import type { Postgres } from './client.ts'
import { isMissing, postgresFault } from './faults.ts'

/** Tables that belong together and grow together. A step that was released is never edited: a change is a further step. */
export interface Migrations {
  readonly part: string
  /** SQL that names every table `tallygate.…`; without SELECT, which PL/pgSQL would want to have a place for its result. */
  readonly steps: readonly string[]
  /** The newest step that an older version cannot live with: 1 where all later ones only add. */
  readonly breaking: number
}

export interface TableVersion {
  /** 0 where there are no tables yet. */
  readonly version: number
  /** The least number of steps that a version of this library has to know, to work with the tables as they are. */
  readonly needs: number
}

/** The schema that the tables are in unless another is chosen. */
export const SCHEMA = 'tallygate'

/** SQL with the schema that was chosen in the place of ours. */
export function inSchema(sql: string, schema: string): string {
  return schema === SCHEMA ? sql : sql.replace(/\btallygate\./g, `"${schema}".`)
}

/** Names that need no escape anywhere: the schema stands in SQL, where no parameter can. */
export function checkSchema(value: unknown): string {
  if (typeof value === 'string' && /^[a-z_][a-z0-9_]{0,49}$/.test(value)) return value
  throw new MeterError('BAD_OPTION', expected('schema', 'a lower-case name of letters, digits and underscores', value))
}

/**
 * All the steps as one statement that a person can run, and that any driver and any pooler passes on: it takes the lock,
 * looks what is there, and makes the rest, all of it or nothing.
 */
export function migrationSql({ part, steps, breaking }: Migrations, schema: string): string {
  const made = steps.map(
    (step, i) => `
  IF NOT EXISTS (SELECT FROM tallygate.migrations WHERE part = '${part}' AND version >= ${i + 1}) THEN
${step.trim().replace(/^(?=.)/gm, '    ')}
    INSERT INTO tallygate.migrations (part, version, needs) VALUES ('${part}', ${i + 1}, ${Math.min(breaking, i + 1)});
  END IF;`,
  )
  return inSchema(
    `DO $tallygate_migration$
BEGIN
  ${lockSql(schema)}
  -- Not IF NOT EXISTS, for which a user needs the right to create even where there is nothing to do.
  IF to_regnamespace('${schema}') IS NULL THEN
    CREATE SCHEMA "${schema}";
  END IF;
  IF to_regclass('"${schema}".migrations') IS NULL THEN
    CREATE TABLE tallygate.migrations (
      part text NOT NULL,
      version integer NOT NULL,
      needs integer NOT NULL,
      made_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (part, version)
    );
  END IF;
${made.join('\n')}
END
$tallygate_migration$;
`,
    schema,
  )
}

/** Until the transaction ends: a lock of the session would stay with a pooler's connection. */
export function lockSql(schema: string): string {
  return `PERFORM pg_advisory_xact_lock(hashtextextended('tallygate ${schema}', 0));`
}

export async function versionOf(db: Postgres, part: string, schema: string): Promise<TableVersion> {
  const sql = 'SELECT version, needs FROM tallygate.migrations WHERE part = $1 ORDER BY version DESC LIMIT 1'
  try {
    const [row] = await db.query(inSchema(sql, schema), [part])
    return { version: Number(row?.['version'] ?? 0), needs: Number(row?.['needs'] ?? 0) }
  } catch (cause) {
    if (isMissing(postgresFault(cause))) return { version: 0, needs: 0 }
    throw cause
  }
}

/**
 * Makes what is missing. Throws a MeterError for tables that a newer version has made into something else, and whatever
 * the database says.
 */
export async function migrate(db: Postgres, migrations: Migrations, schema: string): Promise<void> {
  const { version, needs } = await versionOf(db, migrations.part, schema)
  refuseNewer(db, migrations, needs)
  if (version < migrations.steps.length) await db.query(migrationSql(migrations, schema))
}

/** Tables that are older, or not there, are an error too: for whoever only reads. */
export async function checkVersion(db: Postgres, migrations: Migrations, schema: string): Promise<void> {
  const { version, needs } = await versionOf(db, migrations.part, schema)
  refuseNewer(db, migrations, needs)
  if (version === 0)
    throw new MeterError('LEDGER_UNAVAILABLE', `There is no ledger in ${db.address}, schema ${schema}.`)
  if (version < migrations.steps.length)
    throw new MeterError(
      'LEDGER_UNAVAILABLE',
      `The tables in ${db.address} are of an older version: \`npx tallygate migrate\` brings them up to date.`,
    )
}

function refuseNewer({ address }: Postgres, { steps }: Migrations, needs: number): void {
  if (needs > steps.length)
    throw new MeterError('LEDGER_UNAVAILABLE', `The tables in ${address} were made by a newer version of tallygate.`)
}
