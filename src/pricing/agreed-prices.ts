// Prices of one's own: what was negotiated, for a provider, a model or a tenant, with dates.

import { isNamed } from './book-data.ts'
import { parseRational, type Rational } from './rational.ts'
import { type Calendars, lastHolding, type Span } from './schedule.ts'
import { tierOf } from './tier.ts'

/** A rule that takes the place of the book's prices. What it does not name, it takes all of. */
export interface AgreedPrice {
  /** What the lines of costs call it, behind `agreed:`. Left out: its place in the list, from 1. */
  readonly name?: string
  readonly provider?: string
  /** An id, or the beginning of some with `*` behind it: `gpt-5*`. */
  readonly model?: string
  readonly tenantId?: string
  /** As answers are read: `standard`, `batch`, `flex`. */
  readonly tier?: string
  /** `us`, `eu`; `global` where the call names no place. */
  readonly geo?: string
  /** The first UTC day it holds, `2026-10-01`, or the moment, `2026-10-01T16:00:00Z`. */
  readonly from?: string
  /** The last UTC day it holds, that day included; or the moment at which it no longer does. */
  readonly until?: string
  /**
   * Rates that take the place of the book's, whatever the length of the prompt or the place: decimal dollars for the
   * usual unit, or with a unit: `"2.5"`, `"0.006/minute"`.
   */
  readonly rates?: Readonly<Record<string, string>>
  /** Multiplies every rate of the book that `rates` does not replace: `"0.85"`, `"17/20"`. */
  readonly multiply?: string
  /** Whether `multiply` holds for fees too; default true. */
  readonly fees?: boolean
  /** Where it is written down: a contract, a page. */
  readonly source?: string
  /** The day on which it was agreed or read. */
  readonly read?: string
}

/** What is asked of a rule. */
export interface Agreement {
  /** As the call names it, and as the book does. */
  readonly providers: readonly string[]
  /** The id that was asked for, in lower case, and every id of the model that it was found to be. */
  readonly ids: readonly string[]
  readonly tier: string
  readonly geo: string | undefined
  readonly tenantId: string | undefined
}

/** The rule that counts for a call: of those that match it, the last one. */
export function agreedFor<Rule extends AgreedPrice>(
  rules: readonly Rule[],
  call: Agreement,
  span: Span,
  calendars: Calendars,
): Rule | undefined {
  const matching = rules.filter(
    (rule) =>
      isForModel(rule, call) &&
      (rule.tenantId === undefined || rule.tenantId === call.tenantId) &&
      (rule.tier === undefined || tierOf(call.providers.at(-1)!, rule.tier) === call.tier) &&
      (rule.geo === undefined || rule.geo === (call.geo ?? 'global')),
  )
  return lastHolding(matching, span, calendars)
}

/** Whether it is of a model, at whatever tier, place and time, and for whomever. */
export function isForModel({ provider, model }: AgreedPrice, call: Pick<Agreement, 'providers' | 'ids'>): boolean {
  return (
    (provider === undefined || call.providers.includes(provider)) &&
    (model === undefined || isNamed([model.toLowerCase()], call.ids))
  )
}

/** A rule with the name that lines call it by. */
export type NamedRule = AgreedPrice & { readonly name: string }

/** These marks stand between the parts of what a line says of its rate. */
export function named(rules: readonly AgreedPrice[]): readonly NamedRule[] {
  return rules.map((rule, at) => ({ ...rule, name: (rule.name ?? String(at + 1)).replace(/[#^!*]/g, '_') }))
}

/** What the rule multiplies a rate of the book with; `undefined` where it leaves it as it is. */
export function factorOf({ multiply, fees = true }: AgreedPrice, bucket: string): Rational | undefined {
  if (multiply === undefined || (!fees && bucket.startsWith('fee.'))) return undefined
  return parseRational(multiply)
}
