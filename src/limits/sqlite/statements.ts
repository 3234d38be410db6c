// The tables of a SQLite limit store, and what is asked of them. A step that was released is never edited: a change is a further step.

import type { LimitMode, LimitWindow } from '../../errors.ts'
import type { Books, Lease } from '../lease.ts'
import type { LimitRule, LimitSettings } from '../limit-store.ts'

export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE limit_rules (
    scope TEXT NOT NULL,
    per TEXT NOT NULL,
    limit_nano INTEGER NOT NULL,
    mode TEXT NOT NULL,
    settings TEXT NOT NULL,
    revision INTEGER NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (scope, per)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX limit_rules_by_revision ON limit_rules (revision);
  CREATE TABLE limit_revision (revision INTEGER NOT NULL) STRICT;
  INSERT INTO limit_revision VALUES (0);
  CREATE TABLE limit_windows (
    scope TEXT NOT NULL,
    per TEXT NOT NULL,
    window_id TEXT NOT NULL,
    committed INTEGER NOT NULL,
    escrow INTEGER NOT NULL DEFAULT 0,
    suspense INTEGER NOT NULL DEFAULT 0,
    warned INTEGER NOT NULL DEFAULT 0,
    ends_at INTEGER,
    PRIMARY KEY (scope, per, window_id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE limit_leases (
    lease_id TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    per TEXT NOT NULL,
    window_id TEXT NOT NULL,
    granted INTEGER NOT NULL,
    spent INTEGER NOT NULL,
    returned INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    last_grant INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    expired INTEGER NOT NULL,
    final INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  -- Only those that hold money can run out.
  CREATE INDEX limit_leases_open ON limit_leases (scope, per, window_id, expires_at) WHERE expired = 0 AND final = 0;
  CREATE INDEX limit_leases_by_window ON limit_leases (scope, per, window_id);`,
  `-- Where limits were taken over from, each source once.
  CREATE TABLE limit_sources (source TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;`,
]

export const STATEMENTS = {
  revision: 'SELECT revision FROM limit_revision',
  revise: 'UPDATE limit_revision SET revision = revision + 1',
  changed: 'SELECT * FROM limit_rules WHERE revision > ? ORDER BY revision',
  limit: 'SELECT limit_nano FROM limit_rules WHERE scope = ? AND per = ? AND removed = 0',
  setLimit: `INSERT INTO limit_rules (scope, per, limit_nano, mode, settings, revision)
    SELECT ?, ?, ?, ?, ?, revision FROM limit_revision WHERE true
    ON CONFLICT (scope, per) DO UPDATE SET limit_nano = excluded.limit_nano, mode = excluded.mode,
      settings = excluded.settings, revision = excluded.revision, removed = 0`,
  addSource: 'INSERT INTO limit_sources (source) VALUES (?) ON CONFLICT DO NOTHING',
  addLimit: `INSERT INTO limit_rules (scope, per, limit_nano, mode, settings, revision)
    SELECT ?, ?, ?, ?, ?, revision FROM limit_revision WHERE true ON CONFLICT DO NOTHING`,
  removeLimit: `UPDATE limit_rules SET removed = 1, revision = (SELECT revision FROM limit_revision)
    WHERE scope = ? AND per = ?`,
  removeWindows: 'DELETE FROM limit_windows WHERE scope = ? AND per = ?',
  removeLeases: 'DELETE FROM limit_leases WHERE scope = ? AND per = ?',
  forget: 'DELETE FROM limit_windows WHERE scope = ? AND per = ? AND ends_at < ?',
  forgetLeases: `DELETE FROM limit_leases WHERE scope = ? AND per = ?
    AND window_id NOT IN (SELECT window_id FROM limit_windows WHERE scope = ? AND per = ?)`,
  open: 'INSERT INTO limit_windows (scope, per, window_id, committed, ends_at) VALUES (?, ?, ?, ?, ?)',
  window: 'SELECT * FROM limit_windows WHERE scope = ? AND per = ? AND window_id = ?',
  update: `UPDATE limit_windows SET committed = ?, escrow = ?, suspense = ?, warned = ?
    WHERE scope = ? AND per = ? AND window_id = ?`,
  lease: 'SELECT * FROM limit_leases WHERE lease_id = ?',
  expired: `SELECT * FROM limit_leases WHERE scope = ? AND per = ? AND window_id = ? AND expires_at <= ?
    AND expired = 0 AND final = 0 LIMIT 16`,
  live: `SELECT count(*) AS live FROM limit_leases WHERE scope = ? AND per = ? AND window_id = ? AND lease_id <> ?
    AND expires_at > ? AND expired = 0 AND final = 0`,
  keep: `INSERT INTO limit_leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (lease_id) DO UPDATE SET granted = excluded.granted, spent = excluded.spent,
      returned = excluded.returned, seq = excluded.seq, last_grant = excluded.last_grant,
      expires_at = excluded.expires_at, expired = excluded.expired, final = excluded.final`,
} as const

type Row = Readonly<Record<string, unknown>>

/** The columns of an account that a step changes. */
export const WINDOW = {
  read: (row: Row) => ({
    committed: row.committed as bigint,
    escrow: row.escrow as bigint,
    suspense: row.suspense as bigint,
    warned: Number(row.warned),
  }),
  write: ({ committed, escrow, suspense, warned }: Books) => [committed, escrow, suspense, warned] as const,
}

/** The columns of a lease behind its id and its account. */
export const LEASE = {
  write: ({ granted, spent, returned, seq, lastGrant, expiresAt, isExpired, isFinal }: Lease) =>
    [granted, spent, returned, seq, lastGrant, Math.round(expiresAt), Number(isExpired), Number(isFinal)] as const,
}

export function leaseFrom(row: Row): Lease {
  return {
    granted: row.granted as bigint,
    spent: row.spent as bigint,
    returned: row.returned as bigint,
    seq: Number(row.seq),
    lastGrant: row.last_grant as bigint,
    expiresAt: Number(row.expires_at),
    isExpired: row.expired !== 0n,
    isFinal: row.final !== 0n,
  }
}

export function ruleFrom(row: Row): LimitRule {
  return {
    scope: row.scope as string,
    per: row.per as LimitWindow,
    limitNanoUsd: row.limit_nano as bigint,
    mode: row.mode as LimitMode,
    settings: JSON.parse(row.settings as string) as LimitSettings,
  }
}
