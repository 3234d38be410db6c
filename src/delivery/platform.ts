// Platforms that freeze a process after each request: they offer `waitUntil`, and what is handed to it is finished first.

interface RequestContext {
  readonly waitUntil?: (work: Promise<unknown>) => void
}

/**
 * Vercel (`@vercel/functions` reads the same symbol), Next.js (`next/server`'s `after` waits by it where it is offered),
 * and Cloudflare by way of OpenNext, whose context keeps it under `ctx`.
 */
const VERCEL = Symbol.for('@vercel/request-context')
const NEXT = Symbol.for('@next/request-context')
const CLOUDFLARE = Symbol.for('__cloudflare-context__')

const globals = globalThis as {
  readonly [VERCEL]?: unknown
  readonly [NEXT]?: unknown
  readonly [CLOUDFLARE]?: unknown
}

const asked = new WeakMap<object, WeakSet<object>>()

/** Hands `flush` to the request that is being answered, once until it is done; false where no platform offers that. */
export function flushWithRequest(owner: object, flush: () => Promise<void>): boolean {
  const context = currentContext()
  if (context === undefined) return false
  let busy = asked.get(owner)
  if (busy === undefined) asked.set(owner, (busy = new WeakSet()))
  if (busy.has(context)) return true
  busy.add(context)
  const contexts = busy
  context.waitUntil!(
    Promise.resolve()
      .then(flush)
      .catch(() => undefined)
      .finally(() => contexts.delete(context)),
  )
  return true
}

function currentContext(): RequestContext | undefined {
  // Each by its own name: asked for one after the other in a loop, they take six times as long, and every event asks.
  return waiterIn(globals[VERCEL]) ?? waiterIn(globals[NEXT]) ?? waiterIn(globals[CLOUDFLARE])
}

function waiterIn(given: unknown): RequestContext | undefined {
  if (given === undefined) return undefined
  const holder = given as { get?: () => unknown; ctx?: unknown } | null
  const found = (typeof holder?.get === 'function' ? holder.get() : (holder?.ctx ?? holder)) as
    | RequestContext
    | undefined
  return typeof found?.waitUntil === 'function' ? found : undefined
}
