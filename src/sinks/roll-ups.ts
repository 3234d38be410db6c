// What is summed up as it is written: tables of totals by the hour and by the day, which each database keeps in its own way.

import type { Dimension } from './ledger.ts'
import { COLUMNS, SUMS } from './totals.ts'

export interface RollUp {
  readonly table: string
  /** Milliseconds that one row stands for; its `at` is the first of them. */
  readonly span: number
  readonly dimensions: readonly Exclude<Dimension, 'day'>[]
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

/**
 * Each tells little, and so is small: all of it together would be about as many rows as there are events. What crosses
 * them is asked of the events, and so are users, sessions and tags.
 */
export const ROLL_UPS: readonly RollUp[] = [
  { table: 'usage_models', span: HOUR, dimensions: ['provider', 'model', 'endpoint', 'tier', 'host'] },
  {
    table: 'usage_features',
    span: HOUR,
    dimensions: ['feature', 'team', 'project', 'cost_center', 'app', 'environment'],
  },
  { table: 'usage_tenants', span: DAY, dimensions: ['tenant'] },
]

export const keysOf = ({ dimensions }: RollUp): readonly string[] => dimensions.map((dimension) => COLUMNS[dimension])

/** What is summed, by the names of the columns; `sold`, how many events say what they were sold for, and `events` beside. */
export const FIGURES: Readonly<Record<string, string>> = {
  events: '1',
  ...Object.fromEntries(Object.entries(SUMS).map(([name, sql]) => [snake(name), `coalesce(${sql}, 0)`])),
  sold: 'CASE WHEN resale_pico IS NULL THEN 0 ELSE 1 END',
}

/** Figures whose sum may be more than 64 bits hold. */
export const IN_HALVES: ReadonlySet<string> = new Set([
  'input_tokens',
  'cached_tokens',
  'output_tokens',
  'cost',
  'resale',
])

/** `inputTokens` is the column `input_tokens`. */
export function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The columns of an event that the figures are made of. */
export const OPERANDS = [
  'calls',
  'error',
  'cost_pico',
  'resale_pico',
  'usage_source',
  'usage',
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'cached_tokens',
  'image_count',
  'character_count',
  'duration_seconds',
] as const

/** The start of the span that `at` is in, before 1970 too. */
export function startSql(span: number): string {
  return `at - ((at % ${span}) + ${span}) % ${span}`
}

export function startOf(span: number, at: number): number {
  return Math.floor(at / span) * span
}

/** What a tenant has spent since a moment is read from the roll-up from here on, and before it from the events. */
export function wholeDaysFrom(since: number): number {
  return Math.ceil(since / DAY) * DAY
}
