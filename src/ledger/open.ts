// Opens a ledger to be asked: the embedded one of a folder or a file, or one in PostgreSQL.

import { expected, MeterError } from '../errors.ts'
import type { PostgresClient } from '../postgres/client.ts'
import { postgresSource } from './postgres-source.ts'
import { sqliteSource } from './sqlite-source.ts'
import { type LedgerViews, viewsOf } from './views.ts'

export interface OpenLedgerOptions {
  /** The file of the embedded ledger. */
  readonly path?: string | undefined
  /** The folder that has it as `ledger.db`, as `dir` of `new Meter()`. */
  readonly dir?: string | undefined
  /** The ledger in PostgreSQL: `postgres://user:password@host:5432/database`; needs the package `pg`. */
  readonly databaseUrl?: string | undefined
  /** Likewise, by a client of yours, which stays yours to end. */
  readonly pool?: PostgresClient | undefined
  /** In PostgreSQL, the schema that the tables are in; `tallygate` unless told. */
  readonly schema?: string | undefined
}

/**
 * Opens a ledger that meters write to, to ask it what was spent. It only reads, beside whoever writes; nothing is opened
 * before the first question.
 *
 * @example
 * await using ledger = openLedger({ dir: '.tallygate' })
 * const { rows } = await ledger.totals({ by: ['tenant', 'model'], since: Date.UTC(2026, 10), limit: 20 })
 */
export function openLedger(options: OpenLedgerOptions): LedgerViews {
  const { path, dir, databaseUrl, pool, schema } = options
  const given = Object.entries({ path, dir, databaseUrl, pool }).filter(([, value]) => value !== undefined)
  if (given.length !== 1)
    throw new MeterError('BAD_OPTION', 'A ledger is opened by one of `path`, `dir`, `databaseUrl` and `pool`.')
  if (databaseUrl !== undefined || pool !== undefined) return viewsOf(postgresSource({ databaseUrl, pool, schema }))
  const [[name, file] = ['path', undefined]] = given
  if (typeof file !== 'string' || file === '') throw new MeterError('BAD_OPTION', expected(name, 'a path', file))
  return viewsOf(sqliteSource(dir === undefined ? file : `${file.replace(/\/+$/, '')}/ledger.db`))
}
