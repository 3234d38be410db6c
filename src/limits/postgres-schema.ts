// The tables of limits in PostgreSQL, and the functions that a limit store calls. A step that was released is never edited: a change is a further step.

import type { Migrations } from '../postgres/migrate.ts'

/** Brought up to date by `npx tallygate migrate`, printed by `migrate --print`. */
export const LIMIT_TABLES: Migrations = {
  part: 'limits',
  breaking: 1,
  steps: [
    `-- Limits, their accounts, and the slices of them that processes have leased. All sums in nano-dollars.

CREATE TABLE tallygate.limit_rules (
  scope text NOT NULL,
  per text NOT NULL,
  limit_nano bigint NOT NULL,
  mode text NOT NULL,
  settings text NOT NULL,
  revision bigint NOT NULL,
  removed boolean NOT NULL DEFAULT false,
  PRIMARY KEY (scope, per)
);
CREATE INDEX limit_rules_by_revision ON tallygate.limit_rules (revision);

-- One row. It is locked until a change is committed, so that revisions become visible in their order.
CREATE TABLE tallygate.limit_revision (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  revision bigint NOT NULL
);
INSERT INTO tallygate.limit_revision (revision) VALUES (0);

CREATE TABLE tallygate.limit_windows (
  scope text NOT NULL,
  per text NOT NULL,
  window_id text NOT NULL,
  committed bigint NOT NULL,
  escrow bigint NOT NULL DEFAULT 0,
  suspense bigint NOT NULL DEFAULT 0,
  warned integer NOT NULL DEFAULT 0,
  ends_at bigint,
  PRIMARY KEY (scope, per, window_id)
) WITH (fillfactor = 50);

CREATE TABLE tallygate.limit_leases (
  lease_id text PRIMARY KEY,
  scope text NOT NULL,
  per text NOT NULL,
  window_id text NOT NULL,
  granted bigint NOT NULL,
  spent bigint NOT NULL DEFAULT 0,
  returned bigint NOT NULL DEFAULT 0,
  seq integer NOT NULL DEFAULT 0,
  last_grant bigint NOT NULL DEFAULT 0,
  expires_at bigint NOT NULL,
  expired boolean NOT NULL DEFAULT false,
  final boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
CREATE INDEX limit_leases_by_window ON tallygate.limit_leases (scope, per, window_id);

CREATE FUNCTION tallygate.set_limit(of_scope text, of_per text, to_limit bigint, to_mode text, to_settings text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE next bigint;
BEGIN
  UPDATE tallygate.limit_revision SET revision = revision + 1 RETURNING revision INTO next;
  INSERT INTO tallygate.limit_rules AS r (scope, per, limit_nano, mode, settings, revision)
    VALUES (of_scope, of_per, to_limit, to_mode, to_settings, next)
  ON CONFLICT (scope, per) DO UPDATE SET limit_nano = to_limit, mode = to_mode, settings = to_settings,
    revision = next, removed = false;
END $$;

CREATE FUNCTION tallygate.remove_limit(of_scope text, of_per text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE next bigint;
BEGIN
  UPDATE tallygate.limit_revision SET revision = revision + 1 RETURNING revision INTO next;
  UPDATE tallygate.limit_rules SET removed = true, revision = next
    WHERE scope = of_scope AND per = of_per AND NOT removed;
  DELETE FROM tallygate.limit_leases WHERE scope = of_scope AND per = of_per;
  DELETE FROM tallygate.limit_windows WHERE scope = of_scope AND per = of_per;
END $$;

-- What a lease still holds of its account: nothing, where it has spent more than it was granted.
CREATE FUNCTION tallygate.rest_of(granted bigint, spent bigint, returned bigint, final boolean)
RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN final THEN 0 ELSE greatest(granted - spent - returned, 0) END
$$;

-- One step of a lease, atomic: whoever has the row of the window has the account.
CREATE FUNCTION tallygate.lease_step(step jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  of_scope text := step->>'scope';
  of_per text := step->>'per';
  of_window text := step->>'windowId';
  of_lease text := step->>'leaseId';
  step_seq integer := (step->>'seq')::integer;
  need bigint := (step->>'need')::bigint;
  least_use bigint := (step->>'least')::bigint;
  want bigint := (step->>'want')::bigint;
  told_spent bigint := (step->>'spent')::bigint;
  told_returned bigint := (step->>'returned')::bigint;
  told_warned integer := (step->>'warned')::integer;
  now_ms bigint := floor(extract(epoch FROM clock_timestamp()) * 1000);
  max_nano bigint;
  account tallygate.limit_windows;
  lease tallygate.limit_leases;
  due record;
  earlier_committed bigint := 0;
  earlier_held bigint := 0;
  rest bigint;
  free bigint;
  live bigint;
  grant_now bigint := 0;
  warned_before integer;
BEGIN
  SELECT limit_nano INTO max_nano FROM tallygate.limit_rules
    WHERE scope = of_scope AND per = of_per AND NOT removed;
  IF NOT FOUND THEN RETURN 'null'::jsonb; END IF;

  SELECT * INTO account FROM tallygate.limit_windows
    WHERE scope = of_scope AND per = of_per AND window_id = of_window FOR UPDATE;
  IF NOT FOUND THEN
    DELETE FROM tallygate.limit_leases l USING tallygate.limit_windows w
      WHERE w.scope = of_scope AND w.per = of_per AND w.ends_at < now_ms - 604800000
        AND l.scope = w.scope AND l.per = w.per AND l.window_id = w.window_id;
    DELETE FROM tallygate.limit_windows
      WHERE scope = of_scope AND per = of_per AND ends_at < now_ms - 604800000;
    INSERT INTO tallygate.limit_windows (scope, per, window_id, committed, ends_at)
      VALUES (of_scope, of_per, of_window, (step->>'opening')::bigint, (step->>'endsAt')::bigint)
      ON CONFLICT DO NOTHING;
    SELECT * INTO account FROM tallygate.limit_windows
      WHERE scope = of_scope AND per = of_per AND window_id = of_window FOR UPDATE;
  END IF;
  IF jsonb_array_length(step->'earlier') > 0 THEN
    SELECT coalesce(sum(committed), 0), coalesce(sum(escrow + suspense), 0) INTO earlier_committed, earlier_held
      FROM tallygate.limit_windows
      WHERE scope = of_scope AND per = of_per
        AND window_id IN (SELECT jsonb_array_elements_text(step->'earlier'));
  END IF;

  -- Holders that were not heard of: their slices may be spent to the last cent, and count as if they were.
  FOR due IN
    UPDATE tallygate.limit_leases SET expired = true WHERE lease_id IN (
      SELECT lease_id FROM tallygate.limit_leases
        WHERE scope = of_scope AND per = of_per AND window_id = of_window
          AND expires_at <= now_ms AND NOT expired AND NOT final LIMIT 16)
    RETURNING tallygate.rest_of(granted, spent, returned, final) AS rest
  LOOP
    account.escrow := account.escrow - due.rest;
    account.suspense := account.suspense + due.rest;
  END LOOP;

  SELECT * INTO lease FROM tallygate.limit_leases WHERE lease_id = of_lease;
  IF NOT FOUND THEN
    lease := ROW(of_lease, of_scope, of_per, of_window, (step->>'granted')::bigint, 0, 0, 0, 0, 0, false, false);
    account.escrow := account.escrow + lease.granted;
  END IF;
  warned_before := account.warned;
  account.warned := greatest(account.warned, told_warned);

  -- Its holder lives after all: what was charged is its slice again.
  rest := tallygate.rest_of(lease.granted, lease.spent, lease.returned, lease.final);
  IF lease.expired THEN account.suspense := account.suspense - rest; ELSE account.escrow := account.escrow - rest; END IF;
  lease.expired := false;
  lease.expires_at := now_ms + (step->>'ttlMs')::bigint;
  IF told_spent > lease.spent THEN
    account.committed := account.committed + told_spent - lease.spent;
    lease.spent := told_spent;
  END IF;
  lease.returned := greatest(lease.returned, told_returned);
  rest := tallygate.rest_of(lease.granted, lease.spent, lease.returned, lease.final);
  free := max_nano - account.committed - account.escrow - account.suspense - earlier_committed - earlier_held - rest;

  IF step_seq > lease.seq THEN
    lease.seq := step_seq;
    lease.last_grant := 0;
    IF need > 0 AND NOT lease.final THEN
      -- What the lease overspent is committed already: to cover it takes nothing more of the account.
      free := free + greatest(lease.spent + lease.returned - lease.granted, 0);
      IF free >= need THEN
        SELECT count(*) + 1 INTO live FROM tallygate.limit_leases
          WHERE scope = of_scope AND per = of_per AND window_id = of_window
            AND lease_id <> of_lease AND NOT expired AND NOT final;
        lease.last_grant := greatest(need, least(want, free / (2 * live)));
      ELSIF free >= least_use THEN
        lease.last_grant := free;
      END IF;
      lease.granted := lease.granted + lease.last_grant;
    END IF;
    grant_now := lease.last_grant;
  ELSIF step_seq = lease.seq THEN
    grant_now := lease.last_grant;
  END IF;
  IF (step->>'final')::boolean THEN lease.final := true; END IF;
  account.escrow := account.escrow + tallygate.rest_of(lease.granted, lease.spent, lease.returned, lease.final);

  INSERT INTO tallygate.limit_leases AS l SELECT lease.*
    ON CONFLICT (lease_id) DO UPDATE SET granted = lease.granted, spent = lease.spent, returned = lease.returned,
      seq = lease.seq, last_grant = lease.last_grant, expires_at = lease.expires_at, expired = lease.expired,
      final = lease.final;
  UPDATE tallygate.limit_windows SET committed = account.committed, escrow = account.escrow,
      suspense = account.suspense, warned = account.warned
    WHERE scope = of_scope AND per = of_per AND window_id = of_window;
  RETURN jsonb_build_object(
    'granted', grant_now::text,
    'limit', max_nano::text,
    'committed', (account.committed + earlier_committed)::text,
    -- Of the earlier slots it does not matter who holds what.
    'escrow', (account.escrow + earlier_held)::text,
    'suspense', account.suspense::text,
    'warned', warned_before,
    'isOver', lease.final);
END $$;

-- Several steps at once, in an order that is the same for everybody: two processes never wait for each other.
CREATE FUNCTION tallygate.lease_steps(steps text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  one record;
  answers jsonb := '{}';
BEGIN
  FOR one IN
    SELECT step, place FROM jsonb_array_elements(steps::jsonb) WITH ORDINALITY AS s(step, place)
      ORDER BY step->>'scope', step->>'per', step->>'windowId', place
  LOOP
    answers := answers || jsonb_build_object(one.place::text, tallygate.lease_step(one.step));
  END LOOP;
  RETURN answers::text;
END $$;

CREATE FUNCTION tallygate.limit_accounts(keys text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_object_agg(place, CASE WHEN r.scope IS NULL THEN 'null'::jsonb ELSE jsonb_build_object(
    'limit', r.limit_nano::text,
    'committed', sums.committed::text,
    'escrow', sums.escrow::text,
    'suspense', sums.suspense::text,
    'warned', sums.warned) END), '{}')::text
  FROM jsonb_array_elements(keys::jsonb) WITH ORDINALITY AS k(key, place)
  LEFT JOIN tallygate.limit_rules r ON r.scope = key->>'scope' AND r.per = key->>'per' AND NOT r.removed
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(committed), 0) AS committed, coalesce(sum(escrow), 0) AS escrow,
      coalesce(sum(suspense), 0) AS suspense,
      coalesce(max(warned) FILTER (WHERE window_id = key->>'windowId'), 0) AS warned
    FROM tallygate.limit_windows w
    WHERE w.scope = key->>'scope' AND w.per = key->>'per'
      AND (w.window_id = key->>'windowId' OR key->'earlier' ? w.window_id)
  ) sums
$$;`,
    `-- What is told in the name of a dead holder changes nothing where its lease is not known.

CREATE OR REPLACE FUNCTION tallygate.lease_steps(steps text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  one record;
  answers jsonb := '{}';
BEGIN
  FOR one IN
    SELECT step, place FROM jsonb_array_elements(steps::jsonb) WITH ORDINALITY AS s(step, place)
      WHERE step->'ifKnown' IS NULL
        OR EXISTS (SELECT FROM tallygate.limit_leases l WHERE l.lease_id = step->>'leaseId')
      ORDER BY step->>'scope', step->>'per', step->>'windowId', place
  LOOP
    answers := answers || jsonb_build_object(one.place::text, tallygate.lease_step(one.step));
  END LOOP;
  RETURN answers::text;
END $$;`,
    `-- The slots of a rolling limit are rows of their own, and none of them may change while one is granted from what is left of all.

CREATE OR REPLACE FUNCTION tallygate.lease_steps(steps text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  one record;
  answers jsonb := '{}';
BEGIN
  FOR one IN
    SELECT step, place FROM jsonb_array_elements(steps::jsonb) WITH ORDINALITY AS s(step, place)
      WHERE step->'ifKnown' IS NULL
        OR EXISTS (SELECT FROM tallygate.limit_leases l WHERE l.lease_id = step->>'leaseId')
      ORDER BY step->>'scope', step->>'per', step->>'windowId', place
  LOOP
    IF one.step->'earlier'->0 IS NOT NULL THEN
      PERFORM pg_advisory_xact_lock(
        hashtextextended(concat('tallygate limit ', one.step->>'per', ' ', one.step->>'scope'), 0));
    END IF;
    answers := answers || jsonb_build_object(one.place::text, tallygate.lease_step(one.step));
  END LOOP;
  RETURN answers::text;
END $$;`,
  ],
}
