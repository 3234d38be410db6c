// The accounts that belong to a ledger: in the same folder, or in the same database.

import { join } from 'node:path'
import type { LimitStore } from '../limits/limit-store.ts'
import { databaseUrlOf, type LedgerValues } from './ledgers.ts'
import { folderOf } from './place.ts'

export async function openLimits(values: LedgerValues, env: NodeJS.ProcessEnv): Promise<LimitStore> {
  const databaseUrl = databaseUrlOf(values, env)
  if (databaseUrl !== undefined) {
    const { postgresLimitStore } = await import('../limits/postgres-store.ts')
    return postgresLimitStore({ databaseUrl })
  }
  const { sqliteLimitStore } = await import('../limits/sqlite-store.ts')
  return sqliteLimitStore({ path: join(folderOf(values.dir, env), 'limits.db') })
}
