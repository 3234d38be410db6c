// Hono 4: middleware that says who pays for a request, and answers one whose call was refused.

import { refusalResponse } from './refusal.ts'
import { createAskers, type RequestMeter, type RequestOptions, runAsAsker } from './request.ts'

export type { RefusalAnswer, RefusalBody } from './refusal.ts'
export { refusalAnswer } from './refusal.ts'
export type { RequestMeter, RequestOptions } from './request.ts'

/** What is used of a context; Hono's own has more. */
export interface ContextLike {
  readonly req: { header(name: string): string | undefined }
  readonly error: Error | undefined
  res: Response | undefined
}

/**
 * Middleware for `app.use`. What `tenant` and `attribution` are given is Hono's context.
 *
 * @example
 * import { Hono } from 'hono'
 * import { meterRequests } from 'tallygate/hono'
 *
 * const hono = new Hono()
 * hono.use(meterRequests(meter, { tenantHeader: 'x-tenant', userHeader: 'x-user-id' }))
 */
export function meterRequests<Context extends ContextLike>(
  meter: RequestMeter,
  options: RequestOptions<Context>,
): (context: Context, next: () => Promise<void>) => Promise<void> {
  const askerOf = createAskers(options, ({ req }: Context, name) => req.header(name))
  return async function meterRequest(context, next) {
    await runAsAsker(meter, await askerOf(context), next)
    // Hono has answered the error already, with 500 or by `app.onError`, when `next` comes back.
    const refusal = context.error && refusalResponse(context.error)
    if (!refusal) return
    context.res = undefined
    context.res = refusal
  }
}
