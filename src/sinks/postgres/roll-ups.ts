// The roll-ups of the PostgreSQL ledger: triggers keep them, once a statement, whoever writes or deletes events.

import { FIGURES, keysOf, OPERANDS, ROLL_UPS, type RollUp, startSql } from '../roll-ups.ts'

const NAMES = Object.keys(FIGURES)

/** By its digest: texts may be longer than an index can hold. JSON tells an empty text from none. */
const keySql = (rollUp: RollUp) => `sha256(convert_to(json_build_array(${keysOf(rollUp).join(', ')})::text, 'UTF8'))`

function tableSql(rollUp: RollUp): string {
  const keys = keysOf(rollUp)
  const columns = [
    'at bigint NOT NULL',
    'key bytea NOT NULL',
    ...keys.map((key) => `${key} text${key === 'tenant_id' ? ' COLLATE "C"' : ''}`),
    ...NAMES.map((name) => `${name} numeric NOT NULL`),
  ]
  // Room in each page, so that a row that grows stays in it, and no index has to know.
  return `CREATE TABLE tallygate.${rollUp.table} (${columns.join(', ')}, PRIMARY KEY (at, key)) WITH (fillfactor = 70);`
}

/** Adds up rows, given with their `sign`. In the order of the key, so that two writers never wait for each other in a circle. */
function addSql(rollUp: RollUp, rows: string): string {
  const keys = keysOf(rollUp)
  const columns = ['at', 'key', ...keys, ...NAMES].join(', ')
  const sums = Object.values(FIGURES).map((sql) => `sum(sign * (${sql}))`)
  return `INSERT INTO tallygate.${rollUp.table} AS known (${columns})
      SELECT start, key, ${[...keys.map((key) => `min(${key})`), ...sums].join(', ')}
      FROM (SELECT ${startSql(rollUp.span)} AS start, ${keySql(rollUp)} AS key, * FROM (${rows}) AS rows) AS keyed
      GROUP BY start, key ORDER BY start, key
      ON CONFLICT (at, key) DO UPDATE SET ${NAMES.map((name) => `${name} = known.${name} + excluded.${name}`).join(', ')};`
}

function rowsSql(from: string, sign: 1 | -1): string {
  const columns = [...new Set(['at', ...ROLL_UPS.flatMap(keysOf), ...OPERANDS])].join(', ')
  const kept = sign === 1 ? '' : ' WHERE at >= coalesce((SELECT max(before) FROM tallygate.pruned), at)'
  return `SELECT ${sign} AS sign, ${columns} FROM ${from}${kept}`
}

const each = (rows: string) => ROLL_UPS.map((rollUp) => addSql(rollUp, rows)).join('\n    ')
const [ADDED, REMOVED] = [rowsSql('added', 1), rowsSql('removed', -1)]

export const ROLL_UPS_STEP = `-- Events before this moment were deleted and go on to count in the roll-ups.
CREATE TABLE tallygate.pruned (before bigint NOT NULL);
${ROLL_UPS.map(tableSql).join('\n')}
CREATE INDEX usage_tenants_by_tenant ON tallygate.usage_tenants (tenant_id, at);
-- As its owner: who may write events need not be let into what is summed up of them.
CREATE FUNCTION tallygate.roll_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $roll_up$
BEGIN
  IF TG_OP = 'INSERT' THEN
    ${each(ADDED)}
  ELSIF TG_OP = 'DELETE' THEN
    ${each(REMOVED)}
  ELSE
    ${each(`${REMOVED} UNION ALL ${ADDED}`)}
  END IF;
  RETURN NULL;
END
$roll_up$;
LOCK TABLE tallygate.events IN SHARE ROW EXCLUSIVE MODE;
${each(rowsSql('tallygate.events', 1))}
CREATE TRIGGER events_inserted AFTER INSERT ON tallygate.events REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION tallygate.roll_up();
CREATE TRIGGER events_deleted AFTER DELETE ON tallygate.events REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION tallygate.roll_up();
CREATE TRIGGER events_updated AFTER UPDATE ON tallygate.events REFERENCING OLD TABLE AS removed NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION tallygate.roll_up();`

/** What a tenant has spent: in days whose events are gone, too. */
export const SPENT = `SELECT sum(cost)::text AS cost FROM (
  SELECT cost_pico AS cost FROM tallygate.events WHERE tenant_id = :tenant AND at >= :since AND at < :from
  UNION ALL SELECT cost FROM tallygate.usage_tenants WHERE tenant_id = :tenant AND at >= :from) AS parts`
