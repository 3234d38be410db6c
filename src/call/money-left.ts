// Whether there is money for any call at all: asked before something that is no call, and may lead to many.

import type { CallContext } from '../call.ts'
import type { Account } from '../limits/limit-store.ts'
import type { Payer } from '../tenant.ts'
import { isRefusal } from './outcome.ts'

type Context = Pick<CallContext, 'limiter' | 'problems' | 'now' | 'refused'>

/** The least that can be held: nothing is left where not even this is. */
const LEAST = { expected: 1n, ceiling: 1n }

/** Throws the refusal; nothing is held afterwards. Nobody's calls are judged when they are made. */
export function askForMoney(context: Context, { tenantId }: Payer): void | Promise<void> {
  if (tenantId === undefined) return undefined
  const { limiter, problems, now, refused } = context
  const at = now()
  const refuse = (error: unknown): void => {
    if (isRefusal(error)) {
      refused()
      throw error
    }
    const message = 'A limit could not be checked; the connection went on.'
    problems.report({ kind: 'limit', message, cause: error }, 'limit:check')
  }
  const hold = (accounts: readonly Account[]): void | Promise<void> => {
    if (accounts.length === 0) return undefined
    const held = limiter.reserve(accounts, LEAST, at)
    if (held instanceof Promise) return held.then((taken) => limiter.settle(taken, 0n, at))
    limiter.settle(held, 0n, at)
  }
  try {
    const accounts = limiter.accounts(tenantId, at)
    const asked = accounts instanceof Promise ? accounts.then(hold) : hold(accounts)
    return asked?.catch(refuse)
  } catch (error) {
    return refuse(error)
  }
}
