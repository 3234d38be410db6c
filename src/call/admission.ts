// May the call happen? Holds what it may cost, or refuses it before anything is sent.

import { MissingTenantError } from '../errors.ts'
import type { Hold, Limiter } from '../limits/limiter.ts'
import type { Pocket } from '../limits/pocket.ts'
import type { Belonging } from '../limits/scope.ts'
import type { PriceBook } from '../pricing/price.ts'
import type { Problem, ProblemReporter } from '../problems.ts'
import type { Json } from '../providers/provider.ts'
import { type EstimateInput, type Experience, estimateCost } from './estimate.ts'
import { isRefusal } from './outcome.ts'
import type { CallRequest } from './request.ts'
import { atOwnRate, denyUnknown, type UnknownPrice } from './unknown-price.ts'

/** What an admission needs of the rest of the meter. */
export interface AdmissionContext {
  readonly prices: { readonly book: PriceBook | undefined; load(): Promise<PriceBook> }
  readonly limiter: Limiter
  readonly problems: ProblemReporter
  readonly experience: Experience
  readonly onMissingTenant: 'record' | 'warn' | 'throw'
  /** Until events have room on disk again; `undefined` where they have. */
  waitForRoom?(): Promise<void> | undefined
  readonly unknownPrice: UnknownPrice
  /** The call was refused by this error; nothing was sent. */
  refused(error: unknown, tenantId: string | undefined): void
}

/** The call that asks. */
export interface Applicant {
  readonly tenantId: string | undefined
  /** What it counts in. */
  readonly belonging: Belonging
  readonly asked: CallRequest
  /** Epoch milliseconds at which it was made. */
  readonly at: number
  readonly hasEnded: boolean
  /** Its input has been counted: what the provider reports can be held against it. */
  counted(inputTokens: number): void
  hold(money: Hold): void
  /** It is no call: nothing was sent, and nothing will be. */
  neverSent(): void
}

/** Throws the refusal. Synchronous where it can be: a promise only when a store or the price book must be asked. */
export function admit(call: Applicant, context: AdmissionContext): void | Promise<void> {
  const room = context.waitForRoom?.()
  return room ? room.then(() => admitNow(call, context)) : admitNow(call, context)
}

function admitNow(call: Applicant, context: AdmissionContext): void | Promise<void> {
  const { tenantId, at } = call
  if (tenantId === undefined) admitNobody(call, context)
  try {
    const pockets = context.limiter.pockets(call.belonging, at)
    if (pockets instanceof Promise) return admitLater(call, context, pockets)
    if (isNoMatter(pockets, context)) return undefined
    const { book } = context.prices
    if (!book) return admitLater(call, context, pockets)
    const held = reserve(call, context, pockets, book)
    return held instanceof Promise ? held.catch((error: unknown) => refuse(call, context, error)) : undefined
  } catch (error) {
    return refuse(call, context, error)
  }
}

/** No limit is to be kept, and no price to be known: most calls. */
function isNoMatter(pockets: readonly Pocket[], { unknownPrice }: AdmissionContext): boolean {
  return pockets.length === 0 && unknownPrice !== 'deny'
}

async function admitLater(
  call: Applicant,
  context: AdmissionContext,
  pockets: readonly Pocket[] | Promise<readonly Pocket[]>,
): Promise<void> {
  try {
    const known = await pockets
    if (!isNoMatter(known, context)) await reserve(call, context, known, await context.prices.load())
  } catch (error) {
    refuse(call, context, error)
  }
}

function admitNobody(call: Applicant, context: AdmissionContext): void {
  const { onMissingTenant } = context
  if (onMissingTenant === 'throw') refuse(call, context, new MissingTenantError())
  const message =
    'A call was made for no tenant, so nobody is billed for it: wrap it in `meter.forTenant(id, fn)`, or set `onMissingTenant`.'
  if (onMissingTenant === 'warn') tell(call, context, { kind: 'tenant', message }, 'tenant:missing')
}

function reserve(
  call: Applicant,
  { limiter, experience, unknownPrice }: AdmissionContext,
  pockets: readonly Pocket[],
  book: PriceBook,
): void | Promise<void> {
  const input = inputOf(call)
  const known = pockets.length > 0 ? estimateCost(book, experience, input) : undefined
  if (!known) denyUnknown(input, pockets, book, unknownPrice)
  const estimate = known ?? (pockets.length > 0 ? atOwnRate(unknownPrice, experience, input) : undefined)
  // A model without a price can hold nothing; its call is recorded, counted and reported as unpriced when it ends.
  if (!estimate) return undefined
  const hold = limiter.reserve(pockets, estimate, call.belonging)
  if (!(hold instanceof Promise)) {
    call.hold(hold)
    return undefined
  }
  return hold.then((taken) => {
    // The caller may have given up while the store was asked.
    if (call.hasEnded) limiter.settle(taken, 0n, call.at)
    else call.hold(taken)
  })
}

function inputOf(call: Applicant): EstimateInput {
  const { asked, tenantId, at } = call
  const { provider, host, facts, endpoint, isTextless } = asked
  const body = () => asked.body()
  const prompt = (known?: Json) => asked.prompt(known)
  const canCap = (known: Json) => asked.canCap(known)
  const canEnd = (known: Json) => asked.canEnd(known)
  // What is counted for a hard limit can be held against what the provider reports.
  const counted = (tokens: number) => call.counted(tokens)
  return { provider, host, tenantId, facts, endpoint, isTextless, at, canCap, canEnd, body, prompt, counted }
}

/** Only refusals leave this file; a fault of ours lets the call pass. */
function refuse(call: Applicant, context: AdmissionContext, error: unknown): void {
  if (error instanceof MissingTenantError || isRefusal(error)) {
    context.refused(error, call.tenantId)
    call.neverSent()
    throw error
  }
  const message = 'A limit could not be checked; the call went on.'
  tell(call, context, { kind: 'limit', message, cause: error }, 'limit:check')
}

/** Under `raiseOnError` a report throws: then the call is not sent, and is no call. */
function tell(call: Applicant, { problems }: AdmissionContext, problem: Problem, key: string): void {
  try {
    problems.report(problem, key)
  } catch (error) {
    call.neverSent()
    throw error
  }
}
