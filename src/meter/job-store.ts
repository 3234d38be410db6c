// Who started which job, and what was recorded of it, on disk: a batch takes up to a day, and its results may be fetched by
// another process, or by several.

import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { JobOrigin, JobStore } from '../call/jobs.ts'
import type { ProblemReporter } from '../problems.ts'
import { loadSqlite } from '../sinks/sqlite/open.ts'
import { rollBack } from '../sqlite/transaction.ts'

/** OpenAI keeps the file of a batch's results for 30 days; Anthropic keeps results for 29. */
const KEPT_MS = 31 * 24 * 60 * 60 * 1000
const BUSY_TIMEOUT_MS = 200

/** Opens its file with the first job. A file that cannot be used is reported once: then jobs are known to this process only. */
export function createJobStore(path: string, problems: ProblemReporter): JobStore & { close(): void } {
  let db: DatabaseSync | undefined

  function database(): DatabaseSync {
    if (db) return db
    const { DatabaseSync } = loadSqlite()
    process.getBuiltinModule('node:fs').mkdirSync(dirname(path), { recursive: true })
    const opened = new DatabaseSync(path)
    opened.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    opened.exec('PRAGMA journal_mode = WAL')
    opened.exec(
      'CREATE TABLE IF NOT EXISTS jobs (key TEXT PRIMARY KEY, at INTEGER NOT NULL, origin TEXT NOT NULL) STRICT, WITHOUT ROWID',
    )
    opened.exec('CREATE TABLE IF NOT EXISTS recorded (key TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID')
    for (const table of ['jobs', 'recorded'])
      opened.prepare(`DELETE FROM ${table} WHERE at < ?`).run(Date.now() - KEPT_MS)
    db = opened
    return db
  }

  function attempt<T>(work: (db: DatabaseSync) => T): T | undefined {
    try {
      return work(database())
    } catch (cause) {
      problems.guard('internal', 'reporting', () =>
        problems.report(
          {
            kind: 'internal',
            message: `Jobs (batches, videos, responses in the background) could not be noted in ${path}: what another process fetches of them is billed to its own tenant.`,
            cause,
          },
          'internal:jobs',
        ),
      )
      return undefined
    }
  }

  return {
    put: (key, origin) =>
      void attempt((open) =>
        open
          .prepare('INSERT OR IGNORE INTO jobs (key, at, origin) VALUES (?, ?, ?)')
          .run(key, origin.at, JSON.stringify(origin)),
      ),
    get(key) {
      return attempt((open) => {
        const row = open.prepare('SELECT origin FROM jobs WHERE key = ?').get(key)
        return row && (JSON.parse(String(row['origin'])) as JobOrigin)
      })
    },
    claim(keys, at, record) {
      const begun = attempt((open) => {
        const note = open.prepare('INSERT OR IGNORE INTO recorded (key, at) VALUES (?, ?)')
        open.exec('BEGIN IMMEDIATE')
        try {
          return { open, fresh: keys.filter((key) => note.run(key, at).changes > 0) }
        } catch (error) {
          open.exec('ROLLBACK')
          throw error
        }
      })
      // Within the transaction: a process that dies before they are on its disk has noted nothing.
      try {
        record(begun?.fresh ?? keys)
        if (begun) attempt(() => begun.open.exec('COMMIT'))
      } finally {
        // Of what is committed there is nothing to undo.
        if (begun) attempt(() => rollBack(begun.open))
      }
    },
    close() {
      db?.close()
      db = undefined
    },
  }
}
