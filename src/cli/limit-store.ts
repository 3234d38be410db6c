// The limit store that a command settles with: the file in the folder, or one by its address.

import type { LimitStore } from '../limits/limit-store.ts'
import { Stop } from './command.ts'
import { isThere } from './place.ts'
import { printable } from './width.ts'

/** `undefined` where nothing says that there is one. */
export async function limitStoreOf(
  given: { readonly limits?: string | undefined; readonly 'database-url'?: string | undefined },
  apiKey: string | undefined,
  dir: string,
): Promise<LimitStore | undefined> {
  const path = `${dir}/limits.db`
  if (given.limits === undefined && isThere(path))
    return (await import('../limits/sqlite-store.ts')).sqliteLimitStore({ path })
  // A meter with `databaseUrl` has its limits beside that ledger.
  const url = given.limits ?? given['database-url']
  if (url === undefined) return undefined
  if (/^postgres(ql)?:\/\//.test(url))
    return (await import('../limits/postgres-store.ts')).postgresLimitStore({ databaseUrl: url })
  if (/^https?:\/\//.test(url)) return (await import('../limits/http-store.ts')).httpLimitStore({ url, apiKey })
  throw new Stop(
    2,
    `\`--limits\` is the address of a limit store, \`postgres://…\` or \`https://…\`; got \`${printable(url)}\`. Slices of a store in Redis are settled by the next process of the application that starts in this folder.`,
  )
}
