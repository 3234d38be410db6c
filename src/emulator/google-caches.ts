// Google's caches of contents: what is written is charged, and for how long it is to be kept.

import { reported } from './generation.ts'
import { NOTHING } from './openai-media.ts'
import { type Answer, asText, type Billable, type Call, type Json } from './wire.ts'
import { countTokens } from './words.ts'

const USUAL_MS = 3_600_000

/** Gives `undefined` for what is no cache. */
export function googleCaches(): (call: Call) => Answer | undefined {
  const caches = new Map<string, { readonly json: Json; readonly tokens: number; readonly until: number }>()

  function answer(call: Call, json: Json, tokens: number, hours: number, isNew: boolean): Answer {
    const billable: Billable = {
      model: modelOf(json),
      endpoint: 'cachedContents',
      responseId: String(json.name),
      terms: {},
      counts: { ...NOTHING, cacheWrite: isNew ? tokens : 0 },
      extras: { cacheTokenHours: tokens * hours },
      usage: () => ({ totalTokenCount: tokens }),
    }
    return {
      status: 200,
      json: { ...json, usageMetadata: reported(call.reply, { totalTokenCount: tokens }) },
      billable,
    }
  }

  return (call) => {
    const { method, path, body, reply, serial, now } = call
    const until = endOf(body, now)
    if (method === 'POST' && path.endsWith('/cachedContents')) {
      const tokens = reply.inputTokens ?? countTokens([body.contents, body.systemInstruction, body.tools])
      const name = `cachedContents/${serial}`
      const at = now.toISOString()
      const expireTime = new Date(until).toISOString()
      const json = { name, model: body.model, createTime: at, updateTime: at, expireTime }
      caches.set(name, { json, tokens, until })
      return answer(call, json, tokens, (until - now.getTime()) / USUAL_MS, true)
    }
    const name = /cachedContents\/[^/:]+$/.exec(path)?.[0] ?? ''
    const cache = caches.get(name)
    if (!cache) return undefined
    if (method === 'DELETE') return { status: 200, json: {} }
    if (method !== 'PATCH') return { status: 200, json: cache.json }
    const json = { ...cache.json, updateTime: now.toISOString(), expireTime: new Date(until).toISOString() }
    caches.set(name, { ...cache, json, until })
    return answer(call, json, cache.tokens, Math.max(0, until - cache.until) / USUAL_MS, false)
  }
}

/** In whole seconds, as the answer tells it. */
function endOf({ ttl, expireTime }: Json, now: Date): number {
  if (typeof expireTime === 'string') return Date.parse(expireTime)
  return now.getTime() + (asText(ttl) === undefined ? USUAL_MS : Number.parseFloat(String(ttl)) * 1000)
}

function modelOf({ model }: Json): string {
  return String(model).split('/').at(-1) ?? ''
}
