// The ledger's calls as a reconciliation reads them: what each used and cost, bucket by bucket, a page at a time.

import type { Attempt, CostLine } from '../event.ts'
import { type PicoUsd, parseUsd } from '../money.ts'
import { BUCKETS, type Bucket, type Usage, type UsageSource } from '../usage.ts'
import type { Database, Row } from './database.ts'
import type { Period } from './statement.ts'
import { tierOf } from './tier.ts'

/** What a call used of one bucket, and what our book says of it. */
export interface LoggedPart {
  readonly model: string
  readonly bucket: Bucket
  readonly quantity: number
  readonly cost: PicoUsd
}

export interface LoggedCall {
  readonly eventId: string
  readonly at: number
  readonly tenantId: string | undefined
  readonly model: string
  readonly tier: string
  /** How many calls the event stands for. */
  readonly calls: number
  readonly parts: readonly LoggedPart[]
  /** As logged, whatever an earlier reconciliation made of it; `undefined` where no price is known. */
  readonly cost: PicoUsd | undefined
  /** The provider said it with its answer. */
  readonly isReported: boolean
  readonly usageSource: UsageSource
  /** Attempts of which nobody knows whether they were billed. */
  readonly unsettled: number
  /** Whether the provider counts it as a request: what it refused, and what never reached it, it does not. */
  readonly isRequest: boolean
  readonly hasFailed: boolean
  readonly responseId: string | undefined
}

const PAGE = 2000
const NEVER_SERVED = /^(http_|connection|timeout)/
const KNOWN: ReadonlySet<string> = new Set(BUCKETS)

const COLUMNS = [
  'event_id',
  'at',
  'tenant_id',
  'model',
  'service_tier',
  'calls',
  'usage',
  'usage_by_model',
  'usage_source',
  'cost_pico',
  'cost_source',
  'cost_lines',
  'attempts',
  'error',
  'response_id',
  'metadata',
] as const

const NUMBERS: ReadonlySet<string> = new Set(['at', 'calls', 'cost_pico'])
const JSONS: ReadonlySet<string> = new Set(['usage', 'usage_by_model', 'cost_lines', 'attempts', 'metadata'])

/** Every call of a provider in the period, the oldest first. */
export async function* loggedCalls(
  db: Pick<Database, 'kind' | 'ask'>,
  provider: string,
  { since, until }: Period,
): AsyncGenerator<readonly LoggedCall[]> {
  // Drivers of PostgreSQL make different things of 64 bits and of JSON: both come as text.
  const selected = COLUMNS.map((name) =>
    db.kind === 'postgres' && (NUMBERS.has(name) || JSONS.has(name)) ? `${name}::text AS ${name}` : name,
  ).join(', ')
  // `at` by itself too: of the pair alone SQLite looks through everything from the beginning on, page after page.
  const sql = `SELECT ${selected} FROM tallygate.events AS e
    WHERE provider = $1 AND e.at >= $2 AND e.at < $3 AND (e.at > $2 OR e.event_id > $4)
    ORDER BY e.at, e.event_id LIMIT ${PAGE}`
  let after: [at: bigint, id: string] = [BigInt(since), '']
  for (;;) {
    const [at, id] = after
    const rows = await db.ask(sql, [provider, at, BigInt(until), id])
    if (rows.length > 0) yield rows.map(callOf)
    if (rows.length < PAGE) return
    const last = rows.at(-1)!
    after = [BigInt(last['at'] as bigint), String(last['event_id'])]
  }
}

function callOf(row: Row): LoggedCall {
  const model = String(row['model'])
  const marked = jsonOf<Record<string, unknown>>(row['metadata'], 'reconciled')
  const isMarked = marked?.['reconciled'] !== undefined
  const before = marked?.['logged_usd']
  const costSource = row['cost_source']
  const cost = isMarked
    ? typeof before === 'string'
      ? parseUsd(before)
      : undefined
    : row['cost_pico'] === null || row['cost_pico'] === undefined
      ? undefined
      : BigInt(row['cost_pico'] as bigint)
  const isReported = isMarked ? marked?.['logged_source'] === 'reported' : costSource === 'reported'
  const parts = partsOf(model, row)
  const error = textOf(row['error'])
  const isEmpty = error !== undefined && parts.length === 0
  const attempts = jsonOf<readonly Attempt[]>(row['attempts'], isEmpty ? 'billable' : 'unknown') ?? []
  return {
    eventId: String(row['event_id']),
    at: Number(row['at']),
    tenantId: textOf(row['tenant_id']),
    model,
    tier: tierOf(textOf(row['service_tier'])),
    calls: row['calls'] === null || row['calls'] === undefined ? 1 : Number(row['calls']),
    parts,
    cost,
    isReported,
    usageSource: row['usage_source'] as UsageSource,
    unsettled: attempts.filter(({ billable }) => billable === 'unknown').length,
    isRequest: !isEmpty || !(NEVER_SERVED.test(error) || (attempts.length > 0 && attempts.every(isFree))),
    hasFailed: error !== undefined,
    responseId: textOf(row['response_id']),
  }
}

function isFree({ billable }: Attempt): boolean {
  return billable === 'no'
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Only where it holds the word: most of a million rows need not be parsed for it. */
function jsonOf<T>(text: unknown, word: string): T | undefined {
  return typeof text === 'string' && text.includes(word) ? (JSON.parse(text) as T) : undefined
}

/** Several models in one call have their usage apart, and their lines one after the other in the same order. */
function partsOf(model: string, row: Row): LoggedPart[] {
  const byModel = row['usage_by_model']
  const usage = row['usage']
  const used: readonly (readonly [string, Usage])[] =
    typeof byModel === 'string'
      ? Object.entries(JSON.parse(byModel) as Record<string, Usage>)
      : typeof usage === 'string'
        ? [[model, JSON.parse(usage) as Usage]]
        : []
  const lines = typeof row['cost_lines'] === 'string' ? (JSON.parse(row['cost_lines']) as CostLine[]) : []
  const parts: LoggedPart[] = []
  let next = 0
  for (const [of, buckets] of used)
    for (const bucket in buckets) {
      const quantity = buckets[bucket as Bucket] ?? 0
      if (quantity === 0 || !KNOWN.has(bucket)) continue
      const isLine = (line: CostLine | undefined) => line?.bucket === bucket && line.quantity === quantity
      // In the order of the usage, but for what an import or another version wrote.
      const at = isLine(lines[next]) ? next : lines.findIndex(isLine)
      if (at >= 0) next = at + 1
      parts.push({ model: of, bucket: bucket as Bucket, quantity, cost: at < 0 ? 0n : picoOf(lines[at]!.costUsd) })
    }
  return parts
}

/** As `parseUsd`, and four times as fast for the small sums that lines are. */
function picoOf(usd: string): PicoUsd {
  const dot = usd.indexOf('.')
  const decimals = dot < 0 ? 0 : usd.length - dot - 1
  if (usd.length <= MOST_DIGITS && decimals <= 12 && dot === 1) {
    const pico = Number(usd.slice(0, 1) + usd.slice(2)) * TENS[12 - decimals]!
    if (Number.isSafeInteger(pico)) return BigInt(pico)
  }
  return parseUsd(usd) ?? 0n
}

const MOST_DIGITS = 15
const TENS = Array.from({ length: 13 }, (_, power) => 10 ** power)
