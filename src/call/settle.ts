// The end of a call: its cost at the answer's tier and the request's time, its event, and the money that it held.

import type { LLMEvent } from '../event.ts'
import type { Hold, Limiter } from '../limits/limiter.ts'
import type { PicoUsd } from '../money.ts'
import type { Cost, PriceBook, PriceGap } from '../pricing/price.ts'
import type { ProblemReporter } from '../problems.ts'
import { OPEN_JOB, tokenTotals } from '../usage.ts'
import { belongingOf } from './belonging.ts'
import type { Drift } from './drift.ts'
import type { Experience } from './experience.ts'
import type { Recording } from './in-turn.ts'
import type { Estimate } from './jobs.ts'
import type { Markup } from './markup.ts'
import { type Evidence, fillUsage, fillUsageAtOnce } from './missing-usage.ts'
import { doubtsOf } from './outcome.ts'
import type { CountOwn, SaidText } from './own-counts.ts'
import { costOf, type FinishedCall, gapOf, queryOf, recordOf } from './record.ts'

/** What the end of a call needs of the rest of the meter. */
export interface SettlingContext {
  readonly limiter: Limiter
  readonly problems: ProblemReporter
  readonly experience: Experience
  readonly drift: Drift
  readonly appName: string | undefined
  readonly environment: string | undefined
  readonly markup?: Markup | undefined
  /** Absent where nothing is kept of any text. */
  readonly countOwn?: CountOwn | undefined
  /** The call used something that has no price. */
  unpriced(provider: string, model: string, gap: PriceGap | undefined): void
  /** Takes the event of a finished call; what follows is no longer on the caller's path. */
  record(event: LLMEvent): void
}

export function settle(call: FinishedCall, book: PriceBook, hold: Hold | undefined, context: SettlingContext): void {
  const { limiter, experience, appName, environment, markup } = context
  const { usage, reading, provider, payer, at } = call
  const query = queryOf(call, payer.tenantId)
  const cost = costOf(book, usage, reading, query)
  const gap = usage && !cost ? gapOf(book, usage, reading, query) : undefined
  const event = recordOf(call, { cost, gap, query, priceVersion: book.version, markup, appName, environment })
  try {
    if (hold) limiter.settle(hold, call.isLeft ? mostOf(hold, cost) : (cost?.pico ?? 0n), at)
    // Nothing was held for it: it had no limit yet, or the model asked for has no price and the one that served it has.
    else if (cost) limiter.spend(belongingOf(payer, call.facts.model), cost.pico, at)
  } finally {
    context.record(event)
  }
  // Only now: under `raiseOnError` a report throws, and neither the event nor the money may depend on what is said of it.
  if (usage && !cost) context.unpriced(provider, query.model, gap)
  if (call.usageSource === 'reported') learn(experience, call, event, cost)
  if (call.flags || reading.figures) for (const doubt of doubtsOf(call, cost)) reportStrange(context, provider, doubt)
  if (call.countedTokens !== undefined && !call.flags?.length)
    context.drift.note(query.model, call.countedTokens, tokenTotals(reading.usage ?? {}).inputTokens)
}

/** What a killed process's call counts with, too. */
function mostOf(hold: Hold, cost: Cost | undefined): PicoUsd {
  return hold.parts.reduce((most, { amount }) => (amount > most ? amount : most), cost?.pico ?? 0n)
}

function learn(experience: Experience, call: FinishedCall, event: LLMEvent, cost: Cost | undefined): void {
  const { endpoint, facts, payer } = call
  const outputTokens = event.outputTokens ?? 0
  experience.learn({ tenantId: payer.tenantId, endpoint, model: facts.model, outputTokens, cost: cost?.pico })
}

/** Something in what a provider said cannot be right. */
export function reportStrange(
  { problems }: Pick<SettlingContext, 'problems'>,
  provider: string,
  message: string,
  cause?: unknown,
): void {
  problems.guard('internal', 'reporting', () =>
    problems.report({ kind: 'usage', message, cause }, `usage:${provider}:${message}`),
  )
}

/** What is missing of the usage is estimated off the caller's path, or at once when the process exits first. */
export function settleLater(
  call: FinishedCall,
  evidence: (() => Evidence) | undefined,
  hold: Hold | undefined,
  context: SettlingContext & Recording,
  said?: () => SaidText,
): void {
  const { prices, keep, countOwn } = context
  let isSettled = false
  const end = (finished: FinishedCall, book: PriceBook): void => {
    if (isSettled) return
    isSettled = true
    settle(finished, book, hold, context)
  }
  // What could not be estimated, as by a fault in a provider of the user's own, is recorded as far as it was reported.
  const later = async (): Promise<void> => {
    const book = await prices.load()
    let finished = withoutEstimate(call)
    try {
      finished = evidence ? await fillUsage(call, evidence()) : call
      if (said && countOwn) finished = { ...finished, ownCount: await countOwn(finished, said) }
    } finally {
      end(finished, book)
    }
  }
  const atOnce = (): void => {
    let finished = withoutEstimate(call)
    try {
      finished = evidence ? fillUsageAtOnce(call, evidence()) : call
    } finally {
      end(finished, prices.atOnce)
    }
  }
  keep(later(), atOnce)
}

function withoutEstimate(call: FinishedCall): FinishedCall {
  return call.usage ? call : { ...call, usageSource: 'absent' }
}

/** What a job is taken to have come to, should nobody ask. */
export function estimateOf(
  started: FinishedCall,
  evidence: () => Evidence,
  hold: Hold | undefined,
  context: SettlingContext & Recording,
): Estimate {
  const { prices } = context
  const flags = [...(started.flags ?? []), OPEN_JOB]
  const called = (eventId: string): FinishedCall => ({ ...started, usageSource: 'estimated', flags, eventId })
  return {
    later: async (eventId) => settle(await fillUsage(called(eventId), evidence()), await prices.load(), hold, context),
    atOnce: (eventId) => settle(fillUsageAtOnce(called(eventId), evidence()), prices.atOnce, hold, context),
  }
}
