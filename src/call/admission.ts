// May the call happen? Holds what it may cost, or refuses it before anything is sent.

import { MissingTenantError } from '../errors.ts'
import type { Account } from '../limits/limit-store.ts'
import type { Hold, Limiter } from '../limits/limiter.ts'
import type { PriceBook } from '../pricing/price.ts'
import type { Problem, ProblemReporter } from '../problems.ts'
import type { RequestFacts } from '../providers/provider.ts'
import { type Experience, estimateCost } from './estimate.ts'
import { isRefusal } from './outcome.ts'

/** What an admission needs of the rest of the meter. */
export interface AdmissionContext {
  readonly prices: { readonly book: PriceBook | undefined; load(): Promise<PriceBook> }
  readonly limiter: Limiter
  readonly problems: ProblemReporter
  readonly experience: Experience
  readonly onMissingTenant: 'record' | 'warn' | 'throw'
  /** The call was refused; nothing was sent. */
  refused(): void
}

/** The call that asks. */
export interface Applicant {
  readonly tenantId: string | undefined
  readonly provider: string
  readonly endpoint: string
  readonly facts: RequestFacts
  /** Epoch milliseconds at which it was made. */
  readonly at: number
  readonly hasEnded: boolean
  prompt(): Iterable<string>
  hold(money: Hold): void
  /** It is no call: nothing was sent, and nothing will be. */
  neverSent(): void
}

/** Throws the refusal. Synchronous where it can be: a promise only when a store or the price book must be asked. */
export function admit(call: Applicant, context: AdmissionContext): void | Promise<void> {
  const { tenantId, at } = call
  if (tenantId === undefined) return admitNobody(call, context)
  try {
    const accounts = context.limiter.accounts(tenantId, at)
    if (accounts instanceof Promise) return admitLater(call, context, accounts)
    if (accounts.length === 0) return undefined
    const { book } = context.prices
    if (!book) return admitLater(call, context, accounts)
    const held = reserve(call, context, accounts, book)
    return held instanceof Promise ? held.catch((error: unknown) => refuse(call, context, error)) : undefined
  } catch (error) {
    return refuse(call, context, error)
  }
}

async function admitLater(
  call: Applicant,
  context: AdmissionContext,
  accounts: readonly Account[] | Promise<readonly Account[]>,
): Promise<void> {
  try {
    const known = await accounts
    if (known.length > 0) await reserve(call, context, known, await context.prices.load())
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
  { limiter, experience }: AdmissionContext,
  accounts: readonly Account[],
  book: PriceBook,
): void | Promise<void> {
  const { provider, facts, endpoint, at } = call
  const estimate = estimateCost(book, experience, { provider, facts, endpoint, at, prompt: () => call.prompt() })
  // A model without a price can hold nothing; its call is recorded, counted and reported as unpriced when it ends.
  if (!estimate) return undefined
  const hold = limiter.reserve(accounts, estimate, at)
  if (!(hold instanceof Promise)) {
    call.hold(hold)
    return undefined
  }
  return hold.then((taken) => {
    // The caller may have given up while the store was asked.
    if (call.hasEnded) limiter.settle(taken, 0n, at)
    else call.hold(taken)
  })
}

/** Only refusals leave this file; a fault of ours lets the call pass. */
function refuse(call: Applicant, context: AdmissionContext, error: unknown): void {
  if (error instanceof MissingTenantError || isRefusal(error)) {
    context.refused()
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
