// The contract of a statement: what a provider says that it counted and billed, in rows of one form.

import type { PicoUsd } from '../money.ts'
import type { Bucket } from '../usage.ts'

/** What a row counts: one of our buckets. */
export type TokenType = Bucket

/** `usage`: what was counted, without money. `cost`: what is billed. */
export type StatementKind = 'usage' | 'cost'

/** One line of a statement. What its source does not say is left out. */
export interface StatementRow {
  readonly source: string
  readonly kind: StatementKind
  /** Where its bucket begins, epoch milliseconds in UTC; and ends, not included. */
  readonly since: number
  readonly until: number
  readonly provider: string
  readonly model?: string | undefined
  /** `standard`, `batch`, `flex`, `priority`. */
  readonly tier?: string | undefined
  /** Ids of the provider's own; `null` where the provider says that there is none, as of its console. */
  readonly key?: string | null | undefined
  readonly project?: string | null | undefined
  readonly workspace?: string | null | undefined
  readonly profile?: string | null | undefined
  readonly type?: TokenType | undefined
  /** In the unit of `type`. */
  readonly quantity?: number | undefined
  /** Requests to the model: on one row of those that a bucket is told in. */
  readonly requests?: number | undefined
  readonly cost?: PicoUsd | undefined
  /** Before a discount, where the source says both. */
  readonly listCost?: PicoUsd | undefined
  readonly currency: 'USD'
  /** As the provider writes the line. */
  readonly item?: string | undefined
  /** Of one request, where the source has rows of requests. */
  readonly responseId?: string | undefined
}

/** How finely a source tells. */
export interface Grain {
  /** The least bucket, in milliseconds. */
  readonly stepMs: number
  /** After the end of a bucket, until its rows change no more: but for what comes late, which is pulled again. */
  readonly lagMs: number
  /** Beside the moment: what its rows say. */
  readonly tells: readonly ('model' | 'tier' | 'type' | 'requests' | 'quantity')[]
  /** Buckets of ours that the source counts as another one. */
  readonly folds: Readonly<Partial<Record<Bucket, TokenType>>>
}

export interface Period {
  /** Epoch milliseconds, inclusive. */
  readonly since: number
  /** Epoch milliseconds, not included. */
  readonly until: number
}

/** What a provider answered before an earlier run of the same days broke off. */
export interface KeptPages {
  /** `asked`: a name that is the same for the same question by the same key, and tells neither. */
  find(asked: string): unknown
  keep(asked: string, answer: unknown): void
  /** They are needed no more, or lead nowhere. */
  drop(): void
}

/** Where the figures of a provider come from. */
export interface Statement {
  /** `openai`, `anthropic`, `focus`, ... */
  readonly source: string
  /** Whose calls these are, as on our events. */
  readonly provider: string
  /** Missing where it has no rows of the kind. */
  readonly usage?: Grain | undefined
  readonly cost?: Grain | undefined
  /** What nobody learns from it, in sentences. */
  readonly cannotTell: readonly string[]
  /** It is asked over the network: rows that came late are pulled again. */
  readonly isPulled: boolean
  /**
   * The rows of whole days in UTC. Throws MeterError `BAD_INPUT` where one is not what it should be. `kept`: where a run
   * that breaks off leaves what came so far; a source that does not use it begins anew.
   */
  rows(period: Period, progress?: (rows: number) => void, kept?: KeptPages): AsyncIterable<StatementRow>
}

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** The buckets in which usage can be asked for. */
export type Step = '1m' | '1h' | '1d'
export const STEP_MS: Readonly<Record<Step, number>> = { '1m': MINUTE, '1h': HOUR, '1d': DAY }

/** The ids that a row is known by, for people and for `--map`. */
export function scopeOf({ key, project, workspace, profile }: StatementRow): string | undefined {
  const named = Object.entries({ profile, key, project, workspace }).filter(([, id]) => id !== undefined)
  if (named.length === 0) return undefined
  return named.map(([name, id]) => `${name}=${id ?? '(none)'}`).join(' ')
}
