// The table `cost_reconciliation`: a day of a source is written whole or not at all, and once more in the place of before.

import { MeterError } from '../errors.ts'
import { formatUsd, type PicoUsd } from '../money.ts'
import { RECONCILIATION_COLUMNS, RECONCILIATIONS } from '../sinks/reconciliations.ts'
import type { CanonicalCost } from './canonical.ts'
import type { Ask, Cells, Database, Row, Value } from './database.ts'
import type { Accepted } from './drift.ts'
import type { Line } from './lines.ts'
import type { CauseLine, Status } from './result.ts'

/** All that is known of one day. */
export interface DayRecord {
  readonly source: string
  readonly provider: string
  readonly day: string
  readonly reconciledAt: number
  readonly lines: readonly Line[]
  readonly causes: readonly CauseLine[]
  /** Of the day by itself. */
  readonly status: Status
  /** The calls of the day, page by page: asked where the day is written, since a pool may have one connection and no other. */
  canonical(db: Pick<Database, 'kind' | 'ask'>): AsyncIterable<readonly CanonicalCost[]>
  /** Costs of events follow the bill. */
  readonly apply: boolean
}

export interface Baseline {
  readonly day: string
  readonly reason: string
  readonly accepted: Accepted
}

const MOST = 9_223_372_036_854_775_807n

export async function writeDay(db: Database, record: DayRecord): Promise<void> {
  const { source, provider, day, reconciledAt, lines, causes, status, canonical, apply } = record
  const fixed = { source, day, provider, reconciled_at: BigInt(reconciledAt) }
  await db.transaction(async ({ ask, insert }) => {
    const add = (rows: readonly Cells[]) => insert(RECONCILIATIONS, RECONCILIATION_COLUMNS, rows, fixed)
    await ask(`DELETE FROM tallygate.cost_reconciliation WHERE source = $1 AND day = $2 AND result <> 'baseline'`, [
      source,
      day,
    ])
    const sum = { exact: 0n, allocated: 0n, estimated: 0n, logged: 0n }
    for await (const page of canonical({ kind: db.kind, ask })) {
      for (const { label, canonical: cost = 0n, logged = 0n } of page) {
        sum[label] += cost
        sum.logged += logged
      }
      await add(page.map(costCells))
    }
    await add(lines.map(lineCells))
    await add(causes.map(causeCells))
    const billed = lines.reduce((total, line) => total + (line.billed ?? 0n), 0n)
    await add([
      {
        result: 'day',
        part: 'day',
        label: status,
        logged_pico: stored(sum.logged),
        billed_pico: stored(billed),
        canonical_pico: stored(sum.exact + sum.allocated + sum.estimated),
        detail: JSON.stringify({
          exact_usd: formatUsd(sum.exact),
          allocated_usd: formatUsd(sum.allocated),
          estimated_usd: formatUsd(sum.estimated),
        }),
      },
    ])
    if (apply) await applyDay(db, ask, source, day, reconciledAt)
  })
}

function costCells({ eventId, tenantId, label, logged, billed, canonical }: CanonicalCost): Cells {
  return {
    result: 'canonical',
    part: eventId,
    tenant_id: tenantId ?? null,
    label,
    logged_pico: stored(logged),
    billed_pico: stored(billed),
    canonical_pico: stored(canonical),
  }
}

function stored(pico: PicoUsd | undefined): Value {
  if (pico === undefined) return null
  if (pico <= MOST && pico >= -MOST) return pico
  throw new MeterError('BAD_INPUT', `A sum of $${formatUsd(pico)} is more than a row holds.`)
}

function lineCells(line: Line, i: number): Cells {
  const { model, tier, type, loggedQuantity, billedQuantity, isCounted, rows, logged, billed, item } = line
  return {
    result: 'line',
    part: String(i),
    model,
    tier,
    token_type: type ?? null,
    label: item ?? null,
    logged_quantity: loggedQuantity,
    billed_quantity: isCounted || rows === 0 ? billedQuantity : null,
    logged_pico: stored(logged),
    billed_pico: stored(billed),
  }
}

function causeCells({ cause, model, tier, type, quantity, cost, who, note }: CauseLine, i: number): Cells {
  return {
    result: 'cause',
    part: String(i),
    model,
    tier,
    token_type: type ?? null,
    label: cause,
    billed_quantity: quantity,
    billed_pico: stored(cost),
    detail: JSON.stringify({ ...(who !== undefined && { who }), ...(note !== undefined && { note }) }),
  }
}

/** The costs of the day's events become those of the bill; what they were stays in `repricings` and in their metadata. */
async function applyDay(db: Database, ask: Ask, source: string, day: string, now: number): Promise<void> {
  const isPostgres = db.kind === 'postgres'
  const which = `FROM tallygate.cost_reconciliation AS r
    WHERE r.source = $1 AND r.day = $2 AND r.result = 'canonical' AND r.part = e.event_id
      AND r.canonical_pico IS NOT NULL AND ${isPostgres ? 'e.cost_pico IS DISTINCT FROM' : 'e.cost_pico IS NOT'} r.canonical_pico`
  await ask(
    `INSERT INTO tallygate.repricings
      (event_id, repriced_at, from_cost, from_source, from_version, to_cost, to_source, to_version)
    SELECT e.event_id, ${isPostgres ? '$3::bigint' : '$3'}, e.cost_pico, e.cost_source, e.price_version,
      r.canonical_pico, 'reported', e.price_version
    FROM tallygate.events AS e JOIN tallygate.cost_reconciliation AS r ON r.part = e.event_id
    WHERE r.source = $1 AND r.day = $2 AND r.result = 'canonical' AND r.canonical_pico IS NOT NULL
      AND ${isPostgres ? 'e.cost_pico IS DISTINCT FROM' : 'e.cost_pico IS NOT'} r.canonical_pico`,
    [source, day, BigInt(now)],
  )
  const mark = isPostgres
    ? `coalesce(e.metadata, '{}'::jsonb) || jsonb_strip_nulls(jsonb_build_object('reconciled', r.label,
        'logged_usd', (r.logged_pico / 1000000000000.0)::numeric(40, 12)::text,
        'logged_source', coalesce(e.metadata ->> 'logged_source', e.cost_source)))`
    : `json_patch(coalesce(e.metadata, '{}'), json_object('reconciled', r.label,
        'logged_usd', CASE WHEN r.logged_pico IS NULL THEN NULL
          ELSE printf('%d.%012d', r.logged_pico / 1000000000000, r.logged_pico % 1000000000000) END,
        'logged_source', coalesce(json_extract(e.metadata, '$.logged_source'), e.cost_source)))`
  await ask(
    `UPDATE tallygate.events AS e SET cost_pico = r.canonical_pico, cost_source = 'reported', metadata = ${mark} ${which}`,
    [source, day],
  )
}

/** What the calls of a day cost, as it was written. */
export async function costsDone(db: Database, source: string, day: string): Promise<CanonicalCost[]> {
  const picos = ['logged_pico', 'billed_pico', 'canonical_pico', 'at'].map((name) => {
    const column = name === 'at' ? 'e.at' : `r.${name}`
    return db.kind === 'postgres' ? `${column}::text AS ${name}` : `${column} AS ${name}`
  })
  const rows = await db.ask(
    `SELECT r.part, r.tenant_id, r.label, ${picos.join(', ')} FROM tallygate.cost_reconciliation AS r
    JOIN tallygate.events AS e ON e.event_id = r.part
    WHERE r.source = $1 AND r.day = $2 AND r.result = 'canonical' ORDER BY e.at, r.part`,
    [source, day],
  )
  const pico = (value: unknown) => (value === null ? undefined : BigInt(value as string))
  return rows.map((row) => ({
    eventId: row['part'] as string,
    tenantId: (row['tenant_id'] as string | null) ?? undefined,
    at: Number(row['at']),
    label: row['label'] as CanonicalCost['label'],
    logged: pico(row['logged_pico']),
    billed: pico(row['billed_pico']),
    canonical: pico(row['canonical_pico']),
  }))
}

/** Days of a source that were compared, with the moment when. */
export async function daysDone(db: Database, source: string): Promise<Map<string, number>> {
  const sql = `SELECT day, reconciled_at${db.kind === 'postgres' ? '::text AS reconciled_at' : ''}
    FROM tallygate.cost_reconciliation WHERE source = $1 AND result = 'day'`
  const rows = await db.ask(sql, [source])
  return new Map(rows.map((row) => [String(row['day']), Number(row['reconciled_at'])]))
}

export async function writeBaseline(
  db: Database,
  source: string,
  provider: string,
  baseline: Baseline,
  now: number,
): Promise<void> {
  const { day, reason, accepted } = baseline
  await db.transaction(async ({ ask, insert }) => {
    await ask(`DELETE FROM tallygate.cost_reconciliation WHERE source = $1 AND day = $2 AND result = 'baseline'`, [
      source,
      day,
    ])
    const fixed = { source, day, provider, reconciled_at: BigInt(now) }
    const row = { result: 'baseline', part: 'baseline', label: reason, detail: JSON.stringify(accepted) }
    await insert(RECONCILIATIONS, RECONCILIATION_COLUMNS, [row], fixed)
  })
}

/** The last one of the day or before it. */
export async function baselineAt(db: Database, source: string, day: string): Promise<Baseline | undefined> {
  const detail = db.kind === 'postgres' ? 'detail::text AS detail' : 'detail'
  const [row]: (Row | undefined)[] = await db.ask(
    `SELECT day, label, ${detail} FROM tallygate.cost_reconciliation
    WHERE source = $1 AND result = 'baseline' AND day <= $2 ORDER BY day DESC LIMIT 1`,
    [source, day],
  )
  if (row === undefined) return undefined
  return {
    day: String(row['day']),
    reason: String(row['label']),
    accepted: JSON.parse(String(row['detail'])) as Accepted,
  }
}
