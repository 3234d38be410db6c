// Whether there is money for any call at all: asked before something that is no call, and may lead to many.

import type { CallContext } from '../call.ts'
import type { Pocket } from '../limits/pocket.ts'
import type { Payer } from '../tenant.ts'
import { belongingOf } from './belonging.ts'
import { isRefusal } from './outcome.ts'

type Context = Pick<CallContext, 'limiter' | 'problems' | 'now' | 'refused'>

/** The least that can be held: nothing is left where not even this is. */
const LEAST = { expected: 1n, ceiling: 1n }

/** Throws the refusal; nothing is held afterwards. Nobody's calls are judged when they are made. */
export function askForMoney(context: Context, payer: Payer): void | Promise<void> {
  if (payer.tenantId === undefined) return undefined
  const belonging = belongingOf(payer, undefined)
  const { limiter, problems, now, refused } = context
  const at = now()
  const refuse = (error: unknown): void => {
    if (isRefusal(error)) {
      refused(error, payer.tenantId)
      throw error
    }
    const message = 'A limit could not be checked; the connection went on.'
    problems.report({ kind: 'limit', message, cause: error }, 'limit:check')
  }
  const hold = (pockets: readonly Pocket[]): void | Promise<void> => {
    if (pockets.length === 0) return undefined
    const held = limiter.reserve(pockets, LEAST, belonging)
    if (held instanceof Promise) return held.then((taken) => limiter.settle(taken, 0n, at))
    limiter.settle(held, 0n, at)
  }
  try {
    const pockets = limiter.pockets(belonging, at)
    const asked = pockets instanceof Promise ? pockets.then(hold) : hold(pockets)
    return asked?.catch(refuse)
  } catch (error) {
    return refuse(error)
  }
}
