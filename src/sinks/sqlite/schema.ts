// The tables of the SQLite ledger. A step that was released is never edited: a change is a further step.

import type { DatabaseSync } from 'node:sqlite'
import { inTransaction } from '../../sqlite/transaction.ts'
import { RECONCILIATIONS_STEP } from './reconciliations.ts'
import { BATCH_SUMS_STEP, ROLL_UPS_STEP } from './roll-ups.ts'

export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE events (
    event_id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    tenant_id TEXT,
    user_id TEXT,
    session_id TEXT,
    feature TEXT,
    team TEXT,
    project TEXT,
    cost_center TEXT,
    tags TEXT,
    app_name TEXT,
    environment TEXT,
    provider TEXT NOT NULL,
    host TEXT,
    model TEXT NOT NULL,
    model_requested TEXT,
    endpoint TEXT NOT NULL,
    upstream_provider TEXT,
    service_tier TEXT,
    stream INTEGER,
    usage TEXT,
    usage_source TEXT NOT NULL,
    usage_bounds TEXT,
    usage_flags TEXT,
    input_tokens INTEGER,
    output_tokens INTEGER,
    total_tokens INTEGER,
    cached_tokens INTEGER,
    cache_creation_tokens INTEGER,
    reasoning_tokens INTEGER,
    audio_input_tokens INTEGER,
    cache_miss_tokens INTEGER,
    input_text_tokens INTEGER,
    cached_input_text_tokens INTEGER,
    input_image_tokens INTEGER,
    cached_input_image_tokens INTEGER,
    output_image_tokens INTEGER,
    image_count INTEGER,
    character_count INTEGER,
    duration_seconds REAL,
    duration_unavailable INTEGER,
    input_tokens_details TEXT,
    cost_pico INTEGER,
    cost_source TEXT,
    cost_lines TEXT,
    price_version TEXT,
    duration_ms REAL,
    time_to_first_token_ms REAL,
    request_id TEXT,
    response_id TEXT,
    operation_id TEXT,
    attempts TEXT,
    error TEXT,
    metadata TEXT,
    calls INTEGER
  ) STRICT;
  -- Holds the cost too: what a tenant has spent is read from the index alone.
  CREATE INDEX events_by_tenant ON events (tenant_id, at, cost_pico);
  CREATE INDEX events_by_time ON events (at);
  -- A limit as text: it may be more than 64 bits of pico-dollars hold.
  CREATE TABLE limits (
    tenant_id TEXT NOT NULL,
    "window" TEXT NOT NULL,
    limit_pico TEXT NOT NULL,
    mode TEXT NOT NULL,
    PRIMARY KEY (tenant_id, "window")
  ) STRICT, WITHOUT ROWID;`,
  `ALTER TABLE events ADD COLUMN usage_by_model TEXT;
  ALTER TABLE events ADD COLUMN audio_output_tokens INTEGER;
  ALTER TABLE events ADD COLUMN fim_prefix TEXT;
  ALTER TABLE events ADD COLUMN fim_suffix TEXT;`,
  `ALTER TABLE events ADD COLUMN geo TEXT;
  ALTER TABLE events ADD COLUMN price_variant TEXT;
  ALTER TABLE events ADD COLUMN resale_pico INTEGER;
  -- What events cost before they were priced again, and afterwards: one row each time that a price changed.
  CREATE TABLE repricings (
    id INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    repriced_at INTEGER NOT NULL,
    from_cost INTEGER,
    from_source TEXT,
    from_version TEXT,
    to_cost INTEGER,
    to_source TEXT,
    to_version TEXT
  ) STRICT;
  CREATE INDEX repricings_by_event ON repricings (event_id);`,
  ROLL_UPS_STEP,
  `ALTER TABLE events ADD COLUMN counted_output_tokens INTEGER;
  ALTER TABLE events ADD COLUMN output_tokenizer TEXT;
  ALTER TABLE events ADD COLUMN input_hashes TEXT;
  ALTER TABLE events ADD COLUMN output_hash TEXT;`,
  RECONCILIATIONS_STEP,
  `CREATE TABLE IF NOT EXISTS meters (
    -- Of the key that it reports under; empty where that is for all projects.
    project TEXT NOT NULL,
    meter_id TEXT NOT NULL,
    -- Of two reports the larger one is the newer.
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    app_name TEXT,
    environment TEXT,
    host_name TEXT NOT NULL,
    version TEXT NOT NULL,
    waiting INTEGER NOT NULL,
    waiting_since INTEGER,
    lost INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL,
    -- Calls.
    unmetered INTEGER NOT NULL,
    report TEXT NOT NULL,
    PRIMARY KEY (project, meter_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS meters_by_time ON meters (at);
  CREATE TABLE IF NOT EXISTS refusals (
    -- Where the minute begins.
    at INTEGER NOT NULL,
    project TEXT NOT NULL,
    meter_id TEXT NOT NULL,
    -- Empty for nobody's calls.
    tenant_id TEXT NOT NULL,
    -- The limit; empty where it was none that refused.
    scope TEXT NOT NULL,
    "window" TEXT NOT NULL,
    code TEXT NOT NULL,
    calls INTEGER NOT NULL,
    PRIMARY KEY (at, project, meter_id, tenant_id, scope, "window", code)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS refusals_by_tenant ON refusals (tenant_id, at);`,
  BATCH_SUMS_STEP,
]

/** 0 when the file holds no ledger yet. A table rather than `user_version`: the file may have other tenants than us. */
export function versionOf(db: DatabaseSync): number {
  const table = db.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'ledger_version'`).get()
  if (table === undefined) return 0
  return Number(db.prepare('SELECT max(version) AS version FROM ledger_version').get()?.version ?? 0)
}

/** Brings the tables to the newest version. Two processes may come at once: the second finds nothing left to do. */
export function migrate(db: DatabaseSync): void {
  if (versionOf(db) >= MIGRATIONS.length) return
  inTransaction(db, () => {
    db.exec('CREATE TABLE IF NOT EXISTS ledger_version (version INTEGER PRIMARY KEY) STRICT')
    for (let version = versionOf(db); version < MIGRATIONS.length; version++) {
      db.exec(MIGRATIONS[version]!)
      db.prepare('INSERT INTO ledger_version (version) VALUES (?)').run(version + 1)
    }
  })
}
