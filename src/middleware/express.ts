// Express 4 and 5: who pays for a request, and the answer to one whose call was refused.

import { answerRefusal, type Writable } from './refusal.ts'
import { type Asker, createAskers, type RequestMeter, type RequestOptions, setAsker } from './request.ts'

export type { RefusalAnswer, RefusalBody, Writable } from './refusal.ts'
export { refusalAnswer } from './refusal.ts'
export type { RequestMeter, RequestOptions } from './request.ts'

/** What is read of a request; Express's own has more. */
export interface RequestLike {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

type Next = (error?: unknown) => void

/**
 * Middleware that says who pays for each request. What Express makes of its request is `Request`'s to say.
 *
 * @example
 * import express from 'express'
 * import { meterRequests } from 'tallygate/express'
 *
 * const app = express()
 * app.use(meterRequests(meter, { tenantHeader: 'x-tenant', userHeader: 'x-user-id' }))
 * app.use('/admin', meterRequests(meter, { tenant: () => 'house', attribution: () => ({ feature: 'admin' }) }))
 */
export function meterRequests<Request extends RequestLike>(
  meter: RequestMeter,
  options: RequestOptions<Request>,
): (request: Request, response: unknown, next: Next) => void {
  const askerOf = createAskers(options, ({ headers }: Request, name) => headers[name])
  return function meterRequest(request, _response, next) {
    const go = (asker: Asker): void => {
      setAsker(meter, asker)
      next()
    }
    try {
      const asker = askerOf(request)
      if (asker instanceof Promise) void asker.then(go, next)
      else go(asker)
    } catch (error) {
      next(error)
    }
  }
}

/**
 * Error middleware that answers a refusal with 402 and hands every other error on: `app.use` it after the routes.
 *
 * @example
 * import express from 'express'
 * import { answerRefusals } from 'tallygate/express'
 *
 * const app = express()
 * app.use(answerRefusals())
 */
export function answerRefusals(): (error: unknown, request: unknown, response: Writable, next: Next) => void {
  // Express knows error middleware by its four parameters.
  return function answerRefusalOf(error, _request, response, next) {
    if (!answerRefusal(error, response)) next(error)
  }
}
