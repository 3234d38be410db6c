// The table of the SQLite ledger that holds what bills were compared with: see docs/reconcile.md.

export const RECONCILIATIONS_STEP = `CREATE TABLE IF NOT EXISTS cost_reconciliation (
    source TEXT NOT NULL,
    -- In UTC: 2026-11-22.
    day TEXT NOT NULL,
    -- canonical: a call; line, cause: of the bill; day: that it was compared; baseline: from when on drift is measured.
    result TEXT NOT NULL,
    -- The event's id, or what else tells the row from others of its kind.
    part TEXT NOT NULL,
    provider TEXT NOT NULL,
    tenant_id TEXT,
    model TEXT,
    tier TEXT,
    token_type TEXT,
    label TEXT,
    logged_quantity REAL,
    billed_quantity REAL,
    logged_pico INTEGER,
    billed_pico INTEGER,
    canonical_pico INTEGER,
    detail TEXT,
    reconciled_at INTEGER NOT NULL,
    PRIMARY KEY (source, day, result, part)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS cost_reconciliation_by_event ON cost_reconciliation (part) WHERE result = 'canonical';
  -- Whoever is forgotten is forgotten here too.
  CREATE TRIGGER IF NOT EXISTS events_reconciled_deleted AFTER DELETE ON events BEGIN
    DELETE FROM cost_reconciliation WHERE result = 'canonical' AND part = old.event_id;
  END;`
