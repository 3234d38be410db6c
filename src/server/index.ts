// `tallygate/server`: the ingest endpoint of docs/wire.md in front of a ledger.

export { type Change, type ChangeLog, fileChangeLog } from './changes.ts'
export { type PostgresChangeLogOptions, postgresChangeLog } from './changes-table.ts'
export { createIngest, type IngestOptions, type RequestHandler } from './ingest.ts'
export type { ApiKey, Role } from './keys.ts'
export { type ListenOptions, listen, type RunningServer, serve } from './serve.ts'
