// Shares the bill out, day by day, and writes each day down.

import type { PicoUsd } from '../money.ts'
import { writeDay } from './book.ts'
import { allocate, type CanonicalCost } from './canonical.ts'
import type { Comparison } from './compare.ts'
import type { Database } from './database.ts'
import type { Line } from './lines.ts'
import { loggedCalls } from './logged.ts'
import { dayOf } from './rates.ts'
import type { Reconciliation, Status } from './result.ts'
import { DAY, type Period, type Statement } from './statement.ts'
import { dateOf, detailsOf } from './summary.ts'

interface Remembering {
  readonly statement: Statement
  readonly dryRun?: boolean | undefined
  readonly apply?: boolean | undefined
  /** How far the lines of a day drift. */
  readonly statusOf: (lines: readonly Line[]) => Status
}

/** Shares every day out, and writes it. */
export async function remember(
  db: Database,
  { statement, dryRun = false, apply = false, statusOf }: Remembering,
  { lines, tally, shape, pots, joined, isOfRequests }: Comparison,
  period: Period,
  now: number,
): Promise<Reconciliation['canonical']> {
  const sums = { exact: 0n, allocated: 0n, estimated: 0n }
  // Of a day without a single line nobody knows whether it was free, or is not billed yet.
  const billed = new Set([...tally.lines.values()].map((line) => line.at))
  const isCovered = (at: number) => shape.hasCost && !isOfRequests && billed.has(dayOf(at))
  const allocation = allocate({ logged: tally.logged, shape, pots, joined, isCovered })
  const details = detailsOf(lines.values())
  for (let at = period.since; at < period.until; at += DAY) {
    const day = dateOf(at)
    const ofDay = [...lines.values()].filter((line) => line.at === at)
    const canonical = (db: Pick<Database, 'kind' | 'ask'>) =>
      costsOf(db, statement.provider, { since: at, until: at + DAY }, allocation.costOf, sums)
    if (dryRun) {
      for await (const _ of canonical(db));
      continue
    }
    await writeDay(db, {
      source: statement.source,
      provider: statement.provider,
      day,
      reconciledAt: now,
      lines: ofDay,
      causes: details.filter((detail) => detail.day === day),
      status: statusOf(ofDay),
      canonical,
      apply,
    })
  }
  return sums
}

async function* costsOf(
  db: Pick<Database, 'kind' | 'ask'>,
  provider: string,
  day: Period,
  costOf: ReturnType<typeof allocate>['costOf'],
  sums: { exact: PicoUsd; allocated: PicoUsd; estimated: PicoUsd },
): AsyncGenerator<readonly CanonicalCost[]> {
  for await (const page of loggedCalls(db, provider, day)) {
    const costs = page.map(costOf)
    for (const { label, canonical } of costs) sums[label] += canonical ?? 0n
    yield costs
  }
}
