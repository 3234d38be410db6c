// What meters say of themselves, in the PostgreSQL ledger: the tables of the SQLite one, written by one statement.

import { FORGOTTEN_AFTER_MS, type MeterReport, toWireReport, unmeteredCalls } from '../meter-report.ts'

export const REPORTS_STEP = `CREATE TABLE IF NOT EXISTS tallygate.meters (
  -- Of the key that it reports under; empty where that is for all projects.
  project text COLLATE "C" NOT NULL,
  meter_id text COLLATE "C" NOT NULL,
  -- Of two reports the larger one is the newer.
  sequence bigint NOT NULL,
  at bigint NOT NULL,
  started_at bigint NOT NULL,
  ended boolean NOT NULL,
  app_name text,
  environment text,
  host_name text NOT NULL,
  version text NOT NULL,
  waiting bigint NOT NULL,
  waiting_since bigint,
  lost bigint NOT NULL,
  dead_letters bigint NOT NULL,
  -- Calls.
  unmetered bigint NOT NULL,
  report jsonb NOT NULL,
  PRIMARY KEY (project, meter_id)
);
CREATE INDEX IF NOT EXISTS meters_by_time ON tallygate.meters (at);
CREATE TABLE IF NOT EXISTS tallygate.refusals (
  -- Where the minute begins.
  at bigint NOT NULL,
  project text COLLATE "C" NOT NULL,
  meter_id text COLLATE "C" NOT NULL,
  -- Empty for nobody's calls.
  tenant_id text COLLATE "C" NOT NULL,
  -- The limit; empty where it was none that refused.
  scope text COLLATE "C" NOT NULL,
  "window" text COLLATE "C" NOT NULL,
  code text COLLATE "C" NOT NULL,
  calls bigint NOT NULL,
  PRIMARY KEY (at, project, meter_id, tenant_id, scope, "window", code)
);
CREATE INDEX IF NOT EXISTS refusals_by_tenant ON tallygate.refusals (tenant_id, at);`

const COLUMNS = {
  project: 'text',
  meter_id: 'text',
  sequence: 'bigint',
  at: 'bigint',
  started_at: 'bigint',
  ended: 'boolean',
  app_name: 'text',
  environment: 'text',
  host_name: 'text',
  version: 'text',
  waiting: 'bigint',
  waiting_since: 'bigint',
  lost: 'bigint',
  dead_letters: 'bigint',
  unmetered: 'bigint',
  report: 'jsonb',
} as const
const NAMES = Object.keys(COLUMNS)
const TYPED = Object.entries(COLUMNS).map(([name, type]) => `${name} ${type}`)

/** One statement, and so all of it or nothing, whatever the client can do. A limit may stand in a report once only. */
const KEEP = `WITH meter AS (
  INSERT INTO tallygate.meters AS known (${NAMES.join(', ')})
  SELECT ${NAMES.join(', ')} FROM jsonb_to_record($1::text::jsonb) AS given (${TYPED.join(', ')})
  ON CONFLICT (project, meter_id) DO UPDATE SET ${NAMES.slice(2)
    .map((name) => `${name} = excluded.${name}`)
    .join(', ')}
  WHERE excluded.sequence > known.sequence
), forgotten AS (
  DELETE FROM tallygate.meters WHERE at < $3::text::bigint
)
INSERT INTO tallygate.refusals AS known (at, project, meter_id, tenant_id, scope, "window", code, calls)
SELECT given.at, meter.project, meter.meter_id, given.tenant_id, given.scope, given."window", given.code, max(given.calls)
FROM jsonb_to_recordset($2::text::jsonb)
  AS given (at bigint, tenant_id text, scope text, "window" text, code text, calls bigint),
  jsonb_to_record($1::text::jsonb) AS meter (project text, meter_id text)
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
ON CONFLICT (at, project, meter_id, tenant_id, scope, "window", code)
DO UPDATE SET calls = excluded.calls WHERE excluded.calls > known.calls`

/** The statement that keeps a report, and its parameters. */
export function keepStatement(report: MeterReport, now: number): readonly [sql: string, params: readonly string[]] {
  const meter = {
    project: report.project ?? '',
    meter_id: report.meterId,
    sequence: report.sequence,
    at: report.at,
    started_at: report.startedAt,
    ended: report.isEnded,
    app_name: report.appName,
    environment: report.environment,
    host_name: report.hostName,
    version: report.version,
    waiting: report.waiting,
    waiting_since: report.waitingSince,
    lost: report.lost,
    dead_letters: report.deadLetters,
    unmetered: unmeteredCalls(report),
    report: toWireReport({ ...report, refusals: [] }),
  }
  const refusals = report.refusals.map(({ at, tenantId, scope, window, code, calls }) => ({
    at,
    tenant_id: tenantId ?? '',
    scope: scope ?? '',
    window: window ?? '',
    code,
    calls,
  }))
  const before = report.sequence === 1 ? now - FORGOTTEN_AFTER_MS : 0
  return [KEEP, [JSON.stringify(meter), JSON.stringify(refusals), String(before)]]
}
