// Where a command delivers to: an ingest endpoint, or the embedded ledger.

import { resolveOptions } from '../options.ts'
import type { Sink } from '../sinks/sink.ts'
import { type Option, Stop } from './command.ts'
import { DATABASE_URL, openToWrite } from './ledgers.ts'
import { ledgerIn } from './place.ts'

export const TARGET = {
  url: {
    type: 'string',
    value: 'url',
    help: 'The ingest endpoint. Default: $TALLYGATE_URL, else the ledger in <dir>.',
  },
  'api-key': { type: 'string', value: 'key', help: 'Sent to it. Default: $TALLYGATE_API_KEY.' },
  'database-url': DATABASE_URL,
} as const satisfies Record<string, Option>

interface Values {
  readonly url?: string
  readonly 'api-key'?: string
  readonly 'database-url'?: string
}

/** By the rules of `new Meter({ url, apiKey, databaseUrl })`; what is given goes before the environment. */
export async function sinkOf(values: Values, dir: string, env: NodeJS.ProcessEnv): Promise<Sink> {
  const given = values['database-url']
  if (given !== undefined && values.url !== undefined) throw new Stop(2, 'Give either `--url` or `--database-url`.')
  if (given !== undefined) return (await openToWrite({ 'database-url': given }, env)).ledger
  const { TALLYGATE_URL, TALLYGATE_API_KEY, TALLYGATE_GZIP, TALLYGATE_DATABASE_URL } = env
  const { url, apiKey, gzip, databaseUrl } = resolveOptions(
    { url: values.url, apiKey: values['api-key'] },
    { TALLYGATE_URL, TALLYGATE_API_KEY, TALLYGATE_GZIP, TALLYGATE_DATABASE_URL },
  )
  if (url !== undefined) return (await import('../sinks/http.ts')).httpSink({ url, apiKey, gzip })
  if (databaseUrl !== undefined) return (await openToWrite({}, env)).ledger
  return (await import('../sinks/sqlite.ts')).sqliteLedger({ path: ledgerIn(dir) })
}
