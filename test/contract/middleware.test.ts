// Every middleware through the framework itself on a real socket: who pays, whose labels, and what a refusal is answered with.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { Meter } from '../../src/meter.ts'
import * as forExpress from '../../src/middleware/express.ts'
import * as forFastify from '../../src/middleware/fastify.ts'
import * as forHono from '../../src/middleware/hono.ts'
import * as forHttp from '../../src/middleware/http.ts'
import * as forNext from '../../src/middleware/next.ts'
import type { RequestOptions } from '../../src/middleware/request.ts'
import { memorySink } from '../../src/sinks/memory.ts'

type Work = (body: unknown) => Promise<unknown>

/** A server whose every request is a POST with a JSON body, on which `work` is done. */
interface Framework {
  readonly name: string
  start(meter: Meter, options: RequestOptions<unknown>, work: Work): Promise<Server>
}

const listening = (server: Server) =>
  new Promise<Server>((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))

const bodyOf = async (chunks: AsyncIterable<Uint8Array>) => {
  let text = ''
  for await (const chunk of chunks) text += Buffer.from(chunk).toString()
  return JSON.parse(text) as unknown
}

const FRAMEWORKS: readonly Framework[] = [
  {
    name: 'Express, before the body is parsed',
    start(meter, options, work) {
      const app = express()
      app.use(forExpress.meterRequests(meter, options))
      app.use(express.json())
      app.post('/', async (request, response) => void response.json(await work(request.body)))
      app.use(forExpress.answerRefusals())
      return listening(createServer(app))
    },
  },
  {
    name: 'Fastify',
    async start(meter, options, work) {
      const app = Fastify()
      await app.register(forFastify.meterRequests(meter, options))
      app.post('/', ({ body }) => work(body))
      await app.listen({ port: 0, host: '127.0.0.1' })
      return app.server
    },
  },
  {
    name: 'Hono',
    start(meter, options, work) {
      const app = new Hono()
      app.use(forHono.meterRequests(meter, options))
      app.post('/', async (context) => context.json((await work(await context.req.json())) as object))
      return new Promise((resolve) => {
        const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(server as Server))
      })
    },
  },
  {
    name: 'a route handler of Next.js',
    start(meter, options, work) {
      const handle = forNext.meterRequests(meter, options, async (request: Request) =>
        Response.json(await work(await request.json())),
      )
      return new Promise((resolve) => {
        const server = serve({ fetch: handle, port: 0, hostname: '127.0.0.1' }, () => resolve(server as Server))
      })
    },
  },
  {
    name: 'node:http',
    start(meter, options, work) {
      const listener = forHttp.meterRequests(
        meter,
        options,
        async (request: AsyncIterable<Uint8Array> & forHttp.RequestLike, response) => {
          try {
            const answer = await work(await bodyOf(request))
            response.setHeader('content-type', 'application/json')
            response.end(JSON.stringify(answer))
          } catch (error) {
            if (!(error instanceof TypeError)) throw error
            response.statusCode = 500
            response.end('')
          }
        },
      )
      return listening(createServer(listener as Parameters<typeof createServer>[1]))
    },
  },
]

const CALL = { provider: 'openai', model: 'gpt-4o', inputTokens: 1_000_000, outputTokens: 0 } as const

describe.each(FRAMEWORKS)('$name', ({ start }) => {
  async function served(options: RequestOptions<unknown>, work?: Work) {
    const sink = memorySink()
    const meter = new Meter({ sinks: [sink], onProblem: () => {} })
    const server = await start(meter, options, work ?? track)
    async function track() {
      await new Promise((resolve) => setImmediate(resolve))
      meter.trackManually(CALL)
      return { done: true }
    }
    const { port } = server.address() as AddressInfo
    return {
      meter,
      ask: (headers: Record<string, string> = {}, body: unknown = {}) =>
        fetch(`http://127.0.0.1:${port}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        }),
      async events() {
        await meter.flush()
        return sink.events
      },
      async [Symbol.asyncDispose]() {
        await meter.close()
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  test('bills the tenant of the header that was named, with the labels of others', async () => {
    await using app = await served({
      tenantHeader: 'X-Tenant',
      userHeader: 'x-user-id',
      sessionHeader: 'x-session',
      featureHeader: 'x-feature',
      teamHeader: 'x-team',
    })
    const headers = { 'x-tenant': 'acme', 'x-user-id': 'u1', 'x-session': 's1', 'x-feature': 'search', 'x-team': 'ml' }
    expect((await app.ask(headers)).status).toBe(200)
    expect(await app.events()).toMatchObject([
      { tenantId: 'acme', userId: 'u1', sessionId: 's1', feature: 'search', team: 'ml' },
    ])
  })

  test('keeps the labels of a request that nobody pays for, whose own limits hold', async () => {
    await using app = await served({ tenantHeader: 'x-tenant', userHeader: 'x-user-id' })
    await app.ask({ 'x-user-id': 'u3' })
    const [event] = await app.events()
    expect([event?.tenantId, event?.userId]).toEqual([undefined, 'u3'])
  })

  test('looks at no header that the application has not named', async () => {
    await using app = await served({ tenant: () => undefined })
    await app.ask({ 'x-tenant': 'acme', 'x-tenant-id': 'acme', 'x-user-id': 'u1', 'x-forwarded-user': 'u1' })
    const [event] = await app.events()
    expect([event?.tenantId, event?.userId]).toEqual([undefined, undefined])
  })

  test('asks the functions of the application, also where they have to look it up', async () => {
    const later = <T>(value: T) => new Promise<T>((resolve) => setImmediate(resolve, value))
    await using app = await served({
      tenant: () => later('acme'),
      attribution: () => later({ userId: 'u2', tags: { plan: 'pro' } }),
      userHeader: 'x-user-id',
    })
    await app.ask({ 'x-user-id': 'u1' })
    expect(await app.events()).toMatchObject([{ tenantId: 'acme', userId: 'u2', tags: { plan: 'pro' } }])
  })

  test('keeps requests at once apart, on sockets that are used again', async () => {
    await using app = await served({ tenantHeader: 'x-tenant', userHeader: 'x-user-id' })
    for (let round = 0; round < 5; round++) {
      const asked = ['acme', 'globex', 'initech', undefined].map((tenant) =>
        app.ask({ ...(tenant && { 'x-tenant': tenant }), 'x-user-id': `user-of-${tenant}` }),
      )
      expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    }
    const events = await app.events()
    const callsOf = (tenant: string | undefined) => events.filter(({ tenantId }) => tenantId === tenant).length
    expect(['acme', 'globex', 'initech', undefined].map(callsOf)).toEqual([5, 5, 5, 5])
    for (const { tenantId, userId } of events) expect(userId).toBe(`user-of-${tenantId}`)
  })

  test('answers a refusal with 402, the figures, and when to come back', async () => {
    const refused = async () => {
      const { LimitExceededError } = await import('../../src/errors.ts')
      throw new Error('wrapped by a framework', {
        cause: new LimitExceededError({
          tenantId: 'acme',
          limitUsd: '50',
          spentUsd: '49.99',
          heldUsd: '0',
          window: 'day',
          scope: 'tenant',
          resetsAt: new Date(Date.now() + 90_000),
        }),
      })
    }
    await using app = await served({ tenantHeader: 'x-tenant' }, refused)
    const answer = await app.ask({ 'x-tenant': 'acme' })
    expect(answer.status).toBe(402)
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const seconds = Number(answer.headers.get('retry-after'))
    expect(seconds > 0 && seconds <= 90).toBe(true)
    expect(await answer.json()).toEqual({
      error: {
        code: 'LIMIT_EXCEEDED',
        message: expect.stringContaining('$49.99 spent'),
        tenantId: 'acme',
        limitUsd: '50',
        spentUsd: '49.99',
        heldUsd: '0',
        window: 'day',
        scope: 'tenant',
        resetsAt: expect.stringMatching(/Z$/),
      },
    })
  })

  test("every other error is the framework's, as it was", async () => {
    await using app = await served({ tenantHeader: 'x-tenant' }, async () => {
      throw new TypeError('something else')
    })
    expect((await app.ask({ 'x-tenant': 'acme' })).status).toBe(500)
  })

  test('an error of the function that looks the tenant up fails the request, and not the server', async () => {
    if (start === FRAMEWORKS.at(-1)!.start) return
    await using app = await served({
      tenant: async () => {
        throw new Error('the database is away')
      },
    })
    expect((await app.ask()).status).toBe(500)
    expect((await app.ask()).status).toBe(500)
    expect(await app.events()).toEqual([])
  })
})

describe('options that cannot be', () => {
  test.each([
    [{}, 'Say where the tenant of a request is found: `tenant`, or `tenantHeader`.'],
    [null, 'Expected `options` to be an object such as `{ tenantHeader: "x-tenant" }`, got `null`.'],
    [{ tenant: 'acme' }, 'Expected `tenant` to be a function of the request, got "acme".'],
    [{ tenantHeader: 7 }, 'Expected `tenantHeader` to be the name of a header, got `7`.'],
    [{ tenantHeader: 'x tenant' }, 'Expected `tenantHeader` to be the name of a header, got "x tenant".'],
    [
      { tenantHeader: 'x', userheader: 'y' },
      'There is no option `userheader`; the options are tenant, attribution, tenantHeader, userHeader, sessionHeader, featureHeader, teamHeader.',
    ],
  ])('%j', (options, sentence) => {
    const meter = new Meter({ sinks: [memorySink()] })
    expect(() => forExpress.meterRequests(meter, options as never)).toThrow(sentence)
    expect(() => forFastify.meterRequests(meter, options as never)).toThrow(sentence)
    expect(() => forHono.meterRequests(meter, options as never)).toThrow(sentence)
    expect(() => forNext.meterRequests(meter, options as never, () => new Response())).toThrow(sentence)
    expect(() => forHttp.meterRequests(meter, options as never, () => undefined)).toThrow(sentence)
  })
})
