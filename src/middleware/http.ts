// node:http without a framework: a request listener around the application's own.

import { answerRefusal, type Writable } from './refusal.ts'
import { type Asker, createAskers, type RequestMeter, type RequestOptions, setAsker } from './request.ts'

export type { RefusalAnswer, RefusalBody, Writable } from './refusal.ts'
export { refusalAnswer } from './refusal.ts'
export type { RequestMeter, RequestOptions } from './request.ts'

/** What is read of a request; an IncomingMessage has more. */
export interface RequestLike {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/**
 * A listener that says who pays for each request, and answers with 402 where a call of it was refused. Every other
 * error goes where it would have gone.
 *
 * @example
 * import { createServer } from 'node:http'
 * import { meterRequests } from 'tallygate/http'
 *
 * const server = createServer(
 *   meterRequests(meter, { tenantHeader: 'x-tenant' }, async (request, response) => {
 *     response.end('hello')
 *   }),
 * )
 */
export function meterRequests<Request extends RequestLike, Response extends Writable>(
  meter: RequestMeter,
  options: RequestOptions<Request>,
  handle: (request: Request, response: Response) => unknown,
): (request: Request, response: Response) => unknown {
  const askerOf = createAskers(options, ({ headers }: Request, name) => headers[name])
  return function meterRequest(request, response) {
    const failed = (error: unknown): void => {
      if (!answerRefusal(error, response)) throw error
    }
    const go = (asker: Asker): unknown => {
      setAsker(meter, asker)
      return handle(request, response)
    }
    try {
      const asker = askerOf(request)
      const done = asker instanceof Promise ? asker.then(go) : go(asker)
      return done instanceof Promise ? done.catch(failed) : done
    } catch (error) {
      return failed(error)
    }
  }
}
