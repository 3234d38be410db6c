// Platforms that freeze a process after each request: they offer `waitUntil`, and what is handed to it is finished first.

interface RequestContext {
  readonly waitUntil?: (work: Promise<unknown>) => void
}

/**
 * Vercel (`@vercel/functions` reads the same symbol), Next.js (`next/server`'s `after` waits by it where it is offered),
 * and Cloudflare by way of OpenNext, whose context keeps it under `ctx`.
 */
const SYMBOLS = ['@vercel/request-context', '@next/request-context', '__cloudflare-context__'].map((name) =>
  Symbol.for(name),
)

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
  for (const symbol of SYMBOLS) {
    if (!(symbol in globalThis)) continue
    const holder = (globalThis as Record<symbol, unknown>)[symbol] as
      | { get?: () => unknown; ctx?: unknown; waitUntil?: unknown }
      | undefined
    const found = (typeof holder?.get === 'function' ? holder.get() : (holder?.ctx ?? holder)) as RequestContext
    if (typeof found?.waitUntil === 'function') return found
  }
  return undefined
}
