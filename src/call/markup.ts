// What a call is sold for: its cost times a factor, and a fee for each call, by rules that are data.

import { type PicoUsd, parseUsd, scale } from '../money.ts'
import type { MarkupRule } from '../options/markup.ts'
import { isNamed } from '../pricing/book-data.ts'
import { parseRational } from '../pricing/rational.ts'
import { MAX_EVENT_PICO } from '../wire-fields.ts'

/** What is sold, and to whom. */
export interface Sold {
  readonly provider: string
  readonly model: string
  readonly tenantId?: string | undefined
}

/** `undefined` where no rule takes the call, or where the sum is beyond what an event holds. */
export type Markup = (cost: PicoUsd, sold: Sold) => PicoUsd | undefined

/** The first rule that takes a call decides. Rounded once, half to even. */
export function createMarkup(rules: readonly MarkupRule[]): Markup {
  const compiled = rules.map(({ multiply = 1, perCallUsd = 0, ...which }) => ({
    factor: parseRational(String(multiply))!,
    perCall: parseUsd(perCallUsd)!,
    takes: (sold: Sold) => takes(which, sold),
  }))
  return (cost, sold) => {
    const rule = compiled.find(({ takes }) => takes(sold))
    if (!rule) return undefined
    const price = scale(cost, rule.factor.num, rule.factor.den) + rule.perCall
    return price <= MAX_EVENT_PICO ? price : undefined
  }
}

function takes({ provider, model, tenantId }: MarkupRule, sold: Sold): boolean {
  if (provider !== undefined && provider !== sold.provider) return false
  if (tenantId !== undefined && tenantId !== sold.tenantId) return false
  return model === undefined || isNamed([model.toLowerCase()], [sold.model.toLowerCase()])
}
