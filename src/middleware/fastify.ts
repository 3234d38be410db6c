// Fastify 4 and 5: a plugin that says who pays for a request, and answers one whose call was refused.

import { refusalAnswer } from './refusal.ts'
import { type Asker, createAskers, type RequestMeter, type RequestOptions, setAsker } from './request.ts'

export type { RefusalAnswer, RefusalBody } from './refusal.ts'
export { refusalAnswer } from './refusal.ts'
export type { RequestMeter, RequestOptions } from './request.ts'

/** What is read of a request; Fastify's own has more. */
export interface RequestLike {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
}

/** What is written to of a reply. */
export interface ReplyLike {
  readonly sent: boolean
  code(status: number): this
  headers(values: Readonly<Record<string, string>>): this
  send(payload: unknown): unknown
}

/** What is used of a server; what a hook and a handler are given is Fastify's own to type. */
export interface ServerLike {
  addHook(name: 'preHandler', hook: never): unknown
  setErrorHandler(handler: never): unknown
}

/** What `app.register` takes. */
export type Plugin = (server: ServerLike, options: unknown, done: () => void) => void

/**
 * A plugin for `app.register`. It sets the server's error handler, which hands on whatever is no refusal; with one of
 * your own, register this first and ask `refusalAnswer(error)` in yours.
 *
 * @example
 * import Fastify from 'fastify'
 * import { meterRequests } from 'tallygate/fastify'
 *
 * const server = Fastify()
 * await server.register(meterRequests(meter, { tenantHeader: 'x-tenant', userHeader: 'x-user-id' }))
 */
export function meterRequests<Request extends RequestLike>(
  meter: RequestMeter,
  options: RequestOptions<Request>,
): Plugin {
  const askerOf = createAskers(options, ({ headers }: Request, name) => headers[name])

  function preHandler(request: Request, _reply: unknown, done: (error?: Error) => void): void {
    const go = (asker: Asker): void => {
      setAsker(meter, asker)
      done()
    }
    const failed = (error: unknown): void => done(error as Error)
    try {
      const asker = askerOf(request)
      if (asker instanceof Promise) void asker.then(go, failed)
      else go(asker)
    } catch (error) {
      failed(error)
    }
  }

  function errorHandler(error: unknown, _request: unknown, reply: ReplyLike): unknown {
    const answer = refusalAnswer(error)
    // An error thrown here goes to the handler around it, and at last to Fastify's own.
    if (!answer || reply.sent) throw error
    return reply.code(answer.status).headers(answer.headers).send(answer.body)
  }

  const plugin: Plugin = (server, _options, done) => {
    // Not `onRequest`: who asks may be known only when the body is read, or a plugin has looked at the session.
    server.addHook('preHandler', preHandler as never)
    server.setErrorHandler(errorHandler as never)
    done()
  }
  // Fastify keeps what a plugin sets within it; this one is for the server that registers it.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'tallygate',
  })
}
