// The option `markup`: what a call is sold for, as data.

import { parseUsd } from '../money.ts'
import { parseRational } from '../pricing/rational.ts'
import { MAX_EVENT_PICO } from '../wire-fields.ts'
import type { ElementFault } from './elements.ts'

/** What is charged for a call that costs something known: its cost times `multiply`, and `perCallUsd` on top. */
export interface MarkupRule {
  /** `'1.2'` adds a fifth; default 1. */
  readonly multiply?: string | number | undefined
  /** Dollars for each call; default 0. */
  readonly perCallUsd?: string | number | undefined
  /** Only calls of this provider, model (an id, or its beginning with `*` behind it) or tenant; all of them where left out. */
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly tenantId?: string | undefined
}

/** A factor, one rule, or a list of rules of which the first that takes a call decides. */
export type MarkupOption = string | number | MarkupRule | readonly MarkupRule[]

const FIELDS: readonly string[] = [
  'multiply',
  'perCallUsd',
  'provider',
  'model',
  'tenantId',
] satisfies (keyof MarkupRule)[]
const FACTOR = "a factor of 0 or more such as '1.2' or '6/5'"
const DOLLARS = 'a number of dollars of 0 or more'

export function markupRules(option: MarkupOption): readonly MarkupRule[] {
  if (typeof option === 'string' || typeof option === 'number') return [{ multiply: option }]
  return Array.isArray(option) ? option : [option as MarkupRule]
}

/** What `accepts` has let through is a factor, an object or a list. */
export function badMarkup(option: MarkupOption): ElementFault | undefined {
  if (typeof option === 'string' || typeof option === 'number')
    return isFactor(option) ? undefined : { at: '', expects: FACTOR, got: option }
  const isList = Array.isArray(option)
  for (const [index, rule] of markupRules(option).entries()) {
    const at = isList ? `[${index}]` : ''
    if (typeof rule !== 'object' || rule === null || Array.isArray(rule))
      return { at, expects: "an object such as `{ multiply: '1.2' }`", got: rule }
    const fault = badRule(rule)
    if (fault) return { ...fault, at: at + fault.at }
  }
  return undefined
}

function badRule(rule: MarkupRule): ElementFault | undefined {
  for (const [name, got] of Object.entries(rule)) {
    if (got === undefined) continue
    if (!FIELDS.includes(name)) return { at: '', expects: `an object of ${FIELDS.join(', ')}`, got: name }
    if (name === 'multiply') {
      if (!isFactor(got)) return { at: '.multiply', expects: FACTOR, got }
    } else if (name === 'perCallUsd') {
      if (!isDollars(got)) return { at: '.perCallUsd', expects: DOLLARS, got }
    } else if (typeof got !== 'string' || got === '') return { at: `.${name}`, expects: 'a non-empty string', got }
  }
  return undefined
}

function isFactor(value: unknown): boolean {
  return (typeof value === 'string' || typeof value === 'number') && parseRational(String(value)) !== undefined
}

function isDollars(value: unknown): boolean {
  const pico = typeof value === 'string' || typeof value === 'number' ? parseUsd(value) : undefined
  return pico !== undefined && pico >= 0n && pico <= MAX_EVENT_PICO
}
