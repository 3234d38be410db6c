// Google's caches of contents: billed for as long as they are kept, which is known when they are made or kept longer.
// Shapes: @google/genai 3.1.0 genai.d.ts (CachedContent, CachedContentUsageMetadata).

import { counts, isObject, textOf } from './counts.ts'
import { type Json, type Reading, type RequestFacts, type Route, UNKNOWN_MODEL } from './provider.ts'

const NOTHING = () => []
const CACHES_REMEMBERED = 1000
const SECONDS_AN_HOUR = 3600

/** Until when the caches of this process are paid for, in seconds, by name. */
const paidUntil = new Map<string, number>()

/**
 * Storage is counted up to the time at which the cache expires: nobody tells when one is deleted before. Of a cache that
 * another process has made, it is not known what was paid for already when its life is changed.
 */
function read(answer: Json, isNew: boolean): Reading {
  const name = textOf(answer['name'])
  const { usageMetadata } = answer
  if (name === undefined || !isObject(usageMetadata)) return {}
  const until = secondsOf(answer['expireTime'])
  const from = isNew ? secondsOf(answer['createTime']) : paidUntil.get(name)
  const model = textOf(answer['model'])?.split('/').at(-1)
  const id = { responseId: name, ...(model !== undefined && { model }) }
  if (!isNew && from === undefined) return id
  const count = counts()
  const tokens = count.need(usageMetadata, 'totalTokenCount')
  const seconds = until === undefined || from === undefined ? undefined : until - from
  // A life that is cut short gives nothing back here.
  const lifetime = count.need(
    { expireTime: isNew || seconds === undefined ? seconds : Math.max(0, seconds) },
    'expireTime',
  )
  if (until !== undefined) remember(name, isNew ? until : Math.max(until, from ?? 0))
  const tokenHours = Math.round((tokens * lifetime * 1e6) / SECONDS_AN_HOUR) / 1e6
  const quantities = { 'unit.cache_token_hours': tokenHours, ...(isNew && { 'input.text.cache_write': tokens }) }
  return { ...count.reading(quantities, usageMetadata, ['totalTokenCount']), ...id }
}

function remember(name: string, until: number): void {
  if (paidUntil.size >= CACHES_REMEMBERED) paidUntil.delete(paidUntil.keys().next().value!)
  paidUntil.set(name, until)
}

function secondsOf(time: unknown): number | undefined {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.round(ms / 1000)
}

function facts({ model }: Json): RequestFacts {
  return { model: textOf(model)?.split('/').at(-1) ?? UNKNOWN_MODEL, stream: false, maxOutputTokens: 0 }
}

const cache = {
  endpoint: 'caches',
  request: facts,
  requestFields: ['model'],
  fields: ['name', 'model', 'createTime', 'expireTime', 'usageMetadata'],
  isUsageOptional: true,
  isTextless: true,
  generated: NOTHING,
  prompt: NOTHING,
} as const

export const cacheRoutes: readonly Route[] = [
  { ...cache, path: /(?:^|\/)cachedContents$/, read: (answer) => read(answer, true) },
  { ...cache, method: 'patch', path: /(?:^|\/)cachedContents\/[^/:]+$/, read: (answer) => read(answer, false) },
]
