// Where events go, and where they are kept until then, by the options.

import type { SpoolSettings } from '../delivery/keeping.ts'
import type { ResolvedOptions } from '../options.ts'
import { httpSink } from '../sinks/http.ts'
import type { Ledger } from '../sinks/ledger.ts'
import type { Sink } from '../sinks/sink.ts'
import { sqliteLedger } from '../sinks/sqlite.ts'

export function defaultSinks({ url, apiKey, gzip, databaseUrl, dir }: ResolvedOptions): readonly Sink[] {
  const sinks: Sink[] = []
  if (url !== undefined) sinks.push(httpSink({ url, apiKey, gzip }))
  if (databaseUrl !== undefined) sinks.push(postgresLater(databaseUrl))
  return sinks.length > 0 ? sinks : [sqliteLedger({ path: `${dir}/ledger.db` })]
}

/** Loaded with its first use: most applications have no PostgreSQL. */
function postgresLater(databaseUrl: string): Ledger {
  let loading: Promise<Ledger> | undefined
  const loaded = () =>
    (loading ??= import('../sinks/postgres.ts').then(({ postgresLedger }) => postgresLedger({ databaseUrl })))
  return {
    name: 'postgres',
    send: async (batch, signal) => (await loaded()).send(batch, signal),
    totals: async (query) => (await loaded()).totals(query),
    spent: async (tenantId, since) => (await loaded()).spent(tenantId, since),
    limits: async () => (await loaded()).limits(),
    putLimit: async (limit) => (await loaded()).putLimit(limit),
    removeLimit: async (tenantId, window) => (await loaded()).removeLimit(tenantId, window),
    report: async (report, signal) => (await loaded()).report!(report, signal),
    close: async () => (await loading)?.close?.(),
  }
}

export function spoolOf(
  { spool, dir, durability, maxSpoolBytes, onSpoolFull }: ResolvedOptions,
  opening: SpoolSettings['opening'],
): SpoolSettings | undefined {
  return spool ? { dir, durability, maxSpoolBytes, onSpoolFull, opening } : undefined
}

/** Whether what calls hold is on disk before they are sent. */
export function isNoting({ spool, durability }: ResolvedOptions): boolean {
  return spool && durability !== 'memory'
}
