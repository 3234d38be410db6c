// The ledger that a command reads or writes: the embedded one of a folder, or one in PostgreSQL.

import { resolve } from 'node:path'
import type { LedgerViews } from '../ledger/views.ts'
import { resolveOptions } from '../options.ts'
import type { EventLedger } from '../sinks/ledger.ts'
import { type Option, Stop } from './command.ts'
import { existingLedgerIn, folderOf, ledgerIn, shown } from './place.ts'

export const DATABASE_URL = {
  type: 'string',
  value: 'url',
  help: 'The ledger in PostgreSQL, postgres://user:password@host/name, in place of the one in a folder. Default: $TALLYGATE_DATABASE_URL',
} as const satisfies Option

export interface LedgerValues {
  readonly dir?: string
  readonly 'database-url'?: string
}

export interface OpenedLedger {
  readonly ledger: EventLedger
  /** For a person, and for a shell where it is a path. */
  readonly shown: string
  /** In full, without a password. */
  readonly name: string
}

/** The address of a database that is asked for; a folder that is named goes before the environment. */
export function databaseUrlOf(
  { dir, 'database-url': given }: LedgerValues,
  { TALLYGATE_DATABASE_URL }: NodeJS.ProcessEnv,
): string | undefined {
  if (given !== undefined && dir !== undefined) throw new Stop(2, 'Give either `--dir` or `--database-url`.')
  if (dir !== undefined) return undefined
  return resolveOptions({ databaseUrl: given }, { TALLYGATE_DATABASE_URL }).databaseUrl
}

/** For reports: one that is not there is an error, and nothing is written. */
export function openToRead(values: LedgerValues, env: NodeJS.ProcessEnv): Promise<OpenedLedger> {
  return open(values, env, true)
}

/** The same, with the views of it: both are to be closed. */
export async function openToAsk(
  values: LedgerValues,
  env: NodeJS.ProcessEnv,
): Promise<OpenedLedger & { readonly views: LedgerViews }> {
  const opened = await openToRead(values, env)
  const { openLedger } = await import('../ledger/open.ts')
  const databaseUrl = databaseUrlOf(values, env)
  return { ...opened, views: openLedger(databaseUrl === undefined ? { path: opened.name } : { databaseUrl }) }
}

/** One that is not there yet is made with what is written first. */
export function openToWrite(values: LedgerValues, env: NodeJS.ProcessEnv): Promise<OpenedLedger> {
  return open(values, env, false)
}

/** One that is there, to change what is in it. */
export function openToChange(values: LedgerValues, env: NodeJS.ProcessEnv): Promise<OpenedLedger> {
  if (databaseUrlOf(values, env) === undefined) existingLedgerIn(folderOf(values.dir, env))
  return open(values, env, false)
}

async function open(values: LedgerValues, env: NodeJS.ProcessEnv, readOnly: boolean): Promise<OpenedLedger> {
  const databaseUrl = databaseUrlOf(values, env)
  if (databaseUrl !== undefined) {
    const { postgresLedger } = await import('../sinks/postgres.ts')
    const { host, pathname } = new URL(databaseUrl)
    const name = `postgres://${host}${pathname}`
    return { ledger: postgresLedger({ databaseUrl, readOnly }), shown: name, name }
  }
  const folder = folderOf(values.dir, env)
  const path = readOnly ? existingLedgerIn(folder) : ledgerIn(folder)
  const { sqliteLedger } = await import('../sinks/sqlite.ts')
  return { ledger: sqliteLedger({ path, readOnly }), shown: shown(path), name: resolve(path) }
}
