// Accounts in PostgreSQL: for processes on many machines. One statement an operation, without any state of a session.

import { MeterError } from '../errors.ts'
import { type PostgresOptions, postgres } from '../postgres/client.ts'
import { isMissing, postgresFault } from '../postgres/faults.ts'
import { checkSchema, inSchema, migrate, SCHEMA } from '../postgres/migrate.ts'
import type { LeaseStep, LimitStore } from './limit-store.ts'
import { LIMIT_TABLES } from './postgres-schema.ts'
import {
  accountOf,
  changesOf,
  leaseOf,
  type StoredFigures,
  type StoredLease,
  type StoredRule,
} from './store-answers.ts'

export interface PostgresStoreOptions extends PostgresOptions {
  /** The schema that its tables are in; default `tallygate`. */
  readonly schema?: string | undefined
}

/**
 * A limit store in PostgreSQL 13 or later, behind a pooler in any of its modes too. It makes its tables where its user
 * may; elsewhere `npx tallygate migrate` does, run by whoever may.
 *
 * @example
 * const meter = new Meter({ limitStore: postgresLimitStore({ databaseUrl: process.env['DATABASE_URL'] }) })
 */
export function postgresLimitStore(options: PostgresStoreOptions): LimitStore {
  const { pool, databaseUrl } = options
  const schema = checkSchema(options.schema ?? SCHEMA)
  const db = postgres({ pool, databaseUrl })
  let making: Promise<void> | undefined

  async function ask<Row>(text: string, values: unknown[]): Promise<readonly Row[]> {
    const sql = inSchema(text, schema)
    try {
      return (await db.query(sql, values)) as unknown as readonly Row[]
    } catch (cause) {
      if (!isMissing(postgresFault(cause)) && !isWithoutFunction(cause)) throw cause
    }
    making ??= make().finally(() => {
      making = undefined
    })
    await making
    return (await db.query(sql, values)) as unknown as readonly Row[]
  }

  async function make(): Promise<void> {
    try {
      await migrate(db, LIMIT_TABLES, schema)
    } catch (cause) {
      if (cause instanceof MeterError) throw cause
      throw new MeterError(
        'LIMIT_STORE_DOWN',
        `The tables for limits are not in ${db.address}, schema ${schema}, and could not be made: run \`npx tallygate migrate\`.`,
        { cause },
      )
    }
  }

  async function answersOf<Answer>(sql: string, questions: readonly object[]): Promise<(Answer | undefined)[]> {
    if (questions.length === 0) return []
    // Integers as text: JSON would round them.
    const text = JSON.stringify(questions, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
    const [row] = await ask<{ answers: string }>(sql, [text])
    const answers = JSON.parse(row!.answers) as Record<string, Answer | null>
    return questions.map((_, at) => answers[at + 1] ?? undefined)
  }

  return {
    ...(!pool && { identity: `${db.address}, schema ${schema}` }),
    async setLimit({ scope, per, limitNanoUsd, mode, settings }) {
      const values = [scope, per, String(limitNanoUsd), mode, JSON.stringify(settings)]
      await ask('SELECT tallygate.set_limit($1, $2, $3::text::bigint, $4, $5)', values)
    },
    async removeLimit({ scope, per }) {
      await ask('SELECT tallygate.remove_limit($1, $2)', [scope, per])
    },
    async changes(since) {
      const rows = await ask<ChangeRow>(
        `SELECT v.revision::text AS current, r.scope, r.per, r.limit_nano::text AS "limit", r.mode, r.settings, r.removed
         FROM tallygate.limit_revision v LEFT JOIN tallygate.limit_rules r ON r.revision > $1::text::bigint ORDER BY r.revision`,
        [String(since)],
      )
      // The revision is there where nothing has changed, too: beside no rule.
      return changesOf(
        Number(rows[0]?.current ?? 0),
        rows.filter(({ scope }) => scope !== null),
      )
    },
    async accounts(keys) {
      const answers = await answersOf<StoredFigures>('SELECT tallygate.limit_accounts($1) AS answers', keys)
      return answers.map((figures) => figures && accountOf(figures))
    },
    async lease(steps: readonly LeaseStep[]) {
      const answers = await answersOf<StoredLease>('SELECT tallygate.lease_steps($1) AS answers', steps)
      return answers.map((one) => one && leaseOf(one))
    },
    close: () => db.close(),
  }
}

/** `undefined_function`: the tables are those of an older version, or somebody else's. */
function isWithoutFunction(cause: unknown): boolean {
  return (cause as { code?: unknown } | null)?.code === '42883'
}

interface ChangeRow extends StoredRule {
  readonly current: string
}
