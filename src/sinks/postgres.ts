// The ledger in PostgreSQL: one for many machines, with the tables of the embedded one.

import { type LimitWindow, MeterError } from '../errors.ts'
import { type PostgresOptions, postgres } from '../postgres/client.ts'
import { isMissing, postgresFault } from '../postgres/faults.ts'
import { checkSchema, checkVersion, inSchema, migrate, SCHEMA } from '../postgres/migrate.ts'
import { runAsNobody } from '../tenant.ts'
import { fromRow } from './columns.ts'
import type { EventLedger, StoredLimit } from './ledger.ts'
import { createMonths } from './postgres/months.ts'
import { keepStatement } from './postgres/reports.ts'
import { repriceEvents } from './postgres/repricings.ts'
import { SPENT } from './postgres/roll-ups.ts'
import { insertOf, type Row, SELECTED, toRows } from './postgres/rows.ts'
import { LEDGER } from './postgres/schema.ts'
import { numbered, POSTGRES } from './postgres/sums.ts'
import { wholeDaysFrom } from './roll-ups.ts'
import type { Batch, Delivery } from './sink.ts'
import { filter, type Statement, toTotalsRow, totalsStatement } from './totals.ts'
import { countOf } from './wire/rows.ts'

export interface PostgresLedgerOptions extends PostgresOptions {
  /** The schema that the tables are in; `tallygate`. */
  readonly schema?: string | undefined
  /** For reports: tables that are not there are an error, and nothing is written. */
  readonly readOnly?: boolean | undefined
}

export interface PostgresLedger extends EventLedger {
  /** Makes the tables, or brings them up to date; the first batch does so too. */
  migrate(): Promise<void>
}

const PUT_LIMIT = `INSERT INTO tallygate.limits (tenant_id, "window", limit_pico, mode) VALUES ($1, $2, $3::text::numeric, $4)
  ON CONFLICT (tenant_id, "window") DO UPDATE SET limit_pico = excluded.limit_pico, mode = excluded.mode`

/** A standby and a database that was set to read-only take connections as any other does. */
const CAN_WRITE = `SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'
  AND has_table_privilege('tallygate.events', 'INSERT') AS can_write`

const LARGE_BATCH = 1000
/** Rows of one statement: more are hardly faster, and hold others up for longer. */
const PART = 250

/**
 * @example
 * const ledger = postgresLedger({ databaseUrl: process.env.DATABASE_URL })
 * const meter = new Meter({ sinks: [ledger] })
 *
 * @example
 * // A pool that the application has already.
 * const ledger = postgresLedger({ pool })
 */
export function postgresLedger(options: PostgresLedgerOptions): PostgresLedger {
  const { readOnly = false } = options
  const schema = checkSchema(options.schema ?? SCHEMA)
  const db = postgres(options)
  const months = createMonths(db, schema, Date.now)
  let preparing: Promise<void> | undefined

  function prepared(): Promise<void> {
    preparing ??= readOnly ? checkVersion(db, LEDGER, schema) : migrate(db, LEDGER, schema)
    preparing.catch(() => forget())
    return preparing
  }

  function forget(): void {
    preparing = undefined
    months.forget()
  }

  async function write(batch: Batch): Promise<Delivery> {
    if (readOnly) return { outcome: 'paused', error: readOnlyFault() }
    const { lists, months: needed, repeated, rejected } = toRows(batch)
    let duplicates = repeated
    try {
      if (lists.length > 0) {
        await prepared()
        await months.ensure(needed)
      }
      for (const rows of lists) duplicates += rows.length - (await insert(rows))
    } catch (cause) {
      return failure(cause)
    }
    return { outcome: 'delivered', duplicates, ...(rejected.length > 0 ? { rejected } : {}) }
  }

  /** In parts, of which one is made while the database works on another; gives how many rows were written. */
  async function insert(rows: readonly Row[]): Promise<number> {
    let from = 0
    let written = 0
    const work = async () => {
      while (from < rows.length) {
        const part = rows.slice(from, from + PART)
        from += PART
        const { sql, params } = insertOf(part)
        const [row] = await db.query(inSchema(sql, schema), params)
        written += Number(row?.['written'] ?? 0)
      }
    }
    await Promise.all(Array.from({ length: db.atOnce }, work))
    return written
  }

  const whose = () => `The ledger in ${db.address}`
  const readOnlyFault = () => new MeterError('LEDGER_UNAVAILABLE', `${whose()} was opened for reports.`)

  function sentence(cause: unknown): MeterError {
    if (cause instanceof MeterError) return cause
    const { code, words } = postgresFault(cause)
    const number = code === undefined ? '' : ` (${code})`
    return new MeterError('LEDGER_UNAVAILABLE', `${whose()} ${words}${number}.`, { cause })
  }

  function failure(cause: unknown): Delivery {
    const fault = postgresFault(cause)
    // Somebody dropped the tables: the next batch makes them again.
    if (isMissing(fault)) forget()
    const error = sentence(cause)
    if (cause instanceof MeterError || fault.kind === 'setting') return { outcome: 'paused', error }
    if (fault.kind === 'row') return { outcome: 'rejected', error }
    return { outcome: 'retry', error }
  }

  /** Runs a query; what goes wrong is a `MeterError` of one sentence. */
  async function ask({ sql, values }: Statement) {
    const { sql: text, params } = numbered({ sql, values })
    return attempt(() => db.query(inSchema(text, schema), params))
  }

  async function attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      await runAsNobody(prepared)
      return await runAsNobody(work)
    } catch (cause) {
      if (isMissing(postgresFault(cause))) forget()
      throw sentence(cause)
    }
  }

  return {
    name: 'postgres',
    largeBatch: LARGE_BATCH,
    send: (batch, signal) =>
      countOf(batch) === 0
        ? Promise.resolve({ outcome: 'delivered' })
        : brokenOffBy(
            signal,
            runAsNobody(() => write(batch)),
            whose,
          ),
    async report(report) {
      if (readOnly) throw readOnlyFault()
      const [sql, params] = keepStatement(report, Date.now())
      await attempt(() => db.query(inSchema(sql, schema), params))
      return true
    },
    async totals(query) {
      const rows = await ask(totalsStatement(query, POSTGRES))
      return rows.map((row) => toTotalsRow(row, query.by.length, POSTGRES))
    },
    async spent(tenantId, since) {
      const [row] = await ask({ sql: SPENT, values: { tenant: tenantId, since, from: wholeDaysFrom(since) } })
      return POSTGRES.sumOf(row ?? {}, 'cost') ?? 0n
    },
    async events(query = {}) {
      const { where, values } = filter(query)
      const sql = `SELECT ${SELECTED} FROM tallygate.events${where} ORDER BY events.at DESC, events.event_id DESC LIMIT :limit`
      return (await ask({ sql, values: { ...values, limit: query.limit ?? 1000 } })).map(fromRow)
    },
    reprice: (query, reprice, { apply = false } = {}) =>
      attempt(() =>
        db.transaction((within) => repriceEvents(within, schema, query, reprice, apply ? Date.now() : undefined)),
      ),
    async limits() {
      const sql = `SELECT tenant_id, "window", limit_pico::text AS limit_pico, mode FROM tallygate.limits ORDER BY tenant_id, "window"`
      return (await ask({ sql, values: {} })).map(toStoredLimit)
    },
    async putLimit({ tenantId, window, limit, mode }) {
      await attempt(() => db.query(inSchema(PUT_LIMIT, schema), [tenantId, window, String(limit), mode]))
    },
    async removeLimit(tenantId, window) {
      const sql = 'DELETE FROM tallygate.limits WHERE tenant_id = $1 AND "window" = $2'
      await attempt(() => db.query(inSchema(sql, schema), [tenantId, window]))
    },
    async check() {
      const [row] = await ask({ sql: CAN_WRITE, values: {} })
      if (row?.['can_write'] !== true)
        throw new MeterError('LEDGER_UNAVAILABLE', `${whose()} may not be written by this user, or is read-only.`)
    },
    migrate: () => attempt(async () => undefined),
    close: () => db.close(),
  }
}

/** The statement goes on, and may be done: sent again, its events are duplicates. */
async function brokenOffBy(signal: AbortSignal, work: Promise<Delivery>, whose: () => string): Promise<Delivery> {
  let stop: (() => void) | undefined
  const stopped = new Promise<Delivery>((resolve) => {
    stop = () => resolve({ outcome: 'retry', error: new Error(`${whose()} did not answer in time`) })
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([stopped, work])
  } finally {
    signal.removeEventListener('abort', stop!)
  }
}

function toStoredLimit(row: Readonly<Record<string, unknown>>): StoredLimit {
  return {
    tenantId: row['tenant_id'] as string,
    window: row['window'] as LimitWindow,
    limit: BigInt(row['limit_pico'] as string),
    mode: row['mode'] as StoredLimit['mode'],
  }
}
