// The table of the PostgreSQL ledger that holds what bills were compared with: see docs/reconcile.md.

export const RECONCILIATIONS_STEP = `CREATE TABLE IF NOT EXISTS tallygate.cost_reconciliation (
  source text NOT NULL,
  -- In UTC: 2026-11-22.
  day text COLLATE "C" NOT NULL,
  -- canonical: a call; line, cause: of the bill; day: that it was compared; baseline: from when on drift is measured.
  result text NOT NULL,
  -- The event's id, or what else tells the row from others of its kind.
  part text COLLATE "C" NOT NULL,
  provider text NOT NULL,
  tenant_id text COLLATE "C",
  model text,
  tier text,
  token_type text,
  label text,
  logged_quantity double precision,
  billed_quantity double precision,
  logged_pico bigint,
  billed_pico bigint,
  canonical_pico bigint,
  detail jsonb,
  reconciled_at bigint NOT NULL,
  PRIMARY KEY (source, day, result, part)
);
CREATE INDEX IF NOT EXISTS cost_reconciliation_by_event ON tallygate.cost_reconciliation (part)
  WHERE result = 'canonical';
-- Whoever is forgotten is forgotten here too. As its owner, as the roll-ups are.
CREATE OR REPLACE FUNCTION tallygate.forget_reconciled() RETURNS trigger
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $forget_reconciled$
BEGIN
  DELETE FROM tallygate.cost_reconciliation AS known USING removed
  WHERE known.result = 'canonical' AND known.part = removed.event_id;
  RETURN NULL;
END
$forget_reconciled$;
DROP TRIGGER IF EXISTS events_reconciled_deleted ON tallygate.events;
CREATE TRIGGER events_reconciled_deleted AFTER DELETE ON tallygate.events REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION tallygate.forget_reconciled();`
