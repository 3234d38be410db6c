// The comparison: rows of a statement and calls of a ledger in, every part of the difference with its reason out.

import { MeterError } from '../errors.ts'
import type { PicoUsd } from '../money.ts'
import type { PriceBook } from '../pricing/price.ts'
import { explain } from './explain.ts'
import { foreignKeys } from './foreign.ts'
import { type Finding, gapsOf, take } from './gaps.ts'
import { type Line, linesOf } from './lines.ts'
import type { LoggedCall } from './logged.ts'
import { pairs } from './pairs.ts'
import { type Pots, potsOf } from './pots.ts'
import { priceShares } from './prices.ts'
import { type Rates, ratesOf } from './rates.ts'
import { aliasesOf, type Shape, shapeOf } from './shape.ts'
import type { Grain, Statement, StatementRow, TokenType } from './statement.ts'
import { createTally, type Tally } from './tally.ts'

export interface ComparisonOptions {
  readonly statement: Pick<Statement, 'provider' | 'source' | 'usage' | 'cost'>
  readonly rows: readonly StatementRow[]
  /** Every call of the provider in the period, page by page; asked for once. */
  readonly calls: AsyncIterable<readonly LoggedCall[]> | Iterable<readonly LoggedCall[]>
  /** Models that the ledger has in the period. */
  readonly models: ReadonlySet<string>
  readonly book: Pick<PriceBook, 'price'>
  /** Ids of the provider that are ours; without any, what is foreign is told by what is too much. */
  readonly known?: ReadonlySet<string> | undefined
  /** By id of the provider, the tenant it is of. */
  readonly tenants?: ReadonlyMap<string, string> | undefined
  /** By the name in the bill, the model in the ledger. */
  readonly aliases?: ReadonlyMap<string, string> | undefined
}

export interface Comparison {
  readonly tally: Tally
  readonly shape: Shape
  readonly rates: Rates
  readonly lines: ReadonlyMap<string, Line>
  readonly findings: readonly Finding[]
  readonly pots: Pots
  readonly calls: number
  readonly unpriced: ReadonlyMap<string, number>
  readonly joined: ReadonlyMap<string, PicoUsd>
  /** The bill is of single requests alone: of a call that it does not name it says nothing, and there is nothing to share out. */
  readonly isOfRequests: boolean
}

export async function compareAll(options: ComparisonOptions): Promise<Comparison> {
  const { statement, rows, models, book, tenants = new Map(), known = new Set() } = options
  if (statement.usage === undefined && statement.cost === undefined)
    throw new MeterError('BAD_OPTION', `The statement \`${statement.source}\` has neither usage nor costs.`)
  const withoutModel = new Set<TokenType>()
  const billedModels = new Set<string>()
  const joined = new Map<string, PicoUsd>()
  let isCostScoped = false
  let isOfRequests = false
  for (const row of rows) {
    if (row.model !== undefined) billedModels.add(row.model)
    else if (row.type !== undefined && (row.kind === 'cost' || row.type.startsWith('fee.'))) withoutModel.add(row.type)
    if (row.kind === 'cost') {
      isCostScoped ||= [row.key, row.project, row.workspace, row.profile].some((id) => id && tenants.has(id))
      if (row.responseId !== undefined && row.cost !== undefined)
        joined.set(row.responseId, (joined.get(row.responseId) ?? 0n) + row.cost)
    }
  }
  if (joined.size > 0) isOfRequests = rows.every(({ kind, responseId }) => kind === 'usage' || responseId !== undefined)
  const unmatched = new Map(joined)
  const aliases = new Map([...aliasesOf(billedModels, models), ...(options.aliases ?? [])])
  const told = narrowed(statement, rows)
  const shape = shapeOf(told, { tenants, aliases, withoutModel, isCostScoped })
  const tally = createTally(shape)
  for (const row of rows) tally.addRow(row)
  let calls = 0
  const unpriced = new Map<string, number>()
  for await (const page of options.calls)
    for (const call of page) {
      calls += call.calls
      tally.addCall(call)
      if (call.responseId !== undefined) unmatched.delete(call.responseId)
      if (call.cost === undefined && call.parts.length > 0)
        unpriced.set(call.model, (unpriced.get(call.model) ?? 0) + call.calls)
    }
  const rates = ratesOf(statement.provider, tally.logged, shape, book)
  const findings = findAll(tally, shape, known)
  const lines = linesOf(tally, shape, findings, rates)
  priceShares(lines.values(), rates)
  const pots = isOfRequests
    ? { money: new Map(), unattributed: [...unmatched.values()].reduce((sum, cost) => sum + cost, 0n) }
    : potsOf(tally, shape, lines, findings, rates)
  return { tally, shape, rates, lines, findings, pots, calls, unpriced, joined, isOfRequests }
}

const LEAST_STEP = 3_600_000

/** What a file says is known when it was read: kinds of tokens in none of its rows are in none of its lines. */
function narrowed(
  { usage, cost }: Pick<Statement, 'usage' | 'cost'>,
  rows: readonly StatementRow[],
): Pick<Statement, 'usage' | 'cost'> {
  const of = (kind: StatementRow['kind']) => rows.filter((row) => row.kind === kind)
  const tell = (grain: Grain | undefined, kind: StatementRow['kind']): Grain | undefined => {
    const told = of(kind)
    if (grain === undefined || told.length === 0) return grain
    const has = (what: 'model' | 'tier' | 'type') => told.some((row) => row[what] !== undefined)
    const stepMs = told.reduce((most, { since, until }) => Math.max(most, until - since), LEAST_STEP)
    return {
      ...grain,
      stepMs: Math.min(grain.stepMs, stepMs),
      tells: grain.tells.filter((what) => what === 'requests' || what === 'quantity' || has(what)),
    }
  }
  // Rows of usage alone, of a source that could have had costs.
  if (usage === undefined && cost !== undefined && of('usage').length > 0)
    return of('cost').length === 0
      ? { usage: tell(cost, 'usage'), cost: undefined }
      : { usage: tell(cost, 'usage'), cost: tell(cost, 'cost') }
  return { usage: tell(usage, 'usage'), cost: tell(cost, 'cost') }
}

/** Only where both sides have quantities there is a volume to speak of. */
function findAll(tally: Tally, shape: Shape, known: ReadonlySet<string>): Finding[] {
  const isCounted = [...tally.billed.values()].some(({ quantities }) => quantities.size > 0)
  if (!isCounted && !shape.hasUsage) return []
  const gaps = gapsOf(tally)
  const found = [...foreignKeys(gaps, known), ...pairs(gaps, shape.stepMs), ...explain(gaps.values())]
  const rest = [...gaps.values()].filter(({ quantities }) => quantities.size > 0)
  return [...found, ...rest.map((gap) => take(gap, 'unexplained', gap.quantities))]
}
