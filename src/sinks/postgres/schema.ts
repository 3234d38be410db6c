// The tables of the PostgreSQL ledger: those of the SQLite one, the events in a partition a month.

import type { Migrations } from '../../postgres/migrate.ts'
import { RECONCILIATIONS_STEP } from './reconciliations.ts'
import { REPORTS_STEP } from './reports.ts'
import { ROLL_UPS_STEP } from './roll-ups.ts'

/** Ids that carry no time: of jobs, which are made of the provider's, and of applications that give their own. */
export const UNTIMED = 'none'

export const LEDGER: Migrations = {
  part: 'ledger',
  breaking: 1,
  steps: [
    `CREATE TABLE tallygate.events (
  event_id text COLLATE "C" NOT NULL,
  -- The month that the id itself tells, so that one id is always in one partition and can be there once. The time of
  -- the call would not do: two processes that hear of one job may each have their own.
  id_month text COLLATE "C" NOT NULL,
  -- Milliseconds since 1970: to_timestamp(at / 1000.0).
  at bigint NOT NULL,
  tenant_id text COLLATE "C",
  user_id text,
  session_id text,
  feature text,
  team text,
  project text,
  cost_center text,
  tags jsonb,
  app_name text,
  environment text,
  provider text NOT NULL,
  host text,
  model text NOT NULL,
  model_requested text,
  endpoint text NOT NULL,
  upstream_provider text,
  service_tier text,
  geo text,
  price_variant text,
  stream boolean,
  usage jsonb,
  usage_by_model jsonb,
  usage_source text NOT NULL,
  usage_bounds jsonb,
  usage_flags jsonb,
  input_tokens bigint,
  output_tokens bigint,
  total_tokens bigint,
  cached_tokens bigint,
  cache_creation_tokens bigint,
  reasoning_tokens bigint,
  audio_input_tokens bigint,
  audio_output_tokens bigint,
  cache_miss_tokens bigint,
  input_text_tokens bigint,
  cached_input_text_tokens bigint,
  input_image_tokens bigint,
  cached_input_image_tokens bigint,
  output_image_tokens bigint,
  image_count bigint,
  character_count bigint,
  duration_seconds double precision,
  duration_unavailable boolean,
  input_tokens_details jsonb,
  -- 1e-12 dollars. A sum of bigint is numeric, and exact.
  cost_pico bigint,
  cost_source text,
  cost_lines jsonb,
  price_version text,
  resale_pico bigint,
  duration_ms double precision,
  time_to_first_token_ms double precision,
  request_id text,
  response_id text,
  operation_id text,
  attempts jsonb,
  error text,
  metadata jsonb,
  fim_prefix text,
  fim_suffix text,
  calls bigint,
  PRIMARY KEY (event_id, id_month)
) PARTITION BY LIST (id_month);
CREATE TABLE tallygate.events_untimed PARTITION OF tallygate.events FOR VALUES IN ('${UNTIMED}');
CREATE TABLE tallygate.events_default PARTITION OF tallygate.events DEFAULT;
-- Holds the cost too: what a tenant has spent is read from the index alone.
CREATE INDEX events_by_tenant ON tallygate.events (tenant_id, at) INCLUDE (cost_pico);
CREATE INDEX events_by_time ON tallygate.events (at, event_id);
CREATE TABLE tallygate.limits (
  tenant_id text COLLATE "C" NOT NULL,
  "window" text COLLATE "C" NOT NULL,
  limit_pico numeric NOT NULL,
  mode text NOT NULL,
  PRIMARY KEY (tenant_id, "window")
);
-- What events cost before they were priced again, and afterwards: one row each time that a price changed.
CREATE TABLE tallygate.repricings (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id text COLLATE "C" NOT NULL,
  repriced_at bigint NOT NULL,
  from_cost bigint,
  from_source text,
  from_version text,
  to_cost bigint,
  to_source text,
  to_version text
);
CREATE INDEX repricings_by_event ON tallygate.repricings (event_id);`,
    ROLL_UPS_STEP,
    `ALTER TABLE tallygate.events
  ADD COLUMN IF NOT EXISTS counted_output_tokens bigint,
  ADD COLUMN IF NOT EXISTS output_tokenizer text,
  ADD COLUMN IF NOT EXISTS input_hashes jsonb,
  ADD COLUMN IF NOT EXISTS output_hash text;`,
    RECONCILIATIONS_STEP,
    REPORTS_STEP,
  ],
}
