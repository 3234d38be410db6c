// Next.js route handlers, and whatever else is a function from a Request to a Response.

import { refusalResponse } from './refusal.ts'
import { createAskers, type RequestMeter, type RequestOptions, runAsAsker } from './request.ts'

export type { RefusalAnswer, RefusalBody } from './refusal.ts'
export { refusalAnswer } from './refusal.ts'
export type { RequestMeter, RequestOptions } from './request.ts'

/** What is read of a request; NextRequest has more. */
export interface RequestLike {
  readonly headers: { get(name: string): string | null }
}

/**
 * A route handler that runs in the name of whoever asks, and answers with 402 where a call of it was refused. What
 * comes after the request, such as Next.js's `{ params }`, is passed on.
 *
 * @example
 * import { meterRequests } from 'tallygate/next'
 *
 * // In `app/api/ask/route.ts`, under the name of the method: `export const POST = ...`
 * const POST = meterRequests(meter, { tenantHeader: 'x-tenant' }, async (request: Request) => {
 *   return Response.json({ asked: await request.text() })
 * })
 */
export function meterRequests<Request extends RequestLike, Rest extends readonly unknown[]>(
  meter: RequestMeter,
  options: RequestOptions<Request>,
  handle: (request: Request, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const askerOf = createAskers(options, ({ headers }: Request, name) => headers.get(name))
  return async function meterRequest(request, ...rest) {
    try {
      return await runAsAsker(meter, await askerOf(request), async () => handle(request, ...rest))
    } catch (error) {
      const refusal = refusalResponse(error)
      if (refusal) return refusal
      throw error
    }
  }
}
