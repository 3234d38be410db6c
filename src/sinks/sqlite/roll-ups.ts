// The roll-ups of the SQLite ledger: triggers keep them, whoever writes or deletes an event, in the transaction that does.
// A batch of new events is summed up first (see batch-sums.ts), and its writer tells the trigger so.

import { FIGURES, IN_HALVES, keysOf, OPERANDS, ROLL_UPS, type RollUp, startSql } from '../roll-ups.ts'

/** Money and tokens in an upper and a lower half, whose sums never come near 64 bits; the others count calls. */
export const SUMMED = Object.entries(FIGURES).flatMap(([name, sql]) =>
  IN_HALVES.has(name)
    ? [
        { name: `${name}_high`, sql: `(${sql}) >> 32` },
        { name: `${name}_low`, sql: `(${sql}) & 4294967295` },
      ]
    : [{ name, sql }],
)

/** JSON tells an empty text from none. */
const keySql = (rollUp: RollUp) => `json_array(${keysOf(rollUp).join(', ')})`

function tableSql(rollUp: RollUp): string {
  const { table, span } = rollUp
  const keys = keysOf(rollUp)
  const columns = [
    'at INTEGER NOT NULL',
    'key TEXT NOT NULL',
    ...keys.map((key) => `${key} TEXT`),
    ...SUMMED.map(({ name }) => `${name} INTEGER NOT NULL`),
  ]
  const names = ['at', 'key', ...keys, ...SUMMED.map(({ name }) => name)].join(', ')
  const sums = SUMMED.map(({ sql }) => `sum(${sql})`).join(', ')
  return `CREATE TABLE ${table} (${columns.join(', ')}, PRIMARY KEY (at, key)) STRICT, WITHOUT ROWID;
  INSERT INTO ${table} (${names})
    SELECT ${startSql(span)}, ${keySql(rollUp)}, ${keys.join(', ')}, ${sums} FROM events GROUP BY 1, 2;`
}

/** Adds the event `NEW`, or takes `OLD` away. */
function changeSql(rollUp: RollUp, row: 'NEW' | 'OLD'): string {
  const { table, span } = rollUp
  const keys = keysOf(rollUp)
  const names = ['at', 'key', ...keys, ...SUMMED.map(({ name }) => name)].join(', ')
  const given = [...new Set(['at', ...keys, ...OPERANDS])].map((name) => `${row}.${name} AS ${name}`).join(', ')
  const figures = SUMMED.map(({ sql }) => (row === 'NEW' ? sql : `-(${sql})`)).join(', ')
  const condition = row === 'NEW' ? 'true' : 'at >= coalesce((SELECT max(before) FROM pruned), at)'
  // WHERE: without it SQLite takes ON for the beginning of a join.
  return `INSERT INTO ${table} (${names})
      SELECT ${startSql(span)}, ${keySql(rollUp)}, ${keys.join(', ')}, ${figures} FROM (SELECT ${given}) WHERE ${condition}
      ON CONFLICT (at, key) DO UPDATE SET ${SUMMED.map(({ name }) => `${name} = ${name} + excluded.${name}`).join(', ')};`
}

const each = (row: 'NEW' | 'OLD') => ROLL_UPS.map((rollUp) => changeSql(rollUp, row)).join('\n    ')

export const ROLL_UPS_STEP = `-- Events before this moment were deleted and go on to count in the roll-ups.
  CREATE TABLE pruned (before INTEGER NOT NULL) STRICT;
  ${ROLL_UPS.map(tableSql).join('\n  ')}
  CREATE INDEX usage_tenants_by_tenant ON usage_tenants (tenant_id, at);
  CREATE TRIGGER events_inserted AFTER INSERT ON events BEGIN
    ${each('NEW')}
  END;
  CREATE TRIGGER events_deleted AFTER DELETE ON events BEGIN
    ${each('OLD')}
  END;
  CREATE TRIGGER events_updated AFTER UPDATE ON events BEGIN
    ${each('OLD')}
    ${each('NEW')}
  END;`

/** For as long as a transaction has a row in `usage_summing`, what it inserts is summed up by whoever inserts it. */
export const BATCH_SUMS_STEP = `CREATE TABLE usage_summing (batch INTEGER PRIMARY KEY) STRICT, WITHOUT ROWID;
  DROP TRIGGER events_inserted;
  CREATE TRIGGER events_inserted AFTER INSERT ON events WHEN NOT EXISTS (SELECT 1 FROM usage_summing) BEGIN
    ${each('NEW')}
  END;`

/** Adds to a row of a roll-up: its start, its keys (once for the JSON that `key` is, once as columns), and what `SUMMED` names. */
export function addSql(rollUp: RollUp): string {
  const keys = keysOf(rollUp)
  const names = SUMMED.map(({ name }) => name)
  const cells = (list: readonly string[]) => list.map(() => '?').join(', ')
  return `INSERT INTO ${rollUp.table} (at, key, ${[...keys, ...names].join(', ')})
    VALUES (?, json_array(${cells(keys)}), ${cells([...keys, ...names])})
    ON CONFLICT (at, key) DO UPDATE SET ${names.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')}`
}

/** What a tenant has spent: in days whose events are gone, too. */
export const SPENT = `SELECT sum(cost_high) AS cost_high, sum(cost_low) AS cost_low FROM (
  SELECT cost_pico >> 32 AS cost_high, cost_pico & 4294967295 AS cost_low FROM events
  WHERE tenant_id = :tenant AND at >= :since AND at < :from
  UNION ALL SELECT cost_high, cost_low FROM usage_tenants WHERE tenant_id = :tenant AND at >= :from)`
