// Fills a ledger with millions of events in minutes: the database makes them up, and sums them up once at the end, by the
// SQL of the migration that brought the roll-ups.

import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import { eventId } from '../src/event.ts'
import { inSchema } from '../src/postgres/migrate.ts'
import { ROLL_UPS_STEP as POSTGRES_ROLL_UPS } from '../src/sinks/postgres/roll-ups.ts'
import { postgresLedger } from '../src/sinks/postgres.ts'
import { ROLL_UPS } from '../src/sinks/roll-ups.ts'
import { ROLL_UPS_STEP as SQLITE_ROLL_UPS } from '../src/sinks/sqlite/roll-ups.ts'
import { sqliteLedger } from '../src/sinks/sqlite.ts'

export interface Filling {
  readonly events: number
  readonly tenants: number
  readonly days: number
  readonly now: number
}

const DAY = 86_400_000
const AT_ONCE = 250_000
const USERS_OF_A_TENANT = 20
const MODELS = [
  ['openai', 'gpt-6-sol', 'gpt-6-luna', 'gpt-5-mini', 'gpt-4.1', 'gpt-4o', 'text-embedding-3-small'],
  ['anthropic', 'claude-opus-5', 'claude-sonnet-5', 'claude-haiku-4-5'],
  ['google', 'gemini-3-pro', 'gemini-3-flash', 'gemini-2.5-flash'],
  ['openrouter', 'deepseek/deepseek-v4', 'qwen/qwen-4-max', 'mistralai/mistral-large'],
].flatMap(([provider, ...models]) => models.map((model) => [provider!, model] as const))
const FEATURES = ['chat', 'search', 'summary', 'draft', 'translate', 'classify', 'extract', 'agent', 'voice', 'review']
const DROPPED = ['pruned', ...ROLL_UPS.map(({ table }) => table)]

interface Words {
  readonly events: string
  /** At least 0 and less than 1, anew each time. */
  readonly random: string
  integer(expression: string): string
  json(text: string): string
  /** Twelve hexadecimal digits. */
  hex(expression: string): string
  readonly isTrue: string
  /** More columns, and what is in them. */
  readonly more: readonly (readonly [string, string])[]
}

const SQLITE: Words = {
  events: 'events',
  random: '((random() & 9007199254740991) / 9007199254740992.0)',
  integer: (expression) => `CAST(${expression} AS INTEGER)`,
  json: (text) => text,
  hex: (expression) => `printf('%012x', ${expression})`,
  isTrue: '1',
  more: [],
}
const POSTGRES: Words = {
  events: 'tallygate.events',
  random: 'random()',
  integer: (expression) => `floor(${expression})::bigint`,
  json: (text) => `(${text})::jsonb`,
  hex: (expression) => `lpad(to_hex(${expression}), 12, '0')`,
  isTrue: 'true',
  more: [['id_month', `to_char(to_timestamp(at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM')`]],
}

/** Few have much and many have little: the first of five thousand has a twelfth of all. */
const few = ({ integer, random }: Words, count: number) => `${integer(`power(${count}, ${random})`)} - 1`

/** Events `from` to `to`, the oldest first. */
function insertSql(words: Words, { events, tenants, days, now }: Filling, from: number, to: number): string {
  const { random, integer, json, hex, isTrue } = words
  const start = now - days * DAY
  const user = `'user-' || tenant || '-' || person`
  const id = `substr(${hex('at')}, 1, 8) || '-' || substr(${hex('at')}, 9, 4) || '-7' || substr(${hex('chance')}, 10, 3) || '-8' || substr(${hex('chance')}, 7, 3) || '-' || ${hex('i')}`
  const columns: readonly (readonly [string, string])[] = [
    ['event_id', id],
    ['at', 'at'],
    ['tenant_id', `'tenant-' || tenant`],
    ['user_id', user],
    ['session_id', `${user} || '-' || (at / 3600000)`],
    ['feature', 'features.name'],
    ['team', `'team-' || (tenant % 7)`],
    ['tags', json(`'{"plan":"' || CASE tenant % 3 WHEN 0 THEN 'pro' ELSE 'free' END || '"}'`)],
    ['app_name', `'app'`],
    ['environment', `'production'`],
    ['provider', 'models.provider'],
    ['host', `'api.' || models.provider || '.com'`],
    ['model', 'models.name'],
    ['model_requested', 'models.name'],
    ['endpoint', `'chat.completions'`],
    ['service_tier', `'default'`],
    ['stream', isTrue],
    ['usage', json(`'{"input.text":' || input || ',"output.text":' || output || '}'`)],
    ['usage_source', `CASE WHEN chance % 100 = 0 THEN 'estimated' ELSE 'reported' END`],
    ['input_tokens', 'input'],
    ['output_tokens', 'output'],
    ['total_tokens', 'input + output'],
    ['cost_pico', 'input * 1250000 + output * 10000000'],
    ['cost_source', `'priced'`],
    [
      'cost_lines',
      json(
        `'[{"bucket":"input.text","quantity":' || input || '},{"bucket":"output.text","quantity":' || output || '}]'`,
      ),
    ],
    ['price_version', `'2026-11-20'`],
    ['duration_ms', 'ms'],
    ['time_to_first_token_ms', 'ms / 4'],
    ['request_id', `'req_' || ${hex('chance')}`],
    ['attempts', json(`'[{"status":200,"requestId":"req_0123456789abcdef","billable":"yes"}]'`)],
    ['error', `CASE WHEN chance % 100 = 0 THEN 'http_500' END`],
    ...words.more,
  ]
  // Materialized: what is drawn at random would be drawn once more for each column that reads it.
  return `WITH RECURSIVE numbers(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < ${to}),
  drawn AS MATERIALIZED (
    SELECT i, ${start} + ${integer(`i * ${((days * DAY) / events).toFixed(6)}`)} AS at,
      ${few(words, tenants)} AS tenant, ${few(words, USERS_OF_A_TENANT)} AS person,
      ${few(words, MODELS.length + 1)} AS model, ${few(words, FEATURES.length + 1)} AS feature,
      ${integer(`200 + 6000 * power(${random}, 3)`)} AS input, ${integer(`20 + 1500 * power(${random}, 2)`)} AS output,
      ${integer(`200 * power(60, ${random})`)} AS ms, ${integer(`${random} * 281474976710656`)} AS chance
    FROM numbers)
INSERT INTO ${words.events} (${columns.map(([name]) => name).join(', ')})
SELECT ${columns.map(([, sql]) => sql).join(', ')}
FROM drawn JOIN models ON models.k = drawn.model JOIN features ON features.k = drawn.feature ORDER BY i`
}

function listsSql(): string {
  const models = MODELS.map(([provider, name], k) => `(${k}, '${provider}', '${name}')`)
  const features = FEATURES.map((name, k) => `(${k}, '${name}')`)
  return `CREATE TEMP TABLE models (k bigint, provider text, name text); INSERT INTO models VALUES ${models.join(', ')};
CREATE TEMP TABLE features (k bigint, name text); INSERT INTO features VALUES ${features.join(', ')};`
}

/** An event of each month, so that it has its tables, and some limits. */
async function begin(ledger: ReturnType<typeof sqliteLedger> | ReturnType<typeof postgresLedger>, filling: Filling) {
  const { signal } = new AbortController()
  const shared = { provider: 'openai', model: 'gpt-4o', endpoint: 'chat.completions', usageSource: 'absent' } as const
  for (let days = 0; days <= filling.days; days += 15) {
    const at = filling.now - days * DAY
    const one = { ...shared, eventId: eventId(at), timestamp: new Date(at).toISOString() }
    const { outcome } = await ledger.send({ id: String(at), events: [one] }, signal)
    if (outcome !== 'delivered') throw new Error(`The first event was ${outcome}.`)
  }
  for (let i = 0; i < 100; i++)
    await ledger.putLimit({ tenantId: `tenant-${i}`, window: 'month', limit: 10n ** 15n, mode: 'expected' })
  await ledger.close?.()
}

async function inParts(filling: Filling, insert: (from: number, to: number) => unknown): Promise<void> {
  const began = performance.now()
  for (let from = 0; from < filling.events; from += AT_ONCE) {
    await insert(from, Math.min(filling.events, from + AT_ONCE))
    if ((from + AT_ONCE) % 1_000_000 === 0)
      console.log(`${from + AT_ONCE} events after ${((performance.now() - began) / 1000).toFixed(0)} s`)
  }
}

export async function fillSqlite(path: string, filling: Filling): Promise<void> {
  await begin(sqliteLedger({ path }), filling)
  using db = new DatabaseSync(path)
  db.exec(listsSql())
  db.exec('DROP TRIGGER events_inserted; DROP TRIGGER events_updated; DROP TRIGGER events_deleted')
  for (const table of DROPPED) db.exec(`DROP TABLE ${table}`)
  await inParts(filling, (from, to) => db.exec(insertSql(SQLITE, filling, from, to)))
  db.exec(SQLITE_ROLL_UPS)
}

export async function fillPostgres(databaseUrl: string, filling: Filling): Promise<void> {
  await begin(postgresLedger({ databaseUrl }), filling)
  const client = new pg.Client(databaseUrl)
  await client.connect()
  await client.query(listsSql())
  await client.query('DROP FUNCTION tallygate.roll_up CASCADE')
  for (const table of DROPPED) await client.query(`DROP TABLE tallygate.${table}`)
  await inParts(filling, (from, to) => client.query(insertSql(POSTGRES, filling, from, to)))
  await client.query(inSchema(POSTGRES_ROLL_UPS, 'tallygate'))
  await client.query('VACUUM ANALYZE')
  await client.end()
}
