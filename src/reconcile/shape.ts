// The shape in which both sides are compared: as fine as the source tells, and no finer.

import type { CellKey } from './cells.ts'
import type { LoggedCall, LoggedPart } from './logged.ts'
import { DAY, type Grain, type Statement, type StatementRow, type TokenType } from './statement.ts'

/** Names of a model in a bill that are another one's in the ledger. */
export type Aliases = ReadonlyMap<string, string>

export interface Shape {
  readonly stepMs: number
  /** Whether usage has its own rows; otherwise the quantities of the costs are taken for it. */
  readonly hasUsage: boolean
  readonly hasCost: boolean
  typeOf(bucket: TokenType): TokenType
  /** Whether a part of a call is in the cell of the call itself, as nearly all are. */
  isInOwnCell(call: LoggedCall, part: LoggedPart): boolean
  /** The cell that a part of a call is in. */
  loggedKey(call: LoggedCall, part: Pick<LoggedPart, 'model' | 'bucket'> | undefined): CellKey
  billedKey(row: StatementRow): CellKey
  /** The line that a kind of token of a cell is billed in. */
  lineKey(cell: CellKey, type: TokenType | undefined): LineKey
  rowLine(row: StatementRow): LineKey
}

export interface LineKey extends CellKey {
  readonly type: TokenType | undefined
}

export interface ShapeOptions {
  /** By an id of the provider, the tenant that it is of. */
  readonly tenants: ReadonlyMap<string, string>
  readonly aliases: Aliases
  /** Kinds of token whose lines name no model. */
  readonly withoutModel: ReadonlySet<TokenType>
  /** Whether the lines of the bill carry ids that are mapped. */
  readonly isCostScoped: boolean
}

export function shapeOf(statement: Pick<Statement, 'usage' | 'cost'>, options: ShapeOptions): Shape {
  const { tenants, aliases, withoutModel, isCostScoped } = options
  const { usage, cost } = statement
  const fine: Grain = usage ?? cost!
  const coarse: Grain = cost ?? usage!
  const folds = fine.folds
  const lineFolds = coarse.folds
  const mapped = new Set(tenants.values())

  const typeOf = (bucket: TokenType): TokenType => folds[bucket] ?? bucket
  const modelOf = (model: string | undefined): string => (model === undefined ? '' : (aliases.get(model) ?? model))
  const scopeOf = (row: StatementRow): string => {
    for (const id of [row.profile, row.key, row.project, row.workspace]) {
      const tenant = id === undefined || id === null ? undefined : tenants.get(id)
      if (tenant !== undefined) return tenant
    }
    return ''
  }

  function lineKey({ at, scope, model, tier }: CellKey, type: TokenType | undefined): LineKey {
    const folded = type === undefined ? undefined : (lineFolds[type] ?? type)
    const isModelless = folded !== undefined && withoutModel.has(folded)
    const tells = (what: Grain['tells'][number]) => coarse.tells.includes(what)
    return {
      at: Math.floor(at / DAY) * DAY,
      scope: isCostScoped ? scope : '',
      model: tells('model') && !isModelless ? model : '',
      tier: tells('tier') && !isModelless ? tier : '',
      type: tells('type') ? folded : undefined,
    }
  }

  return {
    stepMs: fine.stepMs,
    hasUsage: usage !== undefined,
    hasCost: cost !== undefined,
    typeOf,
    isInOwnCell: (call, part) =>
      part.model === call.model && (withoutModel.size === 0 || !withoutModel.has(typeOf(part.bucket))),
    loggedKey: (call, part) => {
      const type = part && typeOf(part.bucket)
      const isModelless = type !== undefined && withoutModel.has(type)
      return {
        at: Math.floor(call.at / fine.stepMs) * fine.stepMs,
        scope: call.tenantId !== undefined && mapped.has(call.tenantId) ? call.tenantId : '',
        model: fine.tells.includes('model') && !isModelless ? modelOf(part?.model ?? call.model) : '',
        tier: fine.tells.includes('tier') && !isModelless ? call.tier : '',
      }
    },
    billedKey: (row) => {
      const isModelless = row.type !== undefined && withoutModel.has(row.type)
      return {
        at: Math.floor(row.since / fine.stepMs) * fine.stepMs,
        scope: scopeOf(row),
        model: isModelless ? '' : modelOf(row.model),
        tier: fine.tells.includes('tier') && !isModelless ? (row.tier ?? 'standard') : '',
      }
    },
    lineKey,
    rowLine: (row) =>
      lineKey(
        { at: row.since, scope: scopeOf(row), model: modelOf(row.model), tier: row.tier ?? 'standard' },
        row.type,
      ),
  }
}

/** A day's edition of a model: `-20260115`, `-2026-01-15`. */
const EDITION = /[-@](20\d{6}|20\d\d-\d\d-\d\d)$/

/** Models that the bill names by their family and the ledger by their edition, or the other way round, in capitals or not. */
export function aliasesOf(billed: ReadonlySet<string>, logged: ReadonlySet<string>): Map<string, string> {
  const aliases = new Map<string, string>()
  const family = (model: string) => model.toLowerCase().replace(EDITION, '')
  const isFamily = (model: string) => model.toLowerCase() === family(model)
  const alone = [...logged].filter((model) => !billed.has(model))
  for (const model of billed) {
    if (logged.has(model)) continue
    const same = alone.filter((other) => family(other) === family(model))
    // Two editions of one family cost two prices: which of them is meant is nobody's to guess.
    const [only] = same
    if (same.length !== 1 || only === undefined) continue
    if (isFamily(only) || isFamily(model) || only.toLowerCase() === model.toLowerCase()) aliases.set(model, only)
  }
  return aliases
}
