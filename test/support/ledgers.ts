// The ledgers that the contract is tested on, each empty, and events to put into them.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { MeterError } from '../../src/errors.ts'
import { eventId, type LLMEvent } from '../../src/event.ts'
import { type LedgerViews, openLedger } from '../../src/ledger/index.ts'
import type { EventLedger } from '../../src/sinks/ledger.ts'
import { postgresLedger } from '../../src/sinks/postgres.ts'
import { ROLL_UPS } from '../../src/sinks/roll-ups.ts'
import type { Delivery } from '../../src/sinks/sink.ts'
import { sqliteLedger } from '../../src/sinks/sqlite.ts'
import { temporaryFolder } from './ingest.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'

export const signal = new AbortController().signal
export const DAY = 86_400_000
export const NOV_22 = Date.UTC(2026, 10, 22)

let made = 0
export function event(over: Partial<LLMEvent> & { at?: number } = {}): LLMEvent {
  const { at = NOV_22, ...rest } = over
  return {
    eventId: eventId(Math.max(0, at) + ++made),
    timestamp: new Date(at).toISOString(),
    tenantId: 'acme',
    provider: 'openai',
    model: 'gpt-4o',
    endpoint: 'chat.completions',
    usageSource: 'reported',
    ...rest,
  }
}

export interface Book extends AsyncDisposable {
  readonly ledger: EventLedger
  put(...events: LLMEvent[]): Promise<Delivery>
  /** The same ledger, opened once more. */
  open(options?: { readonly readOnly?: boolean }): EventLedger
  /** The same ledger, to be asked. */
  views(): LedgerViews
  /** Takes it back to before it had roll-ups. */
  withoutRollUps(): Promise<void>
}

export interface LedgerKind {
  /** Of a property, where each run wants a ledger of its own. */
  readonly runs: number
  book(): Promise<Book>
}

const ROLL_UP_TABLES = ['pruned', ...ROLL_UPS.map(({ table }) => table)]

export const LEDGERS: Record<string, LedgerKind> = {
  SQLite: {
    runs: 60,
    async book() {
      const folder = temporaryFolder()
      const path = join(folder.path, 'ledger.db')
      return bookOf(
        (options) => sqliteLedger({ path, ...options }),
        () => openLedger({ path }),
        async () => {
          const db = new DatabaseSync(path)
          db.exec(`DROP TRIGGER events_inserted; DROP TRIGGER events_updated; DROP TRIGGER events_deleted;
            DROP TABLE usage_summing;
            ${ROLL_UP_TABLES.map((table) => `DROP TABLE ${table};`).join(' ')}
            ALTER TABLE events DROP COLUMN counted_output_tokens; ALTER TABLE events DROP COLUMN output_tokenizer;
            ALTER TABLE events DROP COLUMN input_hashes; ALTER TABLE events DROP COLUMN output_hash;
            DELETE FROM ledger_version WHERE version > 3`)
          db.close()
        },
        async () => folder[Symbol.dispose](),
      )
    },
  },
  PostgreSQL: {
    runs: 8,
    async book() {
      const server = await postgresServer()
      const schema = server.schema()
      return bookOf(
        (options) => postgresLedger({ databaseUrl: server.url, schema, ...options }),
        () => openLedger({ databaseUrl: server.url, schema }),
        async () => {
          await server.run(`DROP FUNCTION ${schema}.roll_up CASCADE`)
          for (const table of ROLL_UP_TABLES) await server.run(`DROP TABLE ${schema}.${table}`)
          await server.run(`DELETE FROM ${schema}.migrations WHERE part = 'ledger' AND version > 1`)
        },
        async () => void (await server.run(`DROP SCHEMA IF EXISTS ${schema} CASCADE`)),
      )
    },
  },
}

function bookOf(
  open: Book['open'],
  ask: Book['views'],
  withoutRollUps: Book['withoutRollUps'],
  forget: () => Promise<void>,
): Book {
  const opened: { close?(): Promise<void> }[] = []
  const track: Book['open'] = (options) => {
    const ledger = open(options)
    opened.push(ledger)
    return ledger
  }
  const ledger = track()
  return {
    ledger,
    open: track,
    withoutRollUps,
    views() {
      const views = ask()
      opened.push(views)
      return views
    },
    put: (...events) => ledger.send({ id: 'b', events }, signal),
    async [Symbol.asyncDispose]() {
      for (const one of opened) await one.close?.()
      await forget()
    },
  }
}

let server: Promise<TestPostgres> | undefined

/** One for all the tests of a file, which ends it by `stopServers`. */
export function postgresServer(): Promise<TestPostgres> {
  server ??= startPostgres()
  return server
}

export async function stopServers(): Promise<void> {
  const stopping = server
  server = undefined
  await (await stopping)?.[Symbol.asyncDispose]()
}

export async function failureOf(promise: Promise<unknown>): Promise<MeterError> {
  try {
    await promise
  } catch (error) {
    return error as MeterError
  }
  throw new Error('nothing was thrown')
}
