// The ledger in PostgreSQL, as the views ask it.

import { MeterError } from '../errors.ts'
import { type PostgresOptions, postgres } from '../postgres/client.ts'
import { isMissing, postgresFault } from '../postgres/faults.ts'
import { checkSchema, checkVersion, inSchema, SCHEMA } from '../postgres/migrate.ts'
import { LEDGER } from '../sinks/postgres/schema.ts'
import { runAsNobody } from '../tenant.ts'
import { POSTGRES_DIALECT, type Row } from './dialect.ts'
import type { Source } from './source.ts'
import type { Statement } from './statement.ts'

export interface PostgresSourceOptions extends PostgresOptions {
  readonly schema?: string | undefined
}

export function postgresSource(options: PostgresSourceOptions): Source {
  const schema = checkSchema(options.schema ?? SCHEMA)
  const db = postgres(options)
  let checking: Promise<void> | undefined

  async function run({ sql, values }: Statement): Promise<Row[]> {
    try {
      checking ??= checkVersion(db, LEDGER, schema)
      await checking
      // As text, which every driver passes on: some know no bigint.
      const params = values.map((value) => (typeof value === 'bigint' ? String(value) : value))
      return await db.query(inSchema(sql, schema), params)
    } catch (cause) {
      const fault = postgresFault(cause)
      if (cause instanceof MeterError || isMissing(fault)) checking = undefined
      if (cause instanceof MeterError) throw cause
      const number = fault.code === undefined ? '' : ` (${fault.code})`
      const sentence = `The ledger in ${db.address} ${fault.words}${number}.`
      checking = undefined
      throw new MeterError('LEDGER_UNAVAILABLE', sentence, { cause })
    }
  }

  const ask = (statement: Statement) => runAsNobody(() => run(statement))
  return { dialect: POSTGRES_DIALECT, ask, change: ask, close: () => db.close() }
}
