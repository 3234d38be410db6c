// What happens to a call whose price nobody knows before it is made: let through, refused, or held at a rate of one's own.

import { LimitExceededError } from '../errors.ts'
import { isHard } from '../limits/estimate.ts'
import type { Pocket } from '../limits/pocket.ts'
import { figuresOf } from '../limits/refuse.ts'
import { parseDollars } from '../money.ts'
import type { UnknownPriceOption } from '../options/unknown-price.ts'
import type { PriceBook } from '../pricing/price.ts'
import { likelyTokens, mostTokens } from '../providers/estimate.ts'
import type { RequestFacts } from '../providers/provider.ts'
import { type CallEstimate, type EstimateInput, type Experience, LONGEST_OUTPUT_TOKENS } from './estimate.ts'

/** Absent: `warn`, and `deny` for a tenant that has a hard limit, which could not be kept otherwise. */
export type UnknownPrice = UnknownPriceOption | undefined

/** The call that asks. */
export interface Unpriced {
  readonly tenantId: string | undefined
  readonly provider: string
  readonly facts: RequestFacts
  /** Epoch milliseconds at which it was made. */
  readonly at: number
}

/** Throws the refusal of a call that is to be refused for want of a price. */
export function denyUnknown(call: Unpriced, pockets: readonly Pocket[], book: PriceBook, rule: UnknownPrice): void {
  const hard = pockets.find(({ live }) => isHard(live.rule.mode))
  const isDenied = rule === 'deny' || (rule === undefined && hard !== undefined)
  if (!isDenied || hasPrice(call, book)) return
  const { provider, facts, tenantId } = call
  throw new LimitExceededError({
    ...(tenantId !== undefined && { tenantId }),
    ...(hard && figuresOf(hard, { tenantId })),
    code: 'UNKNOWN_PRICE',
    provider,
    model: facts.model,
  })
}

/** A row at the tier that is asked for, or at the standard one: which of them serves the call, the answer tells. */
function hasPrice({ provider, facts, at, tenantId }: Unpriced, book: PriceBook): boolean {
  const query = { provider, model: facts.model, at, tenantId }
  if (book.price({}, query)) return true
  const tier = facts.metadata?.['service_tier']
  return typeof tier === 'string' && book.price({}, { ...query, serviceTier: tier }) !== undefined
}

const TOKENS_PER_RATE = 1_000_000n

/** What the call comes to at the rate that stands in for its price; `undefined` where none was given. */
export function atOwnRate(rule: UnknownPrice, experience: Experience, input: EstimateInput): CallEstimate | undefined {
  if (typeof rule !== 'object') return undefined
  const { facts, endpoint } = input
  const perMTok = parseDollars(rule.ceilingUsdPerMTok)!
  const cost = (tokens: number) => (BigInt(Math.ceil(tokens)) * perMTok + TOKENS_PER_RATE - 1n) / TOKENS_PER_RATE
  const prompt = mostTokens(input.prompt())
  const likely = facts.maxOutputTokens ?? experience.outputOf(endpoint, facts.model)
  return {
    expected: cost(likelyTokens(prompt) + likely),
    ceiling: cost(prompt + (facts.maxOutputTokens ?? LONGEST_OUTPUT_TOKENS)),
    // What it is billed by nobody knows: it may not be tokens.
    unbounded: ['a model without a known price'],
    isBound: false,
  }
}
